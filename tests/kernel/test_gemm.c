#define _XOPEN_SOURCE 700 /* setenv */
#include "kernel/gemm.h"

#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/pool.h"
#include "reference.h"
#include "support/operand.h"
#include "support/test.h"

static MaeError err;

/* Everything a build may multiply with; see open_kind for what this one does. */
static const struct {
    MaeGemmBackend backend;
    MaeDtype type;
} kinds[] = {
    {MAE_GEMM_OPENBLAS, MAE_F32},
    {MAE_GEMM_ONEDNN, MAE_F32},
    {MAE_GEMM_ONEDNN, MAE_BF16},
};
enum { KINDS = sizeof kinds / sizeof *kinds, FORMS = 3, THREADS = 3 };

typedef void (*Product)(const MaeGemm *, MaeOperand, size_t, const void *, size_t,
                        const void *, size_t, size_t, size_t, size_t, const float *,
                        const float *);

/* One orientation and how its operands are stored. */
typedef struct Form {
    const char *name;
    Product run;
    bool a_turned; /* A is stored [k,m] */
    bool b_turned; /* B is stored [n,k] */
} Form;

static const Form forms[FORMS] = {{"nt", mae_gemm_nt, false, true},
                                  {"nn", mae_gemm_nn, false, false},
                                  {"tn", mae_gemm_tn, true, false}};

/* NULL, and a line on stderr, if this build or processor is without it. */
static MaeGemm *open_kind(size_t kind, size_t threads)
{
    const MaeGemmOptions options = {kinds[kind].type, kinds[kind].backend, threads};
    MaeGemm *gemm;

    if (!test_can_multiply(options.operand))
        return NULL;
    if (options.backend == MAE_GEMM_OPENBLAS) {
        ck_assert_ok(mae_gemm_open(&gemm, &options, &err));
    } else if (mae_gemm_open(&gemm, &options, &err) != MAE_OK) {
        ck_assert_ptr_nonnull(strstr(err.msg, "libdnnl-dev"));
        (void)fprintf(stderr, "skipped: built without oneDNN\n");
    }
    return gemm;
}

/* --- against naive loops ---------------------------------------------------------- */

enum { RES_NONE, RES_OTHER, RES_SELF };

/* One product; lda, ldb and ldc exceed the columns by pad. */
typedef struct Case {
    size_t m, n, k, pad;
    bool has_bias;
    int res;
    MaeDtype out;
} Case;

/* Its numbers; rounded to operands, so that the reference sees what the product sees. */
typedef struct Data {
    size_t lda, ldb, ldc;
    float *a, *b, *c, *bias, *res;
    MaeOperand a_operand, b_operand, c_operand;
} Data;

/* Random floats; what lies between the rows must not be read. */
static float *matrix(size_t rows, size_t columns, size_t ld, uint64_t salt)
{
    float *x = ref_floats(rows * ld, salt, 1.0f, 0.0f);

    for (size_t i = 0; i < rows * ld; i++) {
        if (i % ld >= columns)
            x[i] = NAN;
    }
    return x;
}

static Data make(const Form *f, MaeDtype type, const Case *c)
{
    const size_t a_rows = f->a_turned ? c->k : c->m, a_columns = c->m + c->k - a_rows;
    const size_t b_rows = f->b_turned ? c->n : c->k, b_columns = c->n + c->k - b_rows;
    Data d = {.lda = a_columns + c->pad,
              .ldb = b_columns + 2 * c->pad,
              .ldc = c->n + 3 * c->pad};

    d.a = matrix(a_rows, a_columns, d.lda, c->m);
    d.b = matrix(b_rows, b_columns, d.ldb, c->n + 1000);
    d.c = ref_floats(c->m * d.ldc, c->k + 2000, 1.0f, 0.0f);
    d.bias = ref_floats(c->n, c->k + 3000, 3.0f, 0.0f);
    d.res = matrix(c->m, c->n, d.ldc, c->k + 4000);
    test_round(d.a, a_rows * d.lda, type);
    test_round(d.b, b_rows * d.ldb, type);
    test_round(d.c, c->m * d.ldc, c->out);
    d.a_operand = test_operand(d.a, a_rows * d.lda, type);
    d.b_operand = test_operand(d.b, b_rows * d.ldb, type);
    d.c_operand = test_operand(d.c, c->m * d.ldc, c->out);
    for (size_t i = 0; c->res != RES_SELF && i < c->m * d.ldc; i++) {
        if (i % d.ldc >= c->n)
            continue; /* C is written, not read */
        if (c->out == MAE_F32)
            ((float *)d.c_operand.data)[i] = NAN;
        else
            ((uint16_t *)d.c_operand.data)[i] = mae_bf16(NAN);
    }
    return d;
}

