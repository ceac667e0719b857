#include "eval/contact_sheet.h"

#include <hdf5.h>
#include <string.h>

#include "data/opened.h"
#include "eval/canvas.h"

static const uint8_t WHITE[3] = {255, 255, 255}, INK[3] = {40, 40, 40},
                     GREEN[3] = {0, 158, 115}, RED[3] = {213, 60, 0},
                     GREY[3] = {170, 170, 170};

static const uint8_t *at(const MaeImage *canvas, size_t y, size_t x)
{
    return (const uint8_t *)canvas->data + (y * canvas->width + x) * 3;
}

/* --- thumbnails ------------------------------------------------------------------- */

/* A small one is enlarged pixel by pixel and is what the file holds. */
START_TEST(small_pictures_are_enlarged)
{
    MaeThumbnailer t = {0};
    MaeImage thumb = {0}, want = fixture_image(5, 7, 3, 2);

    fixture_classes(root, 2, 2, 5, 7);
    ck_assert_ok(mae_dataset_open(&ds, root, NULL, &err));
    ck_assert_ok(mae_thumbnail_read(&t, &thumb, ds, 2, 24, &err));
    ck_assert(thumb.height == 15 && thumb.width == 21 && thumb.channels == 3);
    for (size_t y = 0; y < 15; y++)
        for (size_t x = 0; x < 21; x++)
            ck_assert_mem_eq(at(&thumb, y, x), at(&want, y / 3, x / 3), 3);
    mae_image_done(&thumb);
    mae_image_done(&want);
    mae_thumbnailer_done(&t);
}
END_TEST

/* Large ones shrink to the side; a line of pixels keeps one. */
START_TEST(large_pictures_shrink)
{
    static const size_t sizes[][4] = {{50, 100, 12, 24}, {90, 30, 24, 8}, {1, 99, 1, 24}};
    MaeThumbnailer t = {0};
    MaeImage thumb = {0};

    fixture_classes(root, 1, 1, sizes[_i][0], sizes[_i][1]);
    ck_assert_ok(mae_dataset_open(&ds, root, NULL, &err));
    ck_assert_ok(mae_thumbnail_read(&t, &thumb, ds, 0, 24, &err));
    ck_assert_uint_eq(thumb.height, sizes[_i][2]);
    ck_assert_uint_eq(thumb.width, sizes[_i][3]);
    mae_image_done(&thumb);
    mae_thumbnailer_done(&t);
}
END_TEST

