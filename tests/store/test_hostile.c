/* HDF5 files whose checksum is right and whose content is not what we write. */
#include <fcntl.h>
#include <hdf5.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "paths.h"
#include "store/checkpoint.h"
#include "store/ckptblock.h"
#include "store/h5in.h"
#include "support/test.h"

static const hsize_t DIMS[] = {2, 3};

/** A data set at "params/x". @param list creation list or H5P_DEFAULT. */
static void put(hid_t file, hid_t type, int rank, const hsize_t *dims, hid_t list)
{
    const hid_t space = H5Screate_simple(rank, dims, NULL);
    const hid_t set =
        H5Dcreate2(file, "params/x", type, space, H5P_DEFAULT, list, H5P_DEFAULT);

    ck_assert(set >= 0);
    (void)H5Dclose(set);
    (void)H5Sclose(space);
}

static void soft_link(hid_t file)
{
    (void)H5Lcreate_soft("/params", file, "params/x", H5P_DEFAULT, H5P_DEFAULT);
}

static void external_link(hid_t file)
{
    (void)H5Lcreate_external("/etc/other.h5", "/x", file, "params/x", H5P_DEFAULT,
                             H5P_DEFAULT);
}

static void external_data(hid_t file)
{
    const hid_t list = H5Pcreate(H5P_DATASET_CREATE);

    (void)H5Pset_external(list, "/etc/passwd", 0, 24);
    put(file, H5T_IEEE_F32LE, 2, DIMS, list);
}

static void virtual_data(hid_t file)
{
    const hid_t list = H5Pcreate(H5P_DATASET_CREATE),
                space = H5Screate_simple(2, DIMS, NULL);

    (void)H5Pset_virtual(list, space, "/etc/other.h5", "x", space);
    put(file, H5T_IEEE_F32LE, 2, DIMS, list);
}

static void odd_filter(hid_t file)
{
    const hid_t list = H5Pcreate(H5P_DATASET_CREATE);

    (void)H5Pset_chunk(list, 2, DIMS);
    (void)H5Pset_nbit(list);
    put(file, H5T_IEEE_F32LE, 2, DIMS, list);
}

static void deflate_twice(hid_t file)
{
    const hid_t list = H5Pcreate(H5P_DATASET_CREATE);

    (void)H5Pset_chunk(list, 2, DIMS);
    (void)H5Pset_deflate(list, 9);
    (void)H5Pset_deflate(list, 9);
    put(file, H5T_IEEE_F32LE, 2, DIMS, list);
}

static void huge_chunk(hid_t file)
{
    const hsize_t dims[] = {16384, 16384}; /* 1 GiB of zeros deflates to 1 MB */
    const hid_t list = H5Pcreate(H5P_DATASET_CREATE);

    (void)H5Pset_chunk(list, 2, dims);
    (void)H5Pset_deflate(list, 9);
    put(file, H5T_IEEE_F32LE, 2, dims, list);
}

static void huge_shape(hid_t file)
{
    const hsize_t dims[] = {(hsize_t)1 << 40, (hsize_t)1 << 40}, chunk[] = {16, 16};
    const hid_t list = H5Pcreate(H5P_DATASET_CREATE);

    (void)H5Pset_chunk(list, 2, chunk);
    put(file, H5T_IEEE_F32LE, 2, dims, list);
}

static void no_data(hid_t file)
{
    put(file, H5T_IEEE_F32LE, 2, DIMS, H5P_DEFAULT);
}

static void many_dimensions(hid_t file)
{
    const hsize_t dims[9] = {1, 1, 1, 1, 1, 1, 1, 1, 1};

    put(file, H5T_IEEE_F32LE, 9, dims, H5P_DEFAULT);
}

static void compact(hid_t file, hid_t type)
{
    const hid_t list = H5Pcreate(H5P_DATASET_CREATE);

    (void)H5Pset_layout(list, H5D_COMPACT);
    (void)H5Pset_alloc_time(list, H5D_ALLOC_TIME_EARLY);
    put(file, type, 2, DIMS, list);
}

static void compound_type(hid_t file)
{
    const hid_t type = H5Tcreate(H5T_COMPOUND, 8);

    (void)H5Tinsert(type, "x", 0, H5T_IEEE_F32LE);
    compact(file, type);
}

static void text_type(hid_t file)
{
    const hid_t type = H5Tcopy(H5T_C_S1);

    (void)H5Tset_size(type, H5T_VARIABLE);
    compact(file, type);
}

static void narrow_integer(hid_t file)
{
    const hid_t type = H5Tcopy(H5T_STD_I32LE);

    (void)H5Tset_precision(type, 17);
    compact(file, type);
}

static void other_number(hid_t file)
{
    compact(file, H5T_IEEE_F64LE);
}

