/**
 * @file config.h
 * The configuration of a run: YAML text and `key.path=value` overrides to one typed,
 * validated struct that remembers where each value came from.
 *
 * Order    default < preset, mode < file < command line; then derived values; then
 *          checks.
 *          One schema table (schema.c) drives parsing, ranges, printing and help.
 * YAML     Two levels: section, key. Values are scalars or lists of numbers. Refused:
 *          anchors, aliases, tags, directives, several documents, tabs as
 *          indentation, duplicate keys, texts over 1 MiB. `-` and `_` in keys are
 *          alike. Numbers follow the schema: 1e-3 is a number, nan and inf are not.
 * Words    Where 0 stands for a choice, a word may be written and is printed
 *          instead: auto, all or none, as each field says.
 * Tools    One file serves every tool: keys that a tool does not read are checked
 *          for type and range, then ignored. Some defaults depend on the tool, and on
 *          finetune.mode.
 * Memory   MaeConfig is plain data (about 30 KB): copy it by assignment.
 * Errors   ARG with one line "file.yaml:12:5: optim.lr: expected ..., found ..." or
 *          "command line: optim.lr=x: ..."; IO if the file cannot be read; NOMEM.
 *          The config is untouched on failure.
 * Threads  Reentrant.
 */
#ifndef MAE_CONF_CONFIG_H
#define MAE_CONF_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "base/status.h"

#define MAE_CONFIG_PATH 4096     /* bytes of a text value, its NUL included */
#define MAE_CONFIG_LIST 64       /* most entries of a list */
#define MAE_CONFIG_CHANNELS 4096 /* most channels of an image, as in checkpoints */
#define MAE_CONFIG_KEYS 96       /* room for provenance; at least the number of keys */
#define MAE_CONFIG_MAX (1 << 20) /* largest YAML text in bytes */

/** Which program reads the configuration: selects defaults and checks. */
typedef enum MaeConfTool { MAE_CONF_PRETRAIN, MAE_CONF_FINETUNE } MaeConfTool;

typedef enum MaeConfMask {
    MAE_CONF_MASK_RANDOM,
    MAE_CONF_MASK_BLOCK,
    MAE_CONF_MASK_GRID,
} MaeConfMask;

typedef enum MaeConfAugment {
    MAE_CONF_AUGMENT_NONE,      /**< as in evaluation */
    MAE_CONF_AUGMENT_FLIP,      /**< evaluation crop, random horizontal flip */
    MAE_CONF_AUGMENT_CROP_FLIP, /**< RandomResizedCrop and random horizontal flip */
} MaeConfAugment;

typedef enum MaeConfCache {
    MAE_CONF_CACHE_AUTO, /**< if the images fit easily and are read more than once */
    MAE_CONF_CACHE_ON,
    MAE_CONF_CACHE_OFF,
} MaeConfCache;

typedef enum MaeConfPrecision {
    MAE_CONF_PRECISION_AUTO, /**< the kernel layer chooses */
    MAE_CONF_PRECISION_F32,
    MAE_CONF_PRECISION_BF16,
} MaeConfPrecision;

typedef enum MaeConfBackend {
    MAE_CONF_BACKEND_AUTO, /**< the kernel layer chooses */
    MAE_CONF_BACKEND_OPENBLAS,
    MAE_CONF_BACKEND_ONEDNN,
    MAE_CONF_BACKEND_BUILTIN, /**< our own, bf16 only */
} MaeConfBackend;

typedef enum MaeConfInit { MAE_CONF_INIT_PRETRAINED, MAE_CONF_INIT_RANDOM } MaeConfInit;

typedef enum MaeConfPool {
    MAE_CONF_POOL_MEAN, /**< global pool: mean of the patch tokens, then fc_norm */
    MAE_CONF_POOL_CLS,  /**< norm, then the class token */
} MaeConfPool;

/** What fine-tuning trains. */
typedef enum MaeConfMode {
    MAE_CONF_MODE_FULL,
    MAE_CONF_MODE_PARTIAL, /**< the last blocks, final norm and head */
    MAE_CONF_MODE_LINEAR, /**< linear probe: a head with batch norm on a frozen encoder */
} MaeConfMode;

/** Per-channel statistics in pixel units (u8/255, u16/65535, f32 as it is). */
typedef struct MaeConfStats {
    enum { MAE_CONF_STATS_AUTO, MAE_CONF_STATS_IMAGENET, MAE_CONF_STATS_GIVEN } kind;
    size_t count;                  /* 0 for auto: measured, or the checkpoint's */
    double value[MAE_CONFIG_LIST]; /* filled for imagenet (3 channels) and given */
} MaeConfStats;

