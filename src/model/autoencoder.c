#include "model/autoencoder.h"

#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "kernel/rows.h"
#include "model/pixel_loss.h"
#include "nn/pos_embed.h"

static MaeStatus define(MaeAutoencoder *model, const MaeArch *arch, MaeError *err)
{
    const size_t width = arch->decoder_dim;
    const size_t mask_shape[] = {1, 1, width};
    const size_t pos_shape[] = {1, 1 + mae_patch_count(&arch->grid), width};
    MaeParamTable *table = &model->table;

    MAE_TRY(mae_encoder_define(&model->encoder, table, arch, MAE_ENCODER_PRETRAIN, err));
    mae_layernorm_define(&model->norm, table, "norm", arch->embed_dim);
    mae_linear_define(&model->decoder_embed, table, "decoder_embed", arch->embed_dim,
                      width);
    model->mask_token =
        mae_param_add_shape(table, "", "mask_token", 3, mask_shape, MAE_PARAM_ROWSUM);
    model->decoder_pos_embed = mae_param_add_shape(table, "", "decoder_pos_embed", 3,
                                                   pos_shape, MAE_PARAM_FIXED);
    MAE_TRY(mae_trunk_define(&model->decoder, table, "decoder_blocks", width,
                             arch->decoder_depth, arch->decoder_heads,
                             mae_arch_hidden(arch, width), err));
    mae_layernorm_define(&model->decoder_norm, table, "decoder_norm", width);
    mae_linear_define(&model->decoder_pred, table, "decoder_pred", width, model->values);
    return mae_param_check(table, err);
}

MaeStatus mae_autoencoder_open(MaeAutoencoder *model, const MaeArch *arch, MaeError *err)
{
    MaeStatus status;

    *model = (MaeAutoencoder){.arch = *arch};
    MAE_TRY(mae_arch_check(arch, err));
    model->patches = mae_patch_count(&arch->grid);
    model->values = mae_patch_values(&arch->grid);
    status = define(model, arch, err);
    if (status != MAE_OK)
        mae_autoencoder_close(model);
    return status;
}

void mae_autoencoder_close(MaeAutoencoder *model)
{
    if (model == NULL)
        return;
    mae_encoder_done(&model->encoder);
    mae_trunk_done(&model->decoder);
    mae_param_close(&model->table);
}

void mae_autoencoder_init(const MaeAutoencoder *model, float *w, uint64_t seed)
{
    const MaePatchGrid *grid = &model->arch.grid;
    MaeRng rng;

    mae_rng_init(&rng, seed, 0, 0, MAE_RNG_INIT);
    mae_encoder_init(&model->encoder, w, &rng);
    mae_layernorm_init(&model->norm, w);
    mae_linear_init(&model->decoder_embed, w, &rng);
    for (size_t i = 0; i < model->mask_token.count; i++)
        w[model->mask_token.off + i] = (float)(0.02 * mae_rng_normal(&rng));
    mae_pos_embed_sincos(w + model->decoder_pos_embed.off, grid->height / grid->patch,
                         grid->width / grid->patch, model->arch.decoder_dim);
    mae_trunk_init(&model->decoder, w, &rng);
    mae_layernorm_init(&model->decoder_norm, w);
    mae_linear_init(&model->decoder_pred, w, &rng);
}

/* A decoder without blocks has none that rows could end in. */
static size_t predicted(const MaeAutoencoder *model, size_t visible, MaePredict predict)
{
    return predict == MAE_PREDICT_HIDDEN && model->decoder.depth > 0
               ? model->patches - visible
               : model->patches + 1;
}

