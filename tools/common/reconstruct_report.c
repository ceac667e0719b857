#include "common/reconstruct_report.h"

#include <math.h>
#include <stdio.h>

#include "common/reconstruct_parts.h"
#include "common/tool.h"

/* --- scores ----------------------------------------------------------------------- */

static void print_score(const MaePreviewScore *score)
{
    reconstruct_print_number(score->psnr, 2);
    reconstruct_print_number(score->ssim, 4);
    reconstruct_print_number(score->loss, 4);
}

static void add_score(MaePreviewScore *sum, const MaePreviewScore *score, double n)
{
    sum->psnr += score->psnr / n;
    sum->ssim += score->ssim / n;
    sum->loss += score->loss / n;
}

static void set_scores(MaeJson *object, const MaePreviewScore *score)
{
    mae_json_set_real(object, "psnr", score->psnr);
    mae_json_set_real(object, "ssim", score->ssim);
    mae_json_set_real(object, "loss", score->loss);
}

/* --- panels ----------------------------------------------------------------------- */

/* Means over all images; not finite if one of them is not. */
static MaePreviewScore mean_score(const ReconstructReport *r)
{
    MaePreviewScore sum = {0};

    for (size_t i = 0; i < r->gallery->count; i++)
        add_score(&sum, &r->scores[i], (double)r->gallery->count);
    return sum;
}

/* A painted mask may hide more or less than the model was trained with. */
static bool unlike_training(const ReconstructReport *r)
{
    return r->painted != NULL &&
           r->patches - r->hidden != mae_mask_keep(r->patches, r->trained_ratio);
}

static void print_panels(const ReconstructReport *r)
{
    (void)printf("%8s  %8s  %8s  image\n", "PSNR/dB", "SSIM", "loss");
    for (size_t i = 0; i < r->gallery->count; i++) {
        print_score(&r->scores[i]);
        reconstruct_print_name(r->gallery->names[i]);
    }
    if (r->gallery->count > 1) {
        const MaePreviewScore mean = mean_score(r);

        print_score(&mean);
        reconstruct_print_name("(mean)");
    }
    (void)printf("PSNR, SSIM and loss are taken over hidden pixels.\n");
    reconstruct_print_mask(r);
    if (unlike_training(r))
        (void)printf("note: %zu patches are visible; the model was trained with %zu "
                     "(ratio %g)\n",
                     r->patches - r->hidden, mae_mask_keep(r->patches, r->trained_ratio),
                     r->trained_ratio);
    reconstruct_print_denorm(r);
    reconstruct_print_picture(r->out, "a row per image", reconstruct_panels);
    (void)printf("Seams are expected: every patch is predicted by itself, and only "
                 "hidden ones are trained,\nso the second panel looks worse where "
                 "patches were visible; the third has these pasted in.\n");
}

static MaeJson *images_json(const MaeGallery *gallery, const MaePreviewScore *scores)
{
    MaeJson *images = mae_json_array();

    for (size_t i = 0; i < gallery->count; i++) {
        MaeJson *image = mae_json_object();

        mae_json_set_text(image, "name", gallery->names[i]);
        set_scores(image, &scores[i]);
        mae_json_append(images, image);
    }
    return images;
}

MaeStatus reconstruct_report_print(const ReconstructReport *r, MaeError *err)
{
    const MaePreviewScore mean = mean_score(r);
    MaeJson *object;

    if (!r->json) {
        print_panels(r);
        return MAE_OK;
    }
    object = reconstruct_begin_json(r, reconstruct_panels);
    mae_json_set(object, "mask", reconstruct_mask_json(r));
    if (unlike_training(r))
        mae_json_set_real(object, "trained_ratio", r->trained_ratio);
    set_scores(object, &mean);
    mae_json_set(object, "images", images_json(r->gallery, r->scores));
    return mae_tool_print_json(object, 0, err);
}

/* --- sweep ------------------------------------------------------------------------ */

