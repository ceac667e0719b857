#include "common/version.h"

#include "comm/versions.h"
#include "conf/versions.h"
#include "image/versions.h"
#include "kernel/versions.h"
#include "store/versions.h"

/* One row per layer that stands on a library. */
static const MaeVersionFn LAYERS[] = {mae_kernel_versions, mae_image_versions,
                                      mae_store_versions,  mae_comm_versions,
                                      mae_conf_versions,   NULL};

void mae_version_print(FILE *out, const char *name)
{
    fprintf(out, "%s %s\n", name, MAE_VERSION);
    for (const MaeVersionFn *layer = LAYERS; *layer != NULL; layer++) {
        char text[256] = "";

        (*layer)(text, sizeof text);
        fprintf(out, "%s\n", text);
    }
}
