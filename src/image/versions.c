#include "image/versions.h"

#include <png.h>
#include <stdio.h>

/* After stdio.h, which it needs. */
#include <jpeglib.h>
#include <zlib.h>

#define TEXT(x) #x
#define NUMBER(x) TEXT(x)

void mae_image_versions(char *text, size_t size)
{
#ifdef LIBJPEG_TURBO_VERSION
    (void)snprintf(text, size, "libjpeg-turbo %s, libpng %s, zlib %s",
                   NUMBER(LIBJPEG_TURBO_VERSION), png_get_libpng_ver(NULL),
                   zlibVersion());
#else
    (void)snprintf(text, size, "libjpeg API %d, libpng %s, zlib %s", JPEG_LIB_VERSION,
                   png_get_libpng_ver(NULL), zlibVersion());
#endif
}
