#include "train/pretrain.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/size.h"
#include "eval/preview.h"
#include "eval/yardstick.h"
#include "train/encoder_pictures.h"
#include "train/online_probe.h"
#include "train/pretrain_pictures.h"
#include "train/pretrain_step.h"
#include "train/session.h"
#include "train/trainer.h"

#define YARDSTICK_SAMPLES 2048
#define LOOK_BATCH 64   /* images decoded at a time for yardsticks and previews */
#define PREVIEW_BATCH 8 /* previews drawn at a time */

typedef struct Pretrain {
    const MaeConfig *cfg;
    const MaeTrainHooks *hooks; /* own */
    MaeTrainHooks own;
    MaeLog bad; /* what is said of bad images, on any rank */
    MaeSession session;
    MaePretrainStep step;
    MaeOnlineProbe probe;
    MaeMaskSet preview_masks;        /* of the previews */
    MaeAutoencoderRun preview_run;   /* all patches of as many as are drawn at a time */
    float *preview;                  /* [preview_count,C,H,W] */
    size_t preview_count;            /* images in it */
    bool integer;                    /* its pixels are 0..1 */
    double patch_mean, visible_mean; /* yardsticks */
} Pretrain;

static MaeStatus rehearse(void *ctx, MaeWeights w, float *dw, MaeGradUse use,
                          MaeError *err)
{
    Pretrain *p = ctx;
    const MaeComm *comm = p->hooks->comm;
    const size_t train = p->cfg->train.batch_size / mae_comm_world(comm);
    const size_t test = mae_config_eval_batch(p->cfg);

    MAE_TRY(mae_pretrain_step_rehearse(&p->step, dw, use, w, train, err));
    if (p->session.inputs.val == NULL)
        return MAE_OK;
    if (test != train)
        MAE_TRY(mae_pretrain_step_rehearse(&p->step, NULL, use, w, test, err));
    return mae_pretrain_step_rehearse(
        &p->step, NULL, use, w, mae_inputs_val_rest(&p->session.inputs, test, comm), err);
}

static double step(void *ctx, const MaeBatch *batch, MaeWeights w, float *dw,
                   MaeGradUse use, double scale)
{
    Pretrain *p = ctx;

    return mae_pretrain_step_run(&p->step, batch, w, dw, use, scale);
}

/* Losses of this rank's part of data.val with fixed masks, summed, and their number. */
static MaeStatus sum_held_out(Pretrain *p, MaeTrainer *trainer, MaeWeights w,
                              double sums[2], MaeError *err)
{
    const size_t total = mae_dataset_info(p->session.inputs.val)->count;
    const size_t world = mae_comm_world(p->hooks->comm);
    const MaeWatch watch = mae_trainer_watch(trainer, "held-out loss");
    MaeLoader *loader = p->session.inputs.val_loader;

    MAE_TRY(mae_loader_seek(loader, 0, 0, err));
    for (;;) {
        const MaeBatch *batch = NULL;
        size_t done;

        MAE_TRY(mae_trainer_poll(p->hooks, err));
        MAE_TRY(mae_loader_next(loader, &batch, err));
        if (batch == NULL)
            return MAE_OK;
        if (batch->size > 0)
            sums[0] +=
                (double)batch->size * mae_pretrain_step_forward(&p->step, batch, 0, w);
        sums[1] += (double)batch->size;
        mae_loader_release(loader, batch);
        done = (size_t)sums[1] * world;
        if (watch.fn != NULL)
            watch.fn(watch.ctx, done < total ? done : total, total);
    }
}

/* Mean loss over data.val. @param[out] finite as mae_trainer_check_loss. */
static MaeStatus held_out_loss(Pretrain *p, MaeTrainer *trainer, MaeWeights w,
                               double *loss, bool *finite, MaeError *err)
{
    MaeComm *comm = p->hooks->comm;
    double sums[2] = {0.0, 0.0};

    MAE_TRY(mae_comm_agree(comm, sum_held_out(p, trainer, w, sums, err), err));
    MAE_TRY(mae_comm_sum_doubles(comm, sums, 2, err));
    *loss = sums[0] / sums[1];
    return mae_trainer_check_loss(trainer, *loss, (size_t)sums[1], finite, err);
}

static MaePreviewSpec preview_look(const Pretrain *p)
{
    return (MaePreviewSpec){.mean = p->session.inputs.mean,
                            .std = p->session.inputs.std,
                            .low = 0.0f,
                            .high = p->integer ? 1.0f : 0.0f};
}

