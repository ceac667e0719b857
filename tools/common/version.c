#include "common/version.h"

/* One row per layer that stands on a library. */
static const MaeVersionFn LAYERS[] = {NULL};

void mae_version_print(FILE *out, const char *name)
{
    fprintf(out, "%s %s\n", name, MAE_VERSION);
    for (const MaeVersionFn *layer = LAYERS; *layer != NULL; layer++) {
        char text[256] = "";

        (*layer)(text, sizeof text);
        fprintf(out, "%s\n", text);
    }
}
