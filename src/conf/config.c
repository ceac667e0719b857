#include "conf/config.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "conf/reader.h"
#include "conf/schema.h"
#include "conf/value.h"

enum { SECTIONS = 16, NAME = 80, WHERE = MAE_YAML_WHERE + NAME };

#define LINEAR_BATCH 16384.0 /* images, of the published linear probe */

/* State of the callbacks that fill a configuration from a file. */
typedef struct Loader {
    MaeConfig *cfg;
    const MaeSection *section; /* being read */
    size_t key;                /* being read */
    size_t section_line[SECTIONS];
    size_t key_line[MAE_CONFIG_KEYS];
} Loader;

/* DESIGN section 9: vit_micro to vit_small are ours, the others the paper's. */
static const struct Preset {
    const char *name;
    size_t patch, image;
    size_t dim, depth, heads;
    size_t decoder_dim, decoder_depth, decoder_heads;
} PRESETS[] = {
    {"vit_micro", 4, 32, 128, 4, 4, 64, 2, 4},
    {"vit_tiny", 4, 32, 192, 12, 3, 192, 4, 3},
    {"vit_small", 16, 224, 384, 12, 6, 192, 4, 3},
    {"vit_base", 16, 224, 768, 12, 12, 512, 8, 16},
    {"vit_large", 16, 224, 1024, 24, 16, 512, 8, 16},
    {"vit_huge", 14, 224, 1280, 32, 16, 512, 8, 16},
};

/* ---- defaults ---------------------------------------------------------------------- */

/* Text keys take their text literally, everything else is YAML. */
static MaeStatus set_from_text(MaeConfig *cfg, const MaeKey *key, const char *text,
                               const char *where, MaeError *err)
{
    MaeYamlValue value;

    if (key->type == MAE_KEY_TEXT)
        MAE_TRY(mae_yaml_literal(&value, text, where, err));
    else
        MAE_TRY(mae_yaml_value(&value, text, where, err));
    return mae_value_set(cfg, key, &value, where, err);
}

static MaeStatus set_defaults(MaeConfig *cfg, MaeConfTool tool, MaeError *err)
{
    const MaeKey *key;

    memset(cfg, 0, sizeof *cfg);
    cfg->tool = tool;
    for (size_t i = 0; (key = mae_schema_key(i, NULL)) != NULL; i++) {
        const bool own = tool == MAE_CONF_FINETUNE && key->def_finetune != NULL;
        const char *def = own ? key->def_finetune : key->def;

        if (def != NULL)
            MAE_TRY(set_from_text(cfg, key, def, key->name, err));
    }
    return MAE_OK;
}

static void fill(MaeConfig *cfg, const char *name, size_t *at, size_t n, size_t x)
{
    const size_t index = mae_schema_find_path(name);

    assert(index != SIZE_MAX);
    if (cfg->source[index].from != MAE_CONF_FROM_DEFAULT)
        return;
    for (size_t i = 0; i < n; i++)
        at[i] = x;
    cfg->source[index].from = MAE_CONF_FROM_PRESET;
}

static void fill_preset(MaeConfig *cfg)
{
    MaeConfModel *m = &cfg->model;
    const struct Preset *p = PRESETS;

    while (strcmp(p->name, m->preset) != 0)
        p++;
    fill(cfg, "model.img_size", m->img_size, 2, p->image);
    fill(cfg, "model.patch_size", &m->patch_size, 1, p->patch);
    fill(cfg, "model.embed_dim", &m->embed_dim, 1, p->dim);
    fill(cfg, "model.depth", &m->depth, 1, p->depth);
    fill(cfg, "model.num_heads", &m->num_heads, 1, p->heads);
    fill(cfg, "model.decoder_embed_dim", &m->decoder_embed_dim, 1, p->decoder_dim);
    fill(cfg, "model.decoder_depth", &m->decoder_depth, 1, p->decoder_depth);
    fill(cfg, "model.decoder_num_heads", &m->decoder_num_heads, 1, p->decoder_heads);
}

/* What the published linear probe does otherwise than fine-tuning. */
static MaeStatus fill_mode(MaeConfig *cfg, MaeError *err)
{
    const MaeKey *key;

    if (cfg->tool != MAE_CONF_FINETUNE || cfg->finetune.mode != MAE_CONF_MODE_LINEAR)
        return MAE_OK;
    for (size_t i = 0; (key = mae_schema_key(i, NULL)) != NULL; i++) {
        if (key->def_linear == NULL || cfg->source[i].from != MAE_CONF_FROM_DEFAULT)
            continue;
        MAE_TRY(set_from_text(cfg, key, key->def_linear, key->name, err));
        cfg->source[i].from = MAE_CONF_FROM_MODE;
    }
    return MAE_OK;
}

/* The paper's: 40 of 800 epochs, 5 of 50, and 10 of the 90 of a linear probe. */
static double warmup_share(const MaeConfig *cfg)
{
    if (cfg->tool == MAE_CONF_PRETRAIN)
        return 40.0 / 800.0;
    return cfg->finetune.mode == MAE_CONF_MODE_LINEAR ? 10.0 / 90.0 : 5.0 / 50.0;
}

