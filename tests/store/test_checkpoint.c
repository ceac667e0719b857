#include <errno.h>
#include <math.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "base/rng.h"
#include "paths.h"
#include "store/checkpoint.h"
#include "support/test.h"

/** A small model: three tensors. */
static MaeParamTable small_table(void)
{
    const size_t qkv[] = {12, 4}, conv[] = {4, 3, 2, 2};
    MaeParamTable table = {0};

    (void)mae_param_add_shape(&table, "blocks.0.attn.qkv", "weight", 2, qkv, 0);
    (void)mae_param_add(&table, "blocks.0.attn.qkv", "bias", 12, 0);
    (void)mae_param_add_shape(&table, "patch_embed.proj", "weight", 4, conv, 0);
    return table;
}

/** Save the flat buffer with a few attributes. */
static MaeStatus save(const char *path, const MaeParamTable *table, const float *flat,
                      int64_t epoch, MaeFaults *faults, MaeError *err)
{
    static const char *const names[] = {"cat", "", "white\nshark"};
    const double losses[] = {0.5, 0.25, 1e-300};
    MaeCkptWriter *w;

    MAE_TRY(mae_ckpt_create_faulty(&w, path, faults, err));
    mae_ckpt_put_int(w, "epoch", epoch);
    mae_ckpt_put_real(w, "lr", 1.5e-4);
    mae_ckpt_put_text(w, "config", "model: {preset: vit_micro}\n");
    mae_ckpt_put_reals(w, "losses", losses, 3);
    mae_ckpt_put_texts(w, "classes", names, 3);
    mae_ckpt_put_table(w, "params", table, flat);
    mae_ckpt_put_table(w, "optim/exp_avg", table, flat);
    return mae_ckpt_commit(w, err);
}

static void expect_epoch(const char *path, int64_t epoch)
{
    MaeError err = {0};
    MaeCkptReader *r;
    int64_t got;

    ck_assert_ok(mae_ckpt_open(&r, path, &err));
    ck_assert_ok(mae_ckpt_get_int(r, "epoch", &got, &err));
    ck_assert_int_eq(got, epoch);
    mae_ckpt_close(r);
}

START_TEST(round_trip)
{
    MaeParamTable table = small_table();
    float *flat = mae_test_normal(table.total, 1, 2), *back;
    char *folder = mae_test_folder(), *text, **names;
    const Path path = path_in(folder, "last.h5");
    MaeError err = {0};
    MaeTensorInfo info;
    MaeCkptReader *r;
    double *losses, lr;
    int64_t epoch;
    size_t n;

    flat[0] = NAN;
    flat[1] = -0.0f;
    ck_assert_ok(save(path.text, &table, flat, 7, NULL, &err));
    ck_assert_ok(mae_ckpt_verify(path.text, &err));
    ck_assert_ok(mae_ckpt_open(&r, path.text, &err));
    ck_assert_ok(mae_ckpt_get_int(r, "epoch", &epoch, &err));
    ck_assert_ok(mae_ckpt_get_real(r, "lr", &lr, &err));
    ck_assert_ok(mae_ckpt_get_text(r, "config", &text, &err));
    ck_assert_ok(mae_ckpt_get_reals(r, "losses", &losses, &n, &err));
    ck_assert_int_eq(epoch, 7);
    ck_assert_double_eq(lr, 1.5e-4);
    ck_assert_str_eq(text, "model: {preset: vit_micro}\n");
    ck_assert_uint_eq(n, 3);
    ck_assert_double_eq(losses[2], 1e-300);
    ck_assert_ok(mae_ckpt_get_texts(r, "classes", &names, &n, &err));
    ck_assert_uint_eq(n, 3);
    ck_assert_str_eq(names[0], "cat");
    ck_assert_str_eq(names[1], "");
    ck_assert_str_eq(names[2], "white\nshark");
    ck_assert(mae_ckpt_has(r, "lr"));
    ck_assert(!mae_ckpt_has(r, "none"));

    ck_assert_uint_eq(mae_ckpt_tensor_count(r, ""), 6);
    ck_assert_uint_eq(mae_ckpt_tensor_count(r, "params"), 3);
    ck_assert_uint_eq(mae_ckpt_tensor_count(r, "param"), 0);
    mae_ckpt_tensor(r, "params", 1, &info);
    ck_assert_str_eq(info.name, "blocks.0.attn.qkv.weight");
    ck_assert_uint_eq(info.ndim, 2);
    ck_assert_uint_eq(info.shape[0], 12);
    mae_ckpt_tensor(r, "", 0, &info);
    ck_assert_str_eq(info.name, "optim/exp_avg/blocks.0.attn.qkv.bias");

    back = mae_test_alloc(table.total * sizeof *back);
    ck_assert_ok(mae_ckpt_get_table(r, "params", &table, back, &err));
    for (size_t i = 0; i < table.count; i++) {
        const MaeParam at = table.entries[i].at;

        ck_assert_mem_eq(back + at.off, flat + at.off, at.count * sizeof *flat);
    }
    mae_ckpt_close(r);
    free(text);
    free(names);
    free(losses);
    free(back);
    free(flat);
    mae_param_close(&table);
    mae_test_folder_remove(folder);
}
END_TEST

