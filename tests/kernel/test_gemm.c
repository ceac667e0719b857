#define _XOPEN_SOURCE 700 /* setenv */
#include "kernel/gemm.h"

#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/machine.h"
#include "base/pool.h"
#include "gemm_reference.h"
#include "support/operand.h"
#include "support/test.h"

static MaeError err;

enum { THREADS = 3 };

/* Epilogues: none, bias x no, other and own residual into f32; bias into operands. */
enum { EPILOGUES = 8 };

static RefCase epilogue(RefCase c, MaeDtype operand, int i)
{
    c.has_bias = i % 2 == 1;
    c.res = i < 6 ? i / 2 : RES_NONE;
    c.out = i < 6 ? MAE_F32 : operand;
    return c;
}

START_TEST(agrees_with_loops)
{
    static const size_t special[][4] = {
        {1, 1, 1, 0},       {3, 5, 0, 1},       {1, 70, 33, 0},    {64, 1, 31, 2},
        {17, 19, 1, 1},     {1, 1, 300, 0},     {16, 32, 64, 0},   {150, 260, 130, 0},
        {257, 129, 300, 3}, {150, 70, 1101, 1}, {6, 64, 2050, 16},
    };
    const RefForm *f = &ref_forms[_i % FORMS];
    MaeGemm *gemm = ref_open_kind((size_t)_i / FORMS, 1);
    MaeRng rng;

    if (gemm == NULL)
        return;
    mae_rng_init(&rng, ref_seed(), 1, (uint64_t)_i, MAE_RNG_TEST);
    for (int round = 0; round < 6 * EPILOGUES; round++) {
        const RefCase c = {.m = 1 + mae_rng_below(&rng, 70),
                           .n = 1 + mae_rng_below(&rng, 70),
                           .k = mae_rng_below(&rng, 80),
                           .pad = mae_rng_below(&rng, 5)};
        const RefCase with = epilogue(c, mae_gemm_operand(gemm), round % EPILOGUES);

        ref_check(gemm, f, &with);
    }
    for (int i = 0; i < EPILOGUES * (int)(sizeof special / sizeof *special); i++) {
        const size_t *of = special[i / EPILOGUES];
        const RefCase c = {.m = of[0], .n = of[1], .k = of[2], .pad = of[3]};
        const RefCase with = epilogue(c, mae_gemm_operand(gemm), i % EPILOGUES);

        ref_check(gemm, f, &with);
    }
    f->run(gemm, mae_operand_f32(NULL), 1, NULL, 1, NULL, 1, 0, 0, 0, NULL, NULL);
    mae_gemm_close(gemm);
}
END_TEST

/* --- opening ---------------------------------------------------------------------- */

