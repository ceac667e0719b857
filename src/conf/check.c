#include <math.h>
#include <stdio.h>
#include <string.h>

#include "conf/config.h"
#include "conf/policy.h"
#include "conf/value.h"

enum { NAMED = 256 };

/* "run.yaml:4: model.depth", or "model.depth (preset vit_tiny)" if it was not given. */
static const char *named(const MaeConfig *cfg, const char *key, char text[NAMED])
{
    char origin[160];

    mae_config_origin(cfg, key, origin, sizeof origin);
    if (mae_config_given(cfg, key))
        (void)snprintf(text, NAMED, "%s: %s", origin, key);
    else
        (void)snprintf(text, NAMED, "%s (%s)", key, origin);
    return text;
}

/* One transformer: width, heads and the hidden width of its MLP. */
static MaeStatus check_blocks(const MaeConfig *cfg, const char *width_key, size_t width,
                              const char *heads_key, size_t heads, MaeError *err)
{
    char at[NAMED];

    if (width % 4 != 0)
        MAE_FAIL(err, MAE_ERR_ARG,
                 "%s: %zu is not divisible by 4 (sin-cos positions have four parts)",
                 named(cfg, width_key, at), width);
    if (width % heads != 0)
        MAE_FAIL(err, MAE_ERR_ARG, "%s: %zu heads do not divide %s %zu",
                 named(cfg, heads_key, at), heads, width_key, width);
    if ((double)width * cfg->model.mlp_ratio < 1.0)
        MAE_FAIL(err, MAE_ERR_ARG, "%s: no hidden unit is left of %s %zu",
                 named(cfg, "model.mlp_ratio", at), width_key, width);
    return MAE_OK;
}

/*
 * False while a fine-tuning run waits for mae_config_adopt: the architecture is the
 * checkpoint's, so what preset and file say alone need not fit together.
 */
static bool is_settled(const MaeConfig *cfg)
{
    static const char *const KEYS[] = {"model.img_size", "model.patch_size",
                                       "model.embed_dim", "model.num_heads",
                                       "model.depth"};

    if (cfg->tool != MAE_CONF_FINETUNE || cfg->finetune.checkpoint[0] == '\0')
        return true;
    for (size_t i = 0; i < sizeof KEYS / sizeof *KEYS; i++) {
        if (!mae_config_given(cfg, KEYS[i]) &&
            mae_config_from(cfg, KEYS[i]).from != MAE_CONF_FROM_CHECKPOINT)
            return false;
    }
    return true;
}

static MaeStatus check_model(const MaeConfig *cfg, MaeError *err)
{
    const MaeConfModel *m = &cfg->model;
    char at[NAMED];

    if (!is_settled(cfg))
        return MAE_OK;
    if (m->img_size[0] % m->patch_size != 0 || m->img_size[1] % m->patch_size != 0)
        MAE_FAIL(err, MAE_ERR_ARG, "%s: %zu does not divide img_size [%zu, %zu]",
                 named(cfg, "model.patch_size", at), m->patch_size, m->img_size[0],
                 m->img_size[1]);
    MAE_TRY(check_blocks(cfg, "model.embed_dim", m->embed_dim, "model.num_heads",
                         m->num_heads, err));
    if (cfg->tool != MAE_CONF_PRETRAIN)
        return MAE_OK;
    return check_blocks(cfg, "model.decoder_embed_dim", m->decoder_embed_dim,
                        "model.decoder_num_heads", m->decoder_num_heads, err);
}

static MaeStatus check_mask(const MaeConfig *cfg, MaeError *err)
{
    const size_t patches = mae_config_patches(cfg), visible = mae_config_visible(cfg);
    char at[NAMED];

    if (cfg->tool != MAE_CONF_PRETRAIN)
        return MAE_OK;
    if (visible == 0 || visible == patches)
        MAE_FAIL(err, MAE_ERR_ARG, "%s: %g of %zu patches leaves none %s",
                 named(cfg, "mask.ratio", at), cfg->mask.ratio, patches,
                 visible == 0 ? "visible" : "hidden");
    return MAE_OK;
}