/** Architecture. Keys that are not given come from the preset (default vit_tiny). */
typedef struct MaeConfModel {
    char preset[32];    /* vit_micro .. vit_huge */
    size_t img_size[2]; /* [height, width] in pixels */
    size_t patch_size;  /* pixels; divides height and width */
    size_t in_chans;    /* 0 = auto: as the data */
    size_t embed_dim;   /* D; divisible by 4 and by num_heads */
    size_t depth;       /* blocks */
    size_t num_heads;   /* H */
    double mlp_ratio;   /* hidden width / D; default 4 */
    size_t decoder_embed_dim, decoder_depth, decoder_num_heads;
    bool norm_pix_loss; /* default false */
} MaeConfModel;

typedef struct MaeConfMasking {
    MaeConfMask strategy; /* default random */
    double ratio;         /* hidden share of patches, (0,1); default 0.75 */
} MaeConfMasking;

typedef struct MaeConfData {
    char train[MAE_CONFIG_PATH]; /* required */
    char val[MAE_CONFIG_PATH];   /* "" = none */
    MaeConfStats mean, std;      /* default auto; both or neither given */
    size_t workers;              /* loader threads, >= 1; default 2 */
    size_t prefetch;             /* batches decoded ahead, >= 1; default 2 */
    MaeConfAugment augment;      /* default crop_flip */
    double crop_scale[2];        /* area share of a random crop; default [0.2, 1.0] */
    double eval_crop;        /* short side = img_size / eval_crop; 0 = auto: 0.875, and
                                images that already have img_size stay as they are */
    double max_bad_fraction; /* unreadable images tolerated; default 0.01 */
    double label_fraction;   /* stratified share of the training set; default 1 */
    size_t labels_per_class; /* 0 = all; stratified, seeded */
    size_t first_n;          /* 0 = all; the first n training images */
    char unlabelled[MAE_CONFIG_PATH];    /* images of pseudo_labels; "" = none */
    char pseudo_labels[MAE_CONFIG_PATH]; /* table, see data/pseudo.h; "" = none */
    size_t pseudo_checksum; /* of that file, 0 = none; found out when it is read */
    bool may_change;        /* a run goes on with other training images; default false */
    size_t max_pixels;      /* of a JPEG or PNG image, 1 to 2^31; default 178956970 */
    bool exif_orientation;  /* default false */
    MaeConfCache cache;     /* decoded images in memory; default auto */
    bool scaled_decode;     /* default false */
    char rand_augment[64];  /* "none" (default) or a policy, see policy.h */
    double color_jitter;    /* strength; default 0; none with rand_augment */
    double random_erasing;  /* probability; default 0 */
} MaeConfData;

typedef struct MaeConfOptim {
    double lr;            /* 0 = auto: see mae_config_lr */
    double blr;           /* default 1.5e-4, fine-tuning 1e-3 */
    double min_lr;        /* default 0, fine-tuning 1e-6 */
    double weight_decay;  /* default 0.05 */
    double betas[2];      /* default [0.9, 0.95], fine-tuning [0.9, 0.999] */
    double eps;           /* default 1e-8 */
    double clip_grad;     /* largest global norm; 0 = none */
    double warmup_epochs; /* not given: 5 % of train.epochs, fine-tuning 10 % */
    double layer_decay;   /* fine-tuning; default 0.75 */
} MaeConfOptim;

/** What happens when an update gives numbers that are not finite. */
typedef enum MaeConfNonfinite {
    MAE_CONF_NONFINITE_STOP,     /**< the run ends */
    MAE_CONF_NONFINITE_SKIP,     /**< the update is left out */
    MAE_CONF_NONFINITE_ROLLBACK, /**< back to the last checkpoint, then left out */
} MaeConfNonfinite;

/** What gradients are rounded to on the way between ranks. */
typedef enum MaeConfWire {
    MAE_CONF_WIRE_F32,
    MAE_CONF_WIRE_BF16, /**< half the bytes; sums are still made in f32 */
} MaeConfWire;

