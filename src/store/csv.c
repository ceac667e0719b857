#include "store/csv.h"

#include <string.h>

void mae_csv_text(MaeOutput *out, const char *text)
{
    mae_output_append(out, "\"", 1);
    for (const char *quote; (quote = strchr(text, '"')) != NULL; text = quote + 1) {
        mae_output_append(out, text, (size_t)(quote - text) + 1);
        mae_output_append(out, "\"", 1);
    }
    mae_output_append(out, text, strlen(text));
    mae_output_append(out, "\"", 1);
}