static MaeStatus write_preview(Pretrain *p, MaeWeights w, size_t epoch, MaeError *err)
{
    const MaePreviewSpec spec = preview_look(p);
    char path[MAE_CONFIG_PATH + 64];

    MAE_TRY(mae_run_folder_preview(&p->session.folder, epoch, path, sizeof path, err));
    return mae_preview_write(path, NULL, &p->preview_run, w, p->preview,
                             &p->preview_masks.mask, p->preview_count, &spec, err);
}

/* A probe that cannot be is no reason to end a run. */
static MaeStatus run_probe(Pretrain *p, MaeTrainer *trainer, const float *w,
                           MaeJson *record, MaeError *err)
{
    const MaeEmbedSpec spec = mae_embed_spec_autoencoder(&p->step.model, MAE_POOL_MEAN);
    MaeScores scores = {.lambda = 0.0};
    MaeError why = {0};
    const MaeStatus status =
        mae_online_probe_run(&p->probe, &scores, &spec, w, trainer, &why);

    if (status == MAE_ERR_INTERRUPTED)
        MAE_FAIL(err, MAE_ERR_INTERRUPTED, "asked to stop");
    if (status == MAE_ERR_COMM)
        MAE_FAIL(err, MAE_ERR_COMM, "%s", why.msg);
    if (status != MAE_OK) {
        mae_log(&p->hooks->log, MAE_LOG_WARN, "eval.probe: %s", why.msg);
        return MAE_OK;
    }
    if (!mae_trainer_leads(trainer))
        return MAE_OK;
    mae_json_set_real(record, "probe_knn_acc1", 100.0 * mae_accuracy_top1(&scores.knn));
    mae_json_set_real(record, "probe_ridge_acc1",
                      100.0 * mae_accuracy_top1(&scores.ridge));
    mae_log(&p->hooks->log, MAE_LOG_INFO,
            "epoch %zu: features: kNN %.1f %%, ridge probe %.1f %%",
            (size_t)trainer->state.epoch, 100.0 * mae_accuracy_top1(&scores.knn),
            100.0 * mae_accuracy_top1(&scores.ridge));
    return MAE_OK;
}

/* Held-out loss and what features are worth. */
static MaeStatus score_held_out(Pretrain *p, MaeTrainer *trainer, MaeWeights w,
                                MaeJson *record, double *score, MaeError *err)
{
    double loss = 0.0;
    bool finite = false;

    MAE_TRY(held_out_loss(p, trainer, w, &loss, &finite, err));
    *score = finite ? -loss : -(double)INFINITY;
    if (!finite)
        return MAE_OK;
    mae_json_set_real(record, "val_loss", loss);
    mae_log(&p->hooks->log, MAE_LOG_INFO,
            "epoch %zu: held-out loss %.4f (yardsticks %.4f and %.4f)",
            (size_t)trainer->state.epoch, loss, p->patch_mean, p->visible_mean);
    return p->probe.on ? run_probe(p, trainer, w.f32, record, err) : MAE_OK;
}

static MaeStatus evaluate(void *ctx, MaeTrainer *trainer, MaeWeights w, bool last,
                          MaeEvaluated which, MaeJson *record, double *score,
                          MaeError *err)
{
    Pretrain *p = ctx;
    const size_t every = p->cfg->train.preview_every;
    const size_t epoch = (size_t)trainer->state.epoch;
    MaeError why = {0};

    (void)which; /* weights are not averaged in pretraining */
    mae_json_set_real(record, "patch_mean_loss", p->patch_mean);
    mae_json_set_real(record, "visible_mean_loss", p->visible_mean);
    if (p->session.inputs.val != NULL && (epoch % p->cfg->eval.every == 0 || last))
        MAE_TRY(score_held_out(p, trainer, w, record, score, err));
    if (mae_trainer_leads(trainer) && every > 0 && p->preview_count > 0 &&
        (epoch % every == 0 || last) && write_preview(p, w, epoch, &why) != MAE_OK)
        mae_log(&p->hooks->log, MAE_LOG_WARN, "preview: %s", why.msg);
    return MAE_OK;
}

static MaeStatus illustrate_encoder(const Pretrain *p, const float *w, MaeReport *report,
                                    MaeError *err)
{
    const MaeGallery gallery = {.count = p->preview_count < MAE_ENCODER_PICTURES
                                             ? p->preview_count
                                             : MAE_ENCODER_PICTURES,
                                .images = p->preview,
                                .high = p->integer ? 1.0f : 0.0f};
    const MaeVisualModel model = {.name = "the model",
                                  .encoder = &p->step.model.encoder,
                                  .w = w,
                                  .query = MAE_POOL_CLS,
                                  .mean = p->session.inputs.mean,
                                  .std = p->session.inputs.std,
                                  .gallery = &gallery};

    return mae_encoder_pictures(report, &model, &p->session.compute, err);
}

