/* Chunks that unpack to another size than they should. */
#include <hdf5.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "paths.h"
#include "store/h5images.h"
#include "store/h5in.h"
#include "support/cost.h"
#include "support/test.h"

#define SIDE 64
#define BYTES ((size_t)SIDE * SIDE) /* of an image, which is a chunk */

static char *folder;
static Path path;
static MaeError err;

static void setup(void)
{
    folder = mae_test_folder();
    path = path_in(folder, "s.h5");
    err = (MaeError){0};
}

static void teardown(void)
{
    mae_test_folder_remove(folder);
}

/** Filters in the order of writing: letters of "sdf". */
static hid_t pipeline(const char *filters, const hsize_t *chunk)
{
    const hid_t list = H5Pcreate(H5P_DATASET_CREATE);

    (void)H5Pset_chunk(list, 3, chunk);
    for (; *filters != '\0'; filters++) {
        if (*filters == 's')
            (void)H5Pset_shuffle(list);
        else if (*filters == 'd')
            (void)H5Pset_deflate(list, 9);
        else
            (void)H5Pset_fletcher32(list);
    }
    return list;
}

/** Two images, of which the second is stored as @p bytes; the first is not stored. */
static void make(const char *filters, const void *bytes, size_t size, uint32_t skipped)
{
    static const hsize_t dims[] = {2, SIDE, SIDE}, chunk[] = {1, SIDE, SIDE},
                         at[] = {1, 0, 0};
    const hid_t file = H5Fcreate(path.text, H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
    const hid_t space = H5Screate_simple(3, dims, NULL), list = pipeline(filters, chunk);
    const hid_t set = H5Dcreate2(file, "images", H5T_NATIVE_UINT8, space, H5P_DEFAULT,
                                 list, H5P_DEFAULT);

    ck_assert(set >= 0);
    if (size > 0)
        ck_assert(H5Dwrite_chunk(set, H5P_DEFAULT, skipped, at, size, bytes) >= 0);
    (void)H5Dclose(set);
    (void)H5Pclose(list);
    (void)H5Sclose(space);
    ck_assert(H5Fclose(file) >= 0);
}

/** @p size zeros, packed; the caller frees. */
static unsigned char *zeros(size_t size, size_t *packed)
{
    unsigned char block[65536] = {0}, *out = mae_test_alloc(size / 500 + 1024);
    z_stream z = {.next_out = out, .avail_out = (uInt)(size / 500 + 1024)};

    ck_assert_int_eq(deflateInit(&z, 9), Z_OK);
    while (size > 0) {
        z.next_in = block;
        z.avail_in = (uInt)(size < sizeof block ? size : sizeof block);
        size -= z.avail_in;
        ck_assert_int_ne(deflate(&z, size > 0 ? Z_NO_FLUSH : Z_FINISH), Z_STREAM_ERROR);
    }
    *packed = z.total_out;
    (void)deflateEnd(&z);
    return out;
}

/** Both ways to read the second image end with @p message, whatever it claims. */
static void refuse(const char *message)
{
    static const size_t shape[] = {2, SIDE, SIDE};
    static unsigned char image[BYTES];
    static float floats[2 * BYTES];
    MaeH5Images *images;
    MaeH5In *in;

    ck_assert_ok(mae_h5images_open(&images, path.text, &err));
    ck_assert_ok(mae_h5images_read(images, 0, image, &err));
    ck_assert_fails(mae_h5images_read(images, 1, image, &err), MAE_ERR_FORMAT, message);
    ck_assert_fails(mae_h5images_read(images, 1, image, &err), MAE_ERR_FORMAT, message);
    ck_assert_ok(mae_h5images_read(images, 0, image, &err));
    mae_h5images_close(images);
    ck_assert_ok(mae_h5in_open(&in, path.text, &err));
    ck_assert_fails(mae_h5in_floats(in, "images", floats, shape, 3, &err), MAE_ERR_FORMAT,
                    message);
    mae_h5in_close(in);
}

static void refuse_bomb(void *ctx)
{
    refuse(ctx);
}

/* 256 MiB of zeros in a chunk of 4 KiB. Its stored size alone gives it away; where the
 * chunk is large enough, what it unpacks to does. */
START_TEST(bombs_cost_nothing)
{
    char *as_stored = (char[]){"s.h5: images[1]: a chunk of 4096 bytes is stored as 2"};
    char *as_unpacked = (char[]){"s.h5: images[1]: a chunk unpacks to over 4096 bytes"};
    unsigned char *packed;
    size_t size;

    packed = zeros((size_t)256 << 20, &size);
    make(_i == 0 ? "d" : "sdf", packed, size, 0);
    free(packed);
    test_costs_less(16, 1.0, refuse_bomb, as_stored);
    packed = zeros((size_t)4 << 20, &size);
    make(_i == 0 ? "d" : "fd", packed, size, 0);
    free(packed);
    test_costs_less(16, 1.0, refuse_bomb,
                    _i == 0 ? as_unpacked
                            : (char[]){"images[1]: a chunk unpacks to over 4100 bytes"});
}
END_TEST

START_TEST(shorter_chunks_are_refused)
{
    unsigned char *packed, plain[BYTES + 8] = {0};
    size_t size;

    packed = zeros(BYTES - 1, &size);
    make("d", packed, size, 0);
    refuse("images[1]: a chunk unpacks to 4095 of 4096 bytes");
    make("d", packed, size - 6, 0);
    refuse("images[1]: cannot be read, the data are damaged");
    packed[4] ^= 0xff;
    make("d", packed, size, 0);
    refuse("images[1]: cannot be read, the data are damaged");
    make("d", packed, 1, 0);
    refuse("images[1]: a chunk of 4096 bytes is stored as 1");
    free(packed);
    make("", plain, BYTES - 1, 0);
    refuse("a chunk of 4096 bytes is stored as 4095");
    make("s", plain, BYTES + 1, 0);
    refuse("a chunk of 4096 bytes is stored as 4097");
    make("f", plain, BYTES, 0);
    refuse("a chunk of 4096 bytes is stored as 4096");
    make("d", plain, BYTES - 1, 1);
    refuse("a chunk of 4096 bytes is stored as 4095");
    make("fd", plain, BYTES, 2);
    refuse("a chunk of 4096 bytes is stored as 4096");
    make("df", plain, BYTES + 4, 1); /* the checksum is of something else */
    plain[0] = 1;
    make("df", plain, BYTES + 4, 1);
    refuse("cannot be read, the data are damaged");
}
END_TEST

/* Without filters nothing is read but the file, whatever sizes it claims: here they even
 * out, so that only a memory checker would see a short chunk taken for a whole one. */
START_TEST(sizes_that_even_out)
{
    static const hsize_t dims[] = {2, SIDE, SIDE}, chunk[] = {1, SIDE, SIDE};
    static unsigned char bytes[2 * BYTES - 1], image[BYTES];
    static float floats[2 * BYTES];
    const size_t sizes[] = {1, 2 * BYTES - 1};
    const hid_t file = H5Fcreate(path.text, H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
    const hid_t space = H5Screate_simple(3, dims, NULL);
    const hid_t set = H5Dcreate2(file, "images", H5T_NATIVE_UINT8, space, H5P_DEFAULT,
                                 pipeline("", chunk), H5P_DEFAULT);
    MaeH5Images *images;
    MaeH5In *in;

    memset(bytes, 7, sizeof bytes);
    for (hsize_t i = 0; i < 2; i++)
        ck_assert(H5Dwrite_chunk(set, H5P_DEFAULT, 0, (hsize_t[]){i, 0, 0}, sizes[i],
                                 bytes) >= 0);
    (void)H5Dclose(set);
    (void)H5Fclose(file);
    ck_assert_ok(mae_h5images_open(&images, path.text, &err));
    for (size_t i = 0; i < 2; i++) {
        ck_assert_ok(mae_h5images_read(images, i, image, &err));
        ck_assert_int_eq(image[0], 7);
    }
    ck_assert_int_eq(image[BYTES - 1], 7);
    mae_h5images_close(images);
    ck_assert_ok(mae_h5in_open(&in, path.text, &err));
    ck_assert_ok(
        mae_h5in_floats(in, "images", floats, (size_t[]){2, SIDE, SIDE}, 3, &err));
    mae_h5in_close(in);
}
END_TEST

/* Every order that is accepted, each filter skipped or not: what is written is read. */
START_TEST(sound_chunks_are_read)
{
    static const char *const orders[] = {"",   "s",  "d",   "f",   "sd",  "df",
                                         "fd", "sf", "sdf", "sfd", "fsd", "fs"};
    static const hsize_t dims[] = {5, 7, 9}, chunk[] = {2, 4, 4};
    unsigned char pixels[5 * 7 * 9], image[7 * 9];
    float floats[5 * 7 * 9];
    MaeH5Images *images;
    MaeH5In *in;

    for (size_t i = 0; i < sizeof pixels; i++)
        pixels[i] = (unsigned char)(i * i / 7);
    for (size_t o = 0; o < sizeof orders / sizeof *orders; o++) {
        const hid_t file = H5Fcreate(path.text, H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
        const hid_t space = H5Screate_simple(3, dims, NULL);
        const hid_t set = H5Dcreate2(file, "images", H5T_NATIVE_UINT8, space, H5P_DEFAULT,
                                     pipeline(orders[o], chunk), H5P_DEFAULT);

        ck_assert(
            H5Dwrite(set, H5T_NATIVE_UINT8, H5S_ALL, H5S_ALL, H5P_DEFAULT, pixels) >= 0);
        (void)H5Dclose(set);
        (void)H5Fclose(file);
        ck_assert_ok(mae_h5images_open(&images, path.text, &err));
        for (size_t i = 5; i-- > 0;) {
            ck_assert_ok(mae_h5images_read(images, i, image, &err));
            ck_assert_mem_eq(image, pixels + i * sizeof image, sizeof image);
        }
        mae_h5images_close(images);
        ck_assert_ok(mae_h5in_open(&in, path.text, &err));
        ck_assert_ok(mae_h5in_floats(in, "images", floats, (size_t[]){5, 7, 9}, 3, &err));
        ck_assert_double_eq((double)floats[5 * 7 * 9 - 1], (double)pixels[5 * 7 * 9 - 1]);
        mae_h5in_close(in);
    }
}
END_TEST

START_TEST(skipped_filters)
{
    unsigned char plain[BYTES], image[BYTES];
    MaeH5Images *images;

    memset(plain, 7, sizeof plain);
    make("d", plain, sizeof plain, 1);
    ck_assert_ok(mae_h5images_open(&images, path.text, &err));
    ck_assert_ok(mae_h5images_read(images, 1, image, &err));
    ck_assert_mem_eq(image, plain, sizeof image);
    mae_h5images_close(images);
}
END_TEST

START_TEST(orders_that_cannot_be_checked)
{
    static const char *const orders[] = {"ds", "dd", "ss", "ff"};
    static const char *const messages[] = {"filter 2 is", "filter 1 is", "filter 2 is",
                                           "filter 3 is"};
    MaeH5Images *images;

    for (size_t o = 0; o < 4; o++) {
        make(orders[o], NULL, 0, 0);
        ck_assert_fails(mae_h5images_open(&images, path.text, &err), MAE_ERR_FORMAT,
                        messages[o]);
    }
}
END_TEST

/* An image of a billion chunks of one pixel would need as many records of libhdf5. */
static void open_dust(void *ctx)
{
    MaeH5Images *images;

    (void)ctx;
    ck_assert_fails(mae_h5images_open(&images, path.text, &err), MAE_ERR_FORMAT,
                    "claims more chunks than a file of");
}

START_TEST(chunks_are_counted)
{
    const hsize_t dims[] = {4, 16384, 16384}, chunk[] = {1, 1, 1};
    const hid_t file = H5Fcreate(path.text, H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
    const hid_t space = H5Screate_simple(3, dims, NULL);

    (void)H5Dclose(H5Dcreate2(file, "images", H5T_NATIVE_UINT8, space, H5P_DEFAULT,
                              pipeline("", chunk), H5P_DEFAULT));
    (void)H5Fclose(file);
    test_costs_less(16, 1.0, open_dust, NULL);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("store_h5chunks");
    TCase *tc = tcase_create("unit");

    tcase_set_timeout(tc, 60);
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_loop_test(tc, bombs_cost_nothing, 0, 2);
    tcase_add_test(tc, shorter_chunks_are_refused);
    tcase_add_test(tc, sizes_that_even_out);
    tcase_add_test(tc, sound_chunks_are_read);
    tcase_add_test(tc, skipped_filters);
    tcase_add_test(tc, orders_that_cannot_be_checked);
    tcase_add_test(tc, chunks_are_counted);
    suite_add_tcase(suite, tc);
    return mae_test_main(suite);
}
