#include "common/reconstruct_modes.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "eval/feature_set.h"
#include "eval/frames.h"
#include "eval/painted.h"
#include "store/file.h"

const char *const reconstruct_strategies[] = {"random", "block", "grid", NULL};

/* Which masks a mode can draw. */
typedef enum Masks { MASKS_ANY, MASKS_NESTED, MASKS_RANDOM } Masks;

typedef struct Mode {
    const char *option; /* that chooses it */
    const char *name;   /* of the picture, without ending; NULL: it writes none */
    Masks masks;
    bool ratio;  /* takes --mask-ratio */
    bool images; /* takes IMAGE; every mode but replay takes --data */
    MaeStatus (*run)(ReconstructSession *s, MaeError *err);
} Mode;

/* --- what modes share ------------------------------------------------------------- */

/* Look at the gallery. */
static MaeStatus open_viewer(ReconstructSession *s, const char *label, MaeError *err)
{
    const MaeViewerSpec spec = {
        .model = &s->loaded.model.as.autoencoder,
        .w = mae_weights_f32(s->loaded.weights),
        .compute = &s->compute,
        .images = s->gallery.images,
        .count = s->gallery.count,
        .look = {s->loaded.snapshot.mean, s->loaded.snapshot.std, s->gallery.low,
                 s->gallery.high, s->values->oracle},
        .watch = mae_terminal_watch(&s->tool->terminal, label),
    };

    return mae_viewer_open(&s->viewer, &spec, err);
}

/* Load what the command line names, and look at it. */
static MaeStatus open_images(ReconstructSession *s, const char *label, MaeError *err)
{
    const MaeArgs *args = &s->tool->args;
    const MaeTransform transform = mae_features_transform(&s->loaded);

    if (s->values->data == NULL)
        MAE_TRY(mae_gallery_files(&s->gallery, &transform, args->operands + 1,
                                  args->operand_count - 1, &s->values->limits, err));
    else
        MAE_TRY(mae_gallery_dataset(&s->gallery, &transform, s->values->data,
                                    s->values->count, &s->values->limits, &s->tool->log,
                                    err));
    return open_viewer(s, label, err);
}

/* Progress is over; write what was drawn. */
static MaeStatus write_panels(ReconstructSession *s, MaePanels *panels, MaeStatus status,
                              MaeError *err)
{
    mae_terminal_progress_end(&s->tool->terminal);
    if (status == MAE_OK)
        status = mae_canvas_write(&panels->canvas, s->report.out, err);
    mae_panels_close(panels);
    return status;
}

static MaeMaskKind kind_of(const ReconstructSession *s)
{
    return (MaeMaskKind)s->values->strategy;
}

/* --- panels ----------------------------------------------------------------------- */

/* Masks as drawn or painted. */
static MaeStatus open_masks(ReconstructSession *s, MaeMaskSet *masks, MaeError *err)
{
    const MaePatchGrid *grid = &s->loaded.snapshot.arch.grid;
    const size_t count = s->gallery.count;

    if (s->values->mask != NULL)
        return mae_painted_open(masks, s->values->mask, grid, count, &s->values->limits,
                                err);
    MAE_TRY(
        mae_maskset_open(masks, kind_of(s), grid, s->report.ratio, count, s->pool, err));
    mae_maskset_draw(masks, s->report.seed, 0, NULL, count);
    return MAE_OK;
}

static MaeStatus draw_panels(ReconstructSession *s, MaeError *err)
{
    ReconstructReport *r = &s->report;
    MaeMaskSet masks = {0};
    MaeStatus status;

    MAE_TRY(open_images(s, "reconstruct", err));
    status = open_masks(s, &masks, err);
    r->hidden = masks.mask.patches - masks.mask.visible;
    if (s->values->mask != NULL)
        r->ratio = (double)r->hidden / (double)r->patches;
    mae_viewer_expect(&s->viewer, 1);
    if (status == MAE_OK)
        status = mae_viewer_sheet(&s->viewer, r->out, r->scores, &masks.mask, err);
    mae_terminal_progress_end(&s->tool->terminal);
    mae_maskset_close(&masks);
    return status == MAE_OK ? reconstruct_report_print(r, err) : status;
}

