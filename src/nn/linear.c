#include "nn/linear.h"

#include <assert.h>
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

void mae_linear_forward(const MaeLinear *lin, const MaeGemm *gemm, MaeOperand y,
                        const void *x, MaeWeights w, const float *res, size_t rows)
{
    mae_gemm_nt(gemm, y, lin->out, x, lin->in, mae_weights_at(w, lin->weight.off),
                w.packed ? MAE_GEMM_PACKED : lin->in, rows, lin->out, lin->in,
                w.f32 + lin->bias.off, res);
}

void mae_linear_backward_input(const MaeLinear *lin, const MaeGemm *gemm, MaeOperand dx,
                               const void *dy, MaeWeights w, size_t rows)
{
    assert(!w.packed);
    mae_gemm_nn(gemm, dx, lin->in, dy, lin->out, mae_weights_at(w, lin->weight.off),
                lin->in, rows, lin->in, lin->out, NULL, NULL);
}

void mae_linear_backward_bias(const MaeLinear *lin, float *sums, MaeOperand dy,
                              size_t rows)
{
    mae_rows_colsum(sums + lin->bias.sum, dy, rows, lin->out, lin->out);
}