START_TEST(opens_and_describes)
{
    static const char *const names[] = {"OpenBLAS ", "oneDNN ", "oneDNN ", "built-in "};
    MaeGemm *gemm = ref_open_kind((size_t)_i, 3), *many, *like;
    MaeGemmOptions options;

    mae_gemm_close(NULL);
    if (gemm == NULL)
        return;
    options = mae_gemm_options(gemm);
    ck_assert_ok(mae_gemm_open(&like, &options, &err));
    ck_assert_str_eq(mae_gemm_backend(like), mae_gemm_backend(gemm));
    ck_assert_uint_eq(mae_gemm_threads(like), 3);
    ck_assert_int_eq(mae_gemm_operand(like), ref_kinds[_i].type);
    mae_gemm_close(like);
    ck_assert_msg(strncmp(mae_gemm_backend(gemm), names[_i], strlen(names[_i])) == 0,
                  "%s", mae_gemm_backend(gemm));
    (void)fprintf(stderr, "%s\n", mae_gemm_backend(gemm));
    ck_assert_uint_eq(mae_gemm_threads(gemm), 3);
    ck_assert_int_eq(mae_gemm_operand(gemm), ref_kinds[_i].type);
    ck_assert_ptr_eq(mae_gemm_thread(gemm, 0), gemm);
    ck_assert_ptr_eq(mae_gemm_thread(mae_gemm_thread(gemm, 2), 1),
                     mae_gemm_thread(gemm, 1));
    ck_assert_ptr_ne(mae_gemm_thread(gemm, 1), gemm);
    mae_gemm_close(gemm);
    many = ref_open_kind((size_t)_i, 0);
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

/* The processor, and what oneDNN takes it for, may be older; every test is a process. */
bool __real_mae_machine_has(MaeIsa isa);
bool __wrap_mae_machine_has(MaeIsa isa);

static bool is_older;

bool __wrap_mae_machine_has(MaeIsa isa)
{
    return (!is_older || isa < MAE_ISA_AVX512) && __real_mae_machine_has(isa);
}

START_TEST(refuses_bf16_without_instructions)
{
    const MaeGemmOptions f32 = {MAE_F32, MAE_GEMM_AUTO, 1};
    const MaeGemmOptions bf16 = {MAE_BF16, (MaeGemmBackend)_i, 1};
    MaeGemm *gemm = (MaeGemm *)&err;

    ck_assert_int_eq(setenv("ONEDNN_MAX_CPU_ISA", "AVX2", 1),
                     0); /* before its first use */
    if (_i == MAE_GEMM_OPENBLAS || (_i == MAE_GEMM_ONEDNN && !test_has_onednn()))
        return;
    is_older = true;
    ck_assert(!mae_gemm_native(MAE_BF16));
    ck_assert_fails(mae_gemm_open(&gemm, &bf16, &err), MAE_ERR_ARG,
                    "expected f32, got bf16: this ");
    ck_assert_ptr_null(gemm);
    ck_assert_ok(mae_gemm_open(&gemm, &f32, &err));
    ck_assert_ptr_nonnull(strstr(mae_gemm_backend(gemm), "OpenBLAS"));
    mae_gemm_close(gemm);
}
END_TEST

START_TEST(refuses_f32_of_our_own)
{
    const MaeGemmOptions options = {MAE_F32, MAE_GEMM_BUILTIN, 1};
    MaeGemm *gemm = (MaeGemm *)&err;

    ck_assert_fails(mae_gemm_open(&gemm, &options, &err), MAE_ERR_ARG,
                    "got builtin, which multiplies bf16 only");
    ck_assert_ptr_null(gemm);
}
END_TEST

/* The OpenMP variant of OpenBLAS hangs here. */
START_TEST(works_in_a_forked_child)
{
    const RefCase c = {.m = 200, .n = 200, .k = 200};
    MaeGemm *gemm = ref_open_kind((size_t)_i, 1);
    pid_t child;
    int status;

    if (gemm == NULL)
        return;
    ref_check(gemm, &ref_forms[0], &c);
    child = fork();
    ck_assert_int_ge(child, 0);
    if (child == 0) {
        ref_check(gemm, &ref_forms[0], &c);
        _exit(0);
    }
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert_int_eq(status, 0);
    mae_gemm_close(gemm);
}
END_TEST

/* --- rehearsal -------------------------------------------------------------------- */

static const RefCase rehearsed[] = {
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
        const RefCase *c = &rehearsed[i / FORMS];
        const RefForm *f = &ref_forms[i % FORMS];
        RefData d = ref_make(f, mae_gemm_operand(gemm), c);
        float *before = ref_copy(d.c_operand.data, c->m * d.ldc);

        ref_multiply(gemm, f, c, &d);
        ck_assert_mem_eq(d.c_operand.data, before, c->m * d.ldc * sizeof *before);
        free(before);
        ref_drop(&d);
    }
}

START_TEST(rehearsal_prepares_every_shape)
{
    const RefCase other = {.m = 7, .n = 7, .k = 7}, empty = {.m = 7, .n = 7};
    const MaeGemmBatch batch[] = {{1, 0, 0, 0}, {1, 0, 0, 0}};
    float a[49] = {0}, b[49] = {0}, c[49];
    MaeGemm *gemm = ref_open_kind((size_t)_i, 2);

    if (gemm == NULL)
        return;
    ck_assert_uint_eq(mae_gemm_shapes(gemm), 0);
    if (!mae_gemm_rehearse(gemm)) {
        ck_assert_int_ne(ref_kinds[_i].backend, MAE_GEMM_ONEDNN);
        ref_check(gemm, &ref_forms[0], &other);
        ck_assert_uint_eq(mae_gemm_shapes(gemm), 0);
        mae_gemm_close(gemm);
        return;
    }
    ck_assert_int_eq(ref_kinds[_i].backend, MAE_GEMM_ONEDNN);
    for (size_t round = 0; round < 2; round++) {
        rehearse_all(mae_gemm_thread(gemm, round));
        ck_assert_uint_eq(mae_gemm_shapes(gemm), FORMS * REHEARSED);
    }
    ck_assert_ok(mae_gemm_rehearsed(gemm, &err));
    for (size_t i = 0; i < 2 * FORMS * REHEARSED; i++)
        ref_check(mae_gemm_thread(gemm, i % 2), &ref_forms[i / 2 % FORMS],
                  &rehearsed[i / 2 / FORMS]);
    ref_check(gemm, &ref_forms[0], &empty); /* an empty sum needs no library */
    ck_assert_uint_eq(mae_gemm_shapes(gemm), FORMS * REHEARSED);
    ref_check(gemm, &ref_forms[0], &other);
    mae_gemm_batch(gemm, MAE_GEMM_NT, mae_operand_f32(c), 7, a, 7, b, 7, 7, 7, 7, batch,
                   false);
    ck_assert_uint_eq(mae_gemm_shapes(gemm), FORMS * REHEARSED + 1);
    mae_gemm_close(gemm);
}
END_TEST