/* --- sweep ------------------------------------------------------------------------ */

static MaeStatus parse_ratios(double ratios[MAE_SWEEP_MAX], size_t *count,
                              const char *list, MaeError *err)
{
    const char *at = list;
    char *end;

    for (*count = 0;; at = end + 1) {
        const double ratio = strtod(at, &end);

        if (end == at || !isfinite(ratio) || (*end != ',' && *end != '\0'))
            MAE_FAIL(err, MAE_ERR_ARG,
                     "--sweep: expected mask ratios as in 0.25,0.5,0.75, got '%s'", list);
        if (*count == MAE_SWEEP_MAX)
            MAE_FAIL(err, MAE_ERR_ARG, "--sweep: expected at most %d ratios, got '%s'",
                     MAE_SWEEP_MAX, list);
        ratios[(*count)++] = ratio;
        if (*end == '\0')
            return MAE_OK;
    }
}

static MaeStatus sweep(ReconstructSession *s, MaeError *err)
{
    double ratios[MAE_SWEEP_MAX];
    size_t count;
    MaePanels panels = {0};
    MaeSweep result = {0};
    MaeStatus status;

    MAE_TRY(parse_ratios(ratios, &count, s->values->sweep, err));
    MAE_TRY(open_images(s, "sweep", err));
    status = mae_sweep_run(&result, &s->viewer, kind_of(s), ratios, count, s->report.seed,
                           err);
    if (status == MAE_OK)
        status = mae_sweep_sheet(&panels, &result, err);
    status = write_panels(s, &panels, status, err);
    if (status == MAE_OK)
        status = reconstruct_report_sweep(&s->report, &result, err);
    mae_sweep_close(&result);
    return status;
}

/* --- complementary, uncertainty ---------------------------------------------------- */

static MaeStatus ensemble(ReconstructSession *s, size_t masks, MaeEnsembleSheet sheet,
                          MaeError *err)
{
    MaePanels panels = {0};
    MaeEnsemble result = {0};
    MaeStatus status;

    MAE_TRY(open_images(s, "reconstruct", err));
    status = mae_ensemble_run(&result, &s->viewer, s->report.ratio, masks, s->report.seed,
                              err);
    if (status == MAE_OK)
        status = mae_ensemble_sheet(&panels, &result, sheet, err);
    status = write_panels(s, &panels, status, err);
    s->report.hidden = s->report.patches - result.visible;
    if (status == MAE_OK)
        status = reconstruct_report_ensemble(&s->report, &result, sheet, err);
    mae_ensemble_close(&result);
    return status;
}

static MaeStatus complementary(ReconstructSession *s, MaeError *err)
{
    return ensemble(s, 0, MAE_ENSEMBLE_MEAN, err);
}

static MaeStatus uncertainty(ReconstructSession *s, MaeError *err)
{
    return ensemble(s, s->values->uncertainty, MAE_ENSEMBLE_SPREAD, err);
}

/* --- frames ----------------------------------------------------------------------- */

static MaeStatus frames(ReconstructSession *s, MaeError *err)
{
    const MaeFramesSpec spec = {
        .folder = s->values->frames,
        .name = s->report.denorm == MAE_DENORM_ORACLE ? "frame-oracle" : "frame",
        .kind = kind_of(s),
        .frames = s->values->frame_count,
        .seed = s->report.seed,
    };
    size_t written;

    MAE_TRY(open_images(s, "frames", err));
    MAE_TRY(mae_frames_write(&written, &s->viewer, &spec, err));
    mae_terminal_progress_end(&s->tool->terminal);
    return reconstruct_report_frames(&s->report, &spec, written, err);
}

/* --- rank ------------------------------------------------------------------------- */