static void derive(MaeConfig *cfg)
{
    if (mae_config_given(cfg, "optim.warmup_epochs"))
        return;
    cfg->optim.warmup_epochs = (double)cfg->train.epochs * warmup_share(cfg);
    mae_config_mark(cfg, "optim.warmup_epochs", MAE_CONF_FROM_DERIVED);
}

/* ---- file -------------------------------------------------------------------------- */

static MaeStatus on_section(void *ctx, const char *name, const char *where, size_t line,
                            MaeError *err)
{
    Loader *l = ctx;
    const size_t s = mae_schema_find_section(name);
    char hint[160];
    size_t count;
    const MaeSection *sections = mae_schema_sections(&count);

    assert(count <= SECTIONS);
    if (s == count) {
        mae_schema_suggest(NULL, name, hint, sizeof hint);
        MAE_FAIL(err, MAE_ERR_ARG, "%s: %s: unknown section%s", where, name, hint);
    }
    if (l->section_line[s] != 0)
        MAE_FAIL(err, MAE_ERR_ARG, "%s: %s: section given twice, first on line %zu",
                 where, name, l->section_line[s]);
    l->section_line[s] = line;
    l->section = &sections[s];
    return MAE_OK;
}

static MaeStatus on_key(void *ctx, const char *name, const char *where, size_t line,
                        MaeError *err)
{
    Loader *l = ctx;
    const char *section = l->section->name;
    char hint[160];

    l->key = mae_schema_find(section, name);
    if (l->key == SIZE_MAX) {
        mae_schema_suggest(section, name, hint, sizeof hint);
        MAE_FAIL(err, MAE_ERR_ARG, "%s: %s.%s: unknown key%s", where, section, name,
                 hint);
    }
    if (l->key_line[l->key] != 0)
        MAE_FAIL(err, MAE_ERR_ARG, "%s: %s.%s: given twice, first on line %zu", where,
                 section, name, l->key_line[l->key]);
    l->key_line[l->key] = line;
    return MAE_OK;
}

static MaeStatus on_value(void *ctx, const MaeYamlValue *value, const char *where,
                          MaeError *err)
{
    Loader *l = ctx;
    const MaeKey *key = mae_schema_key(l->key, NULL);
    char at[WHERE];

    (void)snprintf(at, sizeof at, "%s: %s.%s", where, l->section->name, key->name);
    MAE_TRY(mae_value_set(l->cfg, key, value, at, err));
    l->cfg->source[l->key] = (MaeConfSource){
        .from = MAE_CONF_FROM_FILE,
        .line = (unsigned)l->key_line[l->key],
    };
    return MAE_OK;
}

static MaeStatus read_text(MaeConfig *cfg, const char *name, const char *text,
                           size_t size, MaeError *err)
{
    Loader loader = {.cfg = cfg};
    const MaeYamlSink sink = {&loader, on_section, on_key, on_value};

    (void)snprintf(cfg->path, sizeof cfg->path, "%s", name);
    return mae_yaml_read(name, text, size, &sink, err);
}

/* ---- command line ------------------------------------------------------------------ */

static MaeStatus unknown_override(const char *key, const char *where, MaeError *err)
{
    const char *dot = strchr(key, '.');
    size_t count;
    const MaeSection *sections = mae_schema_sections(&count);
    char section[NAME], hint[160];
    size_t s;

    if (dot == NULL) {
        mae_schema_suggest(NULL, key, hint, sizeof hint);
        MAE_FAIL(err, MAE_ERR_ARG, "%s: expected section.key=value%s", where, hint);
    }
    (void)snprintf(section, sizeof section, "%.*s", (int)(dot - key), key);
    s = mae_schema_find_section(section);
    if (s < count)
        mae_schema_suggest(sections[s].name, dot + 1, hint, sizeof hint);
    else
        mae_schema_suggest_path(section, dot + 1, hint, sizeof hint);
    MAE_FAIL(err, MAE_ERR_ARG, "%s: unknown %s%s", where, s < count ? "key" : "section",
             hint);
}

static MaeStatus apply_override(MaeConfig *cfg, const char *text, MaeError *err)
{
    const size_t n = strcspn(text, "=");
    char key[NAME], where[WHERE];
    size_t index;

    (void)snprintf(where, sizeof where, "command line: %.120s", text);
    if (text[n] != '=')
        MAE_FAIL(err, MAE_ERR_ARG, "%s: expected section.key=value", where);
    (void)snprintf(key, sizeof key, "%.*s", n < NAME ? (int)n : NAME, text);
    index = mae_schema_find_path(key);
    if (index == SIZE_MAX)
        return unknown_override(key, where, err);
    MAE_TRY(set_from_text(cfg, mae_schema_key(index, NULL), text + n + 1, where, err));
    cfg->source[index] = (MaeConfSource){.from = MAE_CONF_FROM_COMMAND_LINE};
    return MAE_OK;
}

