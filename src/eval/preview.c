#include "eval/preview.h"

#include <math.h>
#include <stdlib.h>

#include "eval/quality.h"
#include "eval/sheet.h"
#include "model/maskset.h"
#include "store/file.h"

/* A sheet in the making. */
typedef struct Drawing {
    MaeAutoencoderRun *run;
    MaePreviewScore *scores; /* [N] or NULL */
    MaeReconstruct pictures; /* of one image */
    MaeImage sheet;
} Drawing;

MaeDenorm mae_preview_denorm(const MaeAutoencoder *model, bool oracle)
{
    if (!model->arch.norm_pix_loss)
        return MAE_DENORM_NONE;
    return oracle ? MAE_DENORM_ORACLE : MAE_DENORM_VISIBLE;
}

/* Smallest and largest value of @p count images in data units; one apart if equal. */
static void find_range(MaeReconstructSpec *spec, const float *images, size_t count)
{
    const MaePatchGrid *grid = &spec->grid;
    const size_t plane = grid->height * grid->width;

    spec->low = INFINITY;
    spec->high = -INFINITY;
    for (size_t i = 0; i < count * grid->channels; i++) {
        const float std = spec->std[i % grid->channels];
        const float mean = spec->mean[i % grid->channels];

        for (size_t k = 0; k < plane; k++, images++) {
            spec->low = fminf(spec->low, *images * std + mean);
            spec->high = fmaxf(spec->high, *images * std + mean);
        }
    }
    if (!(spec->low < spec->high))
        spec->high = spec->low + 1.0f;
}

static MaeStatus score(MaePreviewScore *out, const MaeReconstruct *r,
                       const unsigned char *mask, double loss, MaeError *err)
{
    MaePreviewScore s = {.loss = loss};

    s.psnr = mae_quality_psnr(r->pasted, r->original, mask, &r->grid);
    MAE_TRY(mae_quality_ssim(&s.ssim, r->pasted, r->original, mask, &r->grid, err));
    *out = s;
    return MAE_OK;
}

/* Image @p i of the batch that just ran, drawn in @p row. */
static MaeStatus draw(Drawing *d, size_t row, size_t i, const float *image,
                      const MaeMask *mask, MaeError *err)
{
    const MaeAutoencoder *model = d->run->model;
    const size_t hidden = mask->patches - mask->visible;
    const float *pred = d->run->pred + (i * (model->patches + 1) + 1) * model->values;
    const double loss = hidden > 0 ? d->run->losses[i] / (double)hidden : (double)NAN;

    MAE_TRY(mae_reconstruct_image(&d->pictures, image, pred, mask->mask, err));
    mae_sheet_draw(&d->sheet, row, &d->pictures, mask->mask);
    if (d->scores == NULL)
        return MAE_OK;
    return score(&d->scores[row], &d->pictures, mask->mask, loss, err);
}

/* Run the model over all images, as many at a time as the run takes. */
static MaeStatus draw_all(Drawing *d, MaeWeights w, const float *images,
                          const MaeMask *mask, size_t count, MaeError *err)
{
    const size_t most = d->run->work.plan.batch;
    const size_t values = d->run->model->patches * d->run->model->values;

    for (size_t first = 0; first < count; first += most) {
        const size_t batch = count - first < most ? count - first : most;
        const MaeMask part = mae_mask_from(mask, first);

        (void)mae_autoencoder_forward(d->run, w, images + first * values, &part, batch);
        for (size_t i = 0; i < batch; i++) {
            const MaeMask own = mae_mask_from(&part, i);

            MAE_TRY(draw(d, first + i, i, images + (first + i) * values, &own, err));
        }
    }
    return MAE_OK;
}

MaeStatus mae_preview_write(const char *path, MaePreviewScore *scores,
                            MaeAutoencoderRun *run, MaeWeights w, const float *images,
                            const MaeMask *mask, size_t count, const MaePreviewSpec *spec,
                            MaeError *err)
{
    MaeReconstructSpec look = {.grid = run->model->arch.grid,
                               .denorm = mae_preview_denorm(run->model, spec->oracle),
                               .mean = spec->mean,
                               .std = spec->std,
                               .low = spec->low,
                               .high = spec->high};
    Drawing d = {.run = run, .scores = scores};
    uint8_t *bytes = NULL;
    size_t size = 0;
    MaeStatus status;

    if (look.low == 0.0f && look.high == 0.0f)
        find_range(&look, images, count);
    MAE_TRY(mae_reconstruct_open(&d.pictures, &look, err));
    status = mae_sheet_reshape(&d.sheet, &look.grid, count, err);
    if (status == MAE_OK)
        status = draw_all(&d, w, images, mask, count, err);
    if (status == MAE_OK)
        status = mae_image_encode_png(&bytes, &size, &d.sheet, err);
    if (status == MAE_OK)
        status = mae_file_write_atomic(path, bytes, size, err);
    free(bytes);
    mae_image_done(&d.sheet);
    mae_reconstruct_close(&d.pictures);
    return status;
}