/* The same content gives the same bytes, whenever it is written. */
START_TEST(bytes_are_reproducible)
{
    MaeParamTable table = small_table();
    float *flat = mae_test_normal(table.total, 1, 2);
    char *folder = mae_test_folder();
    const Path a = path_in(folder, "a.h5"), b = path_in(folder, "b.h5");
    unsigned char *x, *y;
    MaeError err = {0};
    size_t n, m;

    ck_assert_ok(save(a.text, &table, flat, 1, NULL, &err));
    nanosleep(&(struct timespec){.tv_sec = 1, .tv_nsec = 100000000}, NULL);
    ck_assert_ok(save(b.text, &table, flat, 1, NULL, &err));
    x = mae_test_read(a.text, &n);
    y = mae_test_read(b.text, &m);
    ck_assert_uint_eq(n, m);
    ck_assert_mem_eq(x, y, n);
    free(x);
    free(y);
    free(flat);
    mae_param_close(&table);
    mae_test_folder_remove(folder);
}
END_TEST

/* Attributes beyond 64 KiB go through dense storage. */
START_TEST(long_texts_and_lists)
{
    const size_t length = 300000, count = 100000;
    char *folder = mae_test_folder(), *text = mae_test_alloc(length + 1), *back;
    double *values = mae_test_alloc(count * sizeof *values), *read;
    const Path path = path_in(folder, "long.h5");
    MaeError err = {0};
    MaeCkptWriter *w;
    MaeCkptReader *r;
    size_t n;

    for (size_t i = 0; i < length; i++)
        text[i] = (char)('a' + i % 26);
    for (size_t i = 0; i < count; i++)
        values[i] = 1.0 / (double)(i + 1);
    ck_assert_ok(mae_ckpt_create(&w, path.text, &err));
    mae_ckpt_put_text(w, "config", text);
    mae_ckpt_put_text(w, "empty", "");
    mae_ckpt_put_reals(w, "history", values, count);
    mae_ckpt_put_reals(w, "none", values, 0);
    for (int i = 0; i < 40; i++) {
        char name[16];

        (void)snprintf(name, sizeof name, "key%d", i);
        mae_ckpt_put_int(w, name, i);
    }
    ck_assert_ok(mae_ckpt_commit(w, &err));
    ck_assert_ok(mae_ckpt_open(&r, path.text, &err));
    ck_assert_ok(mae_ckpt_get_text(r, "config", &back, &err));
    ck_assert_str_eq(back, text);
    free(back);
    ck_assert_ok(mae_ckpt_get_text(r, "empty", &back, &err));
    ck_assert_str_eq(back, "");
    free(back);
    ck_assert_ok(mae_ckpt_get_reals(r, "history", &read, &n, &err));
    ck_assert_uint_eq(n, count);
    ck_assert_mem_eq(read, values, count * sizeof *read);
    free(read);
    ck_assert_ok(mae_ckpt_get_reals(r, "none", &read, &n, &err));
    ck_assert_uint_eq(n, 0);
    free(read);
    mae_ckpt_close(r);
    free(values);
    free(text);
    mae_test_folder_remove(folder);
}
END_TEST

