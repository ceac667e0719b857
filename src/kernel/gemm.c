#include "kernel/gemm.h"

#include <assert.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/pool.h"
#include "kernel/blas.h"
#include "kernel/gemm_driver.h"

typedef struct Backend Backend;

struct MaeGemm {
    Backend *backend;
    size_t thread;
};

/* Memory whose contents do not change. */
typedef struct Held {
    const char *data;
    size_t bytes;
} Held;

#define HELD 8

/* A driver and what its open made. */
typedef struct Opened {
    const MaeGemmDriver *driver;
    void *state;
} Opened;

struct Backend {
    Opened main, small;     /* small: of batches of small products; may be main */
    MaeGemmOptions options; /* threads: how many */
    char name[96];
    atomic_bool rehearsing, failed; /* failed: during this rehearsal */
    Held held[HELD];                /* no data: free */
    MaeGemm handles[];              /* [options.threads] */
};

/* By MaeGemmBackend; NULL where it is not built. */
static const MaeGemmDriver *const drivers[] = {
    [MAE_GEMM_OPENBLAS] = &mae_gemm_openblas,
#ifdef MAE_ONEDNN
    [MAE_GEMM_ONEDNN] = &mae_gemm_onednn,
#endif
#ifdef MAE_KERNEL_X86
    [MAE_GEMM_BUILTIN] = &mae_gemm_builtin,
#else
    [MAE_GEMM_BUILTIN] = NULL,
#endif
};

#define DRIVERS (sizeof drivers / sizeof *drivers)

static int rank_of(const MaeGemmDriver *driver, MaeDtype operand)
{
    return driver != NULL ? driver->rank(operand) : 0;
}

static const MaeGemmDriver *auto_driver(MaeDtype operand)
{
    const MaeGemmDriver *best = NULL;

    for (size_t i = 0; i < DRIVERS; i++) {
        if (rank_of(drivers[i], operand) > rank_of(best, operand))
            best = drivers[i];
    }
    return best;
}

bool mae_gemm_native(MaeDtype type)
{
    return auto_driver(type) != NULL;
}

static MaeStatus choose(const MaeGemmDriver **driver, const MaeGemmOptions *options,
                        MaeError *err)
{
    const bool bf16 = options->operand == MAE_BF16;

    *driver = options->backend == MAE_GEMM_AUTO ? auto_driver(options->operand)
                                                : drivers[options->backend];
    if (*driver == NULL && options->backend == MAE_GEMM_ONEDNN)
        MAE_FAIL(err, MAE_ERR_ARG,
                 "backend: expected one that is built, got onednn: install libdnnl-dev "
                 "and build again, or leave it at auto");
    if (bf16 && rank_of(*driver, MAE_BF16) == 0)
        MAE_FAIL(
            err, MAE_ERR_ARG,
            "precision: expected f32, got bf16: %s; leave it at auto or set it to f32",
            options->backend == MAE_GEMM_OPENBLAS
                ? "OpenBLAS has no bf16 products"
                : "this processor has no bf16 products (AVX-512 BF16)");
    if (!bf16 && options->backend == MAE_GEMM_BUILTIN)
        MAE_FAIL(err, MAE_ERR_ARG,
                 "backend: expected auto, openblas or onednn, got builtin, which "
                 "multiplies bf16 only%s",
                 rank_of(*driver, MAE_BF16) > 0 ? ": set the precision to bf16"
                                                : ", which this processor does not have");
    return MAE_OK;
}

static MaeStatus open_driver(Opened *opened, const MaeGemmDriver *driver, char *text,
                             size_t size, size_t threads, MaeError *err)
{
    MAE_TRY(driver->open(&opened->state, text, size, threads, err));
    opened->driver = driver;
    return MAE_OK;
}

static void close_driver(Opened *opened)
{
    if (opened->driver != NULL)
        opened->driver->close(opened->state);
}

