#include "common/visualize_page.h"

#include <math.h>

#include "base/size.h"
#include "eval/report_figures.h"
#include "eval/report_sweep.h"

#define IMAGES 4 /* rows of a reconstruction */
#define RANDOM "random weights"

/* --- what it is -------------------------------------------------------------------- */

static void add_model(MaeReport *report, const VisualizeSource *s)
{
    const MaeSnapshot *snapshot = &s->loaded[0].snapshot;
    const MaeArch *arch = &snapshot->arch;

    mae_report_section(report, "model", "Model");
    mae_report_fact(report, "Kind", "%s", mae_snapshot_kind_name(snapshot->kind));
    mae_report_fact(report, "Epochs", "%llu", (unsigned long long)snapshot->epoch);
    mae_report_fact(report, "Images seen", "%llu", (unsigned long long)snapshot->samples);
    mae_report_fact(report, "Input", "%zu x %zu pixels, %zu channel%s", arch->grid.height,
                    arch->grid.width, arch->grid.channels,
                    arch->grid.channels > 1 ? "s" : "");
    mae_report_fact(report, "Patches", "%zu of %zu x %zu", mae_patch_count(&arch->grid),
                    arch->grid.patch, arch->grid.patch);
    mae_report_fact(report, "Encoder", "%zu blocks of width %zu, %zu heads", arch->depth,
                    arch->embed_dim, arch->heads);
    if (s->input.model_count > 1)
        mae_report_fact(report, "Compared with", "%s", s->input.models[1].name);
    if (s->choice->data != NULL)
        mae_report_fact(report, "Data", "%s", s->choice->data);
}

/* --- reconstructions ---------------------------------------------------------------- */

static MaeStatus add_sweep(MaeReport *report, const VisualizeSource *s, size_t m,
                           MaeError *err)
{
    static const char *const ids[] = {"ratios", "ratios-compared"};
    const MaeLoadedModel *loaded = &s->loaded[m];
    const MaeGallery *gallery = &s->galleries[m];
    const MaeReportSweep look = {.id = ids[m],
                                 .title = s->input.models[m].name,
                                 .viewer = {.model = &loaded->model.as.autoencoder,
                                            .w = mae_weights_f32(loaded->weights),
                                            .compute = &s->compute,
                                            .images = gallery->images,
                                            .count = mae_smaller(gallery->count, IMAGES),
                                            .look = {.mean = loaded->snapshot.mean,
                                                     .std = loaded->snapshot.std,
                                                     .low = gallery->low,
                                                     .high = gallery->high},
                                            .watch = s->input.watch},
                                 .kind = MAE_MASK_RANDOM,
                                 .ratio = loaded->snapshot.mask_ratio,
                                 .seed = s->input.seed};

    return mae_report_sweep(report, &look, err);
}

static MaeStatus add_reconstructions(MaeReport *report, VisualizeSource *s, MaeError *err)
{
    bool begun = false;

    for (size_t m = 0; m < s->input.model_count; m++) {
        if (s->loaded[m].snapshot.kind != MAE_SNAPSHOT_AUTOENCODER ||
            s->galleries[m].count == 0)
            continue;
        if (!begun)
            mae_report_section(report, "reconstructions", "Reconstructions");
        begun = true;
        visualize_source_begin(s, "reconstructions");
        MAE_TRY(add_sweep(report, s, m, err));
    }
    return MAE_OK;
}

/* --- scores ------------------------------------------------------------------------- */

static MaeStatus score(VisualizeScores *out, const char *name, const MaeSpotCheck *check,
                       VisualizeSource *s, const MaeLoadedModel *loaded, MaeError *err)
{
    visualize_source_begin(s, "retrieval");
    MAE_TRY(mae_spot_check_run(&out->scores[out->count], check, loaded, &s->compute,
                               &s->tool->log, s->input.watch, err));
    out->names[out->count++] = name;
    return MAE_OK;
}