static void reserve(MaeAutoencoderRun *run, MaeArena *arena, const MaeCompute *compute,
                    size_t batch, MaeKeep keep)
{
    const MaeAutoencoder *model = run->model;
    const size_t values = batch * run->predicted * model->values;
    const size_t tokens = run->visible + 1, all = model->patches + 1;
    const MaeTrunk *encoder = &model->encoder.trunk, *decoder = &model->decoder;
    const MaeDtype operand = mae_gemm_operand(compute->gemm);
    const MaeWorkPlan plan = {
        .batch = batch,
        .tile_images = mae_work_tile_images(tokens),
        .sum_total = model->table.sum_total,
        .keep = keep,
        .trunk_count = 2,
        .trunks = {{batch, tokens, encoder->width, encoder->hidden, encoder->heads,
                    operand},
                   {batch, all, decoder->width, decoder->hidden, decoder->heads,
                    operand}},
    };

    mae_work_reserve(&run->work, arena, &plan, compute);
    mae_encoder_reserve(&model->encoder, &run->encoder, arena, batch, run->visible,
                        operand, keep);
    mae_layernorm_reserve(&run->norm, arena, batch * tokens);
    run->latent = mae_operand_carve(arena, operand, batch * tokens * encoder->width);
    mae_trunk_reserve(decoder, &run->decoder, arena, batch, all, run->predicted, operand,
                      keep);
    mae_layernorm_reserve(&run->decoder_norm, arena, batch * run->predicted);
    run->pred = mae_arena_floats(arena, values);
    run->diff = mae_arena_floats(arena, values);
    run->losses = mae_arena_bytes(arena, batch, sizeof *run->losses);
    if (keep == MAE_KEEP_NOTHING)
        return;
    run->dpred = operand == MAE_F32 ? mae_operand_f32(run->diff)
                                    : mae_operand_carve(arena, operand, values);
    run->dlatent = mae_operand_carve(arena, operand, batch * tokens * decoder->width);
}

MaeStatus mae_autoencoder_run_open(MaeAutoencoderRun *run, const MaeAutoencoder *model,
                                   const MaeCompute *compute, size_t batch,
                                   size_t visible, MaePredict predict, MaeKeep keep,
                                   MaeError *err)
{
    MaeArena measure = mae_arena_measure();

    MAE_TRY(mae_arch_check_batch(&model->arch, batch, err));
    if (visible == 0 || visible > model->patches)
        MAE_FAIL(err, MAE_ERR_SHAPE,
                 "autoencoder: expected 1 to %zu visible patches, got %zu",
                 model->patches, visible);
    *run = (MaeAutoencoderRun){.model = model,
                               .visible = visible,
                               .predicted = predicted(model, visible, predict)};
    reserve(run, &measure, compute, batch, keep);
    MAE_TRY(mae_arena_open(&run->arena, &measure, "activations", err));
    reserve(run, &run->arena, compute, batch, keep);
    return mae_arena_check(&run->arena, "activations", err);
}

void mae_autoencoder_run_close(MaeAutoencoderRun *run)
{
    if (run != NULL)
        mae_arena_close(&run->arena);
}

/* What the tile functions of one call share. */
typedef struct Call {
    MaeAutoencoderRun *run;
    MaeWeights w;
    const float *images;
    const MaeMask *mask;
    size_t batch;
    float *dstream; /* gradient of a residual stream, one of work.dx */
    float *dnext;   /* the other one */
    double scale;
} Call;

/* Decoder input of one image. @param embedded [1+V,E] of this image, bias included. */
static void place_mask_tokens(const MaeAutoencoder *model, float *x,
                              const float *embedded, MaeWeights w,
                              const uint32_t *ids_restore, size_t visible)
{
    const size_t width = model->arch.decoder_dim;
    const float *pos = w.f32 + model->decoder_pos_embed.off;
    const float *hidden = w.f32 + model->mask_token.off;

    memcpy(x, embedded, width * sizeof *x);
    mae_rows_add(x, pos, width);
    for (size_t l = 0; l < model->patches; l++) {
        const bool seen = ids_restore[l] < visible;
        const float *token = seen ? embedded + (1 + ids_restore[l]) * width : hidden;

        x += width;
        pos += width;
        memcpy(x, token, width * sizeof *x);
        mae_rows_add(x, pos, width);
    }
}

/* Which rows of the decoder leave its last block: those of hidden patches. */
static void list_hidden(MaeAutoencoderRun *run, const MaeMask *mask, size_t image)
{
    const unsigned char *hidden = mask->mask + image * mask->patches;
    uint32_t *row = run->decoder.leave + image * run->predicted;

    for (size_t l = 0; l < mask->patches; l++) {
        if (hidden[l])
            *row++ = (uint32_t)(1 + l);
    }
    assert(row == run->decoder.leave + (image + 1) * run->predicted);
}

