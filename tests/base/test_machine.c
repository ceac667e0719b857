#include "base/machine.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "support/test.h"

/* The kernel adds up a thread's pages now and then. */
enum { BLOCK = 64 << 20, SLACK = 1 << 20 };

START_TEST(peak_memory_rises_and_stays)
{
    const size_t before = mae_machine_peak_memory();
    char *block = malloc(BLOCK);
    size_t peak;

    ck_assert_ptr_nonnull(block);
    memset(block, 1, BLOCK);
    peak = mae_machine_peak_memory();
    ck_assert_int_eq(block[BLOCK / 2], 1);
    free(block);
    ck_assert_uint_gt(before, 0);
    ck_assert_uint_ge(peak, before + BLOCK / 2);
    ck_assert_uint_ge(mae_machine_peak_memory() + SLACK, peak);
}
END_TEST

START_TEST(address_space_grows_untouched)
{
    const size_t before = mae_machine_address_space();
    char *block = malloc(BLOCK);
    const size_t with = mae_machine_address_space();

    ck_assert_ptr_nonnull(block);
    free(block);
    ck_assert_uint_gt(before, 0);
    ck_assert_uint_ge(with, before + BLOCK);
}
END_TEST

START_TEST(processor_is_one_line)
{
    char text[128] = "x", cut[4] = "x";

    mae_machine_processor(text, sizeof text);
    ck_assert_ptr_null(strchr(text, '\n'));
    mae_machine_processor(cut, sizeof cut);
    ck_assert_uint_lt(strlen(cut), sizeof cut);
    ck_assert_int_eq(strncmp(cut, text, strlen(cut)), 0);
}
END_TEST

/* Each set holds the ones before it. */
START_TEST(instructions_are_nested)
{
    ck_assert(!mae_machine_has(MAE_ISA_AVX512_BF16) || mae_machine_has(MAE_ISA_AVX512));
    ck_assert(!mae_machine_has(MAE_ISA_AVX512) || mae_machine_has(MAE_ISA_AVX2));
    ck_assert(!mae_machine_has(MAE_ISA_AVX2) || mae_machine_has(MAE_ISA_SSE42));
}
END_TEST

START_TEST(processor_time_passes_while_computing)
{
    const double started = mae_clock_processor(), wall = mae_clock_now();
    volatile double sum = 0.0;

    while (mae_clock_processor() - started < 0.01 && mae_clock_now() - wall < 3.0)
        for (int i = 0; i < 1000; i++)
            sum += (double)i;
    ck_assert_double_ge(mae_clock_processor() - started, 0.01);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("machine");
    TCase *tc = tcase_create("machine");

    tcase_add_test(tc, peak_memory_rises_and_stays);
    tcase_add_test(tc, address_space_grows_untouched);
    tcase_add_test(tc, processor_is_one_line);
    tcase_add_test(tc, instructions_are_nested);
    tcase_add_test(tc, processor_time_passes_while_computing);
    suite_add_tcase(suite, tc);
    return mae_test_main(suite);
}