/* Weights that training started from, unless they are what is compared. */
static MaeStatus score_random(VisualizeScores *out, const MaeSpotCheck *check,
                              VisualizeSource *s, MaeError *err)
{
    MaeLoadedModel random = {0};
    MaeStatus status;

    if (visualize_source_random(s))
        return MAE_OK;
    status = mae_loaded_model_open(&random, s->input.models[0].name, err);
    if (status == MAE_OK) {
        mae_loaded_model_init(&random, s->input.seed);
        status = score(out, RANDOM, check, s, &random, err);
    }
    mae_loaded_model_close(&random);
    return status;
}

static MaeStatus score_all(VisualizeScores *out, const MaeSpotCheck *check,
                           VisualizeSource *s, MaeError *err)
{
    out->queries = check->query_count;
    out->memory = check->memory_count;
    out->retrieved = check->retrieved;
    out->k = check->k;
    out->chance = check->chance;
    for (size_t m = 0; m < s->input.model_count; m++)
        MAE_TRY(score(out, s->input.models[m].name, check, s, &s->loaded[m], err));
    return score_random(out, check, s, err);
}

static MaeStatus measure(VisualizeScores *out, VisualizeSource *s, MaeError *err)
{
    MaeSpotCheck check;
    MaeStatus status;

    *out = (VisualizeScores){.count = 0};
    if (s->ds == NULL || !mae_dataset_info(s->ds)->labelled ||
        mae_dataset_info(s->ds)->count < MAE_SPOT_CHECK_FEWEST)
        return MAE_OK;
    MAE_TRY(mae_spot_check_open(&check, s->ds, s->choice->sample, s->input.seed, err));
    status = score_all(out, &check, s, err);
    mae_spot_check_close(&check);
    return status;
}

static void add_percent(MaeReport *report, double fraction)
{
    if (isnan(fraction))
        mae_report_cell(report, "-");
    else
        mae_report_cell(report, "%.1f %%", 100.0 * fraction);
}

static void add_scores(MaeReport *report, const VisualizeScores *s)
{
    static const MaeReportColumn columns[] = {
        {"Features of", false}, {"Retrieval precision", true}, {"kNN accuracy", true}};

    if (s->count == 0)
        return;
    mae_report_section(report, "retrieval", "Retrieval");
    mae_report_text(report,
                    "What features are worth without training anything on them: %zu "
                    "images ask, their neighbours are looked for among %zu others, all "
                    "drawn from the data. Precision is the share of the nearest %zu that "
                    "have the class of the image that asks; the accuracy is that of a "
                    "vote of the nearest %zu. Features have learned something if they "
                    "are well above those of random weights of the same architecture.",
                    s->queries, s->memory, s->retrieved, s->k);
    mae_report_table(report, &(MaeReportTable){.caption = "Features by their neighbours",
                                               .columns = columns,
                                               .column_count = 3});
    for (size_t i = 0; i < s->count; i++) {
        mae_report_cell(report, "%s", s->names[i]);
        add_percent(report, s->scores[i].retrieval.precision);
        add_percent(report, mae_accuracy_top1(&s->scores[i].knn));
    }
    mae_report_cell(report, "neighbours in random order");
    add_percent(report, s->chance);
    mae_report_cell(report, "-");
}

/* --- page --------------------------------------------------------------------------- */

static MaeStatus fill(MaeReport *report, VisualizeScores *scores, VisualizeSource *source,
                      const MaeFigures *figures, MaeError *err)
{
    MAE_TRY(measure(scores, source, err));
    add_model(report, source);
    add_scores(report, scores);
    MAE_TRY(add_reconstructions(report, source, err));
    mae_report_figures(report, figures);
    return MAE_OK;
}

MaeStatus visualize_page_write(VisualizeScores *scores, VisualizeSource *source,
                               const MaeFigures *figures, const char *path, MaeError *err)
{
    char title[MAE_REPORT_TEXT];
    MaeReport *report = NULL;
    MaeStatus status;

    (void)snprintf(title, sizeof title, "Model: %s", source->input.models[0].name);
    MAE_TRY(mae_report_open(&report, title, "libmae " MAE_VERSION, err));
    status = fill(report, scores, source, figures, err);
    mae_terminal_progress_end(&source->tool->terminal);
    if (status == MAE_OK)
        status = mae_report_write(report, path, err);
    mae_report_close(report);
    return status;
}
