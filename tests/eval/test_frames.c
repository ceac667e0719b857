#include "eval/frames.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "support/picture.h"
#include "viewer_fixture.h"

static char path[1200];

static const char *in(const char *folder, const char *name)
{
    (void)snprintf(path, sizeof path, "%s/%s", folder, name);
    return path;
}

/* Grey patches in the first panel of a row. */
static size_t count_hidden(const MaeImage *sheet, size_t row, size_t scale)
{
    const size_t top = row * (VIEW_HEIGHT * scale + 4), side = VIEW_PATCH * scale;
    size_t hidden = 0;

    for (size_t l = 0; l < VIEW_PATCHES; l++) {
        bool grey = true;

        for (size_t i = 0; i < side; i++) {
            const uint8_t *at =
                (const uint8_t *)sheet->data +
                ((top + l / 5 * side + i) * sheet->width + l % 5 * side + i) * 3;

            grey = grey && at[0] == 128 && at[1] == 128 && at[2] == 128;
        }
        hidden += grey;
    }
    return hidden;
}

/* Every frame shows more patches than the one before, from one to all. */
START_TEST(patches_appear)
{
    static const size_t visible[] = {1, 4, 8, 11, 15};
    char *folder = mae_test_folder(), inner[1100], name[32];
    MaeError err = {0};
    TestViewer v;
    size_t frames = 0, scale;

    (void)snprintf(inner, sizeof inner, "%s/a/b", folder);
    test_viewer_open(&v, true, false, 2);
    scale = mae_panels_layout(&v.model.arch.grid, 1, 1, 0).height / VIEW_HEIGHT;
    ck_assert_ok(mae_frames_write(&frames, &v.viewer,
                                  &(MaeFramesSpec){inner, "frame", MAE_MASK_RANDOM, 5, 3},
                                  &err));
    ck_assert_uint_eq(frames, 5);
    for (size_t k = 0; k < 5; k++) {
        MaeImage image;

        (void)snprintf(name, sizeof name, "frame-%03zu.png", k);
        image = test_picture(in(inner, name));
        for (size_t row = 0; row < VIEW_COUNT; row++)
            ck_assert_uint_eq(count_hidden(&image, row, scale),
                              VIEW_PATCHES - visible[k]);
        mae_image_done(&image);
    }
    ck_assert_int_ne(access(in(inner, "frame-005.png"), F_OK), 0);
    test_viewer_close(&v);
    mae_test_folder_remove(folder);
}
END_TEST

/* No more frames than patches; what else lies in the folder stays. */
START_TEST(only_frames_are_written)
{
    char *folder = mae_test_folder();
    MaeFramesSpec spec = {folder, "x", MAE_MASK_GRID, 100, 3};
    MaeError err = {0};
    TestViewer v;
    size_t frames = 0, size;
    char *other;

    test_viewer_open(&v, false, false, 1);
    mae_test_write(in(folder, "frame-000.png"), "mine", 4);
    mae_test_write(in(folder, "x-003.png"), "old", 3);
    ck_assert_ok(mae_frames_write(&frames, &v.viewer, &spec, &err));
    ck_assert_uint_eq(frames, VIEW_PATCHES);
    other = (char *)mae_test_read(in(folder, "frame-000.png"), &size);
    ck_assert_str_eq(other, "mine");
    free(other);
    spec.frames = 6;
    ck_assert_fails(mae_frames_write(&frames, &v.viewer, &spec, &err), MAE_ERR_ARG,
                    "x-006.png: is a frame of a longer animation");
    spec.kind = MAE_MASK_BLOCK;
    ck_assert_fails(mae_frames_write(&frames, &v.viewer, &spec, &err), MAE_ERR_ARG,
                    "not nested");
    spec.kind = MAE_MASK_RANDOM;
    spec.frames = 1000;
    ck_assert_fails(mae_frames_write(&frames, &v.viewer, &spec, &err), MAE_ERR_ARG,
                    "got 1000");
    spec = (MaeFramesSpec){path, "x", MAE_MASK_RANDOM, 3, 0};
    (void)in(folder, "x-003.png");
    ck_assert_fails(mae_frames_write(&frames, &v.viewer, &spec, &err), MAE_ERR_ARG,
                    "x-003.png");
    ck_assert_uint_eq(frames, VIEW_PATCHES);
    test_viewer_close(&v);
    mae_test_folder_remove(folder);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("eval frames");
    TCase *tc = tcase_create("frames");

    tcase_set_timeout(tc, 60);
    tcase_add_test(tc, patches_appear);
    tcase_add_test(tc, only_frames_are_written);
    suite_add_tcase(suite, tc);
    return mae_test_main(suite);
}
