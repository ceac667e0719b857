#include "fuzz_h5.h"

#include <hdf5.h>
#include <stdlib.h>

/* libhdf5 1.10 does not free all it has built when it refuses damaged metadata. */
const char *__lsan_default_suppressions(void);

const char *__lsan_default_suppressions(void)
{
    return "leak:libhdf5";
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