static void print_sweep(const ReconstructReport *r, const MaeSweep *s)
{
    (void)printf("%8s  %8s  %8s  %8s  ratio\n", "PSNR/dB", "SSIM", "loss", "hidden");
    for (size_t k = 0; k < s->steps; k++) {
        print_score(&s->means[k]);
        (void)printf("%8zu  %g\n", s->hidden[k], s->ratios[k]);
    }
    (void)printf("means over %zu image%s of %zu patches. PSNR, SSIM and loss are taken "
                 "over hidden pixels, more in every row.\n"
                 "mask: %s, nested (a higher ratio hides all that a lower one hides), "
                 "seed %llu\n",
                 s->count, s->count > 1 ? "s" : "", r->patches, r->strategy,
                 (unsigned long long)r->seed);
    reconstruct_print_denorm(r);
    reconstruct_print_picture(r->out, "a group per image, a row per ratio",
                              reconstruct_panels);
}

MaeStatus reconstruct_report_sweep(const ReconstructReport *r, const MaeSweep *sweep,
                                   MaeError *err)
{
    MaeJson *object, *steps;

    if (!r->json) {
        print_sweep(r, sweep);
        return MAE_OK;
    }
    object = reconstruct_begin_json(r, reconstruct_panels);
    steps = mae_json_array();
    for (size_t k = 0; k < sweep->steps; k++) {
        MaeJson *step = mae_json_object();

        mae_json_set_real(step, "ratio", sweep->ratios[k]);
        mae_json_set_int(step, "hidden", (int64_t)sweep->hidden[k]);
        set_scores(step, &sweep->means[k]);
        mae_json_set(step, "images",
                     images_json(r->gallery, sweep->scores + k * sweep->count));
        mae_json_append(steps, step);
    }
    mae_json_set_text(object, "strategy", r->strategy);
    mae_json_set_int(object, "patches", (int64_t)r->patches);
    mae_json_set(object, "sweep", steps);
    return mae_tool_print_json(object, 0, err);
}

/* --- ensembles -------------------------------------------------------------------- */

static const char *const WHOLE[] = {"original", "mean of hidden predictions",
                                    "absolute error", NULL};
static const char *const SPREAD[] = {"original", "mean of hidden predictions",
                                     "standard deviation", "absolute error of the mean",
                                     NULL};

static MaeEnsembleScore mean_ensemble(const MaeEnsemble *e)
{
    const double n = (double)e->count;
    MaeEnsembleScore sum = {0};

    for (size_t i = 0; i < e->count; i++) {
        add_score(&sum.mean, &e->scores[i].mean, n);
        sum.std += e->scores[i].std / n;
        sum.error += e->scores[i].error / n;
        sum.correlation += e->scores[i].correlation / n;
    }
    return sum;
}

static void print_ensemble_row(const MaeEnsembleScore *score, MaeEnsembleSheet sheet,
                               const char *name)
{
    print_score(&score->mean);
    reconstruct_print_number(score->error, 4);
    if (sheet == MAE_ENSEMBLE_SPREAD) {
        reconstruct_print_number(score->std, 4);
        reconstruct_print_number(score->correlation, 3);
    }
    reconstruct_print_name(name);
}