static void drop(Data *d)
{
    void *const owned[] = {d->a,
                           d->b,
                           d->c,
                           d->bias,
                           d->res,
                           d->a_operand.data,
                           d->b_operand.data,
                           d->c_operand.data};

    for (size_t i = 0; i < sizeof owned / sizeof *owned; i++)
        free(owned[i]);
}

static void multiply(const MaeGemm *gemm, const Form *f, const Case *c, const Data *d)
{
    const float *res = c->res == RES_NONE    ? NULL
                       : c->res == RES_OTHER ? d->res
                                             : (const float *)d->c_operand.data;

    f->run(gemm, d->c_operand, d->ldc, d->a_operand.data, d->lda, d->b_operand.data,
           d->ldb, c->m, c->n, c->k, c->has_bias ? d->bias : NULL, res);
}

static double element(const Form *f, const Case *c, const Data *d, size_t i, size_t j)
{
    double sum = c->has_bias ? (double)d->bias[j] : 0.0;

    if (c->res != RES_NONE)
        sum += (double)(c->res == RES_OTHER ? d->res : d->c)[i * d->ldc + j];
    for (size_t p = 0; p < c->k; p++)
        sum += (double)(f->a_turned ? d->a[p * d->lda + i] : d->a[i * d->lda + p]) *
               (double)(f->b_turned ? d->b[j * d->ldb + p] : d->b[p * d->ldb + j]);
    return sum;
}

/* Sums of k products of about 1; half a unit in the last place of a bf16 result. */
static void check(const MaeGemm *gemm, const Form *f, const Case *c)
{
    Data d = make(f, mae_gemm_operand(gemm), c);
    float *got;

    multiply(gemm, f, c, &d);
    got = test_floats(d.c_operand, c->m * d.ldc);
    for (size_t i = 0; i < c->m * d.ldc; i++) {
        const size_t row = i / d.ldc, column = i % d.ldc;
        const bool inside = column < c->n;
        const double want = inside ? element(f, c, &d, row, column) : (double)d.c[i];
        const double most = (inside ? 1e-6 * (4.0 + (double)c->k) : 0.0) +
                            (inside ? test_half_unit(want, c->out) : 0.0);

        ck_assert_msg(
            fabs((double)got[i] - want) <= most,
            "%s %s m %zu n %zu k %zu pad %zu bias %d res %d to %s at [%zu,%zu]: "
            "got %.9g, want %.9g, seed %llu",
            mae_gemm_backend(gemm), f->name, c->m, c->n, c->k, c->pad, c->has_bias,
            c->res, mae_dtype_name(c->out), row, column, (double)got[i], want,
            (unsigned long long)ref_seed());
    }
    free(got);
    drop(&d);
}

/* Epilogues: none, bias x no, other and own residual into f32; bias into operands. */
enum { EPILOGUES = 8 };

static Case epilogue(Case c, MaeDtype operand, int i)
{
    c.has_bias = i % 2 == 1;
    c.res = i < 6 ? i / 2 : RES_NONE;
    c.out = i < 6 ? MAE_F32 : operand;
    return c;
}

