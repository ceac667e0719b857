#include "train/finetune.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "data/mix.h"
#include "eval/report_confusion.h"
#include "train/encoder_pictures.h"
#include "train/session.h"
#include "train/test_set.h"
#include "train/trainer.h"

#define SMALL_FOR_LARS 0.3 /* learning rate */

typedef struct Finetune {
    MaeConfig *cfg;
    const MaeTrainHooks *hooks; /* own */
    MaeTrainHooks own;
    MaeLog bad; /* what is said of bad images, on any rank */
    MaeSession session;
    MaeCkptReader *source; /* finetune.checkpoint; NULL without one or once it is read */
    MaeSnapshot source_info;
    MaeClassifier model;
    MaeClassifierRun run;
    float *targets;         /* [B,K] */
    MaeConfusion confusion; /* of the evaluation under way */
    MaeGallery gallery;     /* images for the report */
    char **class_names;     /* [K] borrowed from the data set */
} Finetune;

static bool is_probe(const Finetune *f)
{
    return f->cfg->finetune.mode == MAE_CONF_MODE_LINEAR;
}

static MaeStatus accept(void *ctx, const MaeBatch *batch, MaeError *err)
{
    const Finetune *f = ctx;

    for (size_t i = 0; i < batch->size; i++) {
        if (batch->labels[i] < 0 || (size_t)batch->labels[i] >= f->model.arch.classes)
            MAE_FAIL(err, MAE_ERR_FORMAT,
                     "data.train: sample %zu has label %lld, expected 0 to %zu",
                     batch->samples[i], (long long)batch->labels[i],
                     f->model.arch.classes - 1);
    }
    return MAE_OK;
}

static MaeStatus rehearse(void *ctx, MaeWeights w, float *dw, MaeGradUse use,
                          MaeError *err)
{
    Finetune *f = ctx;
    const MaeComm *comm = f->hooks->comm;
    const size_t train = f->cfg->train.batch_size / mae_comm_world(comm);
    const size_t test = mae_config_eval_batch(f->cfg);

    MAE_TRY(mae_classifier_rehearse(&f->run, dw, use, w, train, err));
    if (f->session.inputs.val == NULL)
        return MAE_OK;
    MAE_TRY(mae_classifier_rehearse(&f->run, NULL, use, w, test, err));
    return mae_classifier_rehearse(
        &f->run, NULL, use, w, mae_inputs_val_rest(&f->session.inputs, test, comm), err);
}

/* Targets of a batch; where it is mixed, its images change with them. */
static void prepare(Finetune *f, const MaeBatch *batch)
{
    const MaeConfFinetune *tune = &f->cfg->finetune;
    const MaePatchGrid *grid = &f->model.arch.grid;
    const size_t classes = f->model.arch.classes;
    const MaeMixRule rule = {tune->mixup, tune->cutmix, tune->mix_prob,
                             tune->mix_switch_prob};
    const MaeMix mix = mae_mix_draw(&rule, f->cfg->train.seed, batch->epoch, batch->index,
                                    grid->height, grid->width);

    mae_classifier_targets(f->targets, batch->labels, tune->label_smoothing, batch->size,
                           classes);
    mae_mix_targets(&mix, f->targets, batch->size, classes);
    mae_mix_images(&mix, f->session.pool, batch->images, batch->size, grid->channels,
                   grid->height, grid->width);
}

static double step(void *ctx, const MaeBatch *batch, MaeWeights w, float *dw,
                   MaeGradUse use, double scale)
{
    Finetune *f = ctx;
    const MaeConfFinetune *tune = &f->cfg->finetune;
    const float *scales = tune->drop_path > 0.0 ? f->run.scales : NULL;
    double loss;

    if (scales != NULL)
        mae_classifier_drop_path(&f->run, tune->drop_path, f->cfg->train.seed,
                                 batch->epoch + 1, batch->samples, batch->size);
    prepare(f, batch);
    mae_classifier_forward_train(&f->run, w, batch->images, scales, batch->size);
    loss = mae_classifier_loss(&f->run, f->targets, batch->size, scale);
    mae_classifier_backward(&f->run, dw, use, w, scales, batch->size);
    return loss;
}