/* The worst and the best images, a group of rows each, under their first masks. */
static MaeStatus draw_ranked(ReconstructSession *s, const MaeRanking *ranking, size_t n,
                             const MaeDataset *ds, MaeError *err)
{
    const MaeTransform transform = mae_features_transform(&s->loaded);
    size_t samples[MAE_GALLERY_MAX];
    MaeViewSheet sheet = {.scores = NULL};
    MaeMaskSet masks = {0};
    MaeStatus status;

    for (size_t i = 0; i < n; i++) {
        samples[i] = ranking->items[i].sample;
        samples[n + i] = ranking->items[ranking->count - 1 - i].sample;
    }
    MAE_TRY(mae_gallery_samples(&s->gallery, &transform, ds, samples, 2 * n, err));
    MAE_TRY(open_viewer(s, "draw", err));
    status = mae_maskset_open(&masks, kind_of(s), &s->viewer.pictures.grid,
                              s->report.ratio, 2 * n, s->pool, err);
    if (status == MAE_OK) {
        s->report.hidden = masks.mask.patches - masks.mask.visible;
        mae_maskset_draw(&masks, s->report.seed, 0, samples, 2 * n);
        status = mae_panels_open(&sheet.panels, &s->viewer.pictures.grid, 2 * n,
                                 MAE_VIEW_PANELS, n, err);
    }
    mae_viewer_expect(&s->viewer, 1);
    if (status == MAE_OK)
        status = mae_viewer_show(&s->viewer, &masks.mask, mae_view_draw, &sheet, err);
    mae_maskset_close(&masks);
    return write_panels(s, &sheet.panels, status, err);
}

static MaeStatus rank_dataset(ReconstructSession *s, const MaeDataset *ds, MaeError *err)
{
    const ReconstructValues *v = s->values;
    const MaeTransform transform = mae_features_transform(&s->loaded);
    const MaeRankOptions options = {.kind = kind_of(s),
                                    .ratio = s->report.ratio,
                                    .masks = v->masks,
                                    .seed = s->report.seed,
                                    .batch = v->batch,
                                    .workers = v->workers,
                                    .max_bad_fraction = 0.01,
                                    .log = &s->tool->log,
                                    .watch =
                                        mae_terminal_watch(&s->tool->terminal, "rank")};
    MaeRanking ranking = {0};
    MaeStatus status = mae_rank_run(&ranking, &s->loaded.model.as.autoencoder,
                                    mae_weights_f32(s->loaded.weights), &s->compute, ds,
                                    &transform, &options, err);
    const size_t n = v->count < ranking.count ? v->count : ranking.count;

    mae_terminal_progress_end(&s->tool->terminal);
    if (status == MAE_OK)
        status = mae_rank_write(&ranking, ds, v->rank, err);
    if (status == MAE_OK)
        status = draw_ranked(s, &ranking, n, ds, err);
    if (status == MAE_OK)
        status = reconstruct_report_rank(
            &s->report, &(ReconstructRanked){&ranking, ds, v->data, v->rank, n, v->masks},
            err);
    mae_rank_done(&ranking);
    return status;
}

static MaeStatus rank(ReconstructSession *s, MaeError *err)
{
    const MaeDatasetOptions options = {.in_chans = s->loaded.snapshot.arch.grid.channels,
                                       .limits = s->values->limits,
                                       .log = &s->tool->log};
    MaeDataset *ds;
    MaeStatus status;

    MAE_TRY(mae_dataset_open(&ds, s->values->data, &options, err));
    status = rank_dataset(s, ds, err);
    mae_dataset_close(ds);
    return status;
}

/* --- replay ----------------------------------------------------------------------- */

static MaeStatus replay(ReconstructSession *s, MaeError *err)
{
    const MaeReplaySpec spec = {s->values->replay, s->values->dump, s->report.ratio,
                                s->values->grads};
    MaeReplayResult result;

    MAE_TRY(mae_replay(&result, &spec, &s->loaded.model.as.autoencoder, s->loaded.weights,
                       &s->compute, err));
    return reconstruct_report_replay(&s->report, &spec, &result, err);
}

/* --- which one -------------------------------------------------------------------- */

enum { PANELS, SWEEP, COMPLEMENTARY, UNCERTAINTY, FRAMES, RANK, REPLAY, MODES };

