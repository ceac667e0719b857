#include "base/rng.h"

#include <math.h>
#include <stdlib.h>

#include "support/test.h"

/* Known answers of Random123 1.14, kat_vectors, philox4x32 10. */
START_TEST(known_answers)
{
    static const struct {
        uint32_t ctr[4], key[2], out[4];
    } kat[] = {
        {{0, 0, 0, 0}, {0, 0}, {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}},
        {{0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff},
         {0xffffffff, 0xffffffff},
         {0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}},
        {{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344},
         {0xa4093822, 0x299f31d0},
         {0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}},
    };
    uint32_t out[4];

    mae_philox(out, kat[_i].ctr, kat[_i].key);
    for (size_t i = 0; i < 4; i++)
        ck_assert_uint_eq(out[i], kat[_i].out[i]);
}
END_TEST

START_TEST(streams_are_addressed)
{
    MaeRng a, b;
    uint32_t first;

    mae_rng_init(&a, 7, 3, 123, MAE_RNG_CROP);
    first = mae_rng_u32(&a);
    (void)mae_rng_u32(&a);
    mae_rng_init(&b, 7, 3, 123, MAE_RNG_CROP);
    ck_assert_uint_eq(mae_rng_u32(&b), first);
    mae_rng_init(&b, 7, 3, 123, MAE_RNG_MASK);
    ck_assert_uint_ne(mae_rng_u32(&b), first);
    mae_rng_init(&b, 7, 4, 123, MAE_RNG_CROP);
    ck_assert_uint_ne(mae_rng_u32(&b), first);
    mae_rng_init(&b, 8, 3, 123, MAE_RNG_CROP);
    ck_assert_uint_ne(mae_rng_u32(&b), first);
    mae_rng_init(&b, 7, 3, 123 + (1ull << 32), MAE_RNG_CROP);
    ck_assert_uint_ne(mae_rng_u32(&b), first);
}
END_TEST

START_TEST(moments)
{
    enum { N = 200000 };
    double sum = 0.0, sq = 0.0, usum = 0.0;
    MaeRng rng;

    mae_rng_init(&rng, 1, 0, 0, MAE_RNG_TEST);
    for (int i = 0; i < N; i++) {
        const double z = mae_rng_normal(&rng);

        sum += z;
        sq += z * z;
        usum += mae_rng_double(&rng);
    }
    ck_assert_double_lt(fabs(sum / N), 0.01);
    ck_assert_double_lt(fabs(sq / N - 1.0), 0.02);
    ck_assert_double_lt(fabs(usum / N - 0.5), 0.005);
}
END_TEST

/* Mean a / (a + b) and variance ab / ((a + b)^2 (a + b + 1)), within 5 standard errors;
 * shapes whose variates underflow as well. */
START_TEST(beta_has_its_moments)
{
    enum { N = 100000 };
    static const double shapes[][2] = {{0.8, 0.8},  {1.0, 1.0},   {0.2, 0.2},
                                       {2.5, 0.7},  {30.0, 12.0}, {1e-3, 1e-3},
                                       {1e-6, 1e-6}};
    const double a = shapes[_i][0], b = shapes[_i][1], s = a + b;
    const double mean = a / s, variance = a * b / (s * s * (s + 1.0));
    double sum = 0.0, squares = 0.0, fourth = 0.0;
    MaeRng rng;

    mae_rng_init(&rng, 3, 0, (uint64_t)_i, MAE_RNG_TEST);
    for (int i = 0; i < N; i++) {
        const double x = mae_rng_beta(&rng, a, b), d = x - mean;

        ck_assert(x >= 0.0 && x <= 1.0);
        sum += d;
        squares += d * d;
        fourth += d * d * d * d;
    }
    ck_assert_double_lt(fabs(sum / N), 5.0 * sqrt(variance / N));
    ck_assert_double_lt(fabs(squares / N - variance),
                        5.0 * sqrt((fourth / N - variance * variance) / N) + 1e-9);
}
END_TEST

/* Beta(1, 1) is uniform, Beta(a, 1) has the distribution function x^a. */
START_TEST(beta_has_its_distribution)
{
    enum { N = 100000 };
    static const double powers[] = {1.0, 0.3, 4.0};
    const double a = powers[_i];
    size_t below[9] = {0};
    MaeRng rng;

    mae_rng_init(&rng, 4, 0, (uint64_t)_i, MAE_RNG_TEST);
    for (int i = 0; i < N; i++) {
        const double x = mae_rng_beta(&rng, a, 1.0);

        for (size_t k = 0; k < 9; k++)
            below[k] += x < 0.1 * (double)(k + 1);
    }
    for (size_t k = 0; k < 9; k++) {
        const double want = pow(0.1 * (double)(k + 1), a);

        ck_assert_double_lt(fabs((double)below[k] / N - want), 5.0 * 0.5 / sqrt(N));
    }
}
END_TEST

START_TEST(permutation_is_complete_and_seeded)
{
    enum { N = 1000 };
    size_t *order = mae_test_alloc(N * sizeof *order);
    bool *seen = mae_test_alloc(N * sizeof *seen);
    size_t fixed = 0;
    MaeRng rng;

    mae_rng_init(&rng, 5, 0, 0, MAE_RNG_SHUFFLE);
    mae_rng_permute(&rng, order, N);
    for (size_t i = 0; i < N; i++) {
        ck_assert_uint_lt(order[i], N);
        ck_assert(!seen[order[i]]);
        seen[order[i]] = true;
        fixed += order[i] == i;
    }
    ck_assert_uint_lt(fixed, 10);
    free(order);
    free(seen);
}
END_TEST

START_TEST(below_is_in_range)
{
    size_t counts[7] = {0};
    MaeRng rng;

    mae_rng_init(&rng, 9, 0, 0, MAE_RNG_TEST);
    for (int i = 0; i < 70000; i++)
        counts[mae_rng_below(&rng, 7)]++;
    for (size_t i = 0; i < 7; i++)
        ck_assert(counts[i] > 9500 && counts[i] < 10500);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("rng");
    TCase *tc = tcase_create("unit");

    tcase_add_loop_test(tc, known_answers, 0, 3);
    tcase_add_test(tc, streams_are_addressed);
    tcase_add_test(tc, moments);
    tcase_add_loop_test(tc, beta_has_its_moments, 0, 7);
    tcase_add_loop_test(tc, beta_has_its_distribution, 0, 3);
    tcase_add_test(tc, permutation_is_complete_and_seeded);
    tcase_add_test(tc, below_is_in_range);
    suite_add_tcase(suite, tc);
    return mae_test_main(suite);
}