static MaeStatus check_stats(const MaeConfig *cfg, MaeError *err)
{
    const MaeConfStats *mean = &cfg->data.mean, *std = &cfg->data.std;
    const size_t given = mean->count > std->count ? mean->count : std->count;
    const size_t channels = cfg->model.in_chans;
    char at[NAMED];

    if (mean->count == 0 && std->count == 0)
        return MAE_OK;
    if (mean->count == 0 || std->count == 0)
        MAE_FAIL(err, MAE_ERR_ARG, "%s: given without %s; give both or neither",
                 named(cfg, mean->count == 0 ? "data.std" : "data.mean", at),
                 mean->count == 0 ? "data.mean" : "data.std");
    if (mean->count != std->count && mean->count != 1 && std->count != 1)
        MAE_FAIL(err, MAE_ERR_ARG, "%s: %zu entries, but data.mean has %zu",
                 named(cfg, "data.std", at), std->count, mean->count);
    if (channels != 0 && given != channels && given != 1) /* 1: for all channels */
        MAE_FAIL(err, MAE_ERR_ARG, "%s: %zu entries, but model.in_chans is %zu",
                 named(cfg, mean->count == given ? "data.mean" : "data.std", at), given,
                 channels);
    return MAE_OK;
}

static MaeStatus check_policy(const MaeConfig *cfg, MaeError *err)
{
    MaePolicy policy;
    MaeError why = {0};
    char at[NAMED];

    if (mae_policy_parse(&policy, cfg->data.rand_augment, &why) != MAE_OK)
        MAE_FAIL(err, MAE_ERR_ARG, "%s: %s", named(cfg, "data.rand_augment", at),
                 why.msg);
    if (policy.layers > 0 && cfg->data.color_jitter > 0.0)
        MAE_FAIL(err, MAE_ERR_ARG, "%s: give this or data.rand_augment, not both",
                 named(cfg, "data.color_jitter", at));
    return MAE_OK;
}

/* Without its labels a student would be another model, unnoticed. */
static MaeStatus check_pseudo(const MaeConfig *cfg, MaeError *err)
{
    const bool images = cfg->data.unlabelled[0] != '\0';
    const bool labels = cfg->data.pseudo_labels[0] != '\0';
    char at[NAMED];

    if (images != labels)
        MAE_FAIL(err, MAE_ERR_ARG, "%s: given without %s; give both or neither",
                 named(cfg, images ? "data.unlabelled" : "data.pseudo_labels", at),
                 images ? "data.pseudo_labels" : "data.unlabelled");
    if (!labels && cfg->data.pseudo_checksum != 0)
        MAE_FAIL(err, MAE_ERR_ARG, "%s: given without data.pseudo_labels",
                 named(cfg, "data.pseudo_checksum", at));
    return MAE_OK;
}

static MaeStatus check_data(const MaeConfig *cfg, MaeError *err)
{
    const MaeConfData *d = &cfg->data;
    char at[NAMED];

    if (d->crop_scale[0] > d->crop_scale[1])
        MAE_FAIL(err, MAE_ERR_ARG, "%s: smallest share %g is above the largest, %g",
                 named(cfg, "data.crop_scale", at), d->crop_scale[0], d->crop_scale[1]);
    if (cfg->tool == MAE_CONF_FINETUNE && d->label_fraction < 1.0 &&
        d->labels_per_class > 0)
        MAE_FAIL(err, MAE_ERR_ARG, "%s: give this or data.label_fraction, not both",
                 named(cfg, "data.labels_per_class", at));
    if (cfg->tool == MAE_CONF_FINETUNE)
        MAE_TRY(check_pseudo(cfg, err));
    if (d->cache == MAE_CONF_CACHE_ON && d->scaled_decode)
        MAE_FAIL(
            err, MAE_ERR_ARG,
            "%s: on keeps whole images, data.scaled_decode reads parts of smaller ones; "
            "give one of them",
            named(cfg, "data.cache", at));
    MAE_TRY(check_policy(cfg, err));
    return check_stats(cfg, err);
}

static MaeStatus check_schedule(const MaeConfig *cfg, MaeError *err)
{
    const double lr = mae_config_lr(cfg), warmup = cfg->optim.warmup_epochs;
    char at[NAMED];

    if (cfg->optim.min_lr > lr)
        MAE_FAIL(err, MAE_ERR_ARG, "%s: %g is above the peak learning rate %g",
                 named(cfg, "optim.min_lr", at), cfg->optim.min_lr, lr);
    if (warmup > (double)cfg->train.epochs)
        MAE_FAIL(err, MAE_ERR_ARG, "%s: %g is above train.epochs %zu",
                 named(cfg, "optim.warmup_epochs", at), warmup, cfg->train.epochs);
    if (cfg->train.resume[0] == '\0')
        MAE_FAIL(err, MAE_ERR_ARG, "%s: expected auto, none or a checkpoint",
                 named(cfg, "train.resume", at));
    return MAE_OK;
}

