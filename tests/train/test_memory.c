/*
 * Linked with --wrap for malloc and its relatives: updates do not allocate, and any
 * allocation may fail. Does not see inside shared libraries.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "kernel/rows.h"
#include "model/autoencoder.h"
#include "model/embedder.h"
#include "optim/clip.h"
#include "optim/optimizer.h"
#include "support/allocations.h"
#include "train/fixture.h"

MaeStatus __real_mae_gemm_open(MaeGemm **gemm, const MaeGemmOptions *options,
                               MaeError *err);
void __real_mae_gemm_close(MaeGemm *gemm);
MaeStatus __wrap_mae_gemm_open(MaeGemm **gemm, const MaeGemmOptions *options,
                               MaeError *err);
void __wrap_mae_gemm_close(MaeGemm *gemm);

/* The products of the session, and the shapes it had prepared in the end. */
static MaeGemm *products;
static size_t shapes_at_end;

MaeStatus __wrap_mae_gemm_open(MaeGemm **gemm, const MaeGemmOptions *options,
                               MaeError *err)
{
    const MaeStatus status = __real_mae_gemm_open(gemm, options, err);

    products = *gemm;
    return status;
}

void __wrap_mae_gemm_close(MaeGemm *gemm)
{
    if (gemm != NULL && gemm == products)
        shapes_at_end = mae_gemm_shapes(gemm);
    __real_mae_gemm_close(gemm);
}

/* A model with everything an update needs. */
typedef struct Parts {
    MaeDtype type;
    MaePool *pool;
    MaeGemm *gemm;
    MaeCompute compute;
    MaeAutoencoder model;
    MaeAutoencoderRun run;
    MaeMask mask;
    MaeMaskScratch scratch;
    MaeOptim optim;
    MaeClip clip;
    MaeArena arena;
    float *w, *dw;
    MaeOperand operands; /* of w */
} Parts;

enum { BATCH = 5 };

static void reserve(Parts *p, MaeArena *arena)
{
    p->w = mae_arena_floats(arena, p->model.table.total);
    p->dw = mae_arena_floats(arena, p->model.table.total);
    p->operands = p->type == MAE_F32
                      ? mae_operand_f32(p->w)
                      : mae_operand_carve(arena, p->type, p->model.table.total);
    mae_mask_reserve(&p->mask, arena, BATCH);
    mae_mask_reserve_scratch(&p->scratch, &p->mask, arena);
    mae_optim_reserve(&p->optim, arena);
    mae_clip_reserve(&p->clip, arena);
}

static MaeWeights weights(const Parts *p)
{
    return (MaeWeights){.f32 = p->w, .operand = p->operands.data, .type = p->type};
}

static void parts_open(Parts *p, MaeDtype type)
{
    const MaeArch arch = {.grid = {.channels = 3, .height = 16, .width = 24, .patch = 4},
                          .embed_dim = 16,
                          .depth = 2,
                          .heads = 2,
                          .mlp_ratio = 4.0,
                          .decoder_dim = 16,
                          .decoder_depth = 1,
                          .decoder_heads = 2,
                          .norm_pix_loss = true};
    const MaeOptimConfig config = {.name = "adamw",
                                   .beta1 = 0.9,
                                   .beta2 = 0.95,
                                   .eps = 1e-8,
                                   .groups = {.layer_decay = 1.0, .depth = 2}};
    MaeArena measure = mae_arena_measure();
    MaeError err = {0};

    *p = (Parts){.type = type};
    ck_assert_ok(mae_pool_open(&p->pool, 2, &err));
    p->gemm = test_gemm(type, 2);
    p->compute = (MaeCompute){.pool = p->pool, .gemm = p->gemm};
    ck_assert_ok(mae_autoencoder_open(&p->model, &arch, &err));
    ck_assert_ok(mae_mask_define(&p->mask, MAE_MASK_BLOCK, 4, 6, 0.75, &err));
    ck_assert_ok(mae_autoencoder_run_open(&p->run, &p->model, &p->compute, BATCH,
                                          p->mask.visible, MAE_PREDICT_HIDDEN, true,
                                          &err));
    ck_assert_ok(mae_optim_define(&p->optim, &p->model.table, &config, &err));
    mae_clip_define(&p->clip, &p->optim.tiles);
    reserve(p, &measure);
    ck_assert_ok(mae_arena_open(&p->arena, &measure, "test", &err));
    reserve(p, &p->arena);
    mae_optim_init(&p->optim);
    mae_autoencoder_init(&p->model, p->w, 0);
    mae_rows_enter(p->operands, NULL, p->w, NULL, 1, 1, p->model.table.total);
    for (size_t i = 0; i < BATCH; i++)
        mae_mask_draw(&p->mask, i, 0, 1, i, &p->scratch);
    for (size_t batch = BATCH - 2; batch <= BATCH; batch += 2)
        ck_assert_ok(mae_autoencoder_rehearse(&p->run, p->dw, MAE_GRAD_ADD, weights(p),
                                              &p->mask, batch, &err));
}