/* ---- loading ----------------------------------------------------------------------- */

MaeStatus mae_config_parse_text(MaeConfig *cfg, MaeConfTool tool, const char *name,
                                const char *text, size_t size,
                                const char *const *overrides, size_t n, MaeError *err)
{
    MaeConfig tmp;

    MAE_TRY(set_defaults(&tmp, tool, err));
    MAE_TRY(read_text(&tmp, name, text, size, err));
    for (size_t i = 0; i < n; i++)
        MAE_TRY(apply_override(&tmp, overrides[i], err));
    fill_preset(&tmp);
    MAE_TRY(fill_mode(&tmp, err));
    derive(&tmp);
    MAE_TRY(mae_config_check(&tmp, err));
    *cfg = tmp;
    return MAE_OK;
}

static MaeStatus unreadable(const char *path, const char *reason, MaeError *err)
{
    char name[MAE_YAML_WHERE];

    mae_yaml_tail(name, sizeof name, path);
    MAE_FAIL(err, MAE_ERR_IO, "%s: cannot read the configuration: %s", name, reason);
}

static MaeStatus io_error(const char *path, int code, MaeError *err)
{
    char reason[128] = "unknown error";

    (void)strerror_r(code, reason, sizeof reason);
    return unreadable(path, reason, err);
}

/* One byte more than allowed is read, so that the reader sees an oversized text. */
static MaeStatus read_stream(int fd, const char *path, char **text, size_t *size,
                             MaeError *err)
{
    struct stat info;
    ssize_t got = 1;

    if (fstat(fd, &info) != 0)
        return io_error(path, errno, err);
    if (S_ISDIR(info.st_mode))
        return io_error(path, EISDIR, err);
    if (!S_ISREG(info.st_mode))
        return unreadable(path, "expected a regular file, found a FIFO, device or socket",
                          err);
    *text = malloc(MAE_CONFIG_MAX + 1);
    if (*text == NULL)
        MAE_FAIL(err, MAE_ERR_NOMEM, "%s: out of memory", path);
    while (got > 0 && *size < MAE_CONFIG_MAX + 1) {
        got = read(fd, *text + *size, MAE_CONFIG_MAX + 1 - *size);
        *size += got > 0 ? (size_t)got : 0;
    }
    return got < 0 ? io_error(path, errno, err) : MAE_OK;
}

/* Not blocking: nobody may ever write to a FIFO. */
static MaeStatus read_file(const char *path, char **text, size_t *size, MaeError *err)
{
    const int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
    MaeStatus status;

    if (fd < 0)
        return io_error(path, errno, err);
    status = read_stream(fd, path, text, size, err);
    (void)close(fd);
    return status;
}

MaeStatus mae_config_read(MaeConfig *cfg, MaeConfTool tool, const char *path,
                          const char *const *overrides, size_t n, MaeError *err)
{
    char *text = NULL;
    size_t size = 0;
    MaeStatus status = MAE_OK;

    if (path != NULL)
        status = read_file(path, &text, &size, err);
    if (status == MAE_OK)
        status = mae_config_parse_text(cfg, tool, path == NULL ? "" : path,
                                       text == NULL ? "" : text, size, overrides, n, err);
    free(text);
    return status;
}

MaeStatus mae_config_load(MaeConfig *cfg, MaeConfTool tool, const char *path,
                          const char *const *overrides, size_t n, MaeError *err)
{
    MaeConfig tmp;

    MAE_TRY(mae_config_read(&tmp, tool, path, overrides, n, err));
    MAE_TRY(mae_config_check_required(&tmp, err));
    *cfg = tmp;
    return MAE_OK;
}

/* ---- derived values ---------------------------------------------------------------- */

size_t mae_config_effective_batch(const MaeConfig *cfg)
{
    return cfg->train.batch_size * cfg->train.accum_iter;
}

double mae_config_lr(const MaeConfig *cfg)
{
    if (cfg->optim.lr > 0.0)
        return cfg->optim.lr;
    if (cfg->tool == MAE_CONF_FINETUNE && cfg->finetune.mode == MAE_CONF_MODE_LINEAR)
        return cfg->optim.blr * LINEAR_BATCH / 256.0;
    return cfg->optim.blr * (double)mae_config_effective_batch(cfg) / 256.0;
}

size_t mae_config_eval_batch(const MaeConfig *cfg)
{
    return cfg->eval.batch_size > 0 ? cfg->eval.batch_size : cfg->train.batch_size;
}

size_t mae_config_patches(const MaeConfig *cfg)
{
    const size_t p = cfg->model.patch_size;

    return (cfg->model.img_size[0] / p) * (cfg->model.img_size[1] / p);
}

size_t mae_config_visible(const MaeConfig *cfg)
{
    return (size_t)((double)mae_config_patches(cfg) * (1.0 - cfg->mask.ratio));
}