/* Of f32 pixels the smallest is black, the largest white; all equal, they are grey. */
START_TEST(real_numbers_span_their_range)
{
    static const float pixels[2][6] = {{-1, 0, 1, 2, 3, 4}, {-7, -7, -7, -7, -7, -7}};
    static const unsigned char want[6] = {0, 51, 102, 153, 204, 255};
    const hsize_t dims[3] = {2, 2, 3};
    const char *path = fixture_path(root, "stack.h5");
    const hid_t file = H5Fcreate(path, H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
    const hid_t space = H5Screate_simple(3, dims, NULL);
    const hid_t set = H5Dcreate2(file, "images", H5T_NATIVE_FLOAT, space, H5P_DEFAULT,
                                 H5P_DEFAULT, H5P_DEFAULT);
    MaeThumbnailer t = {0};
    MaeImage thumb = {0};

    ck_assert(H5Dwrite(set, H5T_NATIVE_FLOAT, H5S_ALL, H5S_ALL, H5P_DEFAULT, pixels) >=
              0);
    H5Dclose(set);
    H5Sclose(space);
    H5Fclose(file);
    ck_assert_ok(mae_dataset_open(&ds, path, NULL, &err));
    ck_assert_ok(mae_thumbnail_read(&t, &thumb, ds, 0, 3, &err));
    ck_assert(thumb.height == 2 && thumb.width == 3 && thumb.channels == 3);
    for (size_t i = 0; i < 6; i++)
        for (size_t c = 0; c < 3; c++)
            ck_assert_uint_eq(at(&thumb, i / 3, i % 3)[c], want[i]);
    ck_assert_ok(mae_thumbnail_read(&t, &thumb, ds, 1, 3, &err));
    ck_assert_uint_eq(at(&thumb, 0, 0)[0], 128);
    ck_assert_mem_eq(at(&thumb, 0, 0), at(&thumb, 1, 2), 3);
    mae_image_done(&thumb);
    mae_thumbnailer_done(&t);
}
END_TEST

START_TEST(bad_pictures_are_named)
{
    MaeThumbnailer t = {0};
    MaeImage thumb = {0};

    fixture_classes(root, 1, 2, 5, 7);
    mae_test_write(fixture_path(root, "c0/001.png"), "text", 4);
    ck_assert_ok(mae_dataset_open(&ds, root, NULL, &err));
    ck_assert_fails(mae_thumbnail_read(&t, &thumb, ds, 1, 24, &err), MAE_ERR_FORMAT,
                    "c0/001.png: ");
    mae_image_done(&thumb);
    mae_thumbnailer_done(&t);
}
END_TEST

/* --- sheets ----------------------------------------------------------------------- */

/* The colour of the frame and of the picture's centre, cell by cell. */
static void check_cell(const MaeImage *sheet, size_t row, size_t column,
                       const uint8_t frame[3], const uint8_t centre[3])
{
    const size_t top = 6 + row * 110, left = 6 + column * 110 + (column > 0 ? 12 : 0);

    ck_assert_mem_eq(at(sheet, top, left), frame, 3);
    ck_assert_mem_eq(at(sheet, top + 103, left + 103), frame, 3);
    ck_assert_mem_eq(at(sheet, top + 3, left + 50), frame, 3);
    ck_assert_mem_eq(at(sheet, top + 50, left + 50), centre, 3);
    ck_assert_mem_eq(at(sheet, top - 1, left + 50), WHITE, 3);
    ck_assert_mem_eq(at(sheet, top + 50, left + 104), WHITE, 3);
}

/* The centre of sample @p sample, which is enlarged twelve times. */
static const uint8_t *centre(size_t sample)
{
    static MaeImage img;

    mae_image_done(&img);
    img = fixture_image(8, 8, 3, sample);
    return at(&img, 3, 3);
}

START_TEST(frames_tell_classes)
{
    const uint32_t index[] = {2, 0, 1};
    const size_t samples[] = {0, 1, 5};
    MaeContactRow found = {.label = 1, .index = index, .count = 3, .samples = samples};
    MaeThumbnailer t = {0};
    MaeImage sheet = {0}, thumb = {0};

    fixture_classes(root, 2, 3, 8, 8);
    ck_assert_ok(mae_dataset_open(&ds, root, NULL, &err));
    found.ds = ds;
    ck_assert_ok(mae_contact_sheet_open(&sheet, 2, 3, &err));
    ck_assert(sheet.height == 226 && sheet.width == 458);
    ck_assert_ok(mae_thumbnail_read(&t, &thumb, ds, 3, MAE_CONTACT_SIDE, &err));
    mae_contact_sheet_put(&sheet, 0, 0, &thumb, MAE_CONTACT_QUERY);
    ck_assert_ok(mae_contact_sheet_neighbours(&sheet, 0, &found, &t, &err));
    found.label = -1;
    found.count = 1;
    ck_assert_ok(mae_contact_sheet_neighbours(&sheet, 1, &found, &t, &err));
    check_cell(&sheet, 0, 0, INK, centre(3));
    check_cell(&sheet, 0, 1, GREEN, centre(5));
    check_cell(&sheet, 0, 2, RED, centre(0));
    check_cell(&sheet, 0, 3, RED, centre(1));
    check_cell(&sheet, 1, 1, GREY, centre(5));
    check_cell(&sheet, 1, 2, WHITE, WHITE);
    mae_image_done(&sheet);
    mae_image_done(&thumb);
    mae_thumbnailer_done(&t);
}
END_TEST

START_TEST(sheets_have_bounds)
{
    MaeImage sheet = {0};

    ck_assert_fails(mae_contact_sheet_open(&sheet, 0, 3, &err), MAE_ERR_SHAPE,
                    "1 to 100 queries with 1 to 20 neighbours, got 0 with 3");
    ck_assert_fails(mae_contact_sheet_open(&sheet, 3, 21, &err), MAE_ERR_SHAPE, "21");
    ck_assert_ptr_null(sheet.data);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("eval_contact_sheet");
    TCase *tc = tcase_create("unit");

    tcase_add_checked_fixture(tc, opened_setup, opened_teardown);
    tcase_add_test(tc, small_pictures_are_enlarged);
    tcase_add_loop_test(tc, large_pictures_shrink, 0, 3);
    tcase_add_test(tc, real_numbers_span_their_range);
    tcase_add_test(tc, bad_pictures_are_named);
    tcase_add_test(tc, frames_tell_classes);
    tcase_add_test(tc, sheets_have_bounds);
    suite_add_tcase(suite, tc);
    return mae_test_main(suite);
}