START_TEST(differences_are_named)
{
    MaeParamTable table = small_table(), other = {0};
    float *flat = mae_test_normal(table.total, 1, 2), one[64] = {42.0f};
    const size_t wrong[] = {4, 4}, scalar = 1;
    char *folder = mae_test_folder(), *text;
    const Path path = path_in(folder, "last.h5");
    MaeError err = {0};
    MaeCkptReader *r;
    int64_t value;

    (void)mae_param_add_shape(&other, "blocks.0.attn.qkv", "weight", 2, wrong, 0);
    (void)mae_param_add(&other, "", "cls_token", 4, 0);
    ck_assert_ok(save(path.text, &table, flat, 7, NULL, &err));
    ck_assert_ok(mae_ckpt_open(&r, path.text, &err));
    ck_assert_fails(mae_ckpt_get_table(r, "params", &other, one, &err), MAE_ERR_SHAPE,
                    "last.h5: params: 1 missing (cls_token), 2 unexpected "
                    "(blocks.0.attn.qkv.bias, patch_embed.proj.weight), 1 mismatched "
                    "(blocks.0.attn.qkv.weight: expected [4,4], got [12,4])");
    ck_assert_double_eq((double)one[0], 42.0);
    ck_assert_fails(
        mae_ckpt_get_tensor(r, "params/blocks.0.attn.qkv.weight", one, wrong, 2, &err),
        MAE_ERR_SHAPE, "params/blocks.0.attn.qkv.weight: expected [4,4], got [12,4]");
    ck_assert_fails(mae_ckpt_get_tensor(r, "params/head.bias", one, &scalar, 1, &err),
                    MAE_ERR_FORMAT, "params/head.bias: missing");
    ck_assert_fails(mae_ckpt_get_tensor(r, "params", one, &scalar, 1, &err),
                    MAE_ERR_FORMAT, "data set");
    ck_assert_fails(mae_ckpt_get_int(r, "steps", &value, &err), MAE_ERR_FORMAT,
                    "attribute steps is missing");
    ck_assert_fails(mae_ckpt_get_int(r, "lr", &value, &err), MAE_ERR_FORMAT,
                    "attribute lr: expected an integer");
    ck_assert_fails(mae_ckpt_get_text(r, "epoch", &text, &err), MAE_ERR_FORMAT,
                    "fixed-length text");
    ck_assert_fails(mae_ckpt_get_int(r, "losses", &value, &err), MAE_ERR_FORMAT,
                    "expected one value, found a list");
    mae_ckpt_close(r);
    free(flat);
    mae_param_close(&other);
    mae_param_close(&table);
    mae_test_folder_remove(folder);
}
END_TEST

START_TEST(wrong_use_is_reported_by_commit)
{
    static const char *const names[] = {"", "/a", "a//b", "a/", "./a", "a/.."};
    const size_t shape = 1;
    const float x = 1.0f;
    char *folder = mae_test_folder();
    const Path path = path_in(folder, "w.h5");
    MaeError err = {0};
    MaeCkptWriter *w;

    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        ck_assert_ok(mae_ckpt_create(&w, path.text, &err));
        mae_ckpt_put_tensor(w, names[i], &x, &shape, 1);
        ck_assert_fails(mae_ckpt_commit(w, &err), MAE_ERR_ARG, "not a proper name");
    }
    ck_assert_ok(mae_ckpt_create(&w, path.text, &err));
    mae_ckpt_put_tensor(w, "a", &x, &shape, 1);
    mae_ckpt_put_tensor(w, "a", &x, &shape, 1);
    ck_assert_fails(mae_ckpt_commit(w, &err), MAE_ERR_ARG, "a: written twice");
    ck_assert_ok(mae_ckpt_create(&w, path.text, &err));
    mae_ckpt_put_int(w, "a", 1);
    mae_ckpt_put_int(w, "a", 2);
    ck_assert_fails(mae_ckpt_commit(w, &err), MAE_ERR_ARG, "a: written twice");
    ck_assert_ok(mae_ckpt_create(&w, path.text, &err));
    mae_ckpt_abort(w);
    mae_ckpt_abort(NULL);
    mae_ckpt_close(NULL);
    ck_assert(!path_exists(folder, "w.h5"));
    ck_assert(!path_exists(folder, "w.h5.mae-tmp"));
    mae_test_folder_remove(folder);
}
END_TEST

