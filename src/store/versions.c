#include "store/versions.h"

#include <hdf5.h>
#include <jansson.h>
#include <stdio.h>

void mae_store_versions(char *text, size_t size)
{
    unsigned major = 0, minor = 0, release = 0;

    (void)H5get_libversion(&major, &minor, &release);
    (void)snprintf(text, size, "HDF5 %u.%u.%u, jansson %s", major, minor, release,
                   JANSSON_VERSION);
}
