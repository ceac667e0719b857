#include "optim/schedule.h"

#include <assert.h>
#include <math.h>

#define PI 3.14159265358979323846
#define BASE_BATCH 256.0 /* images blr refers to */

MaeStatus mae_schedule_check(const MaeSchedule *s, MaeError *err)
{
    if (!isfinite(s->epochs) || s->epochs <= 0.0)
        MAE_FAIL(err, MAE_ERR_ARG, "schedule: epochs: expected a number above 0, got %g",
                 s->epochs);
    if (!(s->warmup_epochs >= 0.0 && s->warmup_epochs <= s->epochs))
        MAE_FAIL(err, MAE_ERR_ARG,
                 "schedule: warmup_epochs: expected 0 to %g (epochs), got %g", s->epochs,
                 s->warmup_epochs);
    if (!isfinite(s->lr) || s->lr < 0.0)
        MAE_FAIL(err, MAE_ERR_ARG, "schedule: lr: expected a number from 0 up, got %g",
                 s->lr);
    if (!(s->min_lr >= 0.0 && s->min_lr <= s->lr))
        MAE_FAIL(err, MAE_ERR_ARG, "schedule: min_lr: expected 0 to %g (lr), got %g",
                 s->lr, s->min_lr);
    return MAE_OK;
}

double mae_schedule_lr(const MaeSchedule *s, double epoch)
{
    const double span = s->epochs - s->warmup_epochs;

    assert(epoch >= 0.0);
    if (epoch < s->warmup_epochs)
        return s->lr * epoch / s->warmup_epochs;
    if (span <= 0.0)
        return s->lr;
    if (epoch >= s->epochs)
        return s->min_lr;
    return s->min_lr + (s->lr - s->min_lr) * 0.5 *
                           (1.0 + cos(PI * (epoch - s->warmup_epochs) / span));
}

double mae_schedule_scaled_lr(double blr, size_t batch)
{
    return blr * (double)batch / BASE_BATCH;
}
