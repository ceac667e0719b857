#include "support/operand.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support/test.h"

bool test_can_multiply(MaeDtype type)
{
    const char *backend = getenv("MAE_TEST_BACKEND");
    const bool openblas = backend != NULL && strcmp(backend, "openblas") == 0;

    if (mae_gemm_native(type) && (type == MAE_F32 || !openblas))
        return true;
    (void)fprintf(stderr, "skipped: no native %s products %s\n", mae_dtype_name(type),
                  openblas ? "by OpenBLAS" : "here");
    return false;
}

bool test_has_onednn(void)
{
    const MaeGemmOptions options = {MAE_F32, MAE_GEMM_ONEDNN, 1};
    MaeGemm *gemm;
    const bool has = mae_gemm_open(&gemm, &options, NULL) == MAE_OK;

    mae_gemm_close(gemm);
    if (!has)
        (void)fprintf(stderr, "skipped: built without oneDNN\n");
    return has;
}

MaeGemmBackend test_backend(MaeDtype type)
{
    const char *name = getenv("MAE_TEST_BACKEND");

    if (type != MAE_F32 || name == NULL || strcmp(name, "auto") == 0)
        return MAE_GEMM_AUTO;
    if (strcmp(name, "openblas") == 0)
        return MAE_GEMM_OPENBLAS;
    ck_assert_str_eq(name, "onednn");
    return MAE_GEMM_ONEDNN;
}

MaeGemm *test_gemm(MaeDtype type, size_t threads)
{
    const MaeGemmOptions options = {type, test_backend(type), threads};
    MaeError err = {0};
    MaeGemm *gemm;

    ck_assert_ok(mae_gemm_open(&gemm, &options, &err));
    return gemm;
}

MaeOperand test_operand(const float *x, size_t n, MaeDtype type)
{
    const MaeOperand made = {mae_test_alloc(n * mae_dtype_size(type)), type};

    if (type == MAE_F32 && n > 0)
        memcpy(made.data, x, n * sizeof *x);
    for (size_t i = 0; type != MAE_F32 && i < n; i++)
        ((uint16_t *)made.data)[i] = mae_bf16(x[i]);
    return made;
}

float *test_floats(MaeOperand x, size_t n)
{
    float *made = mae_test_alloc(n * sizeof *made);

    if (x.type == MAE_F32 && n > 0)
        memcpy(made, x.data, n * sizeof *made);
    for (size_t i = 0; x.type != MAE_F32 && i < n; i++)
        made[i] = mae_bf16_f32(((const uint16_t *)x.data)[i]);
    return made;
}

void test_round(float *x, size_t n, MaeDtype type)
{
    for (size_t i = 0; type != MAE_F32 && i < n; i++)
        x[i] = mae_bf16_f32(mae_bf16(x[i]));
}

MaeWeights test_weights(const float *w, size_t n, MaeDtype type, void **owned)
{
    *owned = NULL;
    if (type == MAE_F32)
        return mae_weights_f32(w);
    *owned = test_operand(w, n, type).data;
    return (MaeWeights){.f32 = w, .operand = *owned, .type = type};
}

double test_half_unit(double x, MaeDtype type)
{
    return type == MAE_F32 || x == 0.0 ? 0.0 : ldexp(1.0, ilogb(x) - 8);
}

double test_distance(const float *got, const float *want, size_t n)
{
    double off = 0.0, size = 0.0;

    for (size_t i = 0; i < n; i++) {
        const double d = (double)got[i] - (double)want[i];

        off += d * d;
        size += (double)want[i] * (double)want[i];
    }
    return sqrt(off / fmax(size, 1e-300));
}