static MaeStatus open_drivers(Backend *backend, const MaeGemmDriver *driver, char *text,
                              size_t size, MaeError *err)
{
    const MaeGemmDriver *small = backend->options.operand == MAE_F32 ? &mae_gemm_openblas
                                 : rank_of(drivers[MAE_GEMM_BUILTIN], MAE_BF16) > 0
                                     ? drivers[MAE_GEMM_BUILTIN]
                                     : driver;

    MAE_TRY(mae_blas_tame(err));
    MAE_TRY(
        open_driver(&backend->small, small, text, size, backend->options.threads, err));
    backend->main = backend->small;
    if (driver != small)
        MAE_TRY(open_driver(&backend->main, driver, text, size, backend->options.threads,
                            err));
    return MAE_OK;
}

MaeStatus mae_gemm_open(MaeGemm **gemm, const MaeGemmOptions *options, MaeError *err)
{
    const size_t threads =
        options->threads > 0 ? options->threads : mae_pool_processors();
    const MaeGemmDriver *driver;
    Backend *backend;
    char text[64];
    MaeStatus status;

    assert(threads > 0);
    *gemm = NULL;
    MAE_TRY(choose(&driver, options, err));
    backend = calloc(1, sizeof *backend + threads * sizeof *backend->handles);
    if (backend == NULL)
        MAE_FAIL(err, MAE_ERR_NOMEM, "gemm: out of memory for %zu threads", threads);
    backend->options = *options;
    backend->options.threads = threads;
    for (size_t i = 0; i < threads; i++)
        backend->handles[i] = (MaeGemm){backend, i};
    status = open_drivers(backend, driver, text, sizeof text, err);
    if (status != MAE_OK) {
        mae_gemm_close(backend->handles);
        return status;
    }
    (void)snprintf(backend->name, sizeof backend->name, "%s %s", driver->name, text);
    *gemm = backend->handles;
    return MAE_OK;
}

void mae_gemm_close(MaeGemm *gemm)
{
    if (gemm == NULL)
        return;
    if (gemm->backend->main.driver != gemm->backend->small.driver)
        close_driver(&gemm->backend->main);
    close_driver(&gemm->backend->small);
    free(gemm->backend);
}

const MaeGemm *mae_gemm_thread(const MaeGemm *gemm, size_t thread)
{
    assert(thread < gemm->backend->options.threads);
    return &gemm->backend->handles[thread];
}

size_t mae_gemm_threads(const MaeGemm *gemm)
{
    return gemm->backend->options.threads;
}

MaeGemmOptions mae_gemm_options(const MaeGemm *gemm)
{
    return gemm->backend->options;
}

MaeDtype mae_gemm_operand(const MaeGemm *gemm)
{
    return gemm->backend->options.operand;
}

const char *mae_gemm_backend(const MaeGemm *gemm)
{
    return gemm->backend->name;
}

bool mae_gemm_rehearse(const MaeGemm *gemm)
{
    if (gemm->backend->main.driver->prepare == NULL)
        return false;
    gemm->backend->failed = false;
    gemm->backend->rehearsing = true;
    return true;
}

MaeStatus mae_gemm_rehearsed(const MaeGemm *gemm, MaeError *err)
{
    Backend *backend = gemm->backend;

    assert(backend->rehearsing);
    backend->rehearsing = false;
    if (!backend->main.driver->prepared(backend->main.state) || backend->failed)
        MAE_FAIL(err, MAE_ERR_NOMEM, "gemm: out of memory for %zu product shapes",
                 mae_gemm_shapes(gemm));
    return MAE_OK;
}

bool mae_gemm_rehearsing(const MaeGemm *gemm)
{
    return atomic_load_explicit(&gemm->backend->rehearsing, memory_order_relaxed);
}

void mae_gemm_hold(const MaeGemm *gemm, const void *data, size_t bytes)
{
    Held *held = gemm->backend->held;

    for (size_t i = 0; i < HELD; i++) {
        if (held[i].data == NULL) {
            held[i] = (Held){data, bytes};
            return;
        }
    }
}

void mae_gemm_release(const MaeGemm *gemm, const void *data)
{
    const Backend *backend = gemm->backend;
    Held *held = gemm->backend->held;

    for (size_t i = 0; i < HELD; i++) {
        if (data == NULL || held[i].data != data)
            continue;
        if (backend->main.driver->release != NULL)
            backend->main.driver->release(backend->main.state, data, held[i].bytes);
        held[i] = (Held){NULL, 0};
    }
}

