/* Configurations: a text is one that prints and loads again, or is refused. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "conf/config.h"
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static MaeConfig cfg, again;
    MaeError err = {0};
    char *text = NULL;

    if (mae_config_parse_text(&cfg, MAE_CONF_PRETRAIN, "fuzz", (const char *)data, size,
                              NULL, 0, &err) != MAE_OK)
        return 0;
    if (mae_config_text(&cfg, &text, &err) != MAE_OK)
        abort();
    if (mae_config_parse_text(&again, MAE_CONF_PRETRAIN, "fuzz", text, strlen(text), NULL,
                              0, &err) != MAE_OK)
        abort();
    free(text);
    return 0;
}
