#include "support/picture.h"

#include <stdlib.h>
#include <string.h>

#include "support/test.h"

MaeImage test_picture(const char *path)
{
    MaeImage image = {0};
    MaeError err = {0};
    size_t size;
    unsigned char *bytes = mae_test_read(path, &size);

    ck_assert_msg(bytes != NULL, "%s is missing", path);
    ck_assert_ok(mae_image_decode(&image, bytes, size, NULL, &err));
    free(bytes);
    return image;
}
