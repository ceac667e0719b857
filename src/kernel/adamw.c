#include "kernel/adamw.h"

#include <assert.h>
#include <math.h>

#include "kernel/rows_table.h"

void mae_adamw_step(MaeAdamWStep *step, uint64_t t)
{
    assert(t > 0 && step->beta1 >= 0.0 && step->beta1 < 1.0);
    assert(step->beta2 >= 0.0 && step->beta2 < 1.0);
    step->bias1 = 1.0 - pow(step->beta1, (double)t);
    step->bias2 = 1.0 - pow(step->beta2, (double)t);
}

bool mae_adamw_update(float *w, MaeOperand copy, float *m, float *v, const float *g,
                      size_t n, const MaeAdamWStep *step)
{
    assert(step->bias1 > 0.0 && step->bias2 > 0.0);
    assert(copy.type != MAE_F32 || copy.data == w);
    return mae_rows_best()->adamw(w, copy, m, v, g, n, step);
}
