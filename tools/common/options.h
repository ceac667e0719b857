/**
 * @file options.h
 * Command lines: one constant table per tool, from which the parser, the did-you-mean and
 * the help text follow.
 *
 * Grammar  --name=value, --name value, -n value, -nvalue, bundled flags (-vv), `--` ends
 *          the options. `-` and `_` are alike in long names; a name may not be shortened.
 *          A separate value may not begin with `--`. Every tool has the options of
 *          MaeArgs besides its own. In tools that take a configuration, an argument
 *          `some.key=value` is an override and collected apart from the positional ones.
 * Errors   MAE_ERR_ARG with a one-line message; nothing is printed here.
 * Memory   Texts point into argv, which has to outlive the result; MaeArgs owns the rest.
 * Threads  Reentrant.
 */
#ifndef MAE_TOOLS_COMMON_OPTIONS_H
#define MAE_TOOLS_COMMON_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "base/status.h"

/** What an option takes, and the type of the field that receives it. */
typedef enum MaeOptionKind {
    MAE_OPTION_FLAG,   /**< nothing; bool becomes true */
    MAE_OPTION_QUERY,  /**< as FLAG, and parsing ends there as with --help */
    MAE_OPTION_MORE,   /**< nothing; int + 1 each time */
    MAE_OPTION_LESS,   /**< nothing; int - 1 each time */
    MAE_OPTION_SIZE,   /**< whole number >= 0; size_t */
    MAE_OPTION_U64,    /**< whole number >= 0; uint64_t */
    MAE_OPTION_REAL,   /**< finite number; double */
    MAE_OPTION_TEXT,   /**< any text; const char *, NULL = not given */
    MAE_OPTION_CHOICE, /**< one of `choices`; int, its index */
    MAE_OPTION_KEY,    /**< a value, or nothing if `value` is NULL; becomes the override
                            `key`=value or `key`=true */
} MaeOptionKind;

/** One row of a tool's table; name, letter, kind, then designated fields. */
typedef struct MaeOption {
    const char *name; /* long name without "--", words joined by '-' */
    char letter;      /* short form, 0 = none */
    MaeOptionKind kind;
    size_t offset;              /* of the field in the tool's struct; all but KEY */
    const char *key;            /* configuration key; KEY only */
    const char *value;          /* name of the value in the help, "FILE"; NULL if none */
    double min, max;            /* range of SIZE and REAL; both 0 = unlimited */
    const char *const *choices; /* NULL-terminated; CHOICE only */
    const char *needs;          /* option without which it does nothing; NULL if none */
    const char *help;           /* what it does, with the unit; the default is appended */
} MaeOption;

/** One positional argument; the last one of a tool may repeat. */
typedef struct MaeToolOperand {
    const char *name; /* "CONFIG.yaml" */
    const char *help;
    bool optional;
    bool repeats; /* last one only: takes all further ones */
} MaeToolOperand;

/** A tool as its user sees it; constant. Tables end with a row whose name is NULL. */
typedef struct MaeCommand {
    const char *name;    /* "mae-pretrain" */
    const char *summary; /* one line: what it does */
    const MaeToolOperand *operands;
    const MaeOption *options; /* NULL = only the common ones */
    const void *defaults;     /* of the tool's struct; NULL if there are no options */
    size_t values_size;       /* bytes of the tool's struct */
    bool overrides;           /* accepts key.path=value */
    bool train_keys;          /* --threads and --seed set train.threads and train.seed */
    bool ranks;               /* may be started as several, see mae_tool_join */
    bool interruptible;       /* saves and ends with exit code 75 on a signal */
    const char *notes;        /* paragraphs for the end of the help; NULL = none */
    const char *example;      /* a command that works, without the prompt */
} MaeCommand;

/** What every tool accepts. Zero-initialise; mae_args_done frees. */
typedef struct MaeArgs {
    bool help, version, json;
    int verbosity;    /* number of -v minus number of -q */
    size_t threads;   /* 0 = all processors */
    uint64_t seed;    /* 0 if not given */
    bool has_threads; /* --threads was given */
    bool has_seed;    /* --seed was given */
    const char **operands;
    size_t operand_count;
    const char **overrides; /* "key.path=value", in the order given */
    size_t override_count;
    void *memory; /* private */
} MaeArgs;

/**
 * Parse a command line.
 *
 * At `--help`, `--version` or an option of kind QUERY parsing ends with MAE_OK, whatever
 * else is wrong or missing: look at these first.
 * If the command takes overrides, options of kind KEY appear among them at the place
 * where they were given; with train_keys so do `--threads N` as `train.threads=N` (0 as
 * `all`) and `--seed N` as `train.seed=N`.
 *
 * @param[out] args    done by the caller, also after a failure.
 * @param[in,out] values  the tool's struct that the offsets refer to, holding the
 * defaults (may be partly changed on failure); NULL if there are no options.
 * @return MAE_OK, MAE_ERR_ARG (unknown option, missing or bad value, an option without
 *         the one it needs, too few or too many arguments) or MAE_ERR_NOMEM.
 */
MaeStatus mae_options_parse(MaeArgs *args, void *values, const MaeCommand *command,
                            int argc, char **argv, MaeError *err);

/** Free what the parser allocated and zero; NULL is fine. */
void mae_args_done(MaeArgs *args);

/**
 * Write the help: usage, summary, arguments, options with units and defaults, exit codes,
 * example. Lines are at most 79 columns, unless a name or an example is longer.
 */
void mae_options_help(FILE *out, const MaeCommand *command);

/**
 * The name out of @p names (@p count of them) that @p word is a likely misspelling of, or
 * NULL. Likely: at most one wrong, missing, extra or swapped letter per three.
 */
const char *mae_options_nearest(const char *word, const char *const *names, size_t count);

#endif /* MAE_TOOLS_COMMON_OPTIONS_H */
