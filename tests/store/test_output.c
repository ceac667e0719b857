#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "paths.h"
#include "store/file.h"
#include "store/output.h"
#include "support/test.h"

static void expect_content(const char *path, const char *text)
{
    size_t size;
    unsigned char *bytes = mae_test_read(path, &size);

    ck_assert_ptr_nonnull(bytes);
    ck_assert_str_eq((char *)bytes, text);
    free(bytes);
}

/* Operations of this sequence: write, write, truncate, sync, rename. */
static MaeStatus save(const char *path, MaeFaults *faults, MaeError *err)
{
    MaeOutput out;

    MAE_TRY(mae_output_open(&out, path, faults, err));
    mae_output_append(&out, "new ", 4);
    mae_output_append(&out, "content", 7);
    mae_output_truncate(&out, 11);
    return mae_output_commit(&out, err);
}

START_TEST(every_failure_keeps_the_older_file)
{
    static const int numbers[] = {ENOSPC, EIO, EDQUOT};
    char *folder = mae_test_folder();
    const Path path = path_in(folder, "f");
    MaeError err = {0};

    ck_assert_ok(mae_file_write_atomic(path.text, "old", 3, &err));
    for (size_t n = 1; n <= 5; n++) {
        MaeFaults faults = {.fail_at = n, .error = numbers[n % 3], .written = n % 4};

        ck_assert_fails(save(path.text, &faults, &err), MAE_ERR_IO,
                        strerror(numbers[n % 3]));
        ck_assert_ptr_nonnull(strstr(err.msg, "f.mae-tmp: cannot "));
        expect_content(path.text, "old");
        ck_assert(!path_exists(folder, "f.mae-tmp"));
    }
    ck_assert_ok(save(path.text, NULL, &err));
    expect_content(path.text, "new content");
    mae_test_folder_remove(folder);
}
END_TEST

/* Short writes and interrupted calls are no failures. */
START_TEST(short_writes_and_interrupts_are_continued)
{
    char *folder = mae_test_folder();
    const Path path = path_in(folder, "f");
    MaeError err = {0};

    for (size_t n = 1; n <= 5; n++) {
        MaeFaults cut = {.fail_at = n, .error = 0, .written = n % 3};
        MaeFaults interrupt = {.fail_at = n, .error = EINTR, .written = 0};

        ck_assert_ok(save(path.text, &cut, &err));
        expect_content(path.text, "new content");
        ck_assert_ok(save(path.text, &interrupt, &err));
        expect_content(path.text, "new content");
        ck_assert_uint_ge(cut.seen, 5);
    }
    mae_test_folder_remove(folder);
}
END_TEST

START_TEST(abort_and_stale_files)
{
    char *folder = mae_test_folder();
    const Path path = path_in(folder, "f"), temp = path_in(folder, "f.mae-tmp");
    MaeError err = {0};
    MaeOutput out;

    mae_test_write(temp.text, "left by a crash, and longer", 27);
    ck_assert_ok(mae_output_open(&out, path.text, NULL, &err));
    mae_output_append(&out, "x", 1);
    mae_output_abort(&out);
    mae_output_abort(&out);
    ck_assert(!path_exists(folder, "f.mae-tmp"));
    ck_assert(!path_exists(folder, "f"));
    ck_assert_fails(mae_output_open(&out, path_in(folder, "no/f").text, NULL, &err),
                    MAE_ERR_IO, "No such file");
    mae_output_abort(&out);
    mae_test_folder_remove(folder);
}
END_TEST

/* Files beside it are nobody's business; a file being written is not taken over. */
START_TEST(only_its_own_temporary_file)
{
    char *folder = mae_test_folder();
    const Path path = path_in(folder, "f"), other = path_in(folder, "f.tmp");
    const Path temp = path_in(folder, "f.mae-tmp"), odd = path_in(folder, "g.mae-tmp");
    const Path kept = path_in(folder, "kept");
    MaeOutput first, second;
    MaeError err = {0};

    mae_test_write(other.text, "the user's", 10);
    ck_assert_ok(mae_output_open(&first, path.text, NULL, &err));
    mae_output_append(&first, "first", 5);
    ck_assert_fails(mae_output_open(&second, path.text, NULL, &err), MAE_ERR_IO,
                    "f: another process is writing it");
    mae_output_abort(&second);
    ck_assert(path_exists(folder, "f.mae-tmp"));
    ck_assert_ok(mae_output_commit(&first, &err));
    expect_content(path.text, "first");
    expect_content(other.text, "the user's");
    ck_assert(!path_exists(folder, "f.mae-tmp"));

    mae_test_write(kept.text, "last", 4); /* a crash between link and rename */
    ck_assert_int_eq(link(kept.text, temp.text), 0);
    ck_assert_ok(mae_output_open(&first, path.text, NULL, &err));
    mae_output_append(&first, "second", 6);
    ck_assert_ok(mae_output_commit(&first, &err));
    expect_content(path.text, "second");
    expect_content(kept.text, "last");

    ck_assert_int_eq(mkfifo(odd.text, 0600), 0);
    ck_assert_fails(mae_output_open(&first, path_in(folder, "g").text, NULL, &err),
                    MAE_ERR_ARG, "g.mae-tmp: is no regular file");
    ck_assert_int_eq(symlink(other.text, temp.text), 0);
    ck_assert_fails(mae_output_open(&first, path.text, NULL, &err), MAE_ERR_IO,
                    "f.mae-tmp: cannot create");
    expect_content(other.text, "the user's");
    mae_test_folder_remove(folder);
}
END_TEST