static MaeStatus check_blocks_trained(const MaeConfig *cfg, MaeError *err)
{
    const double blocks = cfg->finetune.trained_blocks;
    char at[NAMED];

    if (2.0 * blocks != floor(2.0 * blocks))
        MAE_FAIL(err, MAE_ERR_ARG, "%s: expected a multiple of 0.5, found %g",
                 named(cfg, "finetune.trained_blocks", at), blocks);
    if (is_settled(cfg) && blocks > (double)cfg->model.depth)
        MAE_FAIL(err, MAE_ERR_ARG, "%s: %g blocks, but the model has %zu",
                 named(cfg, "finetune.trained_blocks", at), blocks, cfg->model.depth);
    return MAE_OK;
}

static MaeStatus check_mix(const MaeConfig *cfg, MaeError *err)
{
    const bool mixup = cfg->finetune.mixup > 0.0, cutmix = cfg->finetune.cutmix > 0.0;
    char at[NAMED];

    if (!mixup && !cutmix && cfg->finetune.mix_prob < 1.0)
        MAE_FAIL(err, MAE_ERR_ARG, "%s: only read with finetune.mixup or cutmix",
                 named(cfg, "finetune.mix_prob", at));
    if (!(mixup && cutmix) && cfg->finetune.mix_switch_prob != 0.5)
        MAE_FAIL(err, MAE_ERR_ARG, "%s: only read with finetune.mixup and cutmix",
                 named(cfg, "finetune.mix_switch_prob", at));
    if ((mixup || cutmix) && cfg->train.batch_size < 2)
        MAE_FAIL(err, MAE_ERR_ARG, "%s: mixup and cutmix need at least 2 images",
                 named(cfg, "train.batch_size", at));
    return MAE_OK;
}

static MaeStatus check_mode(const MaeConfig *cfg, MaeError *err)
{
    const MaeConfFinetune *tune = &cfg->finetune;
    const bool partial = tune->mode == MAE_CONF_MODE_PARTIAL;
    const bool linear = tune->mode == MAE_CONF_MODE_LINEAR;
    char at[NAMED];

    if (cfg->tool != MAE_CONF_FINETUNE)
        return MAE_OK;
    if (!partial && mae_config_given(cfg, "finetune.trained_blocks"))
        MAE_FAIL(err, MAE_ERR_ARG, "%s: only read with finetune.mode partial",
                 named(cfg, "finetune.trained_blocks", at));
    if (partial)
        MAE_TRY(check_blocks_trained(cfg, err));
    if (tune->drop_path > 0.0 && (linear || (partial && tune->trained_blocks <= 0.0)))
        MAE_FAIL(err, MAE_ERR_ARG, "%s: %g, but no block is trained",
                 named(cfg, "finetune.drop_path", at), tune->drop_path);
    MAE_TRY(check_mix(cfg, err));
    if (linear && cfg->train.batch_size < 2)
        MAE_FAIL(err, MAE_ERR_ARG,
                 "%s: the batch norm of finetune.mode linear needs at least 2 images",
                 named(cfg, "train.batch_size", at));
    return MAE_OK;
}

MaeStatus mae_config_check(const MaeConfig *cfg, MaeError *err)
{
    MAE_TRY(check_model(cfg, err));
    MAE_TRY(check_mask(cfg, err));
    MAE_TRY(check_data(cfg, err));
    MAE_TRY(check_mode(cfg, err));
    return check_schedule(cfg, err);
}

static MaeStatus require(const MaeConfig *cfg, const char *key, const char *value,
                         const char *what, MaeError *err)
{
    char name[160];

    if (*value != '\0')
        return MAE_OK;
    mae_value_file(cfg, name, sizeof name);
    MAE_FAIL(err, MAE_ERR_ARG, "%s: %s is missing: %s", name, key, what);
}

MaeStatus mae_config_check_required(const MaeConfig *cfg, MaeError *err)
{
    MAE_TRY(require(cfg, "data.train", cfg->data.train, "the training images", err));
    MAE_TRY(
        require(cfg, "train.output_dir", cfg->train.output_dir, "the run folder", err));
    if (cfg->tool != MAE_CONF_FINETUNE || cfg->finetune.init == MAE_CONF_INIT_RANDOM)
        return MAE_OK;
    return require(cfg, "finetune.checkpoint", cfg->finetune.checkpoint,
                   "a pretraining checkpoint, or finetune.init: random", err);
}