static MaeStatus illustrate(void *ctx, MaeWeights w, MaeReport *report, MaeError *err)
{
    const Pretrain *p = ctx;
    const MaeViewerSpec spec = {.model = &p->step.model,
                                .w = w,
                                .compute = &p->session.compute,
                                .images = p->preview,
                                .count = p->preview_count,
                                .look = preview_look(p)};

    if (p->preview_count > 0) {
        mae_report_section(report, "pictures", "Pictures");
        MAE_TRY(mae_pretrain_pictures_ratios(report, p->cfg, p->preview_masks.mask.kind,
                                             &spec, err));
        MAE_TRY(mae_pretrain_pictures_epochs(report, &p->session.folder,
                                             &p->step.model.arch.grid, err));
    }
    return illustrate_encoder(p, w.f32, report, err);
}

static void describe(void *ctx, MaeSnapshot *snapshot)
{
    const Pretrain *p = ctx;

    snapshot->kind = MAE_SNAPSHOT_AUTOENCODER;
    snapshot->arch = p->step.model.arch;
    snapshot->mask_ratio = p->cfg->mask.ratio;
    mae_session_describe(&p->session, snapshot);
}

/* Look at the first images of a set as evaluations see them, a batch at a time. */
typedef void (*LookFn)(Pretrain *p, void *ctx, const MaeBatch *batch, size_t first);

static MaeStatus look_at(Pretrain *p, const MaeDataset *set, const size_t *indices,
                         size_t count, LookFn fn, void *ctx, MaeError *err)
{
    const size_t most = p->cfg->train.batch_size; /* that the step's masks can hold */
    const size_t batch = most < LOOK_BATCH ? most : LOOK_BATCH;
    const MaeLoaderOptions options = {
        .sampler = {.indices = indices,
                    .count = count,
                    .batch_size = count < batch ? count : batch,
                    .seed = p->cfg->train.seed,
                    .world = 1},
        .workers = p->cfg->data.workers,
        .max_bad_fraction = 1.0,
    };
    const MaeBatch *seen = NULL;
    MaeLoader *loader = NULL;
    MaeStatus status;
    size_t first = 0;

    MAE_TRY(
        mae_loader_open(&loader, set, &p->session.inputs.val_transform, &options, err));
    while ((status = mae_trainer_poll(p->hooks, err)) == MAE_OK &&
           (status = mae_loader_next(loader, &seen, err)) == MAE_OK && seen != NULL) {
        fn(p, ctx, seen, first);
        first += seen->size;
        mae_loader_release(loader, seen);
    }
    mae_loader_close(loader);
    return status;
}

static void keep_preview(Pretrain *p, void *ctx, const MaeBatch *batch, size_t first)
{
    const size_t pixels = p->step.model.patches * p->step.model.values;

    (void)ctx;
    memcpy(p->preview + first * pixels, batch->images,
           batch->size * pixels * sizeof *p->preview);
    for (size_t i = 0; i < batch->size; i++)
        mae_mask_draw(&p->preview_masks.mask, first + i, p->cfg->train.seed, 0,
                      batch->samples[i], &p->preview_masks.scratch[0]);
    p->preview_count = first + batch->size;
}

/* Do samples come as 8 or 16 bit numbers? If the first one is bad, they may. */
static bool has_integers(const MaeDataset *set, size_t index)
{
    MaeReadBuffer buffer = {0};
    MaeImage img = {0};
    const bool integer = mae_dataset_read(set, index, &img, &buffer, NULL) != MAE_OK ||
                         img.type != MAE_PIXEL_F32;

    mae_read_buffer_done(&buffer);
    mae_image_done(&img);
    return integer;
}

