#include "eval/replay.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "model/maskset.h"
#include "store/h5in.h"
#include "store/h5out.h"

enum { CHUNK = 32 }; /* images that run at a time */

#define MOST_VALUES ((size_t)1 << 28) /* of a tensor in the input */

/* One replay; sizes as in the header. */
typedef struct Replay {
    const MaeReplaySpec *spec;
    const MaeAutoencoder *model;
    const float *w;
    size_t batch, steps, pixels; /* B, noise's first axis, C*H*W */
    MaeH5In *in;
    MaeH5Out *out;
    MaeMaskSet masks; /* of all B images */
    MaeAutoencoderRun run;
    MaeArena arena;   /* holds: */
    float *images;    /* [B,C,H,W] */
    float *noise;     /* [steps,B,L] */
    float *hidden;    /* [B,L] mask as floats */
    int64_t *restore; /* [B,L] */
    float *rows;      /* [CHUNK,L,P] */
    float *dw;        /* [table.total], with grads only */
    double loss;
} Replay;

static MaeStatus wrong_shape(const MaeH5In *in, const MaeTensorInfo *found,
                             const char *expected, MaeError *err)
{
    char shape[128];

    mae_param_shape_text(shape, sizeof shape, found->shape, found->ndim);
    MAE_FAIL(err, MAE_ERR_FORMAT, "%s: %s: expected %s, found %s", mae_h5in_path(in),
             found->name, expected, shape);
}

static MaeStatus check_size(const MaeH5In *in, const MaeTensorInfo *info, MaeError *err)
{
    size_t count;

    if (!mae_tensor_count(&count, info->shape, info->ndim, MOST_VALUES) || count == 0)
        MAE_FAIL(err, MAE_ERR_FORMAT, "%s: %s: expected 1 to %zu values",
                 mae_h5in_path(in), info->name, MOST_VALUES);
    return MAE_OK;
}

/* images must be [B,C,H,W] of the model; settles B. */
static MaeStatus check_images(Replay *r, MaeError *err)
{
    const MaePatchGrid *grid = &r->model->arch.grid;
    char expected[128];
    MaeTensorInfo info;

    MAE_TRY(mae_h5in_info(r->in, "images", &info, err));
    (void)snprintf(expected, sizeof expected, "[B,%zu,%zu,%zu] as the checkpoint",
                   grid->channels, grid->height, grid->width);
    if (info.ndim != 4 || info.shape[1] != grid->channels ||
        info.shape[2] != grid->height || info.shape[3] != grid->width)
        return wrong_shape(r->in, &info, expected, err);
    r->batch = info.shape[0];
    r->pixels = grid->channels * grid->height * grid->width;
    return check_size(r->in, &info, err);
}

/* noise must be [B,L] or [steps,B,L]; settles steps. */
static MaeStatus check_noise(Replay *r, MaeError *err)
{
    const size_t patches = r->model->patches;
    char expected[128];
    MaeTensorInfo info;

    MAE_TRY(mae_h5in_info(r->in, "noise", &info, err));
    (void)snprintf(expected, sizeof expected, "[%zu,%zu] or [steps,%zu,%zu]", r->batch,
                   patches, r->batch, patches);
    if (info.ndim < 2 || info.ndim > 3 || info.shape[info.ndim - 2] != r->batch ||
        info.shape[info.ndim - 1] != patches)
        return wrong_shape(r->in, &info, expected, err);
    r->steps = info.ndim == 3 ? info.shape[0] : 0;
    return check_size(r->in, &info, err);
}

static void reserve(Replay *r, MaeArena *arena)
{
    const size_t steps = r->steps > 0 ? r->steps : 1, patches = r->model->patches;

    r->images = mae_arena_floats(arena, r->batch * r->pixels);
    r->noise = mae_arena_floats(arena, steps * r->batch * patches);
    r->hidden = mae_arena_floats(arena, r->batch * patches);
    r->restore = mae_arena_bytes(arena, r->batch * patches, sizeof *r->restore);
    r->rows = mae_arena_floats(arena, CHUNK * r->pixels);
    if (r->spec->grads)
        r->dw = mae_arena_floats(arena, r->model->table.total);
}

