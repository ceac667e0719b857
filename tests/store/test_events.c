#include <glob.h>
#include <stdlib.h>
#include <string.h>

#include "paths.h"
#include "store/bytes.h"
#include "store/crc32c.h"
#include "store/events.h"
#include "support/test.h"

/** The only event file of a folder. Caller frees. */
static char *only_file(const char *folder)
{
    const Path pattern = path_in(folder, "events.out.tfevents.*");
    glob_t found = {0};
    char *path;

    ck_assert_int_eq(glob(pattern.text, 0, NULL, &found), 0);
    ck_assert_uint_eq(found.gl_pathc, 1);
    path = strdup(found.gl_pathv[0]);
    globfree(&found);
    return path;
}

/** Walk the frames as a TFRecord reader does; the number of records. */
static size_t count_records(const char *path)
{
    size_t size, count = 0, at = 0;
    unsigned char *bytes = mae_test_read(path, &size);

    for (; at < size; count++) {
        const size_t n = (size_t)mae_get_u64(bytes + at);
        const uint32_t masked = mae_get_u32(bytes + at + 12 + n) - 0xa282ead8u;

        ck_assert_uint_le(n, size - at - 16);
        ck_assert_uint_eq(masked >> 17 | masked << 15, mae_crc32c(0, bytes + at + 12, n));
        at += 16 + n;
    }
    ck_assert_uint_eq(at, size);
    free(bytes);
    return count;
}

/* The bytes that TensorBoard's own writer makes, wall time aside. */
START_TEST(records_are_those_of_tensorboard)
{
    static const unsigned char version[] = "\x10\x00\x1a\x0d"
                                           "brain.Event:2";
    static const unsigned char scalar[] = "\x10\xac\x02\x2a\x0f\x0a\x0d\x0a\x06"
                                          "train/\x15\x00\x00\x00\x3f";
    char *folder = mae_test_folder(), *path;
    MaeError err = {0};
    MaeEvents *events;
    unsigned char *bytes;
    size_t size;

    ck_assert_ok(mae_events_open(&events, folder, &err));
    ck_assert_ok(mae_events_scalar(events, "train/", 300, 0.5f, &err));
    mae_events_close(events);
    mae_events_close(NULL);
    path = only_file(folder);
    ck_assert_uint_eq(count_records(path), 2);
    bytes = mae_test_read(path, &size);
    ck_assert_uint_eq(mae_get_u64(bytes), 9 + sizeof version - 1);
    ck_assert_uint_eq(bytes[12], 0x09);
    ck_assert_mem_eq(bytes + 12 + 9, version, sizeof version - 1);
    ck_assert_mem_eq(bytes + 12 + 9 + sizeof version - 1 + 4 + 12 + 9, scalar,
                     sizeof scalar - 1);
    free(bytes);
    free(path);
    mae_test_folder_remove(folder);
}
END_TEST

START_TEST(files_are_cut_back)
{
    char *folder = mae_test_folder(), *path, tag[300];
    unsigned char *bytes;
    MaeError err = {0};
    MaeEvents *events;
    size_t size;

    memset(tag, 't', sizeof tag);
    tag[255] = '\0';
    ck_assert_ok(mae_events_open(&events, folder, &err));
    for (int64_t step = 0; step < 100; step++)
        ck_assert_ok(
            mae_events_scalar(events, step % 2 ? "loss" : tag, step, 1.0f, &err));
    tag[255] = 't';
    tag[256] = '\0';
    ck_assert_fails(mae_events_scalar(events, tag, 1, 1.0f, &err), MAE_ERR_ARG,
                    "256 bytes");
    mae_events_close(events);
    path = only_file(folder);
    ck_assert_uint_eq(count_records(path), 101);
    bytes = mae_test_read(path, &size);
    mae_test_write(path, bytes, size - 3); /* torn */
    ck_assert_ok(mae_events_cut(folder, 1000, &err));
    ck_assert_uint_eq(count_records(path), 100);
    ck_assert_ok(mae_events_cut(folder, 41, &err));
    ck_assert_uint_eq(count_records(path), 43);
    bytes[size / 2] ^= 1; /* damaged: all that follows is lost */
    mae_test_write(path, bytes, size);
    ck_assert_ok(mae_events_cut(folder, 1000, &err));
    ck_assert_uint_lt(count_records(path), 100);
    ck_assert_ok(mae_events_cut(path_in(folder, "none").text, 1, &err));
    free(bytes);
    free(path);
    mae_test_folder_remove(folder);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("store_events");
    TCase *tc = tcase_create("unit");

    tcase_set_timeout(tc, 60);
    tcase_add_test(tc, records_are_those_of_tensorboard);
    tcase_add_test(tc, files_are_cut_back);
    suite_add_tcase(suite, tc);
    return mae_test_main(suite);
}