/* A picture that cannot be written is no reason to lose the run. */
static void write_confusion(const Finetune *f)
{
    const MaeClasses names =
        mae_dataset_classes(f->session.inputs.train, "data.train", f->cfg->data.train);
    MaeError why = {0};

    if (f->confusion.cells != NULL &&
        mae_confusion_write(&f->confusion, &names, f->session.folder.path, &why) !=
            MAE_OK)
        mae_log(&f->hooks->log, MAE_LOG_WARN, "%s; training goes on", why.msg);
}

static void set_result(MaeJson *record, MaeEvaluated which, const char *name,
                       double value)
{
    char key[64];

    (void)snprintf(key, sizeof key, "%stest_%s", which == MAE_EVALUATED_RAW ? "raw_" : "",
                   name);
    mae_json_set_real(record, key, value);
}

static MaeStatus evaluate(void *ctx, MaeTrainer *trainer, MaeWeights w, bool last,
                          MaeEvaluated which, MaeJson *record, double *score,
                          MaeError *err)
{
    static const char *const names[] = {[MAE_EVALUATED_ONLY] = "",
                                        [MAE_EVALUATED_RAW] = ", raw weights",
                                        [MAE_EVALUATED_AVERAGE] = ", averaged weights"};
    const size_t epoch = (size_t)trainer->state.epoch;
    Finetune *f = ctx;
    const MaeTestSet set = {&f->run, &f->session.inputs, f->targets, &f->confusion};
    MaeAccuracy accuracy = {0};
    double loss = 0.0, macro_f1;
    bool finite = false;

    if (f->session.inputs.val == NULL || (epoch % f->cfg->eval.every != 0 && !last))
        return MAE_OK;
    MAE_TRY(mae_test_set_run(&set, trainer, w, &accuracy, &loss, err));
    MAE_TRY(mae_trainer_check_loss(trainer, loss, (size_t)accuracy.count, &finite, err));
    if (!finite) {
        mae_confusion_reset(&f->confusion);
        *score = -(double)INFINITY;
        return MAE_OK;
    }
    *score = mae_accuracy_top1(&accuracy);
    macro_f1 = mae_confusion_macro_f1(&f->confusion);
    set_result(record, which, "loss", loss);
    set_result(record, which, "acc1", 100.0 * *score);
    set_result(record, which, "acc5", 100.0 * mae_accuracy_top5(&accuracy));
    set_result(record, which, "macro_f1", 100.0 * macro_f1);
    if (which != MAE_EVALUATED_RAW && mae_trainer_leads(trainer))
        write_confusion(f);
    mae_log(&f->hooks->log, MAE_LOG_INFO,
            "epoch %zu%s: top-1 %.2f %%, top-5 %.2f %%, macro F1 %.2f %%, loss %.4f on "
            "%llu images",
            epoch, names[which], 100.0 * *score, 100.0 * mae_accuracy_top5(&accuracy),
            100.0 * macro_f1, loss, (unsigned long long)accuracy.count);
    return MAE_OK;
}

static MaeStatus illustrate(void *ctx, MaeWeights w, MaeReport *report, MaeError *err)
{
    const Finetune *f = ctx;
    const MaeClasses names =
        mae_dataset_classes(f->session.inputs.train, "data.train", f->cfg->data.train);
    const MaeVisualModel model = {.name = "the model",
                                  .encoder = &f->model.encoder,
                                  .w = w.f32,
                                  .query = f->model.arch.pooling,
                                  .mean = f->session.inputs.mean,
                                  .std = f->session.inputs.std,
                                  .gallery = &f->gallery};

    MAE_TRY(mae_report_confusion(report, &f->confusion, &names, err));
    return mae_encoder_pictures(report, &model, &f->session.compute, err);
}

static void describe(void *ctx, MaeSnapshot *snapshot)
{
    const Finetune *f = ctx;

    snapshot->kind = MAE_SNAPSHOT_CLASSIFIER;
    snapshot->arch = f->model.arch;
    mae_session_describe(&f->session, snapshot);
    snapshot->class_names = f->class_names;
}

/*
 * The architecture of a checkpoint in the words of a configuration; its own
 * configuration, if there is one that can be read, only adds the name of the preset.
 */
