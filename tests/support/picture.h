/**
 * @file picture.h
 * Pictures that the code under test has written.
 */
#ifndef MAE_TESTS_SUPPORT_PICTURE_H
#define MAE_TESTS_SUPPORT_PICTURE_H

#include "image/image.h"

/** Read a PNG or JPEG file; mae_image_done it. A file that cannot be read fails. */
MaeImage test_picture(const char *path);

#endif /* MAE_TESTS_SUPPORT_PICTURE_H */
