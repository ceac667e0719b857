#include "nn/pos_embed.h"

#include <stdio.h>
#include <stdlib.h>

#include "support/test.h"

#define TOLERANCE 1e-5

/* Table "<prefix>" of the reference file against [1+h*w,width] numbers of ours. */
static void compare(const char *name, const float *got, size_t count)
{
    size_t n;
    float *want = mae_test_h5_floats(mae_test_golden("pos_embed.h5"), name, &n);

    ck_assert_uint_eq(n, count);
    mae_test_close(name, got, want, n, TOLERANCE, 0.0);
    free(want);
}

START_TEST(sincos_equals_the_reference)
{
    static const size_t CASES[][2] = {{32, 7}, {48, 8}, {64, 14}};
    const size_t width = CASES[_i][0], grid = CASES[_i][1];
    const size_t count = (1 + grid * grid) * width;
    float *pos = mae_test_alloc(count * sizeof *pos);
    char name[64];

    (void)snprintf(name, sizeof name, "sincos_d%zu_grid%zu", width, grid);
    mae_pos_embed_sincos(pos, grid, grid, width);
    compare(name, pos, count);
    free(pos);
}
END_TEST

START_TEST(bicubic_equals_the_reference)
{
    static const size_t CASES[][3] = {{32, 7, 4}, {48, 8, 12}};
    const size_t width = CASES[_i][0], from = CASES[_i][1], to = CASES[_i][2];
    const size_t count = (1 + to * to) * width;
    float *in = mae_test_alloc((1 + from * from) * width * sizeof *in);
    float *out = mae_test_alloc(count * sizeof *out);
    char name[64];

    (void)snprintf(name, sizeof name, "bicubic_d%zu_from%zu_to%zu", width, from, to);
    mae_pos_embed_sincos(in, from, from, width);
    mae_pos_embed_resize(out, to, to, in, from, from, width);
    compare(name, out, count);
    free(in);
    free(out);
}
END_TEST

/* Width comes first: neighbours in a row differ in the first half only. */
START_TEST(rows_and_columns_of_an_oblong_grid)
{
    enum { H = 2, W = 3, D = 8 };
    float pos[(1 + H * W) * D];

    mae_pos_embed_sincos(pos, H, W, D);
    for (size_t i = 0; i < D; i++)
        ck_assert(pos[i] == 0.0f);
    mae_test_close("second halves along a row", pos + D + D / 2, pos + 2 * D + D / 2,
                   D / 2, 0.0, 0.0);
    mae_test_close("first halves along a column", pos + D, pos + (1 + W) * D, D / 2, 0.0,
                   0.0);
    ck_assert(pos[D] != pos[2 * D]);
}
END_TEST

START_TEST(resizing_to_the_same_grid_copies)
{
    enum { H = 3, W = 4, D = 4, COUNT = (1 + H * W) * D };
    float *in = mae_test_normal(COUNT, 1, 2), out[COUNT];

    mae_pos_embed_resize(out, H, W, in, H, W, D);
    mae_test_close("copy", out, in, COUNT, 1e-6, 0.0);
    free(in);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("position embeddings");
    TCase *tc = tcase_create("tables");

    tcase_add_loop_test(tc, sincos_equals_the_reference, 0, 3);
    tcase_add_loop_test(tc, bicubic_equals_the_reference, 0, 2);
    tcase_add_test(tc, rows_and_columns_of_an_oblong_grid);
    tcase_add_test(tc, resizing_to_the_same_grid_copies);
    suite_add_tcase(suite, tc);
    return mae_test_main(suite);
}
