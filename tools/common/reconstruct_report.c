#include "common/reconstruct_report.h"

#include <ctype.h>
#include <math.h>
#include <stdio.h>

#include "common/tool.h"

static const char *const PANELS[] = {"masked", "reconstruction",
                                     "reconstruction + visible", "original"};

enum { PANEL_COUNT = sizeof PANELS / sizeof *PANELS };

/* Means over all images; not finite if one of them is not. */
static MaePreviewScore mean_score(const ReconstructReport *r)
{
    const double n = (double)r->gallery->count;
    MaePreviewScore sum = {0};

    for (size_t i = 0; i < r->gallery->count; i++) {
        sum.psnr += r->scores[i].psnr / n;
        sum.ssim += r->scores[i].ssim / n;
        sum.loss += r->scores[i].loss / n;
    }
    return sum;
}

/* One line; NaN (nothing was hidden) is "-", and names stay on their line. */
static void print_row(const MaePreviewScore *score, const char *name)
{
    const double numbers[] = {score->psnr, score->ssim, score->loss};

    for (size_t i = 0; i < 3; i++)
        if (isnan(numbers[i]))
            (void)printf("%8s  ", "-");
        else
            (void)printf(i == 0 ? "%8.2f  " : "%8.4f  ", numbers[i]);
    for (; *name != '\0'; name++)
        (void)putchar(iscntrl((unsigned char)*name) ? '?' : *name);
    (void)putchar('\n');
}

static void print_text(const ReconstructReport *r)
{
    const MaeMask *mask = r->mask;

    (void)printf("%8s  %8s  %8s  image\n", "PSNR/dB", "SSIM", "loss");
    for (size_t i = 0; i < r->gallery->count; i++)
        print_row(&r->scores[i], r->gallery->names[i]);
    if (r->gallery->count > 1) {
        const MaePreviewScore mean = mean_score(r);

        print_row(&mean, "(mean)");
    }
    (void)printf("PSNR, SSIM and loss are taken over hidden pixels.\n"
                 "mask: %s, ratio %g (%zu of %zu patches hidden), seed %llu\n"
                 "denormalisation: %s\n%s: a row per image, panels ",
                 r->strategy, r->ratio, mask->patches - mask->visible, mask->patches,
                 (unsigned long long)r->seed, mae_denorm_name(r->denorm), r->out);
    for (size_t i = 0; i < PANEL_COUNT; i++)
        (void)printf(i > 0 ? " | %s" : "%s", PANELS[i]);
    (void)printf("\nSeams are expected: every patch is predicted by itself, and only "
                 "hidden ones are trained,\nso the second panel looks worse where "
                 "patches were visible; the third has these pasted in.\n");
}

static void set_scores(MaeJson *object, const MaePreviewScore *score)
{
    mae_json_set_real(object, "psnr", score->psnr);
    mae_json_set_real(object, "ssim", score->ssim);
    mae_json_set_real(object, "loss", score->loss);
}

static MaeJson *mask_json(const ReconstructReport *r)
{
    MaeJson *mask = mae_json_object();

    mae_json_set_text(mask, "strategy", r->strategy);
    mae_json_set_real(mask, "ratio", r->ratio);
    mae_json_set_int(mask, "patches", (int64_t)r->mask->patches);
    mae_json_set_int(mask, "hidden", (int64_t)(r->mask->patches - r->mask->visible));
    return mask;
}

/* A number where JSON's integers reach, else text. */
static void set_seed(MaeJson *object, uint64_t seed)
{
    char text[24];

    if (seed <= INT64_MAX) {
        mae_json_set_int(object, "seed", (int64_t)seed);
        return;
    }
    (void)snprintf(text, sizeof text, "%llu", (unsigned long long)seed);
    mae_json_set_text(object, "seed", text);
}

static MaeJson *images_json(const ReconstructReport *r)
{
    MaeJson *images = mae_json_array();

    for (size_t i = 0; i < r->gallery->count; i++) {
        MaeJson *image = mae_json_object();

        mae_json_set_text(image, "name", r->gallery->names[i]);
        set_scores(image, &r->scores[i]);
        mae_json_append(images, image);
    }
    return images;
}

MaeStatus reconstruct_report_print(const ReconstructReport *r, bool json, MaeError *err)
{
    const MaePreviewScore mean = mean_score(r);
    MaeJson *object, *panels;

    if (!json) {
        print_text(r);
        return MAE_OK;
    }
    object = mae_json_object();
    panels = mae_json_array();
    for (size_t i = 0; i < PANEL_COUNT; i++)
        mae_json_append(panels, mae_json_text(PANELS[i]));
    mae_json_set_text(object, "checkpoint", r->checkpoint);
    mae_json_set_text(object, "out", r->out);
    mae_json_set(object, "panels", panels);
    mae_json_set_text(object, "denormalisation", mae_denorm_name(r->denorm));
    mae_json_set_bool(object, "oracle", r->denorm == MAE_DENORM_ORACLE);
    mae_json_set(object, "mask", mask_json(r));
    set_seed(object, r->seed);
    set_scores(object, &mean);
    mae_json_set(object, "images", images_json(r));
    return mae_tool_print_json(object, 0, err);
}

MaeStatus reconstruct_report_replay(const MaeReplaySpec *spec,
                                    const MaeReplayResult *result, const char *checkpoint,
                                    bool json, MaeError *err)
{
    MaeJson *object;

    if (!json) {
        (void)printf("%s: replayed %zu images, %zu patches of each visible, loss %.9g\n",
                     spec->output, result->batch, result->visible, result->loss);
        return MAE_OK;
    }
    object = mae_json_object();
    mae_json_set_text(object, "checkpoint", checkpoint);
    mae_json_set_text(object, "replay", spec->input);
    mae_json_set_text(object, "dump", spec->output);
    mae_json_set_int(object, "batch", (int64_t)result->batch);
    mae_json_set_int(object, "visible", (int64_t)result->visible);
    mae_json_set_real(object, "loss", result->loss);
    return mae_tool_print_json(object, 0, err);
}
