#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "conf/config.h"
#include "conf/schema.h"
#include "conf/value.h"

enum { COLUMN = 44, WIDTH = 88 };

static const char *const TOOLS[] = {"mae-pretrain", "mae-finetune"};

static bool reads(MaeConfTool tool, const MaeKey *key)
{
    return (key->tools & (1u << tool)) != 0;
}

/* Whether the run looks at a key; one that was given is printed anyway. */
static bool is_used(const MaeConfig *cfg, const MaeKey *key)
{
    return reads(cfg->tool, key) && (!(key->flags & MAE_KEY_PARTIAL) ||
                                     cfg->finetune.mode == MAE_CONF_MODE_PARTIAL);
}

/* ---- YAML -------------------------------------------------------------------------- */

void mae_config_each(const MaeConfig *cfg, MaeConfRowFn fn, void *ctx)
{
    const MaeSection *section;
    const MaeKey *key;

    for (size_t i = 0; (key = mae_schema_key(i, &section)) != NULL; i++) {
        const bool given = cfg->source[i].from != MAE_CONF_FROM_DEFAULT;
        char value[MAE_VALUE_TEXT], path[96], origin[160];

        if (!is_used(cfg, key) && !given)
            continue;
        mae_value_text(cfg, key, value, sizeof value);
        (void)snprintf(path, sizeof path, "%s.%s", section->name, key->name);
        mae_config_origin(cfg, path, origin, sizeof origin);
        fn(ctx, &(MaeConfRow){section->name, key->name, value, origin, given});
    }
}

typedef struct Printing {
    FILE *out;
    const char *section; /* the last one; NULL before the first */
} Printing;

static void print_row(void *ctx, const MaeConfRow *row)
{
    Printing *p = ctx;
    int used;

    if (p->section == NULL || strcmp(row->section, p->section) != 0)
        (void)fprintf(p->out, "%s:\n", row->section);
    p->section = row->section;
    used = fprintf(p->out, "  %s: %s", row->name, row->value);
    (void)fprintf(p->out, "%*s # from %s\n", used < COLUMN ? COLUMN - used : 0, "",
                  row->origin);
}

static void print_derived(const MaeConfig *cfg, FILE *out)
{
    char lr[40];

    mae_value_real(mae_config_lr(cfg), lr, sizeof lr);
    (void)fprintf(out, "# effective batch: %zu (batch_size x accum_iter)\n",
                  mae_config_effective_batch(cfg));
    (void)fprintf(out, "# peak learning rate: %s%s\n", lr,
                  cfg->optim.lr > 0.0 ? ""
                  : cfg->tool == MAE_CONF_FINETUNE &&
                          cfg->finetune.mode == MAE_CONF_MODE_LINEAR
                      ? " (blr x 64)"
                      : " (blr x effective batch / 256)");
    (void)fprintf(out, "# patches: %zu", mae_config_patches(cfg));
    if (cfg->tool == MAE_CONF_PRETRAIN)
        (void)fprintf(out, ", of which visible: %zu", mae_config_visible(cfg));
    (void)fputc('\n', out);
}

void mae_config_print(const MaeConfig *cfg, FILE *out)
{
    Printing printing = {out, NULL};

    (void)fprintf(out, "# %s, fully resolved\n", TOOLS[cfg->tool]);
    mae_config_each(cfg, print_row, &printing);
    print_derived(cfg, out);
}

MaeStatus mae_config_text(const MaeConfig *cfg, char **text, MaeError *err)
{
    char *buffer = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&buffer, &size);
    bool failed;

    if (out == NULL)
        MAE_FAIL(err, MAE_ERR_NOMEM, "configuration text: out of memory");
    mae_config_print(cfg, out);
    failed = ferror(out) != 0;
    failed = fclose(out) != 0 || failed;
    if (failed) {
        free(buffer);
        MAE_FAIL(err, MAE_ERR_NOMEM, "configuration text: out of memory");
    }
    *text = buffer;
    return MAE_OK;
}

/* ---- help -------------------------------------------------------------------------- */

/* Print words with line breaks, each line indented. */
static void wrap(FILE *out, const char *text, size_t indent)
{
    size_t column = 0;

    while (*text != '\0') {
        const size_t n = strcspn(text, " ");

        if (column > 0 && column + 1 + n > WIDTH) {
            (void)fputc('\n', out);
            column = 0;
        }
        (void)fprintf(out, "%*s%.*s", column == 0 ? (int)indent : 1, "", (int)n, text);
        column += (column == 0 ? indent : 1) + n;
        text += n + (text[n] == ' ');
    }
    (void)fputc('\n', out);
}

static void help_default(FILE *out, const MaeKey *key, MaeConfTool tool)
{
    const bool own = tool == MAE_CONF_FINETUNE && key->def_finetune != NULL;
    const char *def = own ? key->def_finetune : key->def;

    if (def == NULL)
        (void)fprintf(out, "      default: %s", key->fallback);
    else
        (void)fprintf(out, "      default: %s", *def == '\0' ? "\"\"" : def);
    if (tool == MAE_CONF_FINETUNE && key->def_linear != NULL)
        (void)fprintf(out, " (finetune.mode linear: %s)", key->def_linear);
    if (key->unit != NULL)
        (void)fprintf(out, "; unit: %s", key->unit);
    if (!reads(tool, key))
        (void)fprintf(out, "; only read by %s", TOOLS[tool == MAE_CONF_PRETRAIN]);
    (void)fputc('\n', out);
}

void mae_config_help(FILE *out, MaeConfTool tool)
{
    const MaeSection *section, *last = NULL;
    const MaeKey *key;
    char want[200];

    (void)fprintf(
        out,
        "Keys of the configuration file of %s. In the file: sections with keys;\n"
        "on the command line: section.key=value.\n",
        TOOLS[tool]);
    for (size_t i = 0; (key = mae_schema_key(i, &section)) != NULL; i++) {
        if (last == NULL || section != last)
            (void)fprintf(out, "\n%s: %s\n", section->name, section->help);
        last = section;
        mae_value_expected(key, want, sizeof want);
        (void)fprintf(out, "\n  %s.%s: %s\n", section->name, key->name, want);
        help_default(out, key, tool);
        wrap(out, key->help, 6);
    }
}
