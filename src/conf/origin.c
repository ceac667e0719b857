#include <assert.h>
#include <stdint.h>
#include <stdio.h>

#include "conf/config.h"
#include "conf/reader.h"
#include "conf/schema.h"
#include "conf/value.h"

static size_t index_of(const char *key)
{
    const size_t index = mae_schema_find_path(key);

    assert(index != SIZE_MAX);
    return index;
}

MaeConfSource mae_config_from(const MaeConfig *cfg, const char *key)
{
    return cfg->source[index_of(key)];
}

bool mae_config_given(const MaeConfig *cfg, const char *key)
{
    const MaeConfFrom from = mae_config_from(cfg, key).from;

    return from == MAE_CONF_FROM_FILE || from == MAE_CONF_FROM_COMMAND_LINE;
}

void mae_config_mark(MaeConfig *cfg, const char *key, MaeConfFrom from)
{
    cfg->source[index_of(key)] = (MaeConfSource){.from = from};
}

/* The name comes from outside and goes into comments of a YAML text. */
void mae_value_file(const MaeConfig *cfg, char *text, size_t size)
{
    mae_yaml_tail(text, size, *cfg->path == '\0' ? "configuration" : cfg->path);
    while (*text != '\0') {
        const size_t n = mae_value_printable(text);

        if (n == 0)
            *text = '?';
        text += n == 0 ? 1 : n;
    }
}

void mae_config_origin(const MaeConfig *cfg, const char *key, char *text, size_t size)
{
    const MaeConfSource source = mae_config_from(cfg, key);
    char file[128];

    switch (source.from) {
    case MAE_CONF_FROM_DEFAULT:
        (void)snprintf(text, size, "default");
        return;
    case MAE_CONF_FROM_PRESET:
        (void)snprintf(text, size, "preset %s", cfg->model.preset);
        return;
    case MAE_CONF_FROM_FILE:
        mae_value_file(cfg, file, sizeof file);
        (void)snprintf(text, size, "%s:%u", file, source.line);
        return;
    case MAE_CONF_FROM_COMMAND_LINE:
        (void)snprintf(text, size, "command line");
        return;
    case MAE_CONF_FROM_CHECKPOINT:
        (void)snprintf(text, size, "checkpoint");
        return;
    case MAE_CONF_FROM_MODE:
        (void)snprintf(text, size, "mode linear");
        return;
    case MAE_CONF_FROM_DERIVED:
        (void)snprintf(text, size, "derived");
        return;
    }
}