START_TEST(agrees_with_loops)
{
    static const size_t special[][4] = {
        {1, 1, 1, 0},    {3, 5, 0, 1},       {1, 70, 33, 0},
        {64, 1, 31, 2},  {17, 19, 1, 1},     {1, 1, 300, 0},
        {16, 32, 64, 0}, {150, 260, 130, 0}, {257, 129, 300, 3},
    };
    const Form *f = &forms[_i % FORMS];
    MaeGemm *gemm = open_kind((size_t)_i / FORMS, 1);
    MaeRng rng;

    if (gemm == NULL)
        return;
    mae_rng_init(&rng, ref_seed(), 1, (uint64_t)_i, MAE_RNG_TEST);
    for (int round = 0; round < 6 * EPILOGUES; round++) {
        const Case c = {.m = 1 + mae_rng_below(&rng, 70),
                        .n = 1 + mae_rng_below(&rng, 70),
                        .k = mae_rng_below(&rng, 80),
                        .pad = mae_rng_below(&rng, 5)};
        const Case with = epilogue(c, mae_gemm_operand(gemm), round % EPILOGUES);

        check(gemm, f, &with);
    }
    for (int i = 0; i < EPILOGUES * (int)(sizeof special / sizeof *special); i++) {
        const size_t *of = special[i / EPILOGUES];
        const Case c = {.m = of[0], .n = of[1], .k = of[2], .pad = of[3]};
        const Case with = epilogue(c, mae_gemm_operand(gemm), i % EPILOGUES);

        check(gemm, f, &with);
    }
    f->run(gemm, mae_operand_f32(NULL), 1, NULL, 1, NULL, 1, 0, 0, 0, NULL, NULL);
    mae_gemm_close(gemm);
}
END_TEST

/* --- opening ---------------------------------------------------------------------- */

START_TEST(opens_and_describes)
{
    static const char *const names[] = {"OpenBLAS ", "oneDNN ", "oneDNN "};
    MaeGemm *gemm = open_kind((size_t)_i, 3), *many;

    mae_gemm_close(NULL);
    if (gemm == NULL)
        return;
    ck_assert_msg(strncmp(mae_gemm_backend(gemm), names[_i], strlen(names[_i])) == 0,
                  "%s", mae_gemm_backend(gemm));
    (void)fprintf(stderr, "%s\n", mae_gemm_backend(gemm));
    ck_assert_uint_eq(mae_gemm_threads(gemm), 3);
    ck_assert_int_eq(mae_gemm_operand(gemm), kinds[_i].type);
    ck_assert_ptr_eq(mae_gemm_thread(gemm, 0), gemm);
    ck_assert_ptr_eq(mae_gemm_thread(mae_gemm_thread(gemm, 2), 1),
                     mae_gemm_thread(gemm, 1));
    ck_assert_ptr_ne(mae_gemm_thread(gemm, 1), gemm);
    mae_gemm_close(gemm);
    many = open_kind((size_t)_i, 0);
    ck_assert_uint_eq(mae_gemm_threads(many), mae_pool_processors());
    mae_gemm_close(many);
}
END_TEST

START_TEST(native_is_what_auto_opens)
{
    const MaeDtype types[] = {MAE_F32, MAE_BF16};
    MaeGemm *gemm;

    ck_assert(mae_gemm_native(MAE_F32));
    for (size_t i = 0; i < TEST_DTYPES; i++) {
        const MaeGemmOptions options = {types[i], MAE_GEMM_AUTO, 1};
        const MaeStatus status = mae_gemm_open(&gemm, &options, &err);

        ck_assert_int_eq(status, mae_gemm_native(types[i]) ? MAE_OK : MAE_ERR_ARG);
        ck_assert((gemm != NULL) == (status == MAE_OK));
        mae_gemm_close(gemm);
    }
}
END_TEST

START_TEST(refuses_bf16_of_openblas)
{
    const MaeGemmOptions options = {MAE_BF16, MAE_GEMM_OPENBLAS, 1};
    MaeGemm *gemm = (MaeGemm *)&err;

    ck_assert_fails(mae_gemm_open(&gemm, &options, &err), MAE_ERR_ARG,
                    "expected f32, got bf16: OpenBLAS has no bf16 products");
    ck_assert_ptr_null(gemm);
    ck_assert_int_eq(mae_gemm_open(&gemm, &options, NULL), MAE_ERR_ARG);
}
END_TEST

