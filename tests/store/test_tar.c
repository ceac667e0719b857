#include "store/tar.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "support/test.h"

static char *root, path[1024];
static unsigned char bytes[1 << 16]; /* the archive that is being made */
static size_t size;
static MaeError err;
static MaeTar tar; /* the walk over it */
static int fd;

static void setup(void)
{
    root = mae_test_folder();
    (void)snprintf(path, sizeof path, "%s/a.tar", root);
    size = 0;
    fd = -1;
    memset(bytes, 0, sizeof bytes);
    err = (MaeError){0};
}

static void teardown(void)
{
    if (fd >= 0)
        close(fd);
    mae_test_folder_remove(root);
}

/* The checksum of the header at @p at, as octal digits. */
static void seal(size_t at)
{
    unsigned sum = 0;

    memset(bytes + at + 148, ' ', 8);
    for (size_t i = 0; i < 512; i++)
        sum += bytes[at + i];
    (void)snprintf((char *)bytes + at + 148, 8, "%06o", sum);
}

/* Append a member. @return where its header is. */
static size_t member(const char *name, char type, const void *content, size_t length)
{
    const size_t at = size;

    ck_assert_uint_lt(at + 1024 + length + 511, sizeof bytes);
    memcpy(bytes + at, name, strlen(name));
    (void)snprintf((char *)bytes + at + 124, 12, "%011o", (unsigned)length);
    bytes[at + 156] = (unsigned char)type;
    memcpy(bytes + at + 257, "ustar\00000", 8);
    seal(at);
    memcpy(bytes + at + 512, content, length);
    size += 512 + (length + 511) / 512 * 512;
    return at;
}

/* Write the archive with an end marker and begin to walk. */
static void start(void)
{
    mae_test_write(path, bytes, size + 1024);
    if (fd >= 0)
        close(fd);
    fd = open(path, O_RDONLY);
    mae_tar_begin(&tar, fd, size + 1024, path);
}

static void expect(const char *name, const char *content)
{
    char text[256] = "";
    bool found = false;

    ck_assert_ok(mae_tar_next(&tar, &found, &err));
    ck_assert(found);
    ck_assert_str_eq(tar.name, name);
    ck_assert_int_eq(tar.is_file, content != NULL);
    if (content == NULL)
        return;
    ck_assert_uint_eq(tar.length, strlen(content));
    ck_assert_int_eq(pread(fd, text, strlen(content), (off_t)tar.offset),
                     (int)strlen(content));
    ck_assert_str_eq(text, content);
}

static void expect_end(void)
{
    bool found = true;

    ck_assert_ok(mae_tar_next(&tar, &found, &err));
    ck_assert(!found);
}

static void expect_failure(const char *text)
{
    bool found;

    start();
    ck_assert_fails(mae_tar_next(&tar, &found, &err), MAE_ERR_FORMAT, text);
}

START_TEST(kinds_of_members)
{
    size_t at;

    member("folder/", '5', "", 0);
    member("folder/a.txt", '0', "first", 5);
    member("empty", '0', "", 0);
    at = member("link", '2', "", 0);
    (void)snprintf((char *)bytes + at + 124, 12, "%011o", 5u); /* means nothing */
    seal(at);
    member("fifo", '6', "", 0);
    member("old/", '\0', "", 0);
    member("old/b", '\0', "second", 6);
    at = member("v7", '\0', "third", 5);
    memset(bytes + at + 257, 0, 255);
    seal(at);
    at = member("gnu", '7', "fourth", 6);
    memcpy(bytes + at + 257, "ustar  ", 8);
    seal(at);
    start();
    expect("folder/", NULL);
    expect("folder/a.txt", "first");
    expect("empty", "");
    expect("link", NULL);
    expect("fifo", NULL);
    expect("old/", NULL);
    expect("old/b", "second");
    expect("v7", "third");
    expect("gnu", "fourth");
    expect_end();
}
END_TEST

