#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "paths.h"
#include "store/bytes.h"
#include "store/safetensors.h"
#include "support/cost.h"
#include "support/test.h"

/** Read everything and write it again: the library's own bytes come out. */
START_TEST(golden_round_trip)
{
    const char *golden = mae_test_golden("mae_timm_names.safetensors");
    char *folder = mae_test_folder();
    const Path path = path_in(folder, "out.safetensors");
    const MaeTensorInfo *list;
    MaeSafetensorsItem *items;
    unsigned char *a, *b;
    MaeSafetensors *s;
    MaeError err = {0};
    size_t count, n, m;

    ck_assert_ok(mae_safetensors_open(&s, golden, &err));
    list = mae_safetensors_list(s, &count);
    ck_assert_uint_gt(count, 20);
    items = mae_test_alloc(count * sizeof *items);
    for (size_t i = 0; i < count; i++) {
        const size_t from = count - 1 - i; /* the writer sorts */
        float *data;

        ck_assert(mae_tensor_count(&n, list[from].shape, list[from].ndim, 1 << 24));
        data = mae_test_alloc(n * sizeof *data);
        ck_assert_ok(mae_safetensors_read(s, from, data, &err));
        items[i] = (MaeSafetensorsItem){.info = list[from], .data = data};
    }
    ck_assert_ok(mae_safetensors_write(path.text, items, count, &err));
    a = mae_test_read(golden, &n);
    b = mae_test_read(path.text, &m);
    ck_assert_uint_eq(n, m);
    ck_assert_mem_eq(a, b, n);
    ck_assert_uint_lt(mae_safetensors_find(s, "cls_token"), count);
    ck_assert_uint_eq(mae_safetensors_find(s, "none"), count);
    for (size_t i = 0; i < count; i++)
        free((float *)(uintptr_t)items[i].data);
    free(items);
    free(a);
    free(b);
    mae_safetensors_close(s);
    mae_safetensors_close(NULL);
    mae_test_folder_remove(folder);
}
END_TEST

/** Write a file of this header and @p data zero bytes. */
static void make(const char *path, const char *header, size_t header_size, size_t data)
{
    unsigned char *bytes = mae_test_alloc(8 + header_size + data);

    mae_put_u64(bytes, header_size);
    memcpy(bytes + 8, header, header_size);
    mae_test_write(path, bytes, 8 + header_size + data);
    free(bytes);
}

#define T(dtype, shape, begin, end)                                                      \
    "{\"dtype\":\"" dtype "\",\"shape\":" shape ",\"data_offsets\":[" #begin "," #end "]}"

static const struct {
    const char *header;
    size_t data;
    const char *message;
} BAD[] = {
    {"{\"a\":" T("F32", "[2]", 0, 8) ",\"b\":" T("F32", "[2]", 4, 12) "}", 12,
     "b: begins at byte 4, expected 8 (overlaps"},
    {"{\"a\":" T("F32", "[2]", 0, 8) ",\"b\":" T("F32", "[1]", 12, 16) "}", 16,
     "b: begins at byte 12, expected 8 (leaves a hole"},
    {"{\"a\":" T("F32", "[2]", 0, 8) "}", 9, "1 bytes behind the last tensor a"},
    {"{\"a\":" T("F32", "[2]", 0, 8) "}", 7, "a: data_offsets do not fit"},
    {"{\"a\":" T("F32", "[2]", 8, 0) "}", 8, "a: data_offsets do not fit"},
    {"{\"a\":" T("F32", "[3]", 0, 8) "}", 8, "a: the shape does not fit 8 bytes of F32"},
    {"{\"a\":" T("F32", "[4294967296,4294967296,4]", 0, 8) "}", 8,
     "a: the shape does not"},
    {"{\"a\":" T("F32", "[9223372036854775807,2]", 0, 8) "}", 8, "a: the shape does not"},
    {"{\"a\":" T("F32", "[2]", 0.0, 8) "}", 8, "a: data_offsets do not fit"},
    {"{\"a\":" T("F32", "[2]", -8, 0) "}", 8, "a: data_offsets do not fit"},
    {"{\"a\":" T("F32", "[2]", 0, 99999999999999999999) "}", 8, "header: "},
    {"{\"a\":" T("f32", "[2]", 0, 8) "}", 8, "a: unknown dtype f32"},
    {"{\"a\":" T("F32", "[-2]", 0, 8) "}", 8, "a: dimension 0 of the shape is no size"},
    {"{\"a\":" T("F32", "[2.0]", 0, 8) "}", 8, "a: dimension 0 of the shape is no size"},
    {"{\"a\":" T("F32", "[1,1,1,1,1,1,1,1,2]", 0, 8) "}", 8, "a: expected a shape"},
    {"{\"a\":" T("F32", "2", 0, 8) "}", 8, "a: expected a shape"},
    {"{\"a\":" T("Q4", "[2]", 0, 8) "}", 8, "a: unknown dtype Q4"},
    {"{\"a\":{\"shape\":[2],\"data_offsets\":[0,8]}}", 8, "a: unknown dtype (none)"},
    {"{\"a\":{\"dtype\":\"F32\",\"shape\":[2]}}", 8, "a: data_offsets do not fit"},
    {"{\"a\":" T("F32", "[2]", 0, 8) ",\"a\":" T("F32", "[2]", 0, 8) "}", 8, "\"a\""},
    {"{\"a\":1}", 0, "a: expected an object"},
    {"[1,2]", 0, "expected an object"},
    {"{\"a\xff\":1}", 0, "header: "},
    {"{\"a\":[[[[1]]]]}", 0, "nests deeper"},
    {"{\"a\\", 0, "header: "},
    {"{\"a\\u0000\":1}", 0, "header: "},
    {"{} x", 0, "header: "},
    {"{}", 4, "4 bytes behind the last tensor"},
};

