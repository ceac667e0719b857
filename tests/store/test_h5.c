#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "paths.h"
#include "store/h5in.h"
#include "store/h5out.h"
#include "support/test.h"

START_TEST(tensors_in_groups)
{
    const size_t shape[] = {2, 3}, one = 1;
    const float x[] = {1, 2, 3, 4, 5, 6};
    const int64_t ids[] = {-1, INT64_MAX, 0, 1, 2, 3};
    static const char *const texts[] = {"a.jpg", "", "b"};
    char *folder = mae_test_folder();
    const Path path = path_in(folder, "dump.h5");
    MaeError err = {0};
    MaeTensorInfo info;
    int64_t ints[6];
    float back[6];
    MaeH5Out *out;
    MaeH5In *in;

    ck_assert_ok(mae_h5out_create(&out, path.text, &err));
    mae_h5out_floats(out, "norm_pix_1/pred", x, shape, 2);
    mae_h5out_floats(out, "norm_pix_1/loss", x, NULL, 0);
    mae_h5out_ints(out, "ids", ids, shape, 2);
    mae_h5out_text_list(out, "paths", texts, 3);
    mae_h5out_text(out, "tool", "test");
    ck_assert_ok(mae_h5out_check(out, &err));
    ck_assert_ok(mae_h5out_commit(out, &err));

    ck_assert_ok(mae_h5in_open(&in, path.text, &err));
    ck_assert_ok(mae_h5in_floats(in, "norm_pix_1/pred", back, shape, 2, &err));
    ck_assert_mem_eq(back, x, sizeof x);
    ck_assert_ok(mae_h5in_floats(in, "norm_pix_1/loss", back, NULL, 0, &err));
    ck_assert_ok(mae_h5in_ints(in, "ids", ints, shape, 2, &err));
    ck_assert_mem_eq(ints, ids, sizeof ids);
    ck_assert_ok(mae_h5in_floats(in, "ids", back, shape, 2, &err));
    ck_assert_double_eq((double)back[0], -1.0);
    ck_assert_ok(mae_h5in_info(in, "norm_pix_1/pred", &info, &err));
    ck_assert_uint_eq(info.ndim, 2);
    ck_assert_uint_eq(info.shape[1], 3);
    ck_assert(mae_h5in_has(in, "norm_pix_1"));
    ck_assert(!mae_h5in_has(in, "norm_pix_1/none"));
    ck_assert(!mae_h5in_has(in, "ids/none"));
    ck_assert_fails(mae_h5in_floats(in, "ids", back, &one, 1, &err), MAE_ERR_SHAPE,
                    "dump.h5: ids: expected [1], got [2,3]");
    ck_assert_fails(mae_h5in_ints(in, "norm_pix_1/pred", ints, shape, 2, &err),
                    MAE_ERR_FORMAT, "expected integers, found floats");
    ck_assert_fails(mae_h5in_floats(in, "paths", back, &one, 1, &err), MAE_ERR_FORMAT,
                    "paths: expected integers or IEEE floats");
    mae_h5in_close(in);
    mae_h5in_close(NULL);
    mae_test_folder_remove(folder);
}
END_TEST

START_TEST(rows_arrive_in_any_order)
{
    const size_t shape[] = {5, 2, 3};
    float *rows = mae_test_normal(30, 1, 1), back[30];
    char *folder = mae_test_folder();
    const Path path = path_in(folder, "f.h5");
    MaeError err = {0};
    MaeH5Out *out;
    MaeH5In *in;

    ck_assert_ok(mae_h5out_create(&out, path.text, &err));
    mae_h5out_define(out, "features", shape, 3);
    mae_h5out_rows(out, "features", 3, 2, rows + 18);
    mae_h5out_rows(out, "features", 0, 2, rows);
    mae_h5out_rows(out, "features", 5, 0, rows);
    ck_assert_ok(mae_h5out_commit(out, &err));
    ck_assert_ok(mae_h5in_open(&in, path.text, &err));
    ck_assert_ok(mae_h5in_floats(in, "features", back, shape, 3, &err));
    memset(rows + 12, 0, 6 * sizeof *rows);
    ck_assert_mem_eq(back, rows, sizeof back);
    mae_h5in_close(in);

    ck_assert_ok(mae_h5out_create(&out, path.text, &err));
    mae_h5out_define(out, "features", shape, 3);
    mae_h5out_rows(out, "features", 4, 2, rows);
    ck_assert_fails(mae_h5out_commit(out, &err), MAE_ERR_ARG, "has fewer rows");
    ck_assert_ok(mae_h5in_open(&in, path.text, &err)); /* the older file is still there */
    mae_h5in_close(in);
    free(rows);
    mae_test_folder_remove(folder);
}
END_TEST

START_TEST(a_full_disk_is_reported)
{
    const size_t shape[] = {1000, 100};
    float *data = mae_test_normal(100000, 1, 1);
    char *folder = mae_test_folder();
    const Path path = path_in(folder, "f.h5");
    MaeError err = {0};
    MaeH5Out *out;

    for (size_t n = 1; n < 4; n++) {
        MaeFaults faults = {.fail_at = n, .error = ENOSPC};

        ck_assert_ok(mae_h5out_create_with(&out, path.text, 0, &faults, &err));
        mae_h5out_floats(out, "a", data, shape, 2);
        mae_h5out_define(out, "b", shape, 2);
        for (size_t row = 0; row < 1000; row += 10)
            mae_h5out_rows(out, "b", row, 10, data);
        ck_assert_fails(mae_h5out_commit(out, &err), MAE_ERR_IO, "No space left");
        ck_assert(!path_exists(folder, "f.h5.mae-tmp"));
    }
    free(data);
    mae_test_folder_remove(folder);
}
END_TEST

/* Files of other programs: the golden tensors were written by h5py. */
START_TEST(golden_files)
{
    const char *path = mae_test_golden("mae_rgb.h5");
    MaeError err = {0};
    MaeTensorInfo *list, info;
    size_t count, n, elements;
    float *want, *got;
    MaeH5In *in;

    ck_assert_ok(mae_h5in_open(&in, path, &err));
    ck_assert_ok(mae_h5in_list(in, MAE_H5_NUMBERS, &list, &count, &err));
    ck_assert_uint_gt(count, 100);
    for (size_t i = 1; i < count; i++)
        ck_assert_int_lt(strcmp(list[i - 1].name, list[i].name), 0);
    free(list);
    ck_assert_ok(mae_h5in_info(in, "params/blocks.0.attn.qkv.weight", &info, &err));
    ck_assert(mae_tensor_count(&elements, info.shape, info.ndim, 1 << 20));
    want = mae_test_h5_floats(path, info.name, &n);
    ck_assert_uint_eq(n, elements);
    got = mae_test_alloc(n * sizeof *got);
    ck_assert_ok(mae_h5in_floats(in, info.name, got, info.shape, info.ndim, &err));
    ck_assert_mem_eq(got, want, n * sizeof *got);
    free(got);
    free(want);
    mae_h5in_close(in);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("store_h5");
    TCase *tc = tcase_create("unit");

    tcase_set_timeout(tc, 60);
    tcase_add_test(tc, tensors_in_groups);
    tcase_add_test(tc, rows_arrive_in_any_order);
    tcase_add_test(tc, a_full_disk_is_reported);
    tcase_add_test(tc, golden_files);
    suite_add_tcase(suite, tc);
    return mae_test_main(suite);
}