START_TEST(long_names)
{
    static const char pax[] = "15 path=x/long\n13 mtime=1.5\n10 size=4\n";
    char name[101], gnu[300];
    size_t at;

    memset(name, 'n', 100);
    name[100] = '\0';
    memset(gnu, 'g', 299);
    gnu[299] = '\0';
    member(name, '0', "a", 1);
    at = member("tail", '0', "b", 1);
    memcpy(bytes + at + 345, "head", 4);
    seal(at);
    member("PaxHeader", 'g', "13 comment=x\n", 13);
    member("PaxHeader", 'x', pax, sizeof pax - 1);
    at = member("short", '0', "long", 4);
    (void)snprintf((char *)bytes + at + 124, 12, "%011o", 0u);
    seal(at);
    member("././@LongLink", 'K', "target", 7);
    member("././@LongLink", 'L', gnu, sizeof gnu);
    member("ggg", '0', "c", 1);
    member("plain", '0', "d", 1);
    start();
    expect(name, "a");
    expect("head/tail", "b");
    expect("x/long", "long");
    expect(gnu, "c");
    expect("plain", "d");
    expect_end();
}
END_TEST

START_TEST(sizes_in_base_256)
{
    const size_t at = member("a", '0', "content", 7);

    memset(bytes + at + 124, 0, 12);
    bytes[at + 124] = 0x80;
    bytes[at + 135] = 7;
    seal(at);
    start();
    expect("a", "content");
    bytes[at + 125] = 1;
    seal(at);
    expect_failure("the size is no number");
    bytes[at + 125] = 0;
    bytes[at + 129] = 1;
    seal(at);
    expect_failure("truncated: member at byte 0 has 281474976710663 bytes");
}
END_TEST

START_TEST(damaged_headers)
{
    const size_t at = member("a", '0', "content", 7);

    bytes[at + 3] ^= 1;
    expect_failure("header at byte 0: wrong checksum");
    bytes[at + 3] ^= 1;
    memcpy(bytes + at + 257, "zip", 3);
    seal(at);
    expect_failure("expected the magic \"ustar\", found \"zipar\"");
    memcpy(bytes + at + 257, "ustar", 5);
    memcpy(bytes + at + 124, "12x", 3);
    seal(at);
    expect_failure("the size is no number");
}
END_TEST

static void refuse(const char *name, char type, const char *content, const char *text)
{
    memset(bytes, 0, sizeof bytes);
    size = 0;
    member(name, type, content, strlen(content));
    member("b", '0', "b", 1);
    expect_failure(text);
}

START_TEST(names_and_kinds_refused)
{
    static char long_name[5000];

    refuse("../a.jpg", '0', "a", "'../a.jpg': the name leads out");
    refuse("a/../../b.jpg", '0', "a", "leads out");
    refuse("a/..", '5', "", "leads out");
    refuse("/etc/passwd", '0', "a", "'/etc/passwd': absolute name");
    refuse("", '0', "a", "member at byte 0 has no name");
    refuse("a", 'S', "a", "sparse and multi-volume members");
    refuse("a", 'M', "a", "sparse and multi-volume members");
    refuse("p", 'x', "27 GNU.sparse.realsize=123\n", "sparse");
    refuse("p", 'x', "12 path=../a\n", "pax header: damaged at byte 512");
    refuse("p", 'x', "13 path=../a\n", "leads out");
    refuse("p", 'x', "99 path=a\n", "pax header: damaged");
    refuse("p", 'x', "3 \n", "pax header: damaged");
    refuse("p", 'x', "-5 path=a\n", "pax header: damaged");
    refuse("p", 'x', "size=1\n", "pax header: damaged");
    refuse("p", 'x', "11 size=1x\n", "the size is no number");
    refuse("p", 'x', "26 size=99999999999999999\n", "truncated: member at byte 1024");
    refuse("p", 'x', "31 size=9999999999999999999999\n", "the size is no number");
    memset(long_name, 'l', sizeof long_name - 1);
    refuse("././@LongLink", 'L', long_name, "its name is too long");
}
END_TEST

