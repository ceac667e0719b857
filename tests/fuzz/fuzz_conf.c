/*
 * Configurations and RandAugment policies, from files and the command line: what is
 * accepted prints and loads again. An input is a YAML text, or behind a NUL byte an
 * override of an empty one.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "conf/config.h"
#include "conf/policy.h"
#include "fuzz.h"

static void parse(MaeConfTool tool, const char *yaml, size_t size, const char *override)
{
    static MaeConfig cfg, again;
    const size_t overrides = override != NULL;
    MaeError err = {0};
    char *text = NULL;

    if (mae_config_parse_text(&cfg, tool, "fuzz", yaml, size, &override, overrides,
                              &err) != MAE_OK)
        return;
    if (tool == MAE_CONF_FINETUNE && cfg.finetune.checkpoint[0] != '\0')
        return; /* it waits for the checkpoint's architecture, which prints, too */
    if (mae_config_text(&cfg, &text, &err) != MAE_OK ||
        mae_config_parse_text(&again, tool, "fuzz", text, strlen(text), NULL, 0, &err) !=
            MAE_OK)
        abort();
    free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = fuzz_text(data, size);
    const char *override = size > 0 && text[0] == '\0' ? text + 1 : NULL;
    const size_t yaml = override != NULL ? 0 : size;
    MaeError err = {0};
    MaePolicy policy;

    parse(MAE_CONF_PRETRAIN, text, yaml, override);
    parse(MAE_CONF_FINETUNE, text, yaml, override);
    (void)mae_policy_parse(&policy, text, &err);
    free(text);
    return 0;
}
