#include "nn/linear.h"

#include <math.h>
#include <string.h>

#include "kernel/rows.h"

void mae_linear_define(MaeLinear *lin, MaeParamTable *table, const char *scope, size_t in,
                       size_t out)
{
    const size_t shape[] = {out, in};

    *lin = (MaeLinear){
        .weight = mae_param_add_shape(table, scope, "weight", 2, shape, MAE_PARAM_PLAIN),
        .bias = mae_param_add(table, scope, "bias", out, MAE_PARAM_NO_DECAY),
        .in = in,
        .out = out,
    };
}

void mae_linear_init(const MaeLinear *lin, float *w, MaeRng *rng)
{
    const double a = sqrt(6.0 / (double)(lin->in + lin->out));

    for (size_t i = 0; i < lin->weight.count; i++)
        w[lin->weight.off + i] = (float)(a * (2.0 * mae_rng_double(rng) - 1.0));
    memset(w + lin->bias.off, 0, lin->bias.count * sizeof *w);
}

void mae_linear_product(const MaeLinear *lin, const MaeGemm *gemm, float *y,
                        const float *x, const float *w, size_t rows)
{
    mae_gemm_nt(gemm, y, lin->out, x, lin->in, w + lin->weight.off, lin->in, rows,
                lin->out, lin->in, 0.0f);
}

void mae_linear_forward(const MaeLinear *lin, const MaeGemm *gemm, float *y,
                        const float *x, const float *w, size_t rows)
{
    mae_linear_product(lin, gemm, y, x, w, rows);
    mae_rows_bias(y, w + lin->bias.off, rows, lin->out);
}

void mae_linear_backward_input(const MaeLinear *lin, const MaeGemm *gemm, float *dx,
                               const float *dy, const float *w, size_t rows)
{
    mae_gemm_nn(gemm, dx, lin->in, dy, lin->out, w + lin->weight.off, lin->in, rows,
                lin->in, lin->out, 0.0f);
}

void mae_linear_backward_bias(const MaeLinear *lin, float *sums, const float *dy,
                              size_t rows)
{
    mae_rows_colsum(sums + lin->bias.sum, dy, rows, lin->out, lin->out);
}