/* Disturb each operation in turn; the process then exits cleanly (the test forks). */
START_TEST(failed_saves_harm_nothing)
{
    static const int numbers[] = {ENOSPC, EIO, EINTR, 0};
    const int number = numbers[_i];
    MaeParamTable table = small_table();
    float *flat = mae_test_normal(table.total, 1, 2);
    char *folder = mae_test_folder();
    const Path path = path_in(folder, "last.h5");
    MaeFaults plan = {0};
    MaeError err = {0};
    size_t operations, failed = 0;

    ck_assert_ok(save(path.text, &table, flat, 1, &plan, &err));
    operations = plan.seen;
    ck_assert_uint_ge(operations, 5);
    for (size_t n = 1; n <= operations; n++) {
        for (size_t written = 0; written < 600; written += 299) {
            MaeFaults faults = {.fail_at = n, .error = number, .written = written};
            const MaeStatus status = save(path.text, &table, flat, 2, &faults, &err);

            ck_assert(!path_exists(folder, "last.h5.mae-tmp"));
            if (number == 0 || number == EINTR) {
                ck_assert_ok(status);
                expect_epoch(path.text, 2);
                continue;
            }
            failed++;
            ck_assert_fails(status, MAE_ERR_IO, strerror(number));
            ck_assert_ptr_nonnull(strstr(err.msg, "last.h5.mae-tmp: cannot "));
            expect_epoch(path.text, 1);
        }
    }
    ck_assert(number == 0 || number == EINTR || failed == operations * 3);
    free(flat);
    mae_param_close(&table);
    mae_test_folder_remove(folder);
}
END_TEST

/* A real limit, large data: libhdf5 itself never sees the failure. */
START_TEST(file_size_limit)
{
    const size_t shape[] = {1024, 1024};
    struct rlimit before, limit;
    float *data = mae_test_normal(1024 * 1024, 1, 2);
    char *folder = mae_test_folder();
    const Path path = path_in(folder, "big.h5");
    MaeError err = {0};
    MaeCkptWriter *w;

    (void)signal(SIGXFSZ, SIG_IGN);
    ck_assert_int_eq(getrlimit(RLIMIT_FSIZE, &before), 0);
    limit = (struct rlimit){.rlim_cur = 1 << 20, .rlim_max = before.rlim_max};
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
    ck_assert_ok(mae_ckpt_create(&w, path.text, &err));
    for (int i = 0; i < 20; i++) {
        char name[32];

        (void)snprintf(name, sizeof name, "params/t%d", i);
        mae_ckpt_put_tensor(w, name, data, shape, 2);
        mae_ckpt_put_int(w, name + 7, i);
    }
    ck_assert_fails(mae_ckpt_commit(w, &err), MAE_ERR_IO, "File too large");
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &before), 0); /* without a fork, all go on */
    ck_assert(!path_exists(folder, "big.h5"));
    ck_assert(!path_exists(folder, "big.h5.mae-tmp"));
    free(data);
    mae_test_folder_remove(folder);
}
END_TEST

START_TEST(truncated_files_are_refused)
{
    MaeParamTable table = small_table();
    float *flat = mae_test_normal(table.total, 1, 2);
    char *folder = mae_test_folder();
    const Path path = path_in(folder, "c.h5"), cut = path_in(folder, "cut.h5");
    MaeCkptReader *r = NULL;
    unsigned char *bytes;
    MaeError err = {0};
    size_t size;

    ck_assert_ok(save(path.text, &table, flat, 1, NULL, &err));
    bytes = mae_test_read(path.text, &size);
    for (size_t i = 0; i < 64; i++) {
        mae_test_write(cut.text, bytes, size * i / 64);
        ck_assert_fails(mae_ckpt_open(&r, cut.text, &err), MAE_ERR_FORMAT, "cut.h5: ");
    }
    mae_test_write(cut.text, bytes, size - 1);
    ck_assert_fails(mae_ckpt_open(&r, cut.text, &err), MAE_ERR_FORMAT, "expected");
    bytes = realloc(bytes, size + 1);
    bytes[size] = 0;
    mae_test_write(cut.text, bytes, size + 1);
    ck_assert_fails(mae_ckpt_open(&r, cut.text, &err), MAE_ERR_FORMAT, "expected");
    ck_assert_ptr_null(r);
    free(bytes);
    free(flat);
    mae_param_close(&table);
    mae_test_folder_remove(folder);
}
END_TEST