START_TEST(bad_headers_are_refused)
{
    char *folder = mae_test_folder();
    const Path path = path_in(folder, "bad.safetensors");
    MaeSafetensors *s = NULL;
    MaeError err = {0};

    for (size_t i = 0; i < sizeof BAD / sizeof *BAD; i++) {
        make(path.text, BAD[i].header, strlen(BAD[i].header), BAD[i].data);
        ck_assert_fails(mae_safetensors_open(&s, path.text, &err), MAE_ERR_FORMAT,
                        BAD[i].message);
        ck_assert_ptr_nonnull(strstr(err.msg, "bad.safetensors: "));
    }
    ck_assert_ptr_null(s);
    mae_test_folder_remove(folder);
}
END_TEST

static long resident_kb(void)
{
    struct rusage usage;

    (void)getrusage(RUSAGE_SELF, &usage);
    return usage.ru_maxrss;
}

/* Nothing is allocated for a length that cannot be. */
START_TEST(header_lengths)
{
    static const uint64_t lengths[] = {0,         1, 9, 100, 100000001, (uint64_t)1 << 63,
                                       UINT64_MAX};
    unsigned char bytes[16] = {0};
    char *folder = mae_test_folder();
    const Path path = path_in(folder, "bad.safetensors");
    const long before = resident_kb();
    MaeSafetensors *s = NULL;
    MaeError err = {0};

    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        mae_put_u64(bytes, lengths[i]);
        mae_test_write(path.text, bytes, sizeof bytes);
        ck_assert_fails(mae_safetensors_open(&s, path.text, &err), MAE_ERR_FORMAT,
                        "no safetensors file");
    }
    mae_test_write(path.text, bytes, 7);
    ck_assert_fails(mae_safetensors_open(&s, path.text, &err), MAE_ERR_FORMAT, "7 bytes");
    ck_assert_int_lt(resident_kb() - before, 16 * 1024);
    mae_test_folder_remove(folder);
}
END_TEST

#ifdef __SANITIZE_THREAD__ /* which keeps more bytes of its own for each */
enum { MOST_KB = 320 * 1024 };
#else
enum { MOST_KB = 80 * 1024 };
#endif

/* A large header costs no more than its own size before it is refused. */
START_TEST(many_tensors)
{
    const size_t size = 20000000;
    char *folder = mae_test_folder(), *header = mae_test_alloc(size);
    const Path path = path_in(folder, "bad.safetensors");
    const long before = resident_kb();
    MaeSafetensors *s = NULL;
    MaeError err = {0};

    memset(header, ',', size);
    header[0] = '{';
    make(path.text, header, size, 0);
    ck_assert_fails(mae_safetensors_open(&s, path.text, &err), MAE_ERR_FORMAT,
                    "more than 65536 tensors");
    ck_assert_int_lt(resident_kb() - before, MOST_KB);
    free(header);
    mae_test_folder_remove(folder);
}
END_TEST

static void open_too_many(void *ctx)
{
    MaeSafetensors *s = NULL;
    MaeError err = {0};

    ck_assert_fails(mae_safetensors_open(&s, ctx, &err), MAE_ERR_FORMAT,
                    "100000 tensors, at most 65536 are accepted");
}

