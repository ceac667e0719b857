#include "base/operand.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>

#include "support/test.h"

static float f32_of(uint32_t bits)
{
    float x;

    memcpy(&x, &bits, sizeof x);
    return x;
}

START_TEST(every_bf16_comes_back)
{
    for (uint32_t i = 0; i <= 0xffff; i++) {
        const float x = mae_bf16_f32((uint16_t)i);

        const uint32_t want = isnan(x) ? i | 0x40 : i; /* quiet, payload kept */

        if (mae_bf16(x) != want || (f32_of(i << 16) != x && !isnan(x)))
            ck_abort_msg("%x became %a and then %x", i, (double)x, mae_bf16(x));
    }
}
END_TEST

/* Against the definition: of the two neighbours the nearer one, at half way the even. */
START_TEST(rounds_to_nearest_even)
{
    for (uint32_t i = 0; i < 0x7f7f; i++) { /* all pairs of finite neighbours */
        const double low = (double)mae_bf16_f32((uint16_t)i);
        const double high = (double)mae_bf16_f32((uint16_t)(i + 1));
        const uint32_t at[] = {1, 0x1234, 0x7fff, 0x8000, 0x8001, 0xc0de, 0xffff};

        for (size_t k = 0; k < sizeof at / sizeof *at; k++) {
            const float x = f32_of(i << 16 | at[k]);
            const double below = (double)x - low, above = high - (double)x;
            const uint32_t want =
                below < above || (below == above && i % 2 == 0) ? i : i + 1;

            if (mae_bf16(x) != want || mae_bf16(-x) != (want | 0x8000))
                ck_abort_msg("%a: got %x, want %x", (double)x, mae_bf16(x), want);
        }
    }
}
END_TEST

START_TEST(special_values)
{
    const float largest = mae_bf16_f32(0x7f7f);

    ck_assert_uint_eq(mae_bf16(0.0f), 0);
    ck_assert_uint_eq(mae_bf16(-0.0f), 0x8000);
    ck_assert_uint_eq(mae_bf16(1.0f), 0x3f80);
    ck_assert_uint_eq(mae_bf16(INFINITY), 0x7f80);
    ck_assert_uint_eq(mae_bf16(-INFINITY), 0xff80);
    ck_assert_uint_eq(mae_bf16(FLT_MAX), 0x7f80); /* beyond the last half way */
    ck_assert_uint_eq(mae_bf16(largest), 0x7f7f);
    ck_assert_uint_eq(mae_bf16(f32_of(0x7f7f7fff)), 0x7f7f);
    ck_assert_uint_eq(mae_bf16(f32_of(0x7f7f8000)), 0x7f80);
    ck_assert_uint_eq(mae_bf16(FLT_MIN), 0x0080);
    ck_assert_uint_eq(mae_bf16(f32_of(0x00000001)), 0); /* denormals round as others do */
    ck_assert_uint_eq(mae_bf16(f32_of(0x00008001)), 1);
    ck_assert_uint_eq(mae_bf16(f32_of(0x007fffff)), 0x0080);
}
END_TEST

/* Also those whose payload is in the half that is cut off. */
START_TEST(nan_stays_nan)
{
    const uint32_t nans[] = {0x7f800001, 0x7f80ffff, 0x7fbfffff, 0x7fc00000,
                             0x7fffffff, 0xff800001, 0xffffffff};

    for (size_t i = 0; i < sizeof nans / sizeof *nans; i++) {
        const uint16_t got = mae_bf16(f32_of(nans[i]));

        ck_assert_msg(isnan(mae_bf16_f32(got)), "%x became %x", nans[i], got);
        ck_assert_uint_eq(got >> 15, nans[i] >> 31);
    }
}
END_TEST

START_TEST(views_and_offsets)
{
    float numbers[6] = {0};
    uint16_t halves[6] = {0};
    const MaeOperand f32 = mae_operand_f32(numbers), bf16 = {halves, MAE_BF16};
    const MaeWeights w = mae_weights_f32(numbers);
    const MaeWeights half = {.f32 = numbers, .operand = halves, .type = MAE_BF16};

    ck_assert_uint_eq(mae_dtype_size(MAE_F32), 4);
    ck_assert_uint_eq(mae_dtype_size(MAE_BF16), 2);
    ck_assert_str_eq(mae_dtype_name(MAE_F32), "f32");
    ck_assert_str_eq(mae_dtype_name(MAE_BF16), "bf16");
    ck_assert_int_eq(f32.type, MAE_F32);
    ck_assert_ptr_eq(mae_operand_at(f32, 5).data, numbers + 5);
    ck_assert_ptr_eq(mae_operand_at(bf16, 5).data, halves + 5);
    ck_assert_int_eq(mae_operand_at(bf16, 5).type, MAE_BF16);
    ck_assert_ptr_eq(mae_operand_view(numbers + 1).data, numbers + 1);
    ck_assert_int_eq(mae_operand_view(numbers).type, MAE_F32);
    ck_assert_ptr_eq(w.f32, numbers);
    ck_assert_ptr_eq(mae_weights_at(w, 3), numbers + 3);
    ck_assert_ptr_eq(mae_weights_at(half, 3), halves + 3);
}
END_TEST

START_TEST(carves_what_the_type_needs)
{
    const MaeDtype type = (MaeDtype)_i;
    MaeArena measure = mae_arena_measure(), arena;
    MaeError err = {0};
    MaeOperand x = mae_operand_carve(&measure, type, 1000);

    ck_assert_ptr_null(x.data);
    ck_assert_uint_ge(measure.used, 1000 * mae_dtype_size(type));
    ck_assert_ok(mae_arena_open(&arena, &measure, "test", &err));
    x = mae_operand_carve(&arena, type, 1000);
    ck_assert_int_eq(x.type, type);
    ck_assert_uint_eq((uintptr_t)x.data % 64, 0);
    memset(x.data, 1, 1000 * mae_dtype_size(type));
    x = mae_operand_carve(&arena, type, 1 << 20); /* more than is left */
    ck_assert_ptr_null(x.data);
    mae_arena_close(&arena);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("base_operand");
    TCase *tc = tcase_create("unit");

    tcase_add_test(tc, every_bf16_comes_back);
    tcase_add_test(tc, rounds_to_nearest_even);
    tcase_add_test(tc, special_values);
    tcase_add_test(tc, nan_stays_nan);
    tcase_add_test(tc, views_and_offsets);
    tcase_add_loop_test(tc, carves_what_the_type_needs, 0, 2);
    suite_add_tcase(suite, tc);
    return mae_test_main(suite);
}
