/**
 * @file schema.h
 * Every configuration key: one table per section, which drives parsing, ranges, printing,
 * comparing and help. To add a key: a field in config.h and a row in schema.c.
 *
 * Memory   Constant tables; nothing to free.
 * Threads  Reentrant.
 */
#ifndef MAE_CONF_SCHEMA_H
#define MAE_CONF_SCHEMA_H

#include <stdbool.h>
#include <stddef.h>

#include "conf/config.h"

typedef enum MaeKeyType {
    MAE_KEY_BOOL,      /* bool: true, false, yes, no, on, off */
    MAE_KEY_SIZE,      /* size_t */
    MAE_KEY_SEED,      /* uint64_t below 2^53 */
    MAE_KEY_REAL,      /* double */
    MAE_KEY_TEXT,      /* char[size], optionally one of choices */
    MAE_KEY_CHOICE,    /* enum: index into choices */
    MAE_KEY_SIZE_PAIR, /* size_t[2]; one number stands for both */
    MAE_KEY_REAL_PAIR, /* double[2] */
    MAE_KEY_STATS,     /* MaeConfStats */
} MaeKeyType;

typedef enum MaeKeyFlag {
    MAE_KEY_OPEN_MIN = 1,  /* min itself is outside */
    MAE_KEY_OPEN_MAX = 2,  /* max itself is outside */
    MAE_KEY_FREE = 4,      /* changes no result: may differ on resume */
    MAE_KEY_AUTO_FITS = 8, /* 0 or auto is found out later: equals anything on resume */
    MAE_KEY_OWN = 16,      /* a given value wins over a checkpoint's */
    MAE_KEY_PARTIAL = 32,  /* only read with finetune.mode: partial */
} MaeKeyFlag;

enum {
    MAE_KEY_PRETRAIN = 1 << MAE_CONF_PRETRAIN,
    MAE_KEY_FINETUNE = 1 << MAE_CONF_FINETUNE
};

typedef struct MaeKey {
    const char *name;
    MaeKeyType type;
    size_t offset;              /* in MaeConfig */
    size_t size;                /* bytes of the field */
    const char *def;            /* as YAML; NULL: computed later, see fallback */
    const char *def_finetune;   /* NULL: as def */
    const char *def_linear;     /* with finetune.mode linear; NULL: as def_finetune */
    const char *fallback;       /* where a value without def comes from, for help */
    double min, max;            /* numbers and their list entries; max may be INFINITY */
    const char *zero;           /* word for 0, or NULL */
    const char *const *choices; /* NULL-terminated, or NULL */
    const char *unit;           /* or NULL */
    const char *help;           /* sentences */
    const char *aka;            /* comma-separated names other programs use, or NULL */
    unsigned tools;             /* which read it: MAE_KEY_PRETRAIN | MAE_KEY_FINETUNE */
    unsigned flags;             /* MaeKeyFlag */
} MaeKey;

typedef struct MaeSection {
    const char *name;
    const char *help;
    const char *aka;
    const MaeKey *keys;
    size_t count;
} MaeSection;

/** Sections in order. @param[out] count may not be NULL. */
const MaeSection *mae_schema_sections(size_t *count);

/**
 * Key number @p index over all sections, NULL past the end; the index is also that of
 * MaeConfig.source.  @param[out] section may be NULL.
 */
const MaeKey *mae_schema_key(size_t index, const MaeSection **section);

/** Number of a section, or of sections if there is none. `-` and `_` are alike. */
size_t mae_schema_find_section(const char *name);

/** Index of a key, or SIZE_MAX. */
size_t mae_schema_find(const char *section, const char *key);

/** Index of "section.key", or SIZE_MAX. */
size_t mae_schema_find_path(const char *path);

/**
 * Write "; did you mean optim.lr?" or "" if nothing is close: by edit distance to names
 * and to names other programs use.
 * @param section NULL: @p key stands at the top level, sections are candidates too
 */
void mae_schema_suggest(const char *section, const char *key, char *text, size_t size);

/** The same for a misspelt @p section: the closest one, then a key, best of that one. */
void mae_schema_suggest_path(const char *section, const char *key, char *text,
                             size_t size);

#endif /* MAE_CONF_SCHEMA_H */