static void parts_close(Parts *p)
{
    mae_arena_close(&p->arena);
    mae_autoencoder_run_close(&p->run);
    mae_autoencoder_close(&p->model);
    mae_gemm_close(p->gemm);
    mae_pool_close(p->pool);
}

/* Without Check's macros, which allocate. */
static bool update(Parts *p, const float *images, size_t batch)
{
    double loss, norm;
    MaeStatus status;

    for (size_t i = 0; i < batch; i++)
        mae_mask_draw(&p->mask, i, 0, 1, i, &p->scratch);
    memset(p->dw, 0, p->model.table.total * sizeof *p->dw);
    loss = mae_autoencoder_forward(&p->run, weights(p), images, &p->mask, batch);
    mae_autoencoder_backward(&p->run, p->dw, MAE_GRAD_ADD, weights(p), &p->mask, batch,
                             1.0);
    status = mae_clip_norm(&p->clip, &norm, p->pool, p->dw, 1.0, NULL);
    mae_optim_step(&p->optim, p->pool, p->w, p->operands, p->dw, 1e-3,
                   mae_clip_factor(norm, 1.0));
    return status == MAE_OK && loss > 0.0;
}

/* Of all threads: forward, backward, clipping, optimiser, of a smaller batch as well. */
START_TEST(updates_of_a_model_do_not_allocate)
{
    float *images = mae_test_normal((size_t)BATCH * 3 * 16 * 24, 1, 0);
    bool learnt = true;
    size_t before;
    Parts p;

    if (!test_can_multiply((MaeDtype)_i)) {
        free(images);
        return;
    }
    parts_open(&p, (MaeDtype)_i);
    before = test_allocations();
    for (size_t i = 0; i < 6; i++)
        learnt = update(&p, images, i % 2 == 0 ? BATCH : BATCH - 2) && learnt;
    ck_assert_uint_eq(test_allocations(), before);
    ck_assert(learnt);
    parts_close(&p);
    free(images);
}
END_TEST

START_TEST(features_do_not_allocate)
{
    float *images = mae_test_normal((size_t)BATCH * 3 * 16 * 24, 1, 0);
    float *out = mae_test_alloc((size_t)BATCH * 16 * sizeof *out);
    MaeEmbedder embedder;
    MaeEmbedSpec spec;
    MaeError err = {0};
    size_t before;
    Parts p;

    parts_open(&p, (MaeDtype)_i);
    spec = mae_embed_spec_autoencoder(&p.model, MAE_POOL_MEAN);
    ck_assert_ok(mae_embedder_open(&embedder, &spec, p.w, &p.compute, &err));
    before = test_allocations();
    for (size_t batch = 1; batch <= BATCH; batch++)
        mae_embedder_run(&embedder, out, images, batch);
    ck_assert_uint_eq(test_allocations(), before);
    mae_embedder_close(&embedder);
    parts_close(&p);
    free(images);
    free(out);
}
END_TEST