/* From the encoder's output to the decoder's input. */
static void embed_tile(const Call *call, MaeTile encoded, size_t thread)
{
    MaeAutoencoderRun *run = call->run;
    const MaeAutoencoder *model = run->model;
    const size_t all = model->patches + 1, width = model->arch.decoder_dim;
    const size_t tokens = encoded.tokens, rows = encoded.images * tokens;
    const size_t at = encoded.image * tokens * model->arch.embed_dim;
    const MaeOperand latent = mae_operand_at(run->latent, at);
    float *narrow = run->work.scratch[thread].narrow;
    MaeLap *lap = run->work.scratch[thread].lap;

    mae_layernorm_forward(&model->norm, latent, &run->norm,
                          run->encoder.trunk.x[model->encoder.trunk.depth] + at, call->w,
                          encoded.image * tokens, rows);
    mae_lap(lap, MAE_LAP_NORM);
    mae_linear_forward(&model->decoder_embed,
                       mae_gemm_thread(run->work.compute.gemm, thread),
                       mae_operand_f32(narrow), latent.data, call->w, NULL, rows);
    mae_lap(lap, MAE_LAP_FORWARD);
    for (size_t i = 0; i < encoded.images; i++) {
        place_mask_tokens(model, run->decoder.x[0] + (encoded.image + i) * all * width,
                          narrow + i * tokens * width, call->w,
                          call->mask->ids_restore + (encoded.image + i) * model->patches,
                          run->visible);
        if (run->decoder.leave != NULL)
            list_hidden(run, call->mask, encoded.image + i);
    }
    mae_lap(lap, MAE_LAP_TOKENS);
}

/* Whether row @p m of an image predicts a hidden patch, and which. */
static bool predicts_hidden(const Call *call, size_t image, size_t m, size_t *patch)
{
    const MaeAutoencoderRun *run = call->run;
    const uint32_t *leave = run->decoder.leave;
    const size_t token = leave != NULL ? leave[image * run->predicted + m] : m;

    *patch = token - 1;
    return token > 0 && call->mask->mask[image * run->model->patches + *patch];
}

/* Sum over an image's hidden patches of the mean squared error; leaves the errors. */
static double image_loss(const Call *call, size_t image)
{
    const MaeAutoencoderRun *run = call->run;
    const MaeArch *arch = &run->model->arch;
    const size_t values = run->model->values;
    const size_t pixels = image * run->model->patches * values;
    double sum = 0.0;

    for (size_t m = 0; m < run->predicted; m++) {
        const size_t at = (image * run->predicted + m) * values;
        size_t patch;

        if (!predicts_hidden(call, image, m, &patch))
            continue;
        if (call->images != NULL)
            mae_pixel_target(run->diff + at, call->images + pixels, &arch->grid, patch,
                             arch->norm_pix_loss);
        sum += mae_pixel_loss(run->diff + at, run->pred + at, values);
    }
    return sum;
}

/* A part of the decoder's tile as its output has it: M rows an image. */
static MaeTile predicted_part(const MaeAutoencoderRun *run, MaeTile all, size_t index)
{
    MaeTile part = mae_tile_part(all, index);

    part.tokens = run->predicted;
    return part;
}

/* Prediction and loss, from the decoder's output. @param part of its rows. */
static void predict_part(const Call *call, MaeTile part, size_t thread)
{
    MaeAutoencoderRun *run = call->run;
    const MaeAutoencoder *model = run->model;
    const size_t row0 = part.image * part.tokens, rows = part.images * part.tokens;
    const MaeOperand normed = run->work.scratch[thread].operand;
    MaeLap *lap = run->work.scratch[thread].lap;

    mae_layernorm_forward(&model->decoder_norm, normed, &run->decoder_norm,
                          run->decoder.x[model->decoder.depth] +
                              row0 * model->arch.decoder_dim,
                          call->w, row0, rows);
    mae_lap(lap, MAE_LAP_NORM);
    mae_linear_forward(&model->decoder_pred,
                       mae_gemm_thread(run->work.compute.gemm, thread),
                       mae_operand_f32(run->pred + row0 * model->values), normed.data,
                       call->w, NULL, rows);
    mae_lap(lap, MAE_LAP_FORWARD);
    for (size_t i = part.image; i < part.image + part.images; i++)
        run->losses[i] = image_loss(call, i);
    mae_lap(lap, MAE_LAP_TOKENS);
}

static void forward_tile(void *ctx, size_t index, size_t thread)
{
    const Call *call = ctx;
    MaeAutoencoderRun *run = call->run;
    const MaeAutoencoder *model = run->model;
    const MaeTile tile = mae_work_tile(&run->work, call->batch, run->visible + 1, index);
    const MaeTile all = {tile.image, tile.images, model->patches + 1};

    if (mae_work_skips(&run->work, call->batch, index))
        return;
    mae_encoder_forward(&model->encoder, &run->work, &run->encoder, call->w, call->images,
                        call->mask->ids_keep, NULL, call->batch, tile, thread);
    embed_tile(call, tile, thread);
    mae_trunk_forward(&model->decoder, &run->work, &run->decoder, call->w, NULL,
                      call->batch, all, thread);
    for (size_t part = 0; part < mae_tile_parts(all); part++)
        predict_part(call, predicted_part(run, all, part), thread);
}