static void named_type(hid_t file)
{
    const hid_t type = H5Tcopy(H5T_IEEE_F32LE);

    (void)H5Tcommit2(file, "params/x", type, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
}

/* A group that contains itself, many times. */
static void cycle(hid_t file)
{
    for (int i = 0; i < 50; i++) {
        char name[32];

        (void)snprintf(name, sizeof name, "params/l%d", i);
        (void)H5Lcreate_hard(file, "params", file, name, H5P_DEFAULT, H5P_DEFAULT);
    }
}

static const struct {
    void (*make)(hid_t file);
    const char *message;
} CASES[] = {
    {soft_link, "params/x: a soft or external link"},
    {external_link, "params/x: a soft or external link"},
    {external_data, "params/x: data in external files"},
    {virtual_data, "params/x: virtual storage"},
    {odd_filter, "params/x: filter 5 is refused"},
    {deflate_twice, "params/x: filter 1 is refused"},
    {huge_chunk, "params/x: c"}, /* claims too much, or chunks */
    {huge_shape, "params/x: claims more data"},
    {no_data, "params/x: 0 bytes stored, expected 24"},
    {many_dimensions, "params/x: 9 dimensions"},
    {compound_type, "params/x: expected integers or IEEE floats"},
    {text_type, "params/x: expected integers or IEEE floats"},
    {narrow_integer, "params/x: expected integers or IEEE floats"},
    {other_number, "params/x: expected float32"},
    {named_type, "params/x: cannot be opened as a data set"},
    {cycle, "groups nest deeper"},
};

/** Give a file the user block of a checkpoint. */
static void seal(const char *path)
{
    unsigned char block[MAE_CKPT_BLOCK];
    const int fd = open(path, O_RDWR);
    const off_t size = lseek(fd, 0, SEEK_END);
    MaeError err = {0};
    uint32_t crc;

    ck_assert_ok(mae_ckptblock_sum(&crc, fd, path, (uint64_t)size, &err));
    mae_ckptblock_make(block, (uint64_t)size - MAE_CKPT_BLOCK, crc);
    ck_assert_int_eq(pwrite(fd, block, sizeof block, 0), MAE_CKPT_BLOCK);
    (void)close(fd);
}

/** A sealed file with the group "params" and what @p make adds. */
static void build(const char *path, void (*make)(hid_t file))
{
    const hid_t create = H5Pcreate(H5P_FILE_CREATE), access = H5Pcreate(H5P_FILE_ACCESS);
    hid_t file;

    (void)H5Pset_userblock(create, MAE_CKPT_BLOCK);
    (void)H5Pset_fclose_degree(access, H5F_CLOSE_STRONG);
    (void)H5Pset_libver_bounds(access, H5F_LIBVER_V18, H5F_LIBVER_LATEST);
    file = H5Fcreate(path, H5F_ACC_TRUNC, create, access);
    (void)H5Gclose(H5Gcreate2(file, "params", H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT));
    make(file);
    ck_assert(H5Fclose(file) >= 0);
    seal(path);
}

START_TEST(refused_by_name)
{
    const struct rlimit memory = {.rlim_cur = 1 << 30, .rlim_max = 1 << 30};
    char *folder = mae_test_folder();
    const Path path = path_in(folder, "c.h5");
    const size_t shape[] = {2, 3};
    MaeError err = {0};
    MaeCkptReader *r;
    float x[6];
    MaeH5In *in;

    build(path.text, CASES[_i].make);
#if !defined __SANITIZE_ADDRESS__ && !defined __SANITIZE_THREAD__ /* reserve terabytes */
    ck_assert_int_eq(setrlimit(RLIMIT_AS, &memory), 0);
#endif
    (void)memory;
    ck_assert_fails(mae_ckpt_open(&r, path.text, &err), MAE_ERR_FORMAT,
                    CASES[_i].message);
    ck_assert_ok(mae_h5in_open(&in, path.text, &err));
    if (CASES[_i].make != other_number && CASES[_i].make != cycle)
        ck_assert_fails(mae_h5in_floats(in, "params/x", x, shape, 2, &err),
                        MAE_ERR_FORMAT, CASES[_i].message);
    mae_h5in_close(in);
    mae_test_folder_remove(folder);
}
END_TEST

static void variable_text(hid_t file)
{
    const hid_t type = H5Tcopy(H5T_C_S1), space = H5Screate(H5S_SCALAR);
    const char *text = "overrun";
    hid_t attr;

    (void)H5Tset_size(type, H5T_VARIABLE);
    attr = H5Acreate2(file, "config", type, space, H5P_DEFAULT, H5P_DEFAULT);
    ck_assert(H5Awrite(attr, type, &text) >= 0);
}

START_TEST(variable_length_texts_are_refused)
{
    char *folder = mae_test_folder(), *text = NULL;
    const Path path = path_in(folder, "c.h5");
    MaeError err = {0};
    MaeCkptReader *r;

    build(path.text, variable_text);
    ck_assert_ok(mae_ckpt_open(&r, path.text, &err));
    ck_assert_fails(mae_ckpt_get_text(r, "config", &text, &err), MAE_ERR_FORMAT,
                    "attribute config: expected a fixed-length text");
    ck_assert_ptr_null(text);
    mae_ckpt_close(r);
    mae_test_folder_remove(folder);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("store_hostile");
    TCase *tc = tcase_create("unit");

    tcase_set_timeout(tc, 60);
    tcase_add_loop_test(tc, refused_by_name, 0, (int)(sizeof CASES / sizeof *CASES));
    tcase_add_test(tc, variable_length_texts_are_refused);
    suite_add_tcase(suite, tc);
    return mae_test_main(suite);
}