/* Allocations of the training thread since the run's update before the last one, and
 * the shapes of products that were prepared before the first. */
typedef struct Watch {
    size_t last, worst, shapes;
} Watch;

static void watch_update(void *ctx, size_t number)
{
    Watch *watch = ctx;

    if (number == 1)
        watch->shapes = mae_gemm_shapes(products);
    if (number > 1 && test_allocations_of_thread() - watch->last > watch->worst)
        watch->worst = test_allocations_of_thread() - watch->last;
    watch->last = test_allocations_of_thread();
}

/* In each precision; no product is prepared late, be it for evaluations or previews. */
START_TEST(updates_of_a_run_do_not_allocate)
{
    const bool finetune = _i >= TRAIN_KINDS;
    const char *kind = train_kind(_i % TRAIN_KINDS);
    char *folder = train_place(), tune[900] = "";
    Watch watch = {0, 0, 0};
    TrainSpec spec = {.folder = folder,
                      .name = "run",
                      .finetune = finetune,
                      .overrides = tune,
                      .at_update = watch_update,
                      .ctx = &watch};
    TrainRun run;

    (void)snprintf(tune, sizeof tune,
                   "train.epochs=1 train.accum_iter=2 train.threads=2 data.val=%s/val "
                   "train.log_every=1000 %s %s",
                   folder, kind,
                   finetune
                       ? "finetune.init=random finetune.drop_path=0.3 finetune.mixup=0.8 "
                         "finetune.cutmix=1 finetune.ema_decay=0.99"
                       : "train.preview_every=1 train.preview_count=6 "
                         "eval.probe=none"); /* it has products of its own */
    if (kind != NULL) {
        train_expect(&run, &spec, MAE_OK);
        ck_assert_uint_eq(run.updates, 3);
        ck_assert_uint_gt(watch.last, 0);
        ck_assert_uint_eq(watch.worst, 0);
        ck_assert_uint_eq(shapes_at_end, watch.shapes);
    }
    mae_test_folder_remove(folder);
}
END_TEST

/* Which allocations fail in turn; what differs between neighbours takes long to run with
 * a sanitizer. */
#if defined __SANITIZE_ADDRESS__ || defined __SANITIZE_THREAD__
enum { STRIDE = 5 };
#else
enum { STRIDE = 1 };
#endif

static void begin_failing(void *ctx)
{
    test_allocations_fail(*(const size_t *)ctx);
}

/* Whatever allocation of a session fails: no crash, a message, no file left open. */
START_TEST(any_allocation_may_fail)
{
    char *folder = train_place(), overrides[2000];
    size_t files = 0, n = 0, made = 0, failures = 0;
    const TrainSpec spec = {.folder = folder,
                            .name = "run",
                            .finetune = _i == 1,
                            .overrides = overrides,
                            .stop_at = 1,
                            .at_start = begin_failing,
                            .ctx = &n};
    static TrainRun run;

    (void)snprintf(overrides, sizeof overrides,
                   "data.val=%s/val train.overwrite=true train.batch_size=9 "
                   "train.epochs=3 data.workers=2 train.threads=2 %s",
                   folder, _i == 1 ? "finetune.init=random finetune.ema_decay=0.9" : "");
    do {
        train_run(&run, &spec); /* the first, with n = 0, warms libraries up */
        made = test_allocations();
        test_allocations_fail(0);
        ck_assert_msg(
            run.status == MAE_ERR_NOMEM || run.status == MAE_ERR_INTERRUPTED ||
                strstr(run.err.msg, "libhdf5 cannot") != NULL, /* it knows why */
            "allocation %zu: %s: %s", n, mae_status_name(run.status), run.err.msg);
        ck_assert_msg(run.err.msg[0] != '\0', "allocation %zu: no message", n);
        failures += run.status == MAE_ERR_NOMEM;
        if (n == 0)
            files = mae_test_open_files();
        ck_assert_msg(mae_test_open_files() == files,
                      "allocation %zu: %zu files open, %zu before", n,
                      mae_test_open_files(), files);
        n += n == 0 ? 1 : STRIDE;
    } while (made + STRIDE >= n);
    ck_assert_int_eq(run.status, MAE_ERR_INTERRUPTED);
    ck_assert_uint_gt(failures, 50);
    mae_test_folder_remove(folder);
}
END_TEST