typedef struct MaeConfTrain {
    size_t epochs;              /* default 100, fine-tuning 50 */
    size_t batch_size;          /* global over all ranks; default 256, fine-tuning 64 */
    size_t accum_iter;          /* batches per optimiser step; default 1 */
    MaeConfPrecision precision; /* default auto */
    MaeConfBackend backend;     /* default auto */
    uint64_t seed;              /* default 0, below 2^53 */
    size_t threads;             /* 0 = all processors this process may use */
    char output_dir[MAE_CONFIG_PATH]; /* run folder; required */
    char resume[MAE_CONFIG_PATH];     /* "auto" (default), "none" or a checkpoint */
    bool checkpoint_activations; /* compute blocks again in backward; default false */
    bool overwrite;              /* use a non-empty folder without a run; default false */
    size_t preview_every;        /* epochs; 0 = none; default 10 */
    size_t preview_count;        /* images in a preview; default 8 */
    size_t checkpoint_every; /* epochs between checkpoint-N.h5; 0 = none; default 20 */
    size_t keep;             /* checkpoint-N.h5 files kept, >= 1; default 2 */
    double save_minutes;     /* between writes of last.h5; 0 = none; default 10 */
    double stop_after;       /* hours, then save and exit 75; 0 = none */
    double max_hours;        /* hours the whole schedule is fitted into; 0 = none */
    size_t log_every;        /* steps; default 20 */
    MaeConfNonfinite on_nonfinite; /* default stop */
    bool preflight;                /* default true */
    bool report;                   /* write report.html; default true */
} MaeConfTrain;

typedef struct MaeConfFinetune {
    char checkpoint[MAE_CONFIG_PATH]; /* required unless init is random */
    MaeConfInit init;                 /* default pretrained; random may still name a
                                         checkpoint, which then gives the architecture */
    MaeConfPool pool;                 /* default mean */
    double label_smoothing;           /* default 0.1 */
    double drop_path;                 /* rate of the last block; default 0 */
    double mixup, cutmix;             /* alpha of each; 0 (default) = none */
    double mix_prob;                  /* of mixing a batch; default 1 */
    double mix_switch_prob;           /* of cutmix where both are on; default 0.5 */
    double ema_decay;                 /* of averaged weights; 0 (default) = none */
    MaeConfMode mode;                 /* default full */
    double trained_blocks; /* partial: 0 .. depth in halves, 0 = head alone; default 1 */
} MaeConfFinetune;

typedef struct MaeConfEval {
    size_t probe; /* images of the online probe, of each set; 0 = none; default 2000 */
    size_t every; /* epochs between evaluations on data.val; default 1 */
    size_t batch_size; /* 0 = auto: train.batch_size, see mae_config_eval_batch */
} MaeConfEval;

typedef struct MaeConfDist {
    MaeConfWire wire;     /* numbers that gradients travel as; default f32 */
    double timeout;       /* seconds without a word from another rank; 0 = none */
    bool shard_optimizer; /* each rank has part of the optimiser's state; default false */
} MaeConfDist;

/** Where a value came from. */
typedef enum MaeConfFrom {
    MAE_CONF_FROM_DEFAULT,
    MAE_CONF_FROM_PRESET,
    MAE_CONF_FROM_FILE,
    MAE_CONF_FROM_COMMAND_LINE,
    MAE_CONF_FROM_CHECKPOINT, /**< taken over by mae_config_adopt */
    MAE_CONF_FROM_MODE,       /**< the default of finetune.mode */
    MAE_CONF_FROM_DERIVED,    /**< computed from other keys or from the data */
} MaeConfFrom;

typedef struct MaeConfSource {
    MaeConfFrom from;
    unsigned line; /* for FILE, counted from 1 */
} MaeConfSource;

typedef struct MaeConfig {
    MaeConfModel model;
    MaeConfMasking mask;
    MaeConfData data;
    MaeConfOptim optim;
    MaeConfTrain train;
    MaeConfFinetune finetune;
    MaeConfEval eval;
    MaeConfDist dist;
    MaeConfTool tool;
    char path[MAE_CONFIG_PATH];            /* name of the file, for provenance */
    MaeConfSource source[MAE_CONFIG_KEYS]; /* by schema index; use mae_config_from */
} MaeConfig;

/**
 * Read @p path (NULL: no file, defaults only), apply @p n overrides "key.path=value"
 * (later ones win; text values are taken literally, others as YAML), fill in preset and
 * derived values and check everything but whether required keys are there.
 */
MaeStatus mae_config_read(MaeConfig *cfg, MaeConfTool tool, const char *path,
                          const char *const *overrides, size_t n, MaeError *err);

/** The same with mae_config_check_required. */
MaeStatus mae_config_load(MaeConfig *cfg, MaeConfTool tool, const char *path,
                          const char *const *overrides, size_t n, MaeError *err);