static MaeStatus config_of(MaeConfig *from, const MaeSnapshot *snapshot, MaeError *err)
{
    const char *text = snapshot->config != NULL ? snapshot->config : "";
    const MaeArch *arch = &snapshot->arch;

    if (mae_config_parse_text(from, MAE_CONF_PRETRAIN, "checkpoint", text, strlen(text),
                              NULL, 0, NULL) != MAE_OK)
        MAE_TRY(mae_config_parse_text(from, MAE_CONF_PRETRAIN, "checkpoint", "", 0, NULL,
                                      0, err));
    from->model.img_size[0] = arch->grid.height;
    from->model.img_size[1] = arch->grid.width;
    from->model.patch_size = arch->grid.patch;
    from->model.in_chans = arch->grid.channels;
    from->model.embed_dim = arch->embed_dim;
    from->model.depth = arch->depth;
    from->model.num_heads = arch->heads;
    from->model.mlp_ratio = arch->mlp_ratio;
    return MAE_OK;
}

/* Open finetune.checkpoint, if there is one, and take its architecture over. */
static MaeStatus open_source(MaeConfig *cfg, MaeCkptReader **source, MaeSnapshot *info,
                             MaeError *err)
{
    const char *path = cfg->finetune.checkpoint;
    MaeConfig from;

    if (path[0] == '\0')
        return MAE_OK;
    if (access(path, F_OK) != 0 && errno == ENOENT)
        MAE_FAIL(err, MAE_ERR_ARG, "finetune.checkpoint: %s does not exist", path);
    MAE_TRY(mae_snapshot_open(source, info, path, err));
    MAE_TRY(config_of(&from, info, err));
    return mae_config_adopt(cfg, &from, "model", err);
}

MaeStatus mae_finetune_resolve(MaeConfig *cfg, MaeError *err)
{
    MaeCkptReader *source = NULL;
    MaeSnapshot info = {0};
    const MaeStatus status = open_source(cfg, &source, &info, err);

    mae_ckpt_close(source);
    mae_snapshot_done(&info);
    return status;
}

static MaeArch arch_of(const Finetune *f)
{
    const MaeConfModel *model = &f->cfg->model;

    return (MaeArch){
        .grid = {.channels = f->session.inputs.channels,
                 .height = model->img_size[0],
                 .width = model->img_size[1],
                 .patch = model->patch_size},
        .embed_dim = model->embed_dim,
        .depth = model->depth,
        .heads = model->num_heads,
        .mlp_ratio = model->mlp_ratio,
        .classes = mae_dataset_info(f->session.inputs.train)->classes,
        .pooling =
            f->cfg->finetune.pool == MAE_CONF_POOL_CLS ? MAE_POOL_CLS : MAE_POOL_MEAN,
        .head = is_probe(f) ? MAE_HEAD_BATCHNORM : MAE_HEAD_LINEAR,
    };
}

/* Normalisation of the run being resumed, else of the pretraining checkpoint. */
static MaeKnownStats known_stats(const Finetune *f)
{
    const MaeSnapshot *from = f->session.resumes ? &f->session.snapshot : &f->source_info;

    return (MaeKnownStats){from->mean, from->std, from->arch.grid.channels};
}

static MaeStatus open_model(Finetune *f, MaeError *err)
{
    const MaeConfFinetune *tune = &f->cfg->finetune;
    const MaeArch arch = arch_of(f);
    const size_t train = f->cfg->train.batch_size / mae_comm_world(f->hooks->comm);
    const size_t test = mae_config_eval_batch(f->cfg);
    const size_t batch = train > test ? train : test;

    MAE_TRY(mae_classifier_open(&f->model, &arch, err));
    if (tune->mode == MAE_CONF_MODE_PARTIAL)
        mae_classifier_freeze(&f->model, (size_t)(2.0 * tune->trained_blocks));
    if (is_probe(f))
        mae_classifier_freeze(&f->model, 0);
    MAE_TRY(mae_classifier_run_open(
        &f->run, &f->model, &f->session.compute, batch,
        f->cfg->train.checkpoint_activations ? MAE_KEEP_INPUTS : MAE_KEEP_ALL, err));
    MAE_TRY(mae_confusion_open(&f->confusion, arch.classes, err));
    f->targets = calloc(batch, arch.classes * sizeof *f->targets);
    f->class_names = calloc(arch.classes, sizeof *f->class_names);
    if (f->targets == NULL || f->class_names == NULL)
        MAE_FAIL(err, MAE_ERR_NOMEM, "classifier: out of memory for %zu classes",
                 arch.classes);
    return MAE_OK;
}