static MaeStatus prepare_preview(Pretrain *p, MaeError *err)
{
    const MaeInputs *inputs = &p->session.inputs;
    const bool held_out = inputs->val != NULL;
    const MaeDataset *set = held_out ? inputs->val : inputs->train;
    const size_t *indices = held_out ? NULL : inputs->subset;
    const size_t all = held_out ? mae_dataset_info(set)->count : inputs->subset_count;
    const size_t wanted = p->cfg->train.preview_count,
                 count = wanted < all ? wanted : all;

    if (p->cfg->train.preview_every == 0 || count == 0)
        return MAE_OK;
    MAE_TRY(mae_pretrain_masks_open(&p->preview_masks, p->cfg, &p->step.model.arch.grid,
                                    count, p->session.pool, err));
    p->preview =
        calloc(count, p->step.model.patches * p->step.model.values * sizeof *p->preview);
    if (p->preview == NULL)
        MAE_FAIL(err, MAE_ERR_NOMEM, "train.preview_count: out of memory for %zu images",
                 count);
    p->integer = has_integers(set, indices != NULL ? indices[0] : 0);
    return look_at(p, set, indices, count, keep_preview, NULL, err);
}

/* They are drawn a few at a time, by a run of their own. */
static MaeStatus open_preview_run(Pretrain *p, MaeWeights w, MaeError *err)
{
    const MaeMask *mask = &p->preview_masks.mask;
    const size_t count = p->preview_count;
    const size_t few = mae_smaller(count, PREVIEW_BATCH);
    const size_t most = mae_smaller(few, p->step.run.work.plan.batch);

    if (count == 0)
        return MAE_OK;
    MAE_TRY(mae_autoencoder_run_open(&p->preview_run, &p->step.model, &p->session.compute,
                                     most, mask->visible, MAE_PREDICT_ALL,
                                     MAE_KEEP_NOTHING, err));
    MAE_TRY(mae_autoencoder_rehearse(&p->preview_run, NULL, MAE_GRAD_SET, w, mask, most,
                                     err));
    return mae_autoencoder_rehearse(&p->preview_run, NULL, MAE_GRAD_SET, w, mask,
                                    count % most, err);
}

static void add_to_yardstick(Pretrain *p, void *ctx, const MaeBatch *batch, size_t first)
{
    const size_t pixels = p->step.model.patches * p->step.model.values;

    (void)first;
    mae_pretrain_step_draw(&p->step, batch, 0);
    for (size_t i = 0; i < batch->size; i++)
        mae_yardstick_add(ctx, batch->images + i * pixels,
                          p->step.masks.mask.mask + i * p->step.model.patches);
}

static MaeStatus measure_yardsticks(Pretrain *p, MaeError *err)
{
    const MaeInputs *inputs = &p->session.inputs;
    const size_t all = inputs->subset_count;
    const size_t count = all < YARDSTICK_SAMPLES ? all : YARDSTICK_SAMPLES;
    MaeYardstick yardstick;
    MaeStatus status;

    MAE_TRY(mae_yardstick_open(&yardstick, &p->step.model.arch.grid,
                               p->step.model.arch.norm_pix_loss, err));
    status = look_at(p, inputs->train, inputs->subset, count, add_to_yardstick,
                     &yardstick, err);
    p->patch_mean = mae_yardstick_patch_mean(&yardstick);
    p->visible_mean = mae_yardstick_visible_mean(&yardstick);
    mae_yardstick_close(&yardstick);
    MAE_TRY(status);
    mae_log(&p->hooks->log, MAE_LOG_INFO,
            "yardsticks on %zu images: predicting each patch's mean gives loss %.4f, the "
            "mean of the visible patches %.4f; a good loss is well below both",
            count, p->patch_mean, p->visible_mean);
    return MAE_OK;
}

/* Data, model, memory, each rank by itself. */
static MaeStatus open_parts(Pretrain *p, MaeConfig *cfg, MaeError *err)
{
    MaeSession *session = &p->session;
    const MaeSnapshot *from = &session->snapshot;
    const MaeLog *log = &p->hooks->log;
    const size_t test = mae_config_eval_batch(cfg);
    const size_t step_batch = cfg->train.batch_size / mae_comm_world(session->comm);
    const size_t batch = step_batch > test ? step_batch : test;
    const MaeKnownStats known = {from->mean, from->std, from->arch.grid.channels};

    MAE_TRY(mae_session_open_inputs(session, cfg, false, known, log, err));
    MAE_TRY(mae_session_check_images(session, cfg, log, err));
    if (cfg->model.in_chans == 0) {
        cfg->model.in_chans = session->inputs.channels;
        mae_config_mark(cfg, "model.in_chans", MAE_CONF_FROM_DERIVED);
    }
    MAE_TRY(mae_inputs_start(&session->inputs, cfg, test, session->comm, &p->bad, err));
    MAE_TRY(mae_pretrain_step_open(&p->step, cfg, session->inputs.channels, batch,
                                   &session->compute, err));
    return mae_online_probe_open(&p->probe, cfg, &session->inputs, p->hooks, err);
}