/**
 * The same from memory, e.g. the YAML stored in a checkpoint; required keys (data.train,
 * train.output_dir, finetune.checkpoint) may be missing.
 * @param name stands for the file in messages.  @param text [size], need not end in NUL.
 */
MaeStatus mae_config_parse_text(MaeConfig *cfg, MaeConfTool tool, const char *name,
                                const char *text, size_t size,
                                const char *const *overrides, size_t n, MaeError *err);

/** Contradictions between values: ARG naming the keys. Run by load and parse_text. */
MaeStatus mae_config_check(const MaeConfig *cfg, MaeError *err);

/** Keys without which the tool cannot run: ARG naming the first. Run by load. */
MaeStatus mae_config_check_required(const MaeConfig *cfg, MaeError *err);

/**
 * Take over a section, e.g. "model", from a checkpoint's configuration @p from. A key
 * that was given for @p cfg (itself or through a given preset), that the tool reads and
 * that differs is refused with ARG. Exceptions: `auto` fits anything, and a given
 * img_size wins (position embeddings can be resized). Ends with mae_config_check; until
 * then the check of a fine-tuning configuration with a checkpoint skips the architecture.
 */
MaeStatus mae_config_adopt(MaeConfig *cfg, const MaeConfig *from, const char *section,
                           MaeError *err);

/** Where the value of "section.key" came from; asserts that the key exists. */
MaeConfSource mae_config_from(const MaeConfig *cfg, const char *key);

/**
 * The same as text: "default", "preset vit_micro", "mode linear", "run.yaml:12",
 * "command line", "checkpoint" or "derived"; a long file name is shortened from the left.
 */
void mae_config_origin(const MaeConfig *cfg, const char *key, char *text, size_t size);

/** True if "section.key" was given in the file or on the command line. */
bool mae_config_given(const MaeConfig *cfg, const char *key);

/** Record that the caller set "section.key" itself (e.g. in_chans from the data). */
void mae_config_mark(MaeConfig *cfg, const char *key, MaeConfFrom from);

/**
 * Write valid YAML with a "# from ..." comment behind each value: every key that the tool
 * reads and every key that was given. Loading it again gives the same values. The caller
 * checks ferror().
 */
void mae_config_print(const MaeConfig *cfg, FILE *out);

/** One key as it is printed; valid during the call. */
typedef struct MaeConfRow {
    const char *section, *name;
    const char *value;  /* as YAML */
    const char *origin; /* as mae_config_origin */
    bool given;         /* not a default */
} MaeConfRow;

typedef void (*MaeConfRowFn)(void *ctx, const MaeConfRow *row);

/** The keys that mae_config_print writes, in order. */
void mae_config_each(const MaeConfig *cfg, MaeConfRowFn fn, void *ctx);

/** The text of mae_config_print in a new NUL-terminated string; the caller frees it. */
MaeStatus mae_config_text(const MaeConfig *cfg, char **text, MaeError *err);

/** Document every key: type, default, range, unit, help, tools. */
void mae_config_help(FILE *out, MaeConfTool tool);

typedef enum MaeConfDiff {
    MAE_CONF_DIFF_ALL,    /**< every key */
    MAE_CONF_DIFF_RESUME, /**< keys that the tool reads and that change results; a value
                               `auto` of in_chans, mean or std fits anything */
} MaeConfDiff;

/**
 * Name the keys that differ: "model.depth: run has 4, config says 6; ...".
 * @param sections comma-separated, e.g. "model,mask,data,optim"; NULL = all.
 * @param[out] text [size], cut if too short; may be NULL if size is 0.
 * @return number of differing keys
 */
size_t mae_config_diff(const MaeConfig *run, const MaeConfig *now, const char *sections,
                       MaeConfDiff which, char *text, size_t size);

/** batch_size * accum_iter (batch_size is global over all ranks already). */
size_t mae_config_effective_batch(const MaeConfig *cfg);

/**
 * Peak learning rate: lr, or blr * effective batch / 256. A linear probe takes that of
 * the published batch of 16,384 images with any batch: LARS makes steps relative to the
 * size of the weights, so that a small rate would hardly move them.
 */
double mae_config_lr(const MaeConfig *cfg);

/** Batch size of evaluations. */
size_t mae_config_eval_batch(const MaeConfig *cfg);

/** Patches L of an image. */
size_t mae_config_patches(const MaeConfig *cfg);

/** Visible patches: int(L * (1 - ratio)), evaluated in double. */
size_t mae_config_visible(const MaeConfig *cfg);

#endif /* MAE_CONF_CONFIG_H */
