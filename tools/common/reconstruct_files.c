#include <stdio.h>

#include "common/reconstruct_parts.h"
#include "common/tool.h"

enum { NAME = 4096 };

/* --- frames ----------------------------------------------------------------------- */

/* As one word for a shell. */
static void print_word(const char *text)
{
    (void)putchar('\'');
    for (; *text != '\0'; text++)
        if (*text == '\'')
            (void)printf("'\\''");
        else
            (void)putchar(*text);
    (void)putchar('\'');
}

MaeStatus reconstruct_report_frames(const ReconstructReport *r, const MaeFramesSpec *spec,
                                    size_t frames, MaeError *err)
{
    char text[NAME];
    MaeJson *object;

    if (r->json) {
        object = reconstruct_begin_json(r, NULL);
        mae_json_set_text(object, "folder", spec->folder);
        (void)snprintf(text, sizeof text, "%s-%%03d.png", spec->name);
        mae_json_set_text(object, "pattern", text);
        mae_json_set_text(object, "strategy", r->strategy);
        mae_json_set_int(object, "frames", (int64_t)frames);
        mae_json_set_int(object, "patches", (int64_t)r->patches);
        mae_json_set(object, "panels", reconstruct_texts_json(reconstruct_panels));
        return mae_tool_print_json(object, 0, err);
    }
    (void)snprintf(text, sizeof text, "%s/%s-000.png to -%03zu.png", spec->folder,
                   spec->name, frames - 1);
    reconstruct_print_picture(text, "a row per image", reconstruct_panels);
    (void)printf("1 to all %zu patches visible; mask: %s, seed %llu\n", r->patches,
                 r->strategy, (unsigned long long)r->seed);
    reconstruct_print_denorm(r);
    (void)printf("film: ffmpeg -framerate 10 -i ");
    (void)snprintf(text, sizeof text, "%s/%s-%%03d.png", spec->folder, spec->name);
    print_word(text);
    (void)printf(" -vf 'pad=ceil(iw/2)*2:ceil(ih/2)*2' -pix_fmt yuv420p masks.mp4\n"
                 "GIF:  magick -delay 10 ");
    print_word(spec->folder);
    (void)printf("/%s-*.png masks.gif, or gifski --fps 10 -o masks.gif ", spec->name);
    print_word(spec->folder);
    (void)printf("/%s-*.png\n", spec->name);
    return MAE_OK;
}

/* --- ranking ---------------------------------------------------------------------- */

static void print_ranked(const ReconstructRanked *ranked, size_t place)
{
    const MaeRankItem *item = &ranked->ranking->items[place];
    char name[NAME];

    mae_dataset_name(ranked->ds, item->sample, name, sizeof name);
    (void)printf("%8zu  ", place + 1);
    reconstruct_print_number(item->error, 4);
    reconstruct_print_name(name);
}

static double mean_error(const MaeRanking *ranking)
{
    double sum = 0.0;

    for (size_t i = 0; i < ranking->count; i++)
        sum += ranking->items[i].error;
    return sum / (double)ranking->count;
}

static void print_ranking(const ReconstructReport *r, const ReconstructRanked *ranked)
{
    const MaeRanking *ranking = ranked->ranking;
    const size_t left_out = mae_dataset_info(ranked->ds)->count - ranking->count;

    (void)printf("%8s  %8s  image\n", "rank", "error");
    for (size_t i = 0; i < ranked->shown; i++)
        print_ranked(ranked, i);
    for (size_t i = 0; i < ranked->shown; i++)
        print_ranked(ranked, ranking->count - 1 - i);
    (void)printf("%s: all %zu images, worst first; mean error %.4f", ranked->file,
                 ranking->count, mean_error(ranking));
    if (left_out > 0)
        (void)printf("; %zu bad images left out", left_out);
    (void)printf("\nerror: %s; mean of %zu masks\n", reconstruct_loss_name(r),
                 ranked->masks);
    reconstruct_print_mask(r);
    reconstruct_print_denorm(r);
    reconstruct_print_picture(r->out, "the worst, then the best, a row per image",
                              reconstruct_panels);
}

static MaeJson *ranked_json(const ReconstructRanked *ranked, size_t place)
{
    const MaeRankItem *item = &ranked->ranking->items[place];
    const int64_t label = mae_dataset_label(ranked->ds, item->sample);
    MaeJson *object = mae_json_object();
    char name[NAME];

    mae_dataset_name(ranked->ds, item->sample, name, sizeof name);
    mae_json_set_int(object, "rank", (int64_t)place + 1);
    mae_json_set_text(object, "path", name);
    mae_json_set_real(object, "error", item->error);
    if (label >= 0)
        mae_json_set_text(object, "class", mae_dataset_class(ranked->ds, (size_t)label));
    return object;
}

MaeStatus reconstruct_report_rank(const ReconstructReport *r,
                                  const ReconstructRanked *ranked, MaeError *err)
{
    const MaeRanking *ranking = ranked->ranking;
    MaeJson *object, *worst, *best;

    if (!r->json) {
        print_ranking(r, ranked);
        return MAE_OK;
    }
    object = reconstruct_begin_json(r, reconstruct_panels);
    worst = mae_json_array();
    best = mae_json_array();
    for (size_t i = 0; i < ranked->shown; i++) {
        mae_json_append(worst, ranked_json(ranked, i));
        mae_json_append(best, ranked_json(ranked, ranking->count - 1 - i));
    }
    mae_json_set_text(object, "data", ranked->data);
    mae_json_set_text(object, "file", ranked->file);
    mae_json_set(object, "mask", reconstruct_mask_json(r));
    mae_json_set_int(object, "masks", (int64_t)ranked->masks);
    mae_json_set_int(object, "images", (int64_t)ranking->count);
    mae_json_set_int(object, "left_out",
                     (int64_t)(mae_dataset_info(ranked->ds)->count - ranking->count));
    mae_json_set_real(object, "mean_error", mean_error(ranking));
    mae_json_set(object, "worst", worst);
    mae_json_set(object, "best", best);
    return mae_tool_print_json(object, 0, err);
}