static const Mode MODE_TABLE[MODES] = {
    [PANELS] = {"--mask", "reconstruction", MASKS_ANY, true, true, draw_panels},
    [SWEEP] = {"--sweep", "sweep", MASKS_NESTED, false, true, sweep},
    [COMPLEMENTARY] = {"--complementary", "complementary", MASKS_RANDOM, true, true,
                       complementary},
    [UNCERTAINTY] = {"--uncertainty", "uncertainty", MASKS_RANDOM, true, true,
                     uncertainty},
    [FRAMES] = {"--frames", NULL, MASKS_NESTED, false, true, frames},
    [RANK] = {"--rank", "rank", MASKS_ANY, true, false, rank},
    [REPLAY] = {"--replay", NULL, MASKS_ANY, true, false, replay},
};

/* The mode that the options choose, if they choose one. */
static MaeStatus choose(const Mode **mode, const ReconstructValues *v, MaeError *err)
{
    const bool given[MODES] = {
        [PANELS] = v->mask != NULL,         [SWEEP] = v->sweep != NULL,
        [COMPLEMENTARY] = v->complementary, [UNCERTAINTY] = v->uncertainty > 0,
        [FRAMES] = v->frames != NULL,       [RANK] = v->rank != NULL,
        [REPLAY] = v->replay != NULL,
    };

    *mode = NULL;
    for (size_t i = 0; i < MODES; i++) {
        if (given[i] && *mode != NULL)
            MAE_FAIL(err, MAE_ERR_ARG, "%s and %s exclude each other", (*mode)->option,
                     MODE_TABLE[i].option);
        if (given[i])
            *mode = &MODE_TABLE[i];
    }
    if (*mode == NULL)
        *mode = &MODE_TABLE[PANELS];
    return MAE_OK;
}

/* Options that contradict the mode. */
static MaeStatus check_mode(const Mode *mode, const ReconstructValues *v, MaeError *err)
{
    const bool painted = v->mask != NULL;
    const char *strategy = reconstruct_strategies[v->strategy];

    if (v->mask_ratio != RECONSTRUCT_RATIO_TRAINED && (!mode->ratio || painted))
        MAE_FAIL(err, MAE_ERR_ARG,
                 "%s says what is hidden; --mask-ratio does not go "
                 "with it",
                 mode->option);
    if (v->strategy != MAE_MASK_RANDOM && (mode->masks == MASKS_RANDOM || painted))
        MAE_FAIL(err, MAE_ERR_ARG, "--mask-strategy %s does not go with %s", strategy,
                 mode->option);
    if (v->strategy == MAE_MASK_BLOCK && mode->masks == MASKS_NESTED)
        MAE_FAIL(err, MAE_ERR_ARG,
                 "%s needs nested masks, and block masks are not: --mask-strategy random "
                 "or grid",
                 mode->option);
    if (mode->name == NULL && v->out != NULL)
        MAE_FAIL(err, MAE_ERR_ARG,
                 "%s writes no single picture; --out does not go with "
                 "it",
                 mode->option);
    if (v->rank != NULL && 2 * v->count > MAE_GALLERY_MAX)
        MAE_FAIL(err, MAE_ERR_ARG, "--count: expected at most %d with --rank, got %zu",
                 MAE_GALLERY_MAX / 2, v->count);
    return v->rank != NULL ? mae_rank_check(v->rank, err) : MAE_OK;
}

static MaeStatus check_source(const Mode *mode, const MaeArgs *args,
                              const ReconstructValues *v, MaeError *err)
{
    const bool images = args->operand_count > 1;

    if (images + (v->data != NULL) + (v->replay != NULL) != 1)
        MAE_FAIL(err, MAE_ERR_ARG,
                 "expected one source of images: IMAGE, --data PATH or --replay IN.h5");
    if (images && !mode->images)
        MAE_FAIL(err, MAE_ERR_ARG, "%s needs --data", mode->option);
    return MAE_OK;
}