/* A run goes on with the classes it began with. */
static MaeStatus same_classes(const Finetune *f, MaeError *err)
{
    const MaeSnapshot *run = &f->session.snapshot;
    const MaeClasses then = {.what = "checkpoint",
                             .path = f->session.folder.resume,
                             .count = run->arch.classes,
                             .names = (const char *const *)run->class_names};
    const MaeClasses now =
        mae_dataset_classes(f->session.inputs.train, "data.train", f->cfg->data.train);

    return f->session.reader != NULL ? mae_classes_expect_same(&then, &now, err) : MAE_OK;
}

static MaeStatus name_classes(Finetune *f, MaeError *err)
{
    for (size_t i = 0; i < f->model.arch.classes; i++) {
        f->class_names[i] = strdup(mae_dataset_class(f->session.inputs.train, i));
        if (f->class_names[i] == NULL)
            MAE_FAIL(err, MAE_ERR_NOMEM, "classifier: out of memory for class names");
    }
    return MAE_OK;
}

/* Images whose attention the report shows; it does without if they cannot be read. */
static void open_gallery(Finetune *f)
{
    const MaeInputs *inputs = &f->session.inputs;
    const MaeDataset *set = inputs->val != NULL ? inputs->val : inputs->train;
    MaeError why = {0};

    if (f->cfg->train.report &&
        mae_gallery_spread(&f->gallery, &inputs->val_transform, set, MAE_ENCODER_PICTURES,
                           &why) != MAE_OK)
        mae_log(&f->hooks->log, MAE_LOG_DEBUG, "report.html: no images: %s", why.msg);
}

/* A batch is mixed with itself turned round, and so is a part of an even size. */
static MaeStatus check_parts(const Finetune *f, MaeError *err)
{
    const MaeConfFinetune *tune = &f->cfg->finetune;
    const size_t world = mae_comm_world(f->hooks->comm);
    const size_t batch = f->cfg->train.batch_size;

    if (world > 1 && batch / world % 2 != 0 && (tune->mixup > 0.0 || tune->cutmix > 0.0))
        MAE_FAIL(
            err, MAE_ERR_ARG,
            "train.batch_size: with finetune.mixup or finetune.cutmix %zu ranks need "
            "a multiple of %zu, so that pairs stay together; found %zu",
            world, 2 * world, batch);
    return MAE_OK;
}

/* What comes before the session, each rank by itself. */
static MaeStatus open_origin(Finetune *f, MaeError *err)
{
    MAE_TRY(open_source(f->cfg, &f->source, &f->source_info, err));
    return mae_inputs_pseudo_checksum(f->cfg, err);
}

/* Data, model, memory, each rank by itself. */
static MaeStatus open_parts(Finetune *f, MaeError *err)
{
    MaeConfig *cfg = f->cfg;
    MaeSession *session = &f->session;
    const MaeLog *log = &f->hooks->log;

    MAE_TRY(mae_session_open_inputs(session, cfg, true, known_stats(f), log, err));
    MAE_TRY(same_classes(f, err));
    MAE_TRY(mae_session_check_images(session, cfg, log, err));
    if (cfg->model.in_chans == 0) {
        cfg->model.in_chans = session->inputs.channels;
        mae_config_mark(cfg, "model.in_chans", MAE_CONF_FROM_DERIVED);
    }
    MAE_TRY(mae_inputs_start(&session->inputs, cfg, mae_config_eval_batch(cfg),
                             session->comm, &f->bad, err));
    MAE_TRY(check_parts(f, err));
    MAE_TRY(open_model(f, err));
    MAE_TRY(name_classes(f, err));
    open_gallery(f);
    return MAE_OK;
}

/* Everything but the trainer. */
static MaeStatus open_all(Finetune *f, MaeError *err)
{
    MaeComm *comm = f->hooks->comm;

    MAE_TRY(mae_comm_agree(comm, open_origin(f, err), err));
    MAE_TRY(
        mae_session_open(&f->session, f->cfg, MAE_SNAPSHOT_CLASSIFIER, f->hooks, err));
    MAE_TRY(mae_comm_agree(comm, open_parts(f, err), err));
    return mae_session_same_images(&f->session, err);
}

static void close_parts(Finetune *f)
{
    for (size_t i = 0; f->class_names != NULL && i < f->model.arch.classes; i++)
        free(f->class_names[i]);
    free(f->class_names);
    free(f->targets);
    mae_confusion_close(&f->confusion);
    mae_gallery_close(&f->gallery);
    mae_classifier_run_close(&f->run);
    mae_classifier_close(&f->model);
    mae_session_close(&f->session);
    mae_ckpt_close(f->source);
    mae_snapshot_done(&f->source_info);
}