static MaeStatus plan(Replay *r, const MaeCompute *compute, MaeError *err)
{
    const size_t batch = r->batch < CHUNK ? r->batch : CHUNK;
    MaeArena measured = mae_arena_measure();

    MAE_TRY(mae_maskset_open(&r->masks, MAE_MASK_RANDOM, &r->model->arch.grid,
                             r->spec->mask_ratio, r->batch, compute->pool, err));
    reserve(r, &measured);
    MAE_TRY(mae_arena_open(&r->arena, &measured, "replay", err));
    reserve(r, &r->arena);
    MAE_TRY(mae_arena_check(&r->arena, "replay", err));
    return mae_autoencoder_run_open(&r->run, r->model, compute, batch,
                                    r->masks.mask.visible, MAE_PREDICT_ALL,
                                    r->spec->grads, err);
}

static MaeStatus read_finite(const MaeH5In *in, const char *name, float *values,
                             const size_t *shape, size_t ndim, MaeError *err)
{
    size_t count = 1;

    MAE_TRY(mae_h5in_floats(in, name, values, shape, ndim, err));
    for (size_t i = 0; i < ndim; i++)
        count *= shape[i];
    for (size_t i = 0; i < count; i++)
        if (!isfinite(values[i]))
            MAE_FAIL(err, MAE_ERR_NUMERIC,
                     "%s: %s: expected finite values, found %g at %zu of %zu",
                     mae_h5in_path(in), name, (double)values[i], i, count);
    return MAE_OK;
}

/* Images and masks; the input is not needed afterwards. */
static MaeStatus load(Replay *r, MaeError *err)
{
    const MaePatchGrid *grid = &r->model->arch.grid;
    const size_t patches = r->model->patches;
    const size_t images[] = {r->batch, grid->channels, grid->height, grid->width};
    const size_t noise[] = {r->steps, r->batch, patches};
    const size_t skip = r->steps > 0 ? 0 : 1;

    MAE_TRY(read_finite(r->in, "images", r->images, images, 4, err));
    MAE_TRY(read_finite(r->in, "noise", r->noise, noise + skip, 3 - skip, err));
    for (size_t b = 0; b < r->batch; b++)
        mae_mask_from_noise(&r->masks.mask, b, r->noise + b * patches, r->masks.scratch);
    for (size_t i = 0; i < r->batch * patches; i++) {
        r->hidden[i] = (float)r->masks.mask.mask[i];
        r->restore[i] = (int64_t)r->masks.mask.ids_restore[i];
    }
    return MAE_OK;
}

/* Everything but the tensors that come chunk by chunk. */
static void put_masks(Replay *r)
{
    const MaeMask *mask = &r->masks.mask;
    const size_t width = r->model->arch.embed_dim, patches = r->model->patches;
    const size_t latent[] = {r->batch, 1 + mask->visible, width};
    const size_t pred[] = {r->batch, patches, r->model->values};

    mae_h5out_real(r->out, "mask_ratio", r->spec->mask_ratio);
    mae_h5out_int(r->out, "norm_pix_loss", r->model->arch.norm_pix_loss);
    mae_h5out_int(r->out, "visible", (int64_t)mask->visible);
    mae_h5out_floats(r->out, "mask", r->hidden, pred, 2);
    mae_h5out_ints(r->out, "ids_restore", r->restore, pred, 2);
    mae_h5out_define(r->out, "latent", latent, 3);
    mae_h5out_define(r->out, "target", pred, 3);
    mae_h5out_define(r->out, "pred", pred, 3);
}