/* Inputs are there. */
static MaeStatus check_inputs(const MaeArgs *args, const ReconstructValues *v,
                              MaeError *err)
{
    for (size_t i = 0; i < args->operand_count; i++)
        MAE_TRY(mae_tool_expect(args->operands[i], err));
    if (v->mask != NULL)
        MAE_TRY(mae_tool_expect(v->mask, err));
    return v->replay != NULL ? mae_tool_expect(v->replay, err) : MAE_OK;
}

/* Nothing that is written takes the place of an input, or lies in a ranked data set. */
static MaeStatus check_outputs(const ReconstructSession *s, const Mode *mode,
                               MaeError *err)
{
    const ReconstructValues *v = s->values;
    const MaeArgs *args = &s->tool->args;
    const char *const inputs[] = {v->replay, v->mask};
    const char *const outputs[] = {v->dump, v->rank,
                                   mode->name != NULL ? s->report.out : NULL, v->frames};

    for (size_t i = 0; v->data != NULL && i < sizeof outputs / sizeof *outputs; i++) {
        if (outputs[i] != NULL)
            MAE_TRY(mae_file_check_outside(outputs[i], v->data, err));
    }
    for (size_t i = 0; i + 1 < sizeof outputs / sizeof *outputs; i++) {
        MAE_TRY(
            mae_tool_check_output(outputs[i], args->operands, args->operand_count, err));
        MAE_TRY(mae_tool_check_output(outputs[i], inputs, 2, err));
    }
    if (v->rank == NULL)
        return MAE_OK;
    return mae_tool_check_output(s->report.out, &v->rank, 1, err);
}

/* What the checkpoint and the options say before anything is computed. */
static void begin_report(ReconstructSession *s, const Mode *mode)
{
    const ReconstructValues *v = s->values;
    const MaeAutoencoder *model = &s->loaded.model.as.autoencoder;
    const MaeDenorm denorm = mae_preview_denorm(model, v->oracle);

    if (v->oracle && denorm == MAE_DENORM_NONE)
        mae_log(&s->tool->log, MAE_LOG_WARN,
                "--oracle changes nothing: the model predicts pixels themselves");
    (void)snprintf(s->out, sizeof s->out, "%s%s.png", mode->name,
                   denorm == MAE_DENORM_ORACLE ? "-oracle" : "");
    s->report = (ReconstructReport){
        .checkpoint = s->tool->args.operands[0],
        .out = v->out != NULL ? v->out : s->out,
        .json = s->tool->args.json,
        .strategy = v->mask != NULL ? "painted" : reconstruct_strategies[v->strategy],
        .painted = v->mask,
        .ratio = v->mask_ratio == RECONSTRUCT_RATIO_TRAINED
                     ? s->loaded.snapshot.mask_ratio
                     : v->mask_ratio,
        .trained_ratio = s->loaded.snapshot.mask_ratio,
        .seed = s->tool->args.seed,
        .patches = model->patches,
        .denorm = denorm,
        .norm_pix_loss = model->arch.norm_pix_loss,
        .gallery = &s->gallery,
    };
}

MaeStatus reconstruct_run(ReconstructSession *s, MaeError *err)
{
    const MaeArgs *args = &s->tool->args;
    const Mode *mode;

    MAE_TRY(choose(&mode, s->values, err));
    MAE_TRY(check_source(mode, args, s->values, err));
    MAE_TRY(check_mode(mode, s->values, err));
    MAE_TRY(check_inputs(args, s->values, err));
    MAE_TRY(mae_loaded_autoencoder_open(&s->loaded, args->operands[0], err));
    begin_report(s, mode);
    MAE_TRY(check_outputs(s, mode, err));
    MAE_TRY(mae_pool_open(&s->pool, args->threads, err));
    MAE_TRY(mae_gemm_open(&s->gemm, &(MaeGemmOptions){.threads = args->threads}, err));
    s->compute = (MaeCompute){.pool = s->pool, .gemm = s->gemm};
    return mode->run(s, err);
}

void reconstruct_close(ReconstructSession *s)
{
    mae_viewer_close(&s->viewer);
    mae_gallery_close(&s->gallery);
    mae_gemm_close(s->gemm);
    mae_pool_close(s->pool);
    mae_loaded_model_close(&s->loaded);
}
