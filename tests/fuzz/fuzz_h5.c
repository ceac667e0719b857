#include "fuzz_h5.h"

#include <hdf5.h>
#include <stdlib.h>

#include "base/trial.h"

/* libhdf5 1.10 does not free all it has built when it refuses damaged metadata. */
const char *__lsan_default_suppressions(void);
const char *__lsan_default_options(void);

const char *__lsan_default_suppressions(void)
{
    return "leak:libhdf5";
}

const char *__lsan_default_options(void)
{
    return "print_suppressions=0";
}

void fuzz_h5_begin(void)
{
    if (H5open() < 0 || H5set_free_list_limits(0, 0, 0, 0, 0, 0) < 0 ||
        H5Eset_auto2(H5E_DEFAULT, NULL, NULL) < 0)
        abort();
}

void fuzz_h5_end(void)
{
    if (H5Fget_obj_count((hid_t)H5F_OBJ_ALL, H5F_OBJ_ALL) != 0)
        abort();
}

/* Linked with --wrap: calls of mae_trial_passes come here. */
bool __real_mae_trial_passes(void (*fn)(void *ctx), void *ctx, unsigned seconds);
bool __wrap_mae_trial_passes(void (*fn)(void *ctx), void *ctx, unsigned seconds);

/* A second is long for small files; what is endless shall not take longer. */
bool __wrap_mae_trial_passes(void (*fn)(void *ctx), void *ctx, unsigned seconds)
{
    return getenv("MAE_FUZZ_NO_TRIAL") != NULL ||
           __real_mae_trial_passes(fn, ctx, seconds > 0);
}
