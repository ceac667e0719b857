/**
 * @file rows_math.h
 * exp and the normal distribution function as straight-line code that compilers turn into
 * vector instructions; libm's are calls, which end a vector loop.
 *
 * Private to rows_impl.c. Polynomials are minimax fits (Remez exchange, 40 digits).
 *
 * Errors   Cannot fail. NaN gives NaN.
 * Threads  Reentrant.
 */
#ifndef MAE_KERNEL_ROWS_MATH_H
#define MAE_KERNEL_ROWS_MATH_H

#include <math.h>
#include <stdint.h>
#include <string.h>

/**
 * e^x within 2 units in the last place; below 2^-125 the result is 0.
 *
 *   x = n ln 2 + r, |r| <= ln(2)/2;   e^x = 2^n e^r
 *
 * ln 2 is split in two so that n times its first part is exact (Cody & Waite 1980); e^r
 * is 1 + r + r^2 q(r) with relative error 3.1e-9. Adding 1.5 * 2^23 rounds to an integer
 * and leaves it in the low bits, from where it is shifted into the exponent. 2^(n-1) is
 * built rather than 2^n so that n = 128 does not overflow.
 */
static inline float rows_exp(float x)
{
    const float round = 12582912.0f;
    const float shifted = x * 1.44269504f + round;
    const float n = shifted - round;
    const float r = (x - n * 0.693359375f) + n * 2.12194440e-4f;
    const float q =
        0.4999999346f +
        r * (0.1666652056f +
             r * (0.04166838271f + r * (0.008368725885f + r * 0.001381505842f)));
    uint32_t bits;
    float half, y;

    memcpy(&bits, &shifted, sizeof bits);
    bits = (bits + 126u) << 23;
    memcpy(&half, &bits, sizeof half);
    y = (1.0f + (r + r * r * q)) * half * 2.0f;
    y = x < -86.6f ? 0.0f : y;
    return x > 88.7228394f ? INFINITY : y;
}

/** Density and distribution function of the standard normal distribution. */
typedef struct RowsNormal {
    float density; /* phi(x) = exp(-x^2 / 2) / sqrt(2 pi) */
    float below;   /* Phi(x) = (1 + erf(x / sqrt 2)) / 2 */
} RowsNormal;

/**
 * phi and Phi at x, from one exponential.
 *
 *   Phi(-a) = exp(-a^2 / 2) R(u),   u = a / (1 + a/4),   0 <= a <= 14
 *
 * R is the scaled complementary error function, here 1/2 plus a polynomial of degree 9 in
 * u, fitted for relative error 1.5e-8. u is small where a is, so Phi keeps its accuracy
 * around 0 (a polynomial in 1/(1 + pa), as Abramowitz & Stegun 7.1.26 has it, amplifies
 * the rounding of 1 + pa there: 1.9e-7). Going through the lower tail keeps Phi accurate
 * where 1 + erf(x) in floats cancels. Phi is off by at most 1e-7 anywhere; test_rows_math
 * measures it. Beyond 14 both are 0 in floats.
 */
static inline RowsNormal rows_normal(float x)
{
    const float a = fabsf(x) > 14.0f ? 14.0f : fabsf(x);
    const float e = rows_exp(-0.5f * x * x);
    const float u = a / (1.0f + 0.25f * a);
    const float high =
        1.065092217e-4f +
        u * (-5.087072469e-5f +
             u * (-3.007998804e-6f + u * (1.68287312e-6f + u * -1.303930841e-7f)));
    const float low =
        -0.3989420898f +
        u * (0.1502627817f + u * (-0.03290977247f + u * (0.003399392219f + u * high)));
    const float tail = e * (0.5f + u * low);

    return (RowsNormal){
        .density = 0.398942280f * e,
        .below = x < 0.0f ? tail : 1.0f - tail,
    };
}

#endif /* MAE_KERNEL_ROWS_MATH_H */