/* oneDNN can be told to pretend an older processor; in a process of its own (Check). */
START_TEST(refuses_bf16_without_instructions)
{
    const MaeGemmOptions f32 = {MAE_F32, MAE_GEMM_AUTO, 1};
    const MaeGemmOptions bf16 = {MAE_BF16, (MaeGemmBackend)_i, 1};
    MaeGemm *gemm = (MaeGemm *)&err;

    if (_i == MAE_GEMM_OPENBLAS)
        return;
    ck_assert_int_eq(setenv("ONEDNN_MAX_CPU_ISA", "AVX2", 1), 0);
    ck_assert(!mae_gemm_native(MAE_BF16));
    ck_assert_fails(mae_gemm_open(&gemm, &bf16, &err), MAE_ERR_ARG,
                    "expected f32, got bf16: this ");
    ck_assert_ptr_null(gemm);
    ck_assert_ok(mae_gemm_open(&gemm, &f32, &err));
    ck_assert_ptr_nonnull(strstr(mae_gemm_backend(gemm), "OpenBLAS"));
    mae_gemm_close(gemm);
}
END_TEST

/* The OpenMP variant of OpenBLAS hangs here. */
START_TEST(works_in_a_forked_child)
{
    const Case c = {.m = 200, .n = 200, .k = 200};
    MaeGemm *gemm = open_kind((size_t)_i, 1);
    pid_t child;
    int status;

    if (gemm == NULL)
        return;
    check(gemm, &forms[0], &c);
    child = fork();
    ck_assert_int_ge(child, 0);
    if (child == 0) {
        check(gemm, &forms[0], &c);
        _exit(0);
    }
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert_int_eq(status, 0);
    mae_gemm_close(gemm);
}
END_TEST

/* --- rehearsal -------------------------------------------------------------------- */

static const Case rehearsed[] = {
    {.m = 20, .n = 30, .k = 40},
    {.m = 20, .n = 30, .k = 40, .pad = 1},
    {.m = 20, .n = 30, .k = 40, .has_bias = true},
    {.m = 20, .n = 30, .k = 40, .res = RES_OTHER},
    {.m = 20, .n = 30, .k = 40, .res = RES_SELF},
    {.m = 1, .n = 30, .k = 40},
    {.m = 20, .n = 30, .k = 41},
};
enum { REHEARSED = sizeof rehearsed / sizeof *rehearsed };

/* Nothing but the shape counts, and nothing is written. */
static void rehearse_all(const MaeGemm *gemm)
{
    for (size_t i = 0; i < FORMS * REHEARSED; i++) {
        const Case *c = &rehearsed[i / FORMS];
        const Form *f = &forms[i % FORMS];
        Data d = make(f, mae_gemm_operand(gemm), c);
        float *before = ref_copy(d.c_operand.data, c->m * d.ldc);

        multiply(gemm, f, c, &d);
        ck_assert_mem_eq(d.c_operand.data, before, c->m * d.ldc * sizeof *before);
        free(before);
        drop(&d);
    }
}

START_TEST(rehearsal_prepares_every_shape)
{
    const Case other = {.m = 7, .n = 7, .k = 7}, empty = {.m = 7, .n = 7};
    MaeGemm *gemm = open_kind((size_t)_i, 2);

    if (gemm == NULL)
        return;
    ck_assert_uint_eq(mae_gemm_shapes(gemm), 0);
    if (!mae_gemm_rehearse(gemm)) {
        ck_assert_int_eq(kinds[_i].backend, MAE_GEMM_OPENBLAS);
        check(gemm, &forms[0], &other);
        ck_assert_uint_eq(mae_gemm_shapes(gemm), 0);
        mae_gemm_close(gemm);
        return;
    }
    ck_assert_int_eq(kinds[_i].backend, MAE_GEMM_ONEDNN);
    for (size_t round = 0; round < 2; round++) {
        rehearse_all(mae_gemm_thread(gemm, round));
        ck_assert_uint_eq(mae_gemm_shapes(gemm), FORMS * REHEARSED);
    }
    ck_assert_ok(mae_gemm_rehearsed(gemm, &err));
    for (size_t i = 0; i < 2 * FORMS * REHEARSED; i++)
        check(mae_gemm_thread(gemm, i % 2), &forms[i / 2 % FORMS],
              &rehearsed[i / 2 / FORMS]);
    check(gemm, &forms[0], &empty); /* an empty sum needs no library */
    ck_assert_uint_eq(mae_gemm_shapes(gemm), FORMS * REHEARSED);
    check(gemm, &forms[0], &other);
    ck_assert_uint_eq(mae_gemm_shapes(gemm), FORMS * REHEARSED + 1);
    mae_gemm_close(gemm);
}
END_TEST