static void print_ensemble(const ReconstructReport *r, const MaeEnsemble *e,
                           MaeEnsembleSheet sheet)
{
    const bool spread = sheet == MAE_ENSEMBLE_SPREAD;
    const double error = (double)mae_ensemble_palette(e, e->error).high;

    (void)printf("%8s  %8s  %8s  %8s  ", "PSNR/dB", "SSIM", "loss", "error");
    (void)printf(spread ? "%8s  %8s  image\n" : "image\n", "std", "corr");
    for (size_t i = 0; i < e->count; i++)
        print_ensemble_row(&e->scores[i], sheet, r->gallery->names[i]);
    if (e->count > 1) {
        const MaeEnsembleScore mean = mean_ensemble(e);

        print_ensemble_row(&mean, sheet, "(mean)");
    }
    (void)printf("PSNR, SSIM and error (mean absolute, pixels 0 .. 1) are taken over the "
                 "whole image, loss over hidden patches.\n");
    if (spread)
        (void)printf("std: of the predictions of a pixel while it is hidden, mean over "
                     "the image; corr: of std and error, over pixels.\n");
    reconstruct_print_mask(r);
    (void)printf("%zu masks of each image hide each patch %zu", e->masks, e->least);
    (void)printf(e->most > e->least ? " to %zu times\n" : " times\n", e->most);
    reconstruct_print_denorm(r);
    reconstruct_print_picture(r->out, "a row per image", spread ? SPREAD : WHOLE);
    (void)printf("maps: dark 0, bright ");
    if (spread)
        (void)printf("%.3g (standard deviation), ",
                     (double)mae_ensemble_palette(e, e->std).high);
    (void)printf("%.3g (error)\n", error);
}

static MaeJson *ensemble_json(const MaeEnsembleScore *score, MaeEnsembleSheet sheet)
{
    MaeJson *object = mae_json_object();

    set_scores(object, &score->mean);
    mae_json_set_real(object, "error", score->error);
    if (sheet == MAE_ENSEMBLE_SPREAD) {
        mae_json_set_real(object, "std", score->std);
        mae_json_set_real(object, "correlation", score->correlation);
    }
    return object;
}

MaeStatus reconstruct_report_ensemble(const ReconstructReport *r, const MaeEnsemble *e,
                                      MaeEnsembleSheet sheet, MaeError *err)
{
    const MaeEnsembleScore mean = mean_ensemble(e);
    MaeJson *object, *images;

    if (!r->json) {
        print_ensemble(r, e, sheet);
        return MAE_OK;
    }
    object = reconstruct_begin_json(r, sheet == MAE_ENSEMBLE_SPREAD ? SPREAD : WHOLE);
    images = mae_json_array();
    for (size_t i = 0; i < e->count; i++) {
        MaeJson *image = ensemble_json(&e->scores[i], sheet);

        mae_json_set_text(image, "name", r->gallery->names[i]);
        mae_json_append(images, image);
    }
    mae_json_set(object, "mask", reconstruct_mask_json(r));
    mae_json_set_int(object, "masks", (int64_t)e->masks);
    mae_json_set_int(object, "hidden_least", (int64_t)e->least);
    mae_json_set_int(object, "hidden_most", (int64_t)e->most);
    if (sheet == MAE_ENSEMBLE_SPREAD)
        mae_json_set_real(object, "std_bright",
                          (double)mae_ensemble_palette(e, e->std).high);
    mae_json_set_real(object, "error_bright",
                      (double)mae_ensemble_palette(e, e->error).high);
    mae_json_set(object, "mean", ensemble_json(&mean, sheet));
    mae_json_set(object, "images", images);
    return mae_tool_print_json(object, 0, err);
}

/* --- replay ----------------------------------------------------------------------- */

MaeStatus reconstruct_report_replay(const ReconstructReport *r, const MaeReplaySpec *spec,
                                    const MaeReplayResult *result, MaeError *err)
{
    MaeJson *object;

    if (!r->json) {
        (void)printf("%s: replayed %zu images, %zu patches of each visible, loss %.9g\n",
                     spec->output, result->batch, result->visible, result->loss);
        return MAE_OK;
    }
    object = mae_json_object();
    mae_json_set_text(object, "checkpoint", r->checkpoint);
    mae_json_set_text(object, "replay", spec->input);
    mae_json_set_text(object, "dump", spec->output);
    mae_json_set_int(object, "batch", (int64_t)result->batch);
    mae_json_set_int(object, "visible", (int64_t)result->visible);
    mae_json_set_real(object, "loss", result->loss);
    return mae_tool_print_json(object, 0, err);
}
