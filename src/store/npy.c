#include "store/npy.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "store/bytes.h"
#include "store/output.h"

/* Magic, version and length, then a Python literal that pads the header to 64 bytes. */
#define FIXED 10
#define HEADER 192

static void describe(char header[HEADER], const size_t *shape, size_t ndim)
{
    int at = FIXED;

    memset(header, ' ', HEADER);
    memcpy(header, "\x93NUMPY\x01\x00", 8);
    mae_put_u16((unsigned char *)header + 8, HEADER - FIXED);
    at += snprintf(header + at, HEADER - (size_t)at,
                   "{'descr': '<f4', 'fortran_order': False, 'shape': (");
    for (size_t i = 0; i < ndim; i++)
        at += snprintf(header + at, HEADER - (size_t)at, "%zu,", shape[i]);
    at += snprintf(header + at, HEADER - (size_t)at, "), }");
    header[at] = ' '; /* snprintf's end of text */
    header[HEADER - 1] = '\n';
}

MaeStatus mae_npy_write(const char *path, const float *data, const size_t *shape,
                        size_t ndim, MaeError *err)
{
    char header[HEADER];
    MaeOutput out;
    size_t count = 1;

    assert(ndim > 0 && ndim <= 4);
    for (size_t i = 0; i < ndim; i++)
        count *= shape[i];
    describe(header, shape, ndim);
    MAE_TRY(mae_output_open(&out, path, NULL, err));
    mae_output_append(&out, header, HEADER);
    mae_output_append(&out, data, count * sizeof *data);
    return mae_output_commit(&out, err);
}