/* Latent, target and prediction of the chunk that just ran. */
static void put_chunk(Replay *r, size_t first, size_t batch)
{
    const MaeAutoencoder *model = r->model;

    mae_h5out_rows(r->out, "latent", first, batch, r->run.latent.data);
    for (size_t i = 0; i < batch; i++)
        mae_patchify(r->rows + i * r->pixels, r->images + (first + i) * r->pixels,
                     &model->arch.grid);
    mae_h5out_rows(r->out, "target", first, batch, r->rows);
    for (size_t i = 0; i < batch; i++)
        memcpy(r->rows + i * r->pixels,
               r->run.pred + (i * (model->patches + 1) + 1) * model->values,
               r->pixels * sizeof *r->rows);
    mae_h5out_rows(r->out, "pred", first, batch, r->rows);
}

/* Every image hides as many patches, so chunks count by their size. */
static MaeStatus run_chunks(Replay *r, MaeError *err)
{
    for (size_t first = 0; first < r->batch; first += CHUNK) {
        const size_t batch = r->batch - first < CHUNK ? r->batch - first : CHUNK;
        const MaeMask mask = mae_mask_from(&r->masks.mask, first);
        const double share = (double)batch / (double)r->batch;

        r->loss +=
            share * mae_autoencoder_forward(&r->run, mae_weights_f32(r->w),
                                            r->images + first * r->pixels, &mask, batch);
        put_chunk(r, first, batch);
        if (r->spec->grads)
            mae_autoencoder_backward(&r->run, r->dw,
                                     first == 0 ? MAE_GRAD_SET : MAE_GRAD_ADD,
                                     mae_weights_f32(r->w), &mask, batch, share);
    }
    if (!isfinite(r->loss))
        MAE_FAIL(err, MAE_ERR_NUMERIC, "replay of %s: the loss is %g", r->spec->input,
                 r->loss);
    return MAE_OK;
}

static void put_grads(Replay *r)
{
    const MaeParamTable *table = &r->model->table;
    char name[MAE_PARAM_NAME + 8];

    for (size_t i = 0; i < table->count; i++) {
        const MaeParamEntry *entry = &table->entries[i];

        if (entry->flags & MAE_PARAM_FIXED)
            continue;
        (void)snprintf(name, sizeof name, "grads/%s", entry->name);
        mae_h5out_floats(r->out, name, r->dw + entry->at.off, entry->shape, entry->ndim);
    }
}

static MaeStatus read_input(Replay *r, const MaeCompute *compute, MaeError *err)
{
    MAE_TRY(mae_h5in_open(&r->in, r->spec->input, err));
    MAE_TRY(check_images(r, err));
    MAE_TRY(check_noise(r, err));
    MAE_TRY(plan(r, compute, err));
    return load(r, err);
}

static MaeStatus write_output(Replay *r, MaeError *err)
{
    float loss;

    MAE_TRY(mae_h5out_create(&r->out, r->spec->output, err));
    put_masks(r);
    MAE_TRY(run_chunks(r, err));
    loss = (float)r->loss;
    mae_h5out_floats(r->out, "loss", &loss, NULL, 0);
    if (r->spec->grads)
        put_grads(r);
    return MAE_OK;
}

MaeStatus mae_replay(MaeReplayResult *result, const MaeReplaySpec *spec,
                     const MaeAutoencoder *model, const float *w,
                     const MaeCompute *compute, MaeError *err)
{
    Replay r = {.spec = spec, .model = model, .w = w};
    MaeStatus status = read_input(&r, compute, err);

    mae_h5in_close(r.in);
    if (status == MAE_OK)
        status = write_output(&r, err);
    if (status == MAE_OK)
        status = mae_h5out_commit(r.out, err);
    else
        mae_h5out_abort(r.out);
    if (status == MAE_OK)
        *result = (MaeReplayResult){r.batch, r.masks.mask.visible, r.loss};
    mae_autoencoder_run_close(&r.run);
    mae_maskset_close(&r.masks);
    mae_arena_close(&r.arena);
    return status;
}
