#include "train/pretrain_step.h"

static MaeMaskKind mask_kind(MaeConfMask strategy)
{
    switch (strategy) {
    case MAE_CONF_MASK_BLOCK:
        return MAE_MASK_BLOCK;
    case MAE_CONF_MASK_GRID:
        return MAE_MASK_GRID;
    case MAE_CONF_MASK_RANDOM:
        break;
    }
    return MAE_MASK_RANDOM;
}

MaeArch mae_pretrain_arch(const MaeConfig *cfg, size_t channels)
{
    return (MaeArch){
        .grid = {.channels = channels,
                 .height = cfg->model.img_size[0],
                 .width = cfg->model.img_size[1],
                 .patch = cfg->model.patch_size},
        .embed_dim = cfg->model.embed_dim,
        .depth = cfg->model.depth,
        .heads = cfg->model.num_heads,
        .mlp_ratio = cfg->model.mlp_ratio,
        .decoder_dim = cfg->model.decoder_embed_dim,
        .decoder_depth = cfg->model.decoder_depth,
        .decoder_heads = cfg->model.decoder_num_heads,
        .norm_pix_loss = cfg->model.norm_pix_loss,
    };
}

MaeStatus mae_pretrain_masks_open(MaeMaskSet *masks, const MaeConfig *cfg,
                                  const MaePatchGrid *grid, size_t images, MaePool *pool,
                                  MaeError *err)
{
    return mae_maskset_open(masks, mask_kind(cfg->mask.strategy), grid, cfg->mask.ratio,
                            images, pool, err);
}

MaeStatus mae_pretrain_step_open(MaePretrainStep *step, const MaeConfig *cfg,
                                 size_t channels, size_t batch, const MaeCompute *compute,
                                 MaeError *err)
{
    const MaeArch arch = mae_pretrain_arch(cfg, channels);

    *step = (MaePretrainStep){.seed = cfg->train.seed};
    MAE_TRY(mae_autoencoder_open(&step->model, &arch, err));
    MAE_TRY(mae_pretrain_masks_open(&step->masks, cfg, &arch.grid, batch, compute->pool,
                                    err));
    return mae_autoencoder_run_open(
        &step->run, &step->model, compute, batch, step->masks.mask.visible,
        MAE_PREDICT_HIDDEN,
        cfg->train.checkpoint_activations ? MAE_KEEP_INPUTS : MAE_KEEP_ALL, err);
}

void mae_pretrain_step_close(MaePretrainStep *step)
{
    mae_autoencoder_run_close(&step->run);
    mae_maskset_close(&step->masks);
    mae_autoencoder_close(&step->model);
}

MaeStatus mae_pretrain_step_rehearse(MaePretrainStep *step, float *dw, MaeGradUse use,
                                     MaeWeights w, size_t batch, MaeError *err)
{
    mae_maskset_draw(&step->masks, step->seed, 0, NULL, batch);
    return mae_autoencoder_rehearse(&step->run, dw, use, w, &step->masks.mask, batch,
                                    err);
}

void mae_pretrain_step_draw(MaePretrainStep *step, const MaeBatch *batch, uint32_t epoch)
{
    mae_maskset_draw(&step->masks, step->seed, epoch, batch->samples, batch->size);
}

double mae_pretrain_step_forward(MaePretrainStep *step, const MaeBatch *batch,
                                 uint32_t epoch, MaeWeights w)
{
    mae_pretrain_step_draw(step, batch, epoch);
    return mae_autoencoder_forward(&step->run, w, batch->images, &step->masks.mask,
                                   batch->size);
}

double mae_pretrain_step_run(MaePretrainStep *step, const MaeBatch *batch, MaeWeights w,
                             float *dw, MaeGradUse use, double scale)
{
    const double loss = mae_pretrain_step_forward(step, batch, batch->epoch + 1, w);

    mae_autoencoder_backward(&step->run, dw, use, w, &step->masks.mask, batch->size,
                             scale);
    return loss;
}