/* The run as it was left, in place of what a session made of it. */
static void restore(const char *folder)
{
    char command[1200];

    (void)snprintf(command, sizeof command, "rm -rf '%s/run'", folder);
    ck_assert_int_eq(system(command), 0);
    train_copy(folder, "left", "run");
}

/*
 * Taking a run up again, its last update, evaluation, pictures, report, last save: what
 * fails costs nothing that was saved, and the next session ends as if it had not. All
 * allocations with MAE_TEST_FULL, else some.
 */
START_TEST(any_allocation_of_the_rest_may_fail)
{
    const size_t stride = getenv("MAE_TEST_FULL") != NULL ? 1 : 29;
    char *folder = train_place(), overrides[2000];
    size_t files = 0, n = 0, made = 0, failures = 0;
    TrainSpec spec = {.folder = folder,
                      .name = "left",
                      .finetune = _i == 1,
                      .overrides = overrides,
                      .stop_at = 2,
                      .ctx = &n};
    static TrainRun run;

    (void)snprintf(overrides, sizeof overrides,
                   "data.val=%s/val train.batch_size=9 train.epochs=1 train.report=true "
                   "train.preflight=false %s",
                   folder,
                   _i == 1 ? "finetune.init=random finetune.ema_decay=0.9"
                           : "train.preview_every=1 train.preview_count=2");
    train_expect(&run, &spec, MAE_ERR_INTERRUPTED);
    spec.stop_at = 0;
    train_copy(folder, "left", "straight");
    spec.name = "straight";
    train_expect(&run, &spec, MAE_OK);
    spec.name = "run";
    files = mae_test_open_files();
    for (n = 1; n == 1 || made >= n - stride; n += stride) {
        restore(folder);
        spec.at_start = begin_failing;
        train_run(&run, &spec);
        made = test_allocations();
        test_allocations_fail(0);
        spec.at_start = NULL;
        ck_assert_msg(run.status == MAE_OK || run.status == MAE_ERR_NOMEM ||
                          strstr(run.err.msg, "libhdf5 cannot") != NULL,
                      "allocation %zu: %s: %s", n, mae_status_name(run.status),
                      run.err.msg);
        ck_assert_msg(run.status == MAE_OK || run.err.msg[0] != '\0', "allocation %zu",
                      n);
        ck_assert_msg(mae_test_open_files() == files, "allocation %zu: %zu files open", n,
                      mae_test_open_files());
        failures += run.status != MAE_OK;
        if (run.status != MAE_OK)
            train_expect(&run, &spec, MAE_OK);
        train_compare_states(folder, "straight", "run");
    }
    ck_assert_uint_gt(failures, 0);
    mae_test_folder_remove(folder);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("train memory");
    TCase *tc = tcase_create("memory");

    tcase_set_timeout(tc, 600);
    tcase_add_loop_test(tc, updates_of_a_model_do_not_allocate, 0, TEST_DTYPES);
    tcase_add_loop_test(tc, features_do_not_allocate, 0, TEST_DTYPES);
    tcase_add_loop_test(tc, updates_of_a_run_do_not_allocate, 0, 2 * TRAIN_KINDS);
    tcase_add_loop_test(tc, any_allocation_may_fail, 0, 2);
    suite_add_tcase(suite, tc);
    tc = tcase_create("rest");
    tcase_set_timeout(tc, 600);
    tcase_add_loop_test(tc, any_allocation_of_the_rest_may_fail, 0, 2);
    suite_add_tcase(suite, tc);
    return mae_test_main(suite);
}