/* Cut anywhere: an error, unless only the second block of the marker is missing. */
START_TEST(truncated)
{
    size_t whole;

    member("a", '0', "content", 7);
    member("PaxHeader", 'x', "12 path=xyz\n", 12);
    member("b", '0', bytes, 1000);
    start();
    whole = size + 512;
    for (size_t cut = 1; cut < whole; cut += 37) {
        bool found = true;
        MaeStatus status = MAE_OK;

        mae_test_write(path, bytes, cut);
        close(fd);
        fd = open(path, O_RDONLY);
        mae_tar_begin(&tar, fd, cut, path);
        for (int i = 0; i < 4 && status == MAE_OK && found; i++)
            status = mae_tar_next(&tar, &found, &err);
        ck_assert_msg(status == MAE_ERR_FORMAT, "cut at %zu", cut);
        ck_assert_ptr_nonnull(strstr(err.msg, "truncated"));
    }
}
END_TEST

/* Every bit of the headers: no crash, and whatever is found lies inside the file. */
START_TEST(flipped_bits)
{
    const size_t at = member("PaxHeader", 'x', "12 path=xyz\n", 12);
    size_t bad = 0;

    member("b", '0', "content", 7);
    start();
    for (size_t bit = 8 * at; bit < 8 * size; bit++) {
        bool found = true;
        MaeStatus status = MAE_OK;

        bytes[bit / 8] ^= (unsigned char)(1u << bit % 8);
        start();
        for (int i = 0; i < 4 && status == MAE_OK && found; i++) {
            status = mae_tar_next(&tar, &found, &err);
            if (status == MAE_OK && found)
                ck_assert_uint_le(tar.offset + tar.length, size + 1024);
        }
        bad += status == MAE_ERR_FORMAT;
        bytes[bit / 8] ^= (unsigned char)(1u << bit % 8);
    }
    ck_assert_uint_gt(bad, 2 * 8 * 450);
}
END_TEST

START_TEST(written_is_read)
{
    MaeOutput out;
    unsigned char *first = NULL, *second;
    size_t n[2];

    memset(bytes, 'x', 1024);
    for (int i = 0; i < 2; i++) {
        ck_assert_ok(mae_output_open(&out, path, NULL, &err));
        mae_tar_put(&out, "a", "one", 3);
        mae_tar_put(&out, "b/c", bytes, 1024);
        mae_tar_put(&out, "d", "", 0);
        mae_tar_end(&out);
        ck_assert_ok(mae_output_commit(&out, &err));
        if (i == 0)
            first = mae_test_read(path, &n[0]);
    }
    second = mae_test_read(path, &n[1]);
    ck_assert_uint_eq(n[0], 512 + 512 + 512 + 1024 + 512 + 1024);
    ck_assert_uint_eq(n[0], n[1]);
    ck_assert_mem_eq(first, second, n[0]);
    ck_assert(mae_tar_sniff(first));
    free(first);
    free(second);
    fd = open(path, O_RDONLY);
    mae_tar_begin(&tar, fd, n[0], path);
    expect("a", "one");
    ck_assert_ok(mae_tar_next(&tar, &(bool){false}, &err));
    ck_assert_uint_eq(tar.length, 1024);
    expect("d", "");
    expect_end();
}
END_TEST

START_TEST(read_by_tar)
{
    MaeOutput out;
    char command[2200];

    ck_assert_ok(mae_output_open(&out, path, NULL, &err));
    mae_tar_put(&out, "a.txt", "one", 3);
    mae_tar_put(&out, "b/c.txt", "two", 3);
    mae_tar_end(&out);
    ck_assert_ok(mae_output_commit(&out, &err));
    (void)snprintf(command, sizeof command,
                   "test \"$(tar -xOf '%s' a.txt b/c.txt)\" = onetwo", path);
    ck_assert_int_eq(system(command), 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("store_tar");
    TCase *tc = tcase_create("unit");

    tcase_set_timeout(tc, 60);
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, kinds_of_members);
    tcase_add_test(tc, long_names);
    tcase_add_test(tc, sizes_in_base_256);
    tcase_add_test(tc, damaged_headers);
    tcase_add_test(tc, names_and_kinds_refused);
    tcase_add_test(tc, truncated);
    tcase_add_test(tc, flipped_bits);
    tcase_add_test(tc, written_is_read);
    tcase_add_test(tc, read_by_tar);
    suite_add_tcase(suite, tc);
    return mae_test_main(suite);
}
