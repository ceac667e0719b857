#include "base/log.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include "base/text.h"

void mae_log(const MaeLog *log, MaeLogLevel level, const char *fmt, ...)
{
    char line[1024];
    va_list args;

    if (log == NULL || log->fn == NULL || level > log->level)
        return;
    va_start(args, fmt);
    (void)mae_text_vformat(line, sizeof line, fmt, args);
    va_end(args);
    mae_text_tame(line);
    log->fn(log->ctx, level, line);
}
