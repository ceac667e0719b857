#include "base/status.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/text.h"

#undef mae_error_set /* for analysers */
MaeStatus mae_error_set(MaeError *err, MaeStatus status, const char *file, int line,
                        const char *fmt, ...)
{
    va_list args;

    if (err == NULL)
        return status;
    err->status = status;
    err->file = file;
    err->line = line;
    va_start(args, fmt);
    (void)mae_text_vformat(err->msg, sizeof err->msg, fmt, args);
    va_end(args);
    mae_text_tame(err->msg);
    return status;
}

const char *mae_status_name(MaeStatus status)
{
    switch (status) {
    case MAE_OK:
        return "ok";
    case MAE_ERR_ARG:
        return "argument";
    case MAE_ERR_SHAPE:
        return "shape";
    case MAE_ERR_IO:
        return "io";
    case MAE_ERR_FORMAT:
        return "format";
    case MAE_ERR_NOMEM:
        return "memory";
    case MAE_ERR_COMM:
        return "communication";
    case MAE_ERR_NUMERIC:
        return "numeric";
    case MAE_ERR_INTERRUPTED:
        return "interrupted";
    }
    return "unknown";
}
