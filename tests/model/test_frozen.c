/* Classifiers of which only the last halves of blocks are trained. */
#include <math.h>
#include <string.h>

#include "classifier_fixture.h"
#include "support/test.h"

enum { IMAGES = TEST_CLASSIFIER_IMAGES, DEPTH = 3, HALVES = 2 * DEPTH };

/* Odd shapes: 17 tokens, 30 images in tiles of 12 and less. */
static const MaeArch arch = {.grid = {2, 20, 20, 5},
                             .embed_dim = 12,
                             .depth = DEPTH,
                             .heads = 3,
                             .mlp_ratio = 2.0,
                             .classes = 5,
                             .pooling = MAE_POOL_MEAN};

static void bench_open(TestClassifier *b, MaeDtype type, size_t trained, MaeKeep keep,
                       size_t threads)
{
    const TestClassifierOptions options = {type, trained, keep, 0.1, threads};

    test_classifier_open(b, &arch, &options);
}

static void bench_run(TestClassifier *b, const float *scales)
{
    test_fill(b->dw, b->model.table.total, NAN);
    mae_classifier_forward(&b->run, b->weights, b->images, scales, IMAGES);
    b->loss = mae_classifier_loss(&b->run, b->targets, IMAGES, 1.0);
    mae_classifier_backward(&b->run, b->dw, MAE_GRAD_SET, b->weights, scales, IMAGES);
}

/* What is trained gets the very gradient it gets when all is; nothing else gets one. */
static void compare_with_full(const TestClassifier *b, const TestClassifier *full)
{
    ck_assert_double_eq(b->loss, full->loss);
    ck_assert_mem_eq(b->run.logits, full->run.logits,
                     IMAGES * arch.classes * sizeof(float));
    for (size_t i = 0; i < b->model.table.count; i++) {
        const MaeParamEntry *e = &b->model.table.entries[i];

        if (!(e->flags & MAE_PARAM_FIXED))
            ck_assert_msg(memcmp(b->dw + e->at.off, full->dw + e->at.off,
                                 e->at.count * sizeof(float)) == 0,
                          "%s: another gradient", e->name);
        for (size_t k = 0; k < e->at.count && (e->flags & MAE_PARAM_FIXED); k++)
            ck_assert_msg(isnan(b->dw[e->at.off + k]), "%s: has a gradient", e->name);
    }
}

START_TEST(gradients_are_those_of_full_training)
{
    static const size_t threads[] = {1, 2, 3};
    const MaeDtype type = (MaeDtype)(_i % TEST_DTYPES);
    const size_t trained = (size_t)_i / TEST_DTYPES % (HALVES + 1);
    const MaeKeep keep = _i / TEST_DTYPES > HALVES ? MAE_KEEP_INPUTS : MAE_KEEP_ALL;
    TestClassifier full;

    if (!test_can_multiply(type))
        return;
    bench_open(&full, type, HALVES, MAE_KEEP_ALL, 2);
    bench_run(&full, NULL);
    for (size_t t = 0; t < 3; t++) {
        TestClassifier b;

        bench_open(&b, type, trained, keep, threads[t]);
        bench_run(&b, NULL);
        compare_with_full(&b, &full);
        test_classifier_close(&b);
    }
    test_classifier_close(&full);
}
END_TEST

/* Frozen blocks are not dropped: with all scales of the others at 1, nothing changes. */
START_TEST(drop_path_leaves_frozen_blocks_alone)
{
    const size_t trained = (size_t)_i, frozen = HALVES - trained;
    float scales[HALVES * IMAGES];
    TestClassifier full, b;

    bench_open(&full, MAE_F32, HALVES, MAE_KEEP_ALL, 1);
    bench_open(&b, MAE_F32, trained, MAE_KEEP_ALL, 2);
    for (size_t i = 0; i < HALVES * IMAGES; i++)
        scales[i] = i < frozen * IMAGES ? 1.0f : (float)(i % 3);
    bench_run(&full, scales);
    for (size_t i = 0; i < frozen * IMAGES; i++)
        scales[i] = NAN;
    bench_run(&b, scales);
    mae_test_close("logits", b.run.logits, full.run.logits, IMAGES * arch.classes, 0.0,
                   1e-5);
    for (size_t i = 0; i < b.model.table.count; i++) {
        const MaeParamEntry *e = &b.model.table.entries[i];

        if (!(e->flags & MAE_PARAM_FIXED))
            mae_test_close(e->name, b.dw + e->at.off, full.dw + e->at.off, e->at.count,
                           1e-6, 1e-4);
    }
    test_classifier_close(&b);
    test_classifier_close(&full);
}
END_TEST