/* C of a case, to be freed; the residual, if it is C itself, is as it was at first. */
static float *result(const MaeGemm *gemm, const RefForm *f, const RefCase *c, RefData *d,
                     const float *before)
{
    const size_t bytes = c->m * d->ldc * mae_dtype_size(c->out);

    memcpy(d->c_operand.data, before, bytes);
    ref_multiply(gemm, f, c, d);
    return ref_copy(d->c_operand.data, c->m * d->ldc);
}

/*
 * A held B gives the product of any other; once released, and only then, a change counts.
 * Other products with the same shape go on reading their own B.
 */
static void check_held(const MaeGemm *gemm, const RefForm *f, const RefCase *c)
{
    RefData d = ref_make(f, mae_gemm_operand(gemm), c);
    const size_t rows = f->b_turned ? c->n : c->k, values = rows * d.ldb;
    const size_t bytes = values * mae_dtype_size(d.b_operand.type);
    const size_t shapes = mae_gemm_shapes(gemm);
    float *before = ref_copy(d.c_operand.data, c->m * d.ldc);
    float *want = result(gemm, f, c, &d, before), *got, *zero;

    mae_gemm_hold(gemm, d.b_operand.data, bytes);
    if (mae_gemm_rehearse(gemm)) {
        ref_multiply(gemm, f, c, &d);
        ck_assert_ok(mae_gemm_rehearsed(gemm, &err));
        ck_assert_uint_ge(mae_gemm_shapes(gemm), shapes + 1);
    }
    got = result(gemm, f, c, &d, before);
    mae_test_close("held", got, want, c->m * d.ldc, 1e-6, 1e-6);
    mae_gemm_release(gemm, d.b_operand.data);
    memset(d.b_operand.data, 0, bytes);
    zero = result(gemm, f, c, &d, before);
    for (size_t i = 0; i < c->m * d.ldc; i++)
        ck_assert(c->res != RES_NONE || c->has_bias || i % d.ldc >= c->n ||
                  zero[i] == 0.0f);
    free(before);
    free(want);
    free(got);
    free(zero);
    ref_drop(&d);
}

START_TEST(held_operands_are_read_once)
{
    MaeGemm *gemm = ref_open_kind((size_t)_i, 1);
    size_t shapes;

    if (gemm == NULL)
        return;
    for (size_t i = 0; i < FORMS * REHEARSED; i++)
        check_held(gemm, &ref_forms[i % FORMS], &rehearsed[i / FORMS]);
    shapes = mae_gemm_shapes(gemm);
    for (size_t i = 0; i < FORMS * REHEARSED; i++)
        check_held(gemm, &ref_forms[i % FORMS], &rehearsed[i / FORMS]);
    ck_assert_uint_eq(mae_gemm_shapes(gemm), shapes); /* released ones are forgotten */
    mae_gemm_release(gemm, &err);                     /* never held */
    mae_gemm_close(gemm);
}
END_TEST

static void check_packed(const MaeGemm *gemm, const RefCase *c)
{
    const RefForm *nt = &ref_forms[0];
    RefData d = ref_make(nt, mae_gemm_operand(gemm), c);
    const size_t bytes = c->n * c->k * mae_dtype_size(mae_gemm_operand(gemm));
    const size_t results = c->m * d.ldc * mae_dtype_size(c->out);
    void *b = aligned_alloc(64, bytes), *scratch = mae_test_alloc(bytes);
    void *want = mae_test_alloc(results);

    ck_assert(nt->b_turned && !nt->a_turned && c->pad == 0);
    ck_assert_ptr_nonnull(b);
    memcpy(b, d.b_operand.data, bytes);
    ck_assert(mae_gemm_packs(gemm, b, c->n, c->k));
    ref_multiply(gemm, nt, c, &d);
    memcpy(want, d.c_operand.data, results);
    memset(d.c_operand.data, 0, results);
    mae_gemm_pack(gemm, b, c->n, c->k, scratch);
    mae_gemm_nt(gemm, d.c_operand, d.ldc, d.a_operand.data, d.lda, b, MAE_GEMM_PACKED,
                c->m, c->n, c->k, c->has_bias ? d.bias : NULL,
                c->res == RES_OTHER ? d.res : NULL);
    ck_assert_mem_eq(d.c_operand.data, want, results);
    free(b);
    free(scratch);
    free(want);
    ref_drop(&d);
}