static bool is_held(const Backend *backend, const void *b)
{
    const char *at = b;

    for (size_t i = 0; i < HELD; i++) {
        const Held *held = &backend->held[i];

        if (held->data != NULL && at >= held->data && at < held->data + held->bytes)
            return true;
    }
    return false;
}

size_t mae_gemm_shapes(const MaeGemm *gemm)
{
    const Opened *used = &gemm->backend->main;

    return used->driver->shapes != NULL ? used->driver->shapes(used->state) : 0;
}

static float element(const void *x, size_t i, MaeDtype type)
{
    return type == MAE_F32 ? ((const float *)x)[i]
                           : mae_bf16_f32(((const uint16_t *)x)[i]);
}

void mae_gemm_each(const MaeGemmShape *s, const MaeGemmData *d,
                   void (*one)(void *ctx, const MaeGemmShape *s, const MaeGemmData *d),
                   void *ctx)
{
    const size_t size = mae_dtype_size((MaeDtype)s->operand);
    const size_t out = mae_dtype_size((MaeDtype)s->out);
    const MaeGemmBatch *outer = &s->batch[0], *inner = &s->batch[1];

    for (size_t i = 0; i < outer->count; i++) {
        for (size_t j = 0; j < inner->count; j++) {
            MaeGemmData at = *d;

            at.c = (char *)d->c + (i * outer->c + j * inner->c) * out;
            at.a = (const char *)d->a + (i * outer->a + j * inner->a) * size;
            at.b = (const char *)d->b + (i * outer->b + j * inner->b) * size;
            if (s->res == 2)
                at.res = at.c;
            one(ctx, s, &at);
        }
    }
}

/* For empty sums and for backends that ran out of memory. */
static void plain(void *ctx, const MaeGemmShape *s, const MaeGemmData *d)
{
    const size_t a_row = s->form == MAE_GEMM_TN ? 1 : s->lda, a_step = s->lda + 1 - a_row;
    const size_t b_column = s->form == MAE_GEMM_NT ? s->ldb : 1;
    const size_t b_step = s->ldb + 1 - b_column;

    (void)ctx;
    for (size_t i = 0; i < s->m; i++) {
        for (size_t j = 0; j < s->n; j++) {
            float sum = 0.0f;

            for (size_t p = 0; p < s->k; p++)
                sum += element(d->a, i * a_row + p * a_step, s->operand) *
                       element(d->b, j * b_column + p * b_step, s->operand);
            sum += s->has_bias ? d->bias[j] : 0.0f;
            sum += s->res != 0 ? d->res[i * s->ldc + j] : 0.0f;
            if (s->out == MAE_F32)
                ((float *)d->c)[i * s->ldc + j] = sum;
            else
                ((uint16_t *)d->c)[i * s->ldc + j] = mae_bf16(sum);
        }
    }
}

/*
 * Attention's products lie in columns of wider matrices, where oneDNN 2.6 is slow. bf16
 * goes to our own code at any size, f32 to OpenBLAS up to this many rows and columns
 * (measured at 17 to 257 tokens: 70 to 110 GFLOP/s a thread against 20 to 90).
 */
#define SMALL 128

static const Opened *batch_driver(const Backend *backend, const MaeGemmShape *s)
{
    const bool small = s->m <= SMALL && s->n <= SMALL && s->k <= SMALL;

    return small || s->operand == MAE_BF16 ? &backend->small : &backend->main;
}

static bool is_empty(const MaeGemmShape *s)
{
    return s->m == 0 || s->n == 0 || s->batch[0].count == 0 || s->batch[1].count == 0;
}

static void product(const MaeGemm *gemm, const Opened *used, const MaeGemmShape *s,
                    const MaeGemmData *d)
{
    Backend *backend = gemm->backend;

    assert(s->ldc >= s->n && s->lda >= (s->form == MAE_GEMM_TN ? s->m : s->k));
    assert(s->ldb >= (s->form == MAE_GEMM_NT ? s->k : s->n) ||
           (s->ldb == MAE_GEMM_PACKED && s->form == MAE_GEMM_NT &&
            used->driver->packs != NULL && used->driver->packs(d->b, s->n, s->k)));
    assert(s->out == MAE_F32 || (s->out == s->operand && s->res == 0));
    if (is_empty(s))
        return;
    if (mae_gemm_rehearsing(gemm)) {
        if (s->k > 0 && used->driver->prepare != NULL &&
            !used->driver->prepare(used->state, s))
            backend->failed = true;
        return;
    }
    if (s->k == 0 || !used->driver->run(used->state, gemm->thread, s, d))
        mae_gemm_each(s, d, plain, NULL);
}