/* --- threads ---------------------------------------------------------------------- */

/* One thread's results of all rehearsed cases. */
typedef struct Worker {
    const MaeGemm *gemm;
    Data data[FORMS * REHEARSED];
} Worker;

static void *work(void *ctx)
{
    Worker *w = ctx;

    for (size_t round = 0; round < 20; round++) {
        for (size_t i = 0; i < FORMS * REHEARSED; i++) {
            if (rehearsed[i / FORMS].res != RES_SELF || round == 0)
                multiply(w->gemm, &forms[i % FORMS], &rehearsed[i / FORMS], &w->data[i]);
        }
    }
    return NULL;
}

/* Whether shapes were prepared or all threads meet them at once. */
START_TEST(threads_give_the_same_bits)
{
    MaeGemm *gemm = open_kind((size_t)_i / 2, THREADS);
    pthread_t threads[THREADS];
    static Worker workers[THREADS];

    if (gemm == NULL)
        return;
    if (_i % 2 == 1 && mae_gemm_rehearse(gemm)) {
        rehearse_all(gemm);
        ck_assert_ok(mae_gemm_rehearsed(gemm, &err));
    }
    for (size_t t = 0; t < THREADS; t++) {
        workers[t].gemm = mae_gemm_thread(gemm, t);
        for (size_t i = 0; i < FORMS * REHEARSED; i++)
            workers[t].data[i] =
                make(&forms[i % FORMS], mae_gemm_operand(gemm), &rehearsed[i / FORMS]);
    }
    for (size_t t = 0; t < THREADS; t++)
        ck_assert_int_eq(pthread_create(&threads[t], NULL, work, &workers[t]), 0);
    for (size_t t = 0; t < THREADS; t++)
        ck_assert_int_eq(pthread_join(threads[t], NULL), 0);
    for (size_t i = 0; i < THREADS * FORMS * REHEARSED; i++) {
        const size_t t = i % THREADS, at = i / THREADS;
        const Case *c = &rehearsed[at / FORMS];
        Data *d = &workers[t].data[at];

        ck_assert_mem_eq(d->c_operand.data, workers[0].data[at].c_operand.data,
                         c->m * d->ldc * mae_dtype_size(c->out));
    }
    for (size_t i = 0; i < THREADS * FORMS * REHEARSED; i++)
        drop(&workers[i % THREADS].data[i / THREADS]);
    mae_gemm_close(gemm);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("kernel_gemm");
    TCase *tc = tcase_create("ref");

    tcase_set_timeout(tc, 120);
    tcase_add_loop_test(tc, agrees_with_loops, 0, KINDS * FORMS);
    tcase_add_loop_test(tc, opens_and_describes, 0, KINDS);
    tcase_add_test(tc, native_is_what_auto_opens);
    tcase_add_test(tc, refuses_bf16_of_openblas);
    tcase_add_loop_test(tc, refuses_bf16_without_instructions, 0, MAE_GEMM_ONEDNN + 1);
    tcase_add_loop_test(tc, works_in_a_forked_child, 0, KINDS);
    tcase_add_loop_test(tc, rehearsal_prepares_every_shape, 0, KINDS);
    tcase_add_loop_test(tc, threads_give_the_same_bits, 0, 2 * KINDS);
    suite_add_tcase(suite, tc);
    return mae_test_main(suite);
}