/* Packed beforehand: no bit changes; what cannot be packed is refused and left. */
START_TEST(packed_operands)
{
    static const RefCase cases[4] = {
        {.m = 1, .n = 16, .k = 2},
        {.m = 50, .n = 192, .k = 64, .has_bias = true},
        {.m = 197, .n = 80, .k = 1026, .has_bias = true, .res = RES_OTHER},
        {.m = 7, .n = 64, .k = 3072, .out = MAE_BF16},
    };
    MaeGemm *gemm = ref_open_kind((size_t)_i, 1);
    char odd[64] __attribute__((aligned(64))) = {0};

    if (gemm == NULL)
        return;
    ck_assert(!mae_gemm_packs(gemm, odd, 15, 2));
    ck_assert(!mae_gemm_packs(gemm, odd, 16, 3));
    ck_assert(!mae_gemm_packs(gemm, odd + 2, 16, 2));
    for (size_t i = 0; ref_kinds[_i].backend == MAE_GEMM_BUILTIN && i < 4; i++)
        check_packed(gemm, &cases[i]);
    mae_gemm_close(gemm);
}
END_TEST

/* --- threads ---------------------------------------------------------------------- */

/* One thread's results of all rehearsed cases. */
typedef struct Worker {
    const MaeGemm *gemm;
    RefData data[FORMS * REHEARSED];
} Worker;

static void *work(void *ctx)
{
    Worker *w = ctx;

    for (size_t round = 0; round < 20; round++) {
        for (size_t i = 0; i < FORMS * REHEARSED; i++) {
            if (rehearsed[i / FORMS].res != RES_SELF || round == 0)
                ref_multiply(w->gemm, &ref_forms[i % FORMS], &rehearsed[i / FORMS],
                             &w->data[i]);
        }
    }
    return NULL;
}

/* Whether shapes were prepared or all threads meet them at once. */
START_TEST(threads_give_the_same_bits)
{
    MaeGemm *gemm = ref_open_kind((size_t)_i / 2, THREADS);
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
            workers[t].data[i] = ref_make(&ref_forms[i % FORMS], mae_gemm_operand(gemm),
                                          &rehearsed[i / FORMS]);
    }
    for (size_t t = 0; t < THREADS; t++)
        ck_assert_int_eq(pthread_create(&threads[t], NULL, work, &workers[t]), 0);
    for (size_t t = 0; t < THREADS; t++)
        ck_assert_int_eq(pthread_join(threads[t], NULL), 0);
    for (size_t i = 0; i < THREADS * FORMS * REHEARSED; i++) {
        const size_t t = i % THREADS, at = i / THREADS;
        const RefCase *c = &rehearsed[at / FORMS];
        RefData *d = &workers[t].data[at];

        ck_assert_mem_eq(d->c_operand.data, workers[0].data[at].c_operand.data,
                         c->m * d->ldc * mae_dtype_size(c->out));
    }
    for (size_t i = 0; i < THREADS * FORMS * REHEARSED; i++)
        ref_drop(&workers[i % THREADS].data[i / THREADS]);
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
    tcase_add_loop_test(tc, refuses_bf16_without_instructions, 0, MAE_GEMM_BUILTIN + 1);
    tcase_add_test(tc, refuses_f32_of_our_own);
    tcase_add_loop_test(tc, works_in_a_forked_child, 0, KINDS);
    tcase_add_loop_test(tc, rehearsal_prepares_every_shape, 0, KINDS);
    tcase_add_loop_test(tc, held_operands_are_read_once, 0, KINDS);
    tcase_add_loop_test(tc, packed_operands, 0, KINDS);
    tcase_add_loop_test(tc, threads_give_the_same_bits, 0, 2 * KINDS);
    suite_add_tcase(suite, tc);
    return mae_test_main(suite);
}