bool mae_gemm_packs(const MaeGemm *gemm, const void *b, size_t n, size_t k)
{
    const MaeGemmDriver *driver = gemm->backend->main.driver;

    return driver->packs != NULL && driver->packs(b, n, k);
}

void mae_gemm_pack(const MaeGemm *gemm, void *b, size_t n, size_t k, void *scratch)
{
    const size_t bytes = n * k * mae_dtype_size(mae_gemm_operand(gemm));

    assert(mae_gemm_packs(gemm, b, n, k));
    memcpy(scratch, b, bytes);
    gemm->backend->main.driver->pack(b, scratch, n, k);
}

static MaeGemmShape shape(const MaeGemm *gemm, MaeGemmForm form, MaeOperand c, size_t ldc,
                          size_t lda, const void *b, size_t ldb, const size_t mnk[3],
                          const float *bias, const float *res)
{
    return (MaeGemmShape){
        .m = mnk[0],
        .n = mnk[1],
        .k = mnk[2],
        .lda = lda,
        .ldb = ldb,
        .ldc = ldc,
        .batch = {{.count = 1}, {.count = 1}},
        .constant = is_held(gemm->backend, b) ? b : NULL,
        .form = form,
        .operand = gemm->backend->options.operand,
        .out = c.type,
        .has_bias = bias != NULL,
        .res = res == NULL                    ? 0
               : res == (const float *)c.data ? 2
                                              : 1,
    };
}

void mae_gemm_nt(const MaeGemm *gemm, MaeOperand c, size_t ldc, const void *a, size_t lda,
                 const void *b, size_t ldb, size_t m, size_t n, size_t k,
                 const float *bias, const float *res)
{
    const size_t mnk[] = {m, n, k};
    const MaeGemmShape s = shape(gemm, MAE_GEMM_NT, c, ldc, lda, b, ldb, mnk, bias, res);

    product(gemm, &gemm->backend->main, &s, &(MaeGemmData){c.data, a, b, bias, res});
}

void mae_gemm_nn(const MaeGemm *gemm, MaeOperand c, size_t ldc, const void *a, size_t lda,
                 const void *b, size_t ldb, size_t m, size_t n, size_t k,
                 const float *bias, const float *res)
{
    const size_t mnk[] = {m, n, k};
    const MaeGemmShape s = shape(gemm, MAE_GEMM_NN, c, ldc, lda, b, ldb, mnk, bias, res);

    product(gemm, &gemm->backend->main, &s, &(MaeGemmData){c.data, a, b, bias, res});
}

void mae_gemm_tn(const MaeGemm *gemm, MaeOperand c, size_t ldc, const void *a, size_t lda,
                 const void *b, size_t ldb, size_t m, size_t n, size_t k,
                 const float *bias, const float *res)
{
    const size_t mnk[] = {m, n, k};
    const MaeGemmShape s = shape(gemm, MAE_GEMM_TN, c, ldc, lda, b, ldb, mnk, bias, res);

    product(gemm, &gemm->backend->main, &s, &(MaeGemmData){c.data, a, b, bias, res});
}

void mae_gemm_batch(const MaeGemm *gemm, MaeGemmForm form, MaeOperand c, size_t ldc,
                    const void *a, size_t lda, const void *b, size_t ldb, size_t m,
                    size_t n, size_t k, const MaeGemmBatch batch[2], bool accumulate)
{
    const float *res = accumulate ? c.data : NULL;
    const size_t mnk[] = {m, n, k};
    MaeGemmShape s = shape(gemm, form, c, ldc, lda, b, ldb, mnk, NULL, res);

    for (size_t i = 0; i < 2; i++) /* strides nobody takes are no other shape */
        s.batch[i] = batch[i].count == 1 ? (MaeGemmBatch){.count = 1} : batch[i];
    s.constant = NULL;
    product(gemm, batch_driver(gemm->backend, &s), &s,
            &(MaeGemmData){c.data, a, b, NULL, res});
}
