#include "base/rng.h"

#include <assert.h>
#include <math.h>

void mae_philox(uint32_t out[4], const uint32_t ctr[4], const uint32_t key[2])
{
    uint32_t c0 = ctr[0], c1 = ctr[1], c2 = ctr[2], c3 = ctr[3];
    uint32_t k0 = key[0], k1 = key[1];

    for (int round = 0; round < 10; round++) {
        const uint64_t p0 = (uint64_t)0xD2511F53u * c0;
        const uint64_t p1 = (uint64_t)0xCD9E8D57u * c2;

        c0 = (uint32_t)(p1 >> 32) ^ c1 ^ k0;
        c1 = (uint32_t)p1;
        c2 = (uint32_t)(p0 >> 32) ^ c3 ^ k1;
        c3 = (uint32_t)p0;
        k0 += 0x9E3779B9u;
        k1 += 0xBB67AE85u;
    }
    out[0] = c0;
    out[1] = c1;
    out[2] = c2;
    out[3] = c3;
}

void mae_rng_init(MaeRng *rng, uint64_t seed, uint32_t epoch, uint64_t sample,
                  MaeRngPurpose purpose)
{
    *rng = (MaeRng){
        .key = {(uint32_t)seed, (uint32_t)(seed >> 32)},
        .ctr = {0, epoch, (uint32_t)sample,
                ((uint32_t)(sample >> 32) & 0xFFFFu) | ((uint32_t)purpose << 16)},
        .used = 4,
    };
}

uint32_t mae_rng_u32(MaeRng *rng)
{
    if (rng->used == 4) {
        mae_philox(rng->out, rng->ctr, rng->key);
        rng->ctr[0]++;
        rng->used = 0;
    }
    return rng->out[rng->used++];
}

float mae_rng_float(MaeRng *rng)
{
    return (float)(mae_rng_u32(rng) >> 8) * 0x1p-24f;
}

double mae_rng_double(MaeRng *rng)
{
    const uint64_t high = mae_rng_u32(rng);
    const uint64_t bits = high << 32 | mae_rng_u32(rng);

    return (double)(bits >> 11) * 0x1p-53;
}

uint64_t mae_rng_below(MaeRng *rng, uint64_t n)
{
    uint64_t limit, value;

    assert(n > 0);
    limit = UINT64_MAX - UINT64_MAX % n;
    do {
        value = (uint64_t)mae_rng_u32(rng) << 32;
        value |= mae_rng_u32(rng);
    } while (value >= limit);
    return value % n;
}

/* Logarithm of a uniform number in (0, 1]: finite. */
static double log_uniform(MaeRng *rng)
{
    return log(1.0 - mae_rng_double(rng));
}

double mae_rng_normal(MaeRng *rng)
{
    const double log_u = log_uniform(rng);
    const double v = mae_rng_double(rng);

    return sqrt(-2.0 * log_u) * cos(6.283185307179586 * v);
}

double mae_rng_truncated(MaeRng *rng, double std)
{
    double value;

    do {
        value = std * mae_rng_normal(rng);
    } while (fabs(value) > 2.0);
    return value;
}

/* Logarithm of a gamma variate; a shape below 1 is that of shape + 1 times u^(1/shape) */
static double log_gamma_variate(MaeRng *rng, double shape)
{
    const double boost = shape < 1.0 ? log_uniform(rng) / shape : 0.0;
    const double d = (shape < 1.0 ? shape + 1.0 : shape) - 1.0 / 3.0;

    for (;;) {
        const double x = mae_rng_normal(rng), cube = 1.0 + x / sqrt(9.0 * d);
        const double log_u = log_uniform(rng), v = cube * cube * cube;

        if (cube > 0.0 && log_u < 0.5 * x * x + d - d * v + d * log(v))
            return log(d * v) + boost;
    }
}

double mae_rng_beta(MaeRng *rng, double a, double b)
{
    double log_x, log_y;

    assert(a >= 1e-6 && b >= 1e-6);
    log_x = log_gamma_variate(rng, a);
    log_y = log_gamma_variate(rng, b);
    return 1.0 / (1.0 + exp(log_y - log_x));
}

void mae_rng_permute(MaeRng *rng, size_t *order, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const size_t j = (size_t)mae_rng_below(rng, i + 1);

        order[i] = order[j];
        order[j] = i;
    }
}