static void write_at(const char *path, size_t at, unsigned char byte)
{
    FILE *file = fopen(path, "r+b");

    ck_assert_ptr_nonnull(file);
    ck_assert_int_eq(fseek(file, (long)at, SEEK_SET), 0);
    ck_assert_int_eq(fputc(byte, file), byte);
    ck_assert_int_eq(fclose(file), 0);
}

/* Every bit of the header, and thousands of the payload. */
START_TEST(flipped_bits_are_refused)
{
    MaeParamTable table = small_table();
    float *flat = mae_test_normal(table.total, 1, 2);
    char *folder = mae_test_folder();
    const Path path = path_in(folder, "c.h5");
    unsigned char *bytes;
    MaeError err = {0};
    size_t size;

    ck_assert_ok(save(path.text, &table, flat, 1, NULL, &err));
    bytes = mae_test_read(path.text, &size);
    for (size_t i = 0; i < 10000; i++) {
        const size_t bit = i < 8 * MAE_CKPT_BLOCK ? i : i * 7919 % (8 * size);
        const size_t at = bit / 8;

        write_at(path.text, at, (unsigned char)(bytes[at] ^ 1u << bit % 8));
        ck_assert_msg(mae_ckpt_verify(path.text, &err) == MAE_ERR_FORMAT,
                      "bit %zu went unnoticed", bit);
        write_at(path.text, at, bytes[at]);
    }
    ck_assert_ok(mae_ckpt_verify(path.text, &err));
    free(bytes);
    free(flat);
    mae_param_close(&table);
    mae_test_folder_remove(folder);
}
END_TEST

static void *save_from_thread(void *path)
{
    MaeParamTable table = small_table();
    float *flat = mae_test_normal(table.total, 1, 2);
    MaeFaults faults = {.fail_at = 2, .error = ENOSPC};
    MaeError err = {0};

    (void)save(path, &table, flat, 2, &faults, &err);
    (void)save(path, &table, flat, 3, NULL, &err);
    free(flat);
    mae_param_close(&table);
    return NULL;
}

START_TEST(saving_from_other_threads)
{
    char *folder = mae_test_folder();
    Path paths[4];
    pthread_t threads[4];

    for (int i = 0; i < 4; i++) {
        char name[16];

        (void)snprintf(name, sizeof name, "t%d.h5", i);
        paths[i] = path_in(folder, name);
        ck_assert_int_eq(
            pthread_create(&threads[i], NULL, save_from_thread, paths[i].text), 0);
    }
    for (int i = 0; i < 4; i++) {
        ck_assert_int_eq(pthread_join(threads[i], NULL), 0);
        expect_epoch(paths[i].text, 3);
    }
    mae_test_folder_remove(folder);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("store_checkpoint");
    TCase *tc = tcase_create("unit");

    tcase_set_timeout(tc, 200);
    tcase_add_test(tc, round_trip);
    tcase_add_test(tc, bytes_are_reproducible);
    tcase_add_test(tc, long_texts_and_lists);
    tcase_add_test(tc, differences_are_named);
    tcase_add_test(tc, wrong_use_is_reported_by_commit);
    tcase_add_loop_test(tc, failed_saves_harm_nothing, 0, 4);
    tcase_add_test(tc, file_size_limit);
    tcase_add_test(tc, truncated_files_are_refused);
    tcase_add_test(tc, flipped_bits_are_refused);
    tcase_add_test(tc, saving_from_other_threads);
    suite_add_tcase(suite, tc);
    return mae_test_main(suite);
}