/* Name of the first parameter that is trained with so many halves. */
static const char *const FIRST[HALVES + 1] = {"head.weight",
                                              "blocks.2.norm2.weight",
                                              "blocks.2.norm1.weight",
                                              "blocks.1.norm2.weight",
                                              "blocks.1.norm1.weight",
                                              "blocks.0.norm2.weight",
                                              "cls_token"};

START_TEST(what_is_trained)
{
    const MaeParamTable *table;
    size_t first = 0;
    TestClassifier b;

    bench_open(&b, MAE_F32, (size_t)_i, MAE_KEEP_ALL, 1);
    table = &b.model.table;
    while (table->entries[first].flags & MAE_PARAM_FIXED)
        first++;
    ck_assert_str_eq(table->entries[first].name, FIRST[_i]);
    for (size_t i = first; i < table->count; i++)
        ck_assert(!(table->entries[i].flags & MAE_PARAM_FIXED));
    test_classifier_close(&b);
}
END_TEST

/* Less is kept the less is trained. */
START_TEST(memory_shrinks)
{
    size_t bytes = SIZE_MAX;

    for (size_t trained = HALVES + 1; trained-- > 0;) {
        TestClassifier b;

        bench_open(&b, MAE_F32, trained, MAE_KEEP_ALL, 1);
        if (trained < HALVES - 1)
            ck_assert_uint_lt(b.run.arena.size, bytes);
        bytes = b.run.arena.size;
        test_classifier_close(&b);
    }
}
END_TEST

/* Whatever batches multiply was met in the rehearsal. */
START_TEST(rehearsals_are_complete)
{
    static const size_t sizes[] = {IMAGES, 7, 1};
    const MaeDtype type = (MaeDtype)(_i % TEST_DTYPES);
    const size_t trained = (size_t)_i / TEST_DTYPES;
    MaeError err = {0};
    size_t shapes;
    TestClassifier b;

    if (!test_can_multiply(type))
        return;
    bench_open(&b, type, trained, MAE_KEEP_ALL, 2);
    for (size_t i = 0; i < 3; i++)
        ck_assert_ok(mae_classifier_rehearse(&b.run, b.dw, MAE_GRAD_ADD, b.weights,
                                             sizes[i], &err));
    shapes = mae_gemm_shapes(b.compute.gemm);
    for (size_t i = 0; i < 3; i++) {
        mae_classifier_forward(&b.run, b.weights, b.images, NULL, sizes[i]);
        (void)mae_classifier_loss(&b.run, b.targets, sizes[i], 1.0);
        mae_classifier_backward(&b.run, b.dw, MAE_GRAD_SET, b.weights, NULL, sizes[i]);
        ck_assert_uint_eq(mae_gemm_shapes(b.compute.gemm), shapes);
    }
    test_classifier_close(&b);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("frozen");
    TCase *tc = tcase_create("frozen");

    tcase_set_timeout(tc, 120);
    tcase_add_loop_test(tc, gradients_are_those_of_full_training, 0,
                        2 * TEST_DTYPES * (HALVES + 1));
    tcase_add_loop_test(tc, drop_path_leaves_frozen_blocks_alone, 1, HALVES + 1);
    tcase_add_loop_test(tc, what_is_trained, 0, HALVES + 1);
    tcase_add_test(tc, memory_shrinks);
    tcase_add_loop_test(tc, rehearsals_are_complete, 0, TEST_DTYPES * (HALVES + 1));
    suite_add_tcase(suite, tc);
    return mae_test_main(suite);
}
