#define _XOPEN_SOURCE 700 /* nftw, mkdtemp */
#include "support/test.h"

#include <dirent.h>
#include <ftw.h>
#include <hdf5.h>
#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/rng.h"

int mae_test_main(Suite *suite)
{
    SRunner *runner = srunner_create(suite);

    (void)putenv((char *)(uintptr_t) "OPENBLAS_NUM_THREADS=1");
    if (getenv("MAE_TEST_COMMA") != NULL)
        (void)mae_test_comma();
    srunner_set_tap(runner, "-");
    srunner_run_all(runner, CK_SILENT);
    srunner_free(runner);
    return 0;
}

void mae_test_close(const char *name, const float *got, const float *want, size_t n,
                    double atol, double rtol)
{
    double largest = 0.0, worst = -1.0, tolerance;
    size_t at = 0;

    for (size_t i = 0; i < n; i++)
        largest = fmax(largest, fabs((double)want[i]));
    tolerance = atol + rtol * largest;
    for (size_t i = 0; i < n; i++) {
        const double diff = fabs((double)got[i] - (double)want[i]);

        if (!(diff <= worst)) {
            worst = diff;
            at = i;
            if (isnan(diff))
                break;
        }
    }
    ck_assert_msg(n > 0, "%s: nothing to compare", name);
    ck_assert_msg(
        worst <= tolerance,
        "%s[%zu of %zu]: got %.9g, want %.9g, abs %.3g, rel %.3g, tolerance %.3g", name,
        at, n, (double)got[at], (double)want[at], worst, worst / fmax(largest, 1e-30),
        tolerance);
}

const char *mae_test_golden(const char *file)
{
    static char path[1024];
    const char *root = getenv("MAE_TEST_GOLDEN");

    ck_assert_msg(root != NULL, "MAE_TEST_GOLDEN is not set; run through meson test");
    (void)snprintf(path, sizeof path, "%s/%s", root, file);
    ck_assert_msg(access(path, R_OK) == 0, "golden file %s is missing", path);
    return path;
}

void *mae_test_alloc(size_t bytes)
{
    void *p = calloc(1, bytes > 0 ? bytes : 1);

    ck_assert_msg(p != NULL, "test: out of memory (%zu bytes)", bytes);
    return p;
}

float *mae_test_h5_floats(const char *path, const char *dataset, size_t *n)
{
    const hid_t file = H5Fopen(path, H5F_ACC_RDONLY, H5P_DEFAULT);
    const hid_t set = H5Dopen2(file, dataset, H5P_DEFAULT);
    const hid_t space = H5Dget_space(set);
    const hssize_t count = H5Sget_simple_extent_npoints(space);
    float *values;

    ck_assert_msg(file >= 0 && set >= 0 && count > 0, "%s: no data set %s", path,
                  dataset);
    values = mae_test_alloc((size_t)count * sizeof *values);
    ck_assert(H5Dread(set, H5T_NATIVE_FLOAT, H5S_ALL, H5S_ALL, H5P_DEFAULT, values) >= 0);
    H5Sclose(space);
    H5Dclose(set);
    H5Fclose(file);
    *n = (size_t)count;
    return values;
}

bool mae_test_h5_exists(const char *path, const char *object)
{
    const hid_t file = H5Fopen(path, H5F_ACC_RDONLY, H5P_DEFAULT);
    bool found;

    ck_assert_msg(file >= 0, "%s: cannot be opened", path);
    found = H5Lexists(file, object, H5P_DEFAULT) > 0;
    H5Fclose(file);
    return found;
}

double mae_test_h5_attr(const char *path, const char *object, const char *attr)
{
    const hid_t file = H5Fopen(path, H5F_ACC_RDONLY, H5P_DEFAULT);
    const hid_t at = H5Aopen_by_name(file, object, attr, H5P_DEFAULT, H5P_DEFAULT);
    double value = 0.0;

    ck_assert_msg(at >= 0 && H5Aread(at, H5T_NATIVE_DOUBLE, &value) >= 0,
                  "%s: %s has no attribute %s", path, object, attr);
    H5Aclose(at);
    H5Fclose(file);
    return value;
}