static MaeStatus init_weights(Finetune *f, MaeTrainer *trainer, MaeError *err)
{
    const bool random = f->cfg->finetune.init == MAE_CONF_INIT_RANDOM;

    if (f->session.reader != NULL)
        return mae_trainer_resume(trainer, f->session.reader, &f->session.snapshot, err);
    if (f->session.resumes)
        return MAE_OK; /* rank 0 tells */
    mae_classifier_init(&f->model, trainer->w, f->cfg->train.seed);
    if (random) {
        mae_log(&f->hooks->log, MAE_LOG_INFO, "encoder: random initialisation");
        return MAE_OK;
    }
    MAE_TRY(mae_snapshot_encoder(f->source, &f->source_info, &f->model, trainer->w, err));
    mae_log(&f->hooks->log, MAE_LOG_INFO, "encoder: from %s, pretrained for %llu epochs",
            f->cfg->finetune.checkpoint, (unsigned long long)f->source_info.epoch);
    return MAE_OK;
}

/* Memory of the trainer and what it begins with, each rank by itself. */
static MaeStatus open_trainer(Finetune *f, MaeTrainer *trainer, MaeError *err)
{
    MaeSession *session = &f->session;
    const MaeTask task = {.ctx = f,
                          .table = &f->model.table,
                          .optimizer = is_probe(f) ? "lars" : "adamw",
                          .images = session->inputs.train,
                          .rehearse = rehearse,
                          .accept = accept,
                          .step = step,
                          .evaluate = evaluate,
                          .illustrate = illustrate,
                          .describe = describe};

    MAE_TRY(mae_trainer_open(trainer, f->cfg, f->hooks, &task, &session->compute,
                             &session->folder, f->cfg->optim.layer_decay,
                             f->model.arch.depth, err));
    mae_trainer_set_loader(trainer, session->inputs.loader);
    trainer->gradients = &session->gradients;
    if (is_probe(f) && mae_config_lr(f->cfg) < SMALL_FOR_LARS)
        mae_log(&f->hooks->log, MAE_LOG_WARN,
                "optim.lr: %g will hardly move a linear probe (LARS); the published rate "
                "is 6.4: leave optim.lr at auto",
                mae_config_lr(f->cfg));
    MAE_TRY(init_weights(f, trainer, err));
    mae_ckpt_close(f->source);
    f->source = NULL;
    return MAE_OK;
}

static MaeStatus begin(Finetune *f, const MaeTrainer *trainer, MaeError *err)
{
    if (!mae_trainer_leads(trainer))
        return MAE_OK;
    return mae_run_folder_begin(&f->session.folder, f->cfg, &f->session.snapshot, err);
}

static MaeStatus train(Finetune *f, MaeTrainer *trainer, MaeTrainResult *result,
                       MaeError *err)
{
    MaeComm *comm = f->hooks->comm;

    MAE_TRY(mae_comm_agree(comm, open_trainer(f, trainer, err), err));
    MAE_TRY(mae_trainer_spread(trainer, f->session.reader, err));
    mae_session_release(&f->session);
    MAE_TRY(mae_comm_agree(comm, mae_trainer_ready(trainer, err), err));
    MAE_TRY(mae_trainer_preflight(trainer, f->run.arena.size,
                                  mae_inputs_bytes(&f->session.inputs), err));
    MAE_TRY(mae_comm_agree(comm, begin(f, trainer, err), err));
    return mae_trainer_run(trainer, result, err);
}

MaeStatus mae_finetune(MaeConfig *cfg, const MaeTrainHooks *hooks, MaeTrainResult *result,
                       MaeError *err)
{
    Finetune f = {.cfg = cfg, .bad = hooks->log, .session = {.folder = {.lock = -1}}};
    MaeTrainer trainer = {0};
    MaeStatus status;

    mae_session_hooks(&f.own, hooks);
    f.hooks = &f.own;
    status = open_all(&f, err);
    *result = (MaeTrainResult){
        .train_loss = (double)NAN, .score = (double)NAN, .last_score = (double)NAN};
    if (status == MAE_OK)
        status = train(&f, &trainer, result, err);
    mae_trainer_close(&trainer);
    close_parts(&f);
    return status;
}