double mae_autoencoder_forward(MaeAutoencoderRun *run, MaeWeights w, const float *images,
                               const MaeMask *mask, size_t batch)
{
    const size_t hidden = run->model->patches - run->visible;
    Call call = {.run = run, .w = w, .images = images, .mask = mask, .batch = batch};
    double sum = 0.0;

    assert(batch > 0 && batch <= run->work.plan.batch && mask->visible == run->visible);
    mae_pool_run(run->work.compute.pool, mae_work_tiles(&run->work, batch), forward_tile,
                 &call);
    for (size_t i = 0; i < batch; i++)
        sum += run->losses[i];
    return hidden > 0 ? sum / ((double)batch * (double)hidden) : 0.0;
}

/* Gradient of an image's predictions, in place of their errors; 0 unless hidden. */
static void image_loss_grad(const Call *call, size_t image)
{
    const MaeAutoencoderRun *run = call->run;
    const size_t values = run->model->values;

    for (size_t m = 0; m < run->predicted; m++) {
        const size_t at = (image * run->predicted + m) * values;
        size_t patch;

        if (predicts_hidden(call, image, m, &patch))
            mae_pixel_loss_grad(run->diff + at, values, call->scale);
        else
            memset(run->diff + at, 0, values * sizeof *run->diff);
    }
}

/* Loss, prediction head and decoder norm. */
static void head_backward_part(const Call *call, float *sums, MaeTile part, size_t thread)
{
    MaeAutoencoderRun *run = call->run;
    const MaeAutoencoder *model = run->model;
    const size_t values = model->values;
    const size_t row0 = part.image * part.tokens, rows = part.images * part.tokens;
    const size_t at = row0 * model->arch.decoder_dim;
    const MaeOperand dpred = mae_operand_at(run->dpred, row0 * values);
    float *narrow = run->work.scratch[thread].narrow;
    MaeLap *lap = run->work.scratch[thread].lap;

    for (size_t i = part.image; i < part.image + part.images; i++)
        image_loss_grad(call, i);
    mae_rows_enter(dpred, sums + model->decoder_pred.bias.sum, run->diff + row0 * values,
                   NULL, 1, rows, values);
    mae_lap(lap, MAE_LAP_TOKENS);
    mae_linear_backward_input(&model->decoder_pred,
                              mae_gemm_thread(run->work.compute.gemm, thread),
                              mae_operand_f32(narrow), dpred.data, call->w, rows);
    mae_lap(lap, MAE_LAP_INPUT_GRAD);
    mae_layernorm_backward(&model->decoder_norm, call->dstream + at,
                           mae_operand_at(run->work.grads.norm1, at), sums, narrow, NULL,
                           run->decoder.x[model->decoder.depth] + at, &run->decoder_norm,
                           call->w, row0, rows);
    mae_lap(lap, MAE_LAP_NORM);
}

static void head_backward_tile(void *ctx, size_t index, size_t thread)
{
    const Call *call = ctx;
    const MaeWork *work = &call->run->work;
    const MaeTile tile =
        mae_work_tile(work, call->batch, call->run->model->patches + 1, index);
    float *sums;

    if (mae_work_skips(work, call->batch, index))
        return;
    mae_lap(work->scratch[thread].lap, MAE_LAP_WAIT);
    sums = mae_work_clear_sums(work, index);
    for (size_t part = 0; part < mae_tile_parts(tile); part++)
        head_backward_part(call, sums, predicted_part(call->run, tile, part), thread);
}