/* Which the images of the run were opened without. */
static MaeStatus same_labels(const Pretrain *p, MaeError *err)
{
    char text[16];

    (void)snprintf(text, sizeof text, "%08x", mae_online_probe_checksum(&p->probe));
    return mae_comm_same(p->session.comm, "the labels of data.train and data.val", text,
                         err);
}

/* Everything but the trainer. */
static MaeStatus open_all(Pretrain *p, MaeConfig *cfg, MaeError *err)
{
    MaeSession *session = &p->session;

    MAE_TRY(mae_session_open(session, cfg, MAE_SNAPSHOT_AUTOENCODER, p->hooks, err));
    MAE_TRY(mae_comm_agree(session->comm, open_parts(p, cfg, err), err));
    MAE_TRY(mae_session_same_images(session, err));
    return same_labels(p, err);
}

static void close_parts(Pretrain *p)
{
    mae_online_probe_close(&p->probe);
    free(p->preview);
    mae_maskset_close(&p->preview_masks);
    mae_autoencoder_run_close(&p->preview_run);
    mae_pretrain_step_close(&p->step);
    mae_session_close(&p->session);
}

/* Memory of the trainer and what it begins with, each rank by itself. */
static MaeStatus open_trainer(Pretrain *p, MaeTrainer *trainer, MaeError *err)
{
    MaeSession *session = &p->session;
    const MaeTask task = {.ctx = p,
                          .table = &p->step.model.table,
                          .optimizer = "adamw",
                          .images = session->inputs.train,
                          .rehearse = rehearse,
                          .step = step,
                          .evaluate = evaluate,
                          .illustrate = illustrate,
                          .describe = describe};

    MAE_TRY(mae_trainer_open(trainer, p->cfg, p->hooks, &task, &session->compute,
                             &session->folder, 1.0, p->cfg->model.depth, err));
    mae_trainer_set_loader(trainer, session->inputs.loader);
    trainer->gradients = &session->gradients;
    if (session->reader != NULL)
        MAE_TRY(mae_trainer_resume(trainer, session->reader, &session->snapshot, err));
    else if (!session->resumes)
        mae_autoencoder_init(&p->step.model, trainer->w, p->cfg->train.seed);
    return MAE_OK;
}

/* Pictures and yardsticks, each rank by itself; the folder, on the one that writes. */
static MaeStatus begin(Pretrain *p, MaeTrainer *trainer, MaeError *err)
{
    if (!mae_trainer_finished(trainer)) {
        MAE_TRY(prepare_preview(p, err));
        MAE_TRY(open_preview_run(p, mae_trainer_weights(trainer), err));
        MAE_TRY(measure_yardsticks(p, err));
    }
    if (!mae_trainer_leads(trainer))
        return MAE_OK;
    return mae_run_folder_begin(&p->session.folder, p->cfg, &p->session.snapshot, err);
}

static MaeStatus train(Pretrain *p, MaeTrainer *trainer, MaeTrainResult *result,
                       MaeError *err)
{
    MaeComm *comm = p->hooks->comm;

    MAE_TRY(mae_comm_agree(comm, open_trainer(p, trainer, err), err));
    MAE_TRY(mae_trainer_spread(trainer, p->session.reader, err));
    mae_session_release(&p->session);
    MAE_TRY(mae_comm_agree(comm, mae_trainer_ready(trainer, err), err));
    MAE_TRY(mae_trainer_preflight(trainer, p->step.run.arena.size,
                                  mae_inputs_bytes(&p->session.inputs), err));
    MAE_TRY(mae_comm_agree(comm, begin(p, trainer, err), err));
    return mae_trainer_run(trainer, result, err);
}

MaeStatus mae_pretrain(MaeConfig *cfg, const MaeTrainHooks *hooks, MaeTrainResult *result,
                       MaeError *err)
{
    Pretrain p = {.cfg = cfg, .bad = hooks->log, .session = {.folder = {.lock = -1}}};
    MaeTrainer trainer = {0};
    MaeStatus status;

    mae_session_hooks(&p.own, hooks);
    p.hooks = &p.own;
    status = open_all(&p, cfg, err);
    *result =
        (MaeTrainResult){.train_loss = (double)NAN, .score = NAN, .last_score = NAN};
    if (status == MAE_OK)
        status = train(&p, &trainer, result, err);
    mae_trainer_close(&trainer);
    close_parts(&p);
    return status;
}