/* What is no regular file is refused, at once. */
START_TEST(odd_files_are_refused)
{
    char *folder = mae_test_folder();
    const Path fifo = path_in(folder, "fifo"), big = path_in(folder, "big");
    unsigned char *bytes;
    MaeError err = {0};
    size_t size;

    ck_assert_int_eq(mkfifo(fifo.text, 0600), 0);
    ck_assert_fails(mae_file_read_all(fifo.text, 100, &bytes, &size, &err),
                    MAE_ERR_FORMAT, "FIFO");
    ck_assert_fails(mae_file_read_all(folder, 100, &bytes, &size, &err), MAE_ERR_FORMAT,
                    "a folder");
    ck_assert_fails(mae_file_read_all("/dev/zero", 100, &bytes, &size, &err),
                    MAE_ERR_FORMAT, "a device");
    ck_assert_fails(
        mae_file_read_all(path_in(folder, "none").text, 9, &bytes, &size, &err),
        MAE_ERR_IO, "No such file");
    mae_test_write(big.text, "0123456789", 10);
    ck_assert_fails(mae_file_read_all(big.text, 9, &bytes, &size, &err), MAE_ERR_FORMAT,
                    "10 bytes, at most 9");
    ck_assert_ok(mae_file_read_all(big.text, 10, &bytes, &size, &err));
    ck_assert_uint_eq(size, 10);
    ck_assert_str_eq((char *)bytes, "0123456789");
    free(bytes);
    mae_test_folder_remove(folder);
}
END_TEST

START_TEST(only_files_are_replaced)
{
    char *folder = mae_test_folder();
    const Path fifo = path_in(folder, "fifo"), file = path_in(folder, "file");
    const Path link = path_in(folder, "link");
    MaeError err = {0};
    struct stat st;

    ck_assert_int_eq(mkfifo(fifo.text, 0600), 0);
    mae_test_write(file.text, "old", 3);
    ck_assert_int_eq(symlink(file.text, link.text), 0);
    ck_assert_fails(mae_file_write_atomic(fifo.text, "x", 1, &err), MAE_ERR_ARG,
                    "no regular file");
    ck_assert_fails(mae_file_write_atomic(folder, "x", 1, &err), MAE_ERR_ARG,
                    "no regular file");
    ck_assert_fails(mae_file_write_atomic("/dev/null", "x", 1, &err), MAE_ERR_ARG,
                    "no regular file");
    ck_assert_fails(mae_file_write_atomic(link.text, "x", 1, &err), MAE_ERR_ARG,
                    "the link leads to");
    ck_assert(lstat(link.text, &st) == 0 && S_ISLNK(st.st_mode));
    ck_assert(lstat(fifo.text, &st) == 0 && S_ISFIFO(st.st_mode));
    ck_assert_ok(mae_file_write_atomic(file.text, "x", 1, &err));
    mae_test_folder_remove(folder);
}
END_TEST

START_TEST(folders_are_made_with_parents)
{
    char *folder = mae_test_folder();
    const Path deep = path_in(folder, "a/b//c/"), file = path_in(folder, "a/f");
    MaeError err = {0};

    ck_assert_ok(mae_file_make_folders(deep.text, &err));
    ck_assert_ok(mae_file_make_folders(deep.text, &err));
    ck_assert(path_exists(folder, "a/b/c"));
    mae_test_write(file.text, "x", 1);
    ck_assert_fails(mae_file_make_folders(file.text, &err), MAE_ERR_ARG, "no folder");
    ck_assert_fails(mae_file_make_folders(path_in(folder, "a/f/g").text, &err),
                    MAE_ERR_ARG, "exists and is no folder");
    mae_test_folder_remove(folder);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("store_output");
    TCase *tc = tcase_create("unit");

    tcase_set_timeout(tc, 60);
    tcase_add_test(tc, every_failure_keeps_the_older_file);
    tcase_add_test(tc, short_writes_and_interrupts_are_continued);
    tcase_add_test(tc, abort_and_stale_files);
    tcase_add_test(tc, only_its_own_temporary_file);
    tcase_add_test(tc, odd_files_are_refused);
    tcase_add_test(tc, only_files_are_replaced);
    tcase_add_test(tc, folders_are_made_with_parents);
    suite_add_tcase(suite, tc);
    return mae_test_main(suite);
}
