#include "base/pages.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "support/test.h"

/* Small ones, the first that asks for huge pages, and odd sizes beyond. */
START_TEST(blocks_are_aligned_and_zero)
{
    static const size_t sizes[] = {
        1, 64, 1000, 4 << 20, (4 << 20) + 1, (9 << 20) + 12345};
    const size_t size = sizes[_i];
    unsigned char *block = mae_pages_alloc(size);
    size_t used = 0;

    ck_assert_ptr_nonnull(block);
    ck_assert_uint_eq((uintptr_t)block % (size >= 4 << 20 ? 2 << 20 : 64), 0);
    for (size_t i = 0; i < size; i++)
        used += block[i] != 0;
    ck_assert_uint_eq(used, 0);
    memset(block, 7, size);
    ck_assert_uint_eq(block[size - 1], 7);
    mae_pages_free(block, size);
}
END_TEST

START_TEST(impossible_sizes_are_refused)
{
    ck_assert_ptr_null(mae_pages_alloc(SIZE_MAX));
    ck_assert_ptr_null(mae_pages_alloc(SIZE_MAX - 100));
    ck_assert_ptr_null(mae_pages_alloc(SIZE_MAX / 2));
    mae_pages_free(NULL, 1);
    mae_pages_free(NULL, SIZE_MAX);
    ck_assert(mae_pages_fit(64 << 20));
    ck_assert(!mae_pages_fit(SIZE_MAX / 2));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("pages");
    TCase *tc = tcase_create("unit");

    tcase_add_loop_test(tc, blocks_are_aligned_and_zero, 0, 6);
    tcase_add_test(tc, impossible_sizes_are_refused);
    suite_add_tcase(suite, tc);
    return mae_test_main(suite);
}