/* A hundred thousand sound ones: a header of 6 MB. */
START_TEST(a_hundred_thousand_tensors)
{
    char *folder = mae_test_folder(), *header = mae_test_alloc(10000000), *at = header;
    Path path = path_in(folder, "many.safetensors");

    for (int i = 0; i < 100000; i++)
        at += sprintf(at, "%c\"t%d\":" T("U8", "[1]", % d, % d), i == 0 ? '{' : ',', i, i,
                      i + 1);
    *at++ = '}';
    make(path.text, header, (size_t)(at - header), 100000);
    free(header);
    test_costs_less(128, 2.0, open_too_many, path.text);
    mae_test_folder_remove(folder);
}
END_TEST

/* Half and bfloat16: normal, subnormal, infinite, NaN, negative zero. */
START_TEST(short_floats_are_widened)
{
    static const char header[] =
        "{\"h\":" T("F16", "[2,3]", 0, 12) ",\"b\":" T("BF16", "[2]", 12, 16) ",\"i\":" T(
            "I64", "[1]", 16, 24) ",\"z\":" T("F32", "[0]", 24, 24) "}";
    static const unsigned short half[] = {0x3c00, 0x0001, 0x03ff, 0xfc00, 0x7e00, 0x8000};
    static const unsigned short brain[] = {0x4049, 0xff80};
    const size_t size = sizeof header - 1;
    unsigned char bytes[8 + sizeof header - 1 + 24] = {0};
    char *folder = mae_test_folder();
    const Path path = path_in(folder, "h.safetensors");
    MaeError err = {0};
    MaeSafetensors *s;
    uint32_t bits[6];
    float x[6];

    mae_put_u64(bytes, size);
    memcpy(bytes + 8, header, size);
    memcpy(bytes + 8 + size, half, sizeof half);
    memcpy(bytes + 8 + size + 12, brain, sizeof brain);
    mae_test_write(path.text, bytes, sizeof bytes);
    ck_assert_ok(mae_safetensors_open(&s, path.text, &err));
    ck_assert_ok(mae_safetensors_read(s, mae_safetensors_find(s, "h"), x, &err));
    memcpy(bits, x, sizeof bits);
    ck_assert_double_eq((double)x[0], 1.0);
    ck_assert_double_eq((double)x[1], 0x1p-24);
    ck_assert_double_eq((double)x[2], 1023.0 * 0x1p-24);
    ck_assert_uint_eq(bits[3], 0xff800000u);
    ck_assert_uint_eq(bits[4], 0x7fc00000u);
    ck_assert_uint_eq(bits[5], 0x80000000u);
    ck_assert_ok(mae_safetensors_read(s, mae_safetensors_find(s, "b"), x, &err));
    ck_assert_double_eq((double)x[0], 3.140625);
    ck_assert(x[1] < -1e38f);
    ck_assert_ok(mae_safetensors_read(s, mae_safetensors_find(s, "z"), x, &err));
    ck_assert_fails(mae_safetensors_read(s, mae_safetensors_find(s, "i"), x, &err),
                    MAE_ERR_FORMAT, "i: expected F32, F16 or BF16, found I64");
    mae_safetensors_close(s);
    mae_test_folder_remove(folder);
}
END_TEST

START_TEST(bad_names_are_not_written)
{
    static const char *const names[] = {"", "__metadata__", "twice"};
    const float x = 1.0f;
    char *folder = mae_test_folder();
    const Path path = path_in(folder, "w.safetensors");
    MaeError err = {0};

    for (size_t i = 0; i < 3; i++) {
        const MaeSafetensorsItem item = {.info = {.name = names[i]}, .data = &x};
        const MaeSafetensorsItem items[] = {item, item};

        ck_assert_fails(mae_safetensors_write(path.text, items, 2, &err), MAE_ERR_ARG,
                        names[i]);
        ck_assert(!path_exists(folder, "w.safetensors"));
    }
    mae_test_folder_remove(folder);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("store_safetensors");
    TCase *tc = tcase_create("unit");

    tcase_set_timeout(tc, 60);
    tcase_add_test(tc, golden_round_trip);
    tcase_add_test(tc, bad_headers_are_refused);
    tcase_add_test(tc, header_lengths);
    tcase_add_test(tc, many_tensors);
    tcase_add_test(tc, a_hundred_thousand_tensors);
    tcase_add_test(tc, short_floats_are_widened);
    tcase_add_test(tc, bad_names_are_not_written);
    suite_add_tcase(suite, tc);
    return mae_test_main(suite);
}