/* From the decoder's input back to the encoder's output. */
static void embed_backward_tile(void *ctx, size_t index, size_t thread)
{
    const Call *call = ctx;
    MaeAutoencoderRun *run = call->run;
    const MaeAutoencoder *model = run->model;
    const MaeTile tile = mae_work_tile(&run->work, call->batch, run->visible + 1, index);
    const size_t width = model->arch.decoder_dim, row0 = tile.image * tile.tokens;
    const size_t rows = tile.images * tile.tokens, at = row0 * model->arch.embed_dim;
    const MaeOperand none = {NULL, run->latent.type};
    float *sums = mae_work_sums(&run->work, index);
    float *narrow = run->work.scratch[thread].narrow;
    float *bias = sums + model->decoder_embed.bias.sum;
    MaeLap *lap = run->work.scratch[thread].lap;

    if (mae_work_skips(&run->work, call->batch, index))
        return;
    mae_lap(lap, MAE_LAP_WAIT);
    for (size_t i = tile.image; i < tile.image + tile.images; i++) {
        const uint32_t *restore = call->mask->ids_restore + i * model->patches;
        const float *dx = call->dstream + i * (model->patches + 1) * width;
        const MaeOperand dlatent = mae_operand_at(run->dlatent, i * tile.tokens * width);

        mae_rows_enter(dlatent, bias, dx, NULL, 1, 1, width);
        for (size_t l = 0; l < model->patches; l++) {
            dx += width;
            if (restore[l] < run->visible)
                mae_rows_enter(mae_operand_at(dlatent, (1 + restore[l]) * width), bias,
                               dx, NULL, 1, 1, width);
            else
                mae_rows_add(sums + model->mask_token.sum, dx, width);
        }
    }
    mae_linear_backward_input(
        &model->decoder_embed, mae_gemm_thread(run->work.compute.gemm, thread),
        mae_operand_f32(narrow), mae_operand_at(run->dlatent, row0 * width).data, call->w,
        rows);
    mae_lap(lap, MAE_LAP_INPUT_GRAD);
    mae_layernorm_backward(&model->norm, call->dnext + at, none, sums, narrow, NULL,
                           run->encoder.trunk.x[model->encoder.trunk.depth] + at,
                           &run->norm, call->w, row0, rows);
    mae_lap(lap, MAE_LAP_NORM);
}

void mae_autoencoder_backward(MaeAutoencoderRun *run, float *dw, MaeGradUse use,
                              MaeWeights w, const MaeMask *mask, size_t batch,
                              double scale)
{
    const MaeAutoencoder *model = run->model;
    const MaeWork *work = &run->work;
    const size_t hidden = model->patches - run->visible;
    const MaeWeightGrad pred = {model->decoder_pred.weight.off, model->decoder_pred.in,
                                model->decoder_pred.out,        run->dpred.data,
                                work->grads.norm1.data,         batch * run->predicted};
    const MaeWeightGrad embed = {model->decoder_embed.weight.off,
                                 model->decoder_embed.in,
                                 model->decoder_embed.out,
                                 run->dlatent.data,
                                 run->latent.data,
                                 batch * (run->visible + 1)};
    Call call = {
        .run = run, .w = w, .mask = mask, .batch = batch, .dstream = work->dx[0]};
    MaeGradFront front = {&model->table, dw, use, batch, model->table.total};

    assert(work->plan.keep != MAE_KEEP_NOTHING && batch > 0 && batch <= work->plan.batch);
    call.scale = hidden > 0 ? scale / ((double)batch * (double)hidden) : 0.0;
    mae_pool_run(work->compute.pool, mae_work_tiles(work, batch), head_backward_tile,
                 &call);
    mae_weight_grad_run(&pred, 1, &work->compute, dw, use);
    call.dstream = mae_trunk_backward(&model->decoder, work, &front, call.dstream,
                                      &run->decoder, w, NULL, model->patches + 1);
    call.dnext = call.dstream == work->dx[0] ? work->dx[1] : work->dx[0];
    mae_pool_run(work->compute.pool, mae_work_tiles(work, batch), embed_backward_tile,
                 &call);
    mae_weight_grad_run(&embed, 1, &work->compute, dw, use);
    mae_work_offer(work, &front, model->norm.gamma.off);
    mae_encoder_backward(&model->encoder, work, &front, call.dnext, &run->encoder, w,
                         mask->ids_keep, NULL, run->visible + 1);
    mae_work_advance(work, &front, 0);
}

MaeStatus mae_autoencoder_rehearse(MaeAutoencoderRun *run, float *dw, MaeGradUse use,
                                   MaeWeights w, const MaeMask *mask, size_t batch,
                                   MaeError *err)
{
    const MaeGemm *gemm = run->work.compute.gemm;

    if (batch == 0 || !mae_gemm_rehearse(gemm))
        return MAE_OK;
    (void)mae_autoencoder_forward(run, w, NULL, mask, batch);
    if (dw != NULL)
        mae_autoencoder_backward(run, dw, MAE_GRAD_SET, w, mask, batch, 1.0);
    if (dw != NULL && use == MAE_GRAD_ADD)
        mae_autoencoder_backward(run, dw, MAE_GRAD_ADD, w, mask, batch, 1.0);
    return mae_gemm_rehearsed(gemm, err);
}