char *mae_test_h5_attr_text(const char *path, const char *object, const char *attr)
{
    const hid_t file = H5Fopen(path, H5F_ACC_RDONLY, H5P_DEFAULT);
    const hid_t at = H5Aopen_by_name(file, object, attr, H5P_DEFAULT, H5P_DEFAULT);
    const hid_t type = H5Aget_type(at);
    char *text = NULL;

    ck_assert_msg(at >= 0, "%s: %s has no attribute %s", path, object, attr);
    if (H5Tis_variable_str(type) > 0) {
        const hid_t mem = H5Tcopy(H5T_C_S1);
        char *read = NULL;

        H5Tset_size(mem, H5T_VARIABLE);
        H5Tset_cset(mem, H5Tget_cset(type));
        ck_assert(H5Aread(at, mem, &read) >= 0 && read != NULL);
        text = strdup(read);
        H5free_memory(read);
        H5Tclose(mem);
    } else {
        text = mae_test_alloc(H5Tget_size(type) + 1);
        ck_assert(H5Aread(at, type, text) >= 0);
    }
    H5Tclose(type);
    H5Aclose(at);
    H5Fclose(file);
    return text;
}

char *mae_test_folder(void)
{
    const char *base = getenv("TMPDIR");
    char *path = mae_test_alloc(1024);

    (void)snprintf(path, 1024, "%s/mae-test-XXXXXX", base != NULL ? base : "/tmp");
    ck_assert_msg(mkdtemp(path) != NULL, "cannot create %s", path);
    return path;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st;
    (void)type;
    (void)ftw;
    return remove(path);
}

void mae_test_folder_remove(char *folder)
{
    (void)nftw(folder, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    free(folder);
}

/* Asserts nothing: mae_test_main calls it outside of tests. */
bool mae_test_comma(void)
{
    static const char make[] =
        "cd %s && printf 'LC_NUMERIC\\ndecimal_point \",\"\\nthousands_sep \"\"\\n"
        "grouping -1\\nEND LC_NUMERIC\\n' >source && localedef -c -i source ./comma "
        ">log 2>&1";
    char folder[] = "/tmp/mae-comma-XXXXXX", command[300];

    if (mkdtemp(folder) != NULL) {
        (void)snprintf(command, sizeof command, make, folder);
        if (system(command) >= 0 && setenv("LOCPATH", folder, 1) == 0)
            (void)setlocale(LC_ALL, "comma");
        (void)nftw(folder, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    }
    if (*localeconv()->decimal_point == ',')
        return true;
    (void)fprintf(stderr, "skipped: localedef makes no locale with a decimal comma\n");
    return false;
}

unsigned char *mae_test_read(const char *path, size_t *size)
{
    FILE *file = fopen(path, "rb");
    unsigned char *data;
    long length;

    if (file == NULL)
        return NULL;
    ck_assert(fseek(file, 0, SEEK_END) == 0 && (length = ftell(file)) >= 0);
    rewind(file);
    data = mae_test_alloc((size_t)length + 1);
    *size = fread(data, 1, (size_t)length, file);
    ck_assert(*size == (size_t)length);
    (void)fclose(file);
    return data;
}

void mae_test_write(const char *path, const void *data, size_t size)
{
    FILE *file = fopen(path, "wb");

    ck_assert_msg(file != NULL, "cannot write %s", path);
    ck_assert(fwrite(data, 1, size, file) == size);
    ck_assert(fclose(file) == 0);
}

size_t mae_test_open_files(void)
{
    DIR *dir = opendir("/proc/self/fd");
    size_t count = 0;

    if (dir == NULL)
        return 0;
    while (readdir(dir) != NULL)
        count++;
    (void)closedir(dir);
    return count;
}

size_t mae_test_count(const char *text, const char *piece)
{
    size_t found = 0;

    for (text = strstr(text, piece); text != NULL; text = strstr(text + 1, piece))
        found++;
    return found;
}

void mae_test_has(const char *text, const char *piece)
{
    ck_assert_msg(strstr(text, piece) != NULL, "'%s' is missing in: %.2000s", piece,
                  text);
}

float *mae_test_normal(size_t n, uint64_t seed, uint64_t salt)
{
    float *values = mae_test_alloc(n * sizeof *values);
    MaeRng rng;

    mae_rng_init(&rng, seed, 0, salt, MAE_RNG_TEST);
    for (size_t i = 0; i < n; i++)
        values[i] = (float)mae_rng_normal(&rng);
    return values;
}
