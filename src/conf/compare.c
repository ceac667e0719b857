#include <string.h>

#include "conf/config.h"
#include "conf/reader.h"
#include "conf/schema.h"
#include "conf/value.h"

/* True if @p name is one of the comma-separated @p names; NULL holds all. */
static bool listed(const char *names, const char *name)
{
    const size_t n = strlen(name);

    while (names != NULL && *names != '\0') {
        const size_t m = strcspn(names, ",");

        if (m == n && memcmp(names, name, n) == 0)
            return true;
        names += m + (names[m] == ',');
    }
    return names == NULL;
}

static bool reads(const MaeConfig *cfg, const MaeKey *key)
{
    return (key->tools & (1u << cfg->tool)) != 0;
}

static bool fits(const MaeConfig *a, const MaeConfig *b, const MaeKey *key)
{
    return mae_value_open(a, key) || mae_value_open(b, key);
}

static bool same(const MaeConfig *a, const MaeConfig *b, const MaeKey *key)
{
    char ta[MAE_VALUE_TEXT], tb[MAE_VALUE_TEXT];

    mae_value_text(a, key, ta, sizeof ta);
    mae_value_text(b, key, tb, sizeof tb);
    return strcmp(ta, tb) == 0;
}

/* The value on one line of a message. */
static void brief(const MaeConfig *cfg, const MaeKey *key, char *out, size_t size)
{
    char text[MAE_VALUE_TEXT];

    mae_value_text(cfg, key, text, sizeof text);
    mae_yaml_tail(out, size, text);
}

size_t mae_config_diff(const MaeConfig *run, const MaeConfig *now, const char *sections,
                       MaeConfDiff which, char *text, size_t size)
{
    const MaeSection *section;
    const MaeKey *key;
    char was[100], is[100];
    size_t used = 0, count = 0;

    if (size > 0)
        text[0] = '\0';
    for (size_t i = 0; (key = mae_schema_key(i, &section)) != NULL; i++) {
        if (!listed(sections, section->name) || same(run, now, key))
            continue;
        if (which == MAE_CONF_DIFF_RESUME &&
            (key->flags & MAE_KEY_FREE || !reads(now, key) || fits(run, now, key)))
            continue;
        brief(run, key, was, sizeof was);
        brief(now, key, is, sizeof is);
        if (used < size)
            used += (size_t)snprintf(
                text + used, size - used, "%s%s.%s: run has %s, config says %s",
                count == 0 ? "" : "; ", section->name, key->name, was, is);
        count++;
    }
    return count;
}

/*
 * True if the user asked for this value: by itself, or through a preset other than the
 * checkpoint's (the same one leaves the checkpoint's overrides alone).
 */
static bool asked_for(const MaeConfig *cfg, const MaeConfig *from, size_t index)
{
    const MaeConfFrom source = cfg->source[index].from;

    return source == MAE_CONF_FROM_FILE || source == MAE_CONF_FROM_COMMAND_LINE ||
           (source == MAE_CONF_FROM_PRESET && mae_config_given(cfg, "model.preset") &&
            strcmp(cfg->model.preset, from->model.preset) != 0);
}

static MaeStatus refuse(const MaeConfig *cfg, const MaeConfig *from, size_t index,
                        MaeError *err)
{
    const MaeSection *section;
    const MaeKey *key = mae_schema_key(index, &section);
    char path[96], origin[160], was[100], is[100];

    (void)snprintf(path, sizeof path, "%s.%s", section->name, key->name);
    mae_config_origin(cfg, path, origin, sizeof origin);
    brief(from, key, was, sizeof was);
    brief(cfg, key, is, sizeof is);
    MAE_FAIL(err, MAE_ERR_ARG, "%s: %s: checkpoint has %s, config says %s", origin, path,
             was, is);
}

/* Take over one key. */
static MaeStatus adopt(MaeConfig *tmp, const MaeConfig *cfg, const MaeConfig *from,
                       size_t index, MaeError *err)
{
    const MaeKey *key = mae_schema_key(index, NULL);
    const bool name_only = key->offset == offsetof(MaeConfig, model.preset);
    const bool own = (key->flags & MAE_KEY_OWN) != 0;
    const bool asked = own ? cfg->source[index].from == MAE_CONF_FROM_FILE ||
                                 cfg->source[index].from == MAE_CONF_FROM_COMMAND_LINE
                           : !name_only && asked_for(cfg, from, index);
    const bool equal = same(cfg, from, key);

    if (mae_value_open(from, key) || (asked && (own || equal)))
        return MAE_OK;
    if (asked && reads(cfg, key) && !mae_value_open(cfg, key))
        return refuse(cfg, from, index, err);
    memcpy((char *)tmp + key->offset, (const char *)from + key->offset, key->size);
    tmp->source[index] = (MaeConfSource){.from = MAE_CONF_FROM_CHECKPOINT};
    return MAE_OK;
}

MaeStatus mae_config_adopt(MaeConfig *cfg, const MaeConfig *from, const char *section,
                           MaeError *err)
{
    MaeConfig tmp = *cfg;
    const MaeSection *at;

    for (size_t i = 0; mae_schema_key(i, &at) != NULL; i++) {
        if (strcmp(at->name, section) == 0)
            MAE_TRY(adopt(&tmp, cfg, from, i, err));
    }
    MAE_TRY(mae_config_check(&tmp, err));
    *cfg = tmp;
    return MAE_OK;
}
