/**
 * @file test.h
 * What every test program uses: the TAP main, tensor comparison, golden files, scratch
 * folders and random input.
 *
 * Memory   Buffers come from malloc and are freed by the caller; a failed allocation or a
 *          missing golden file aborts the test with a message.
 */
#ifndef MAE_TESTS_SUPPORT_TEST_H
#define MAE_TESTS_SUPPORT_TEST_H

#include <check.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

/** Run the suite with TAP output on stdout. @return 0 always: TAP carries the result. */
int mae_test_main(Suite *suite);

/** Fail unless the call returns MAE_OK; shows the error's message. */
#define ck_assert_ok(call)                                                               \
    do {                                                                                 \
        const MaeStatus status_ = (call);                                                \
        ck_assert_msg(status_ == MAE_OK, "%s: %s: %s", #call, mae_status_name(status_),  \
                      err.msg);                                                          \
    } while (0)

/** Fail unless the call returns @p code and the message in `err` contains @p text. */
#define ck_assert_fails(call, code, text)                                                \
    do {                                                                                 \
        const MaeStatus status_ = (call);                                                \
        ck_assert_msg(status_ == (code), "%s: expected %s, got %s (%s)", #call,          \
                      mae_status_name(code), mae_status_name(status_), err.msg);         \
        ck_assert_msg(strstr(err.msg, (text)) != NULL, "message \"%s\" lacks \"%s\"",    \
                      err.msg, (text));                                                  \
    } while (0)

/**
 * Compare [n] tensors: |got - want| <= atol + rtol * max|want| for every element (NaN
 * fails). Reports name, worst index, both values, absolute and relative error, tolerance.
 */
void mae_test_close(const char *name, const float *got, const float *want, size_t n,
                    double atol, double rtol);

/** Path of a file under tests/golden; static storage, one call at a time. */
const char *mae_test_golden(const char *file);

/** Read a data set of any number type as floats. @param[out] n elements. Caller frees. */
float *mae_test_h5_floats(const char *path, const char *dataset, size_t *n);

/** True if the object exists in the file. */
bool mae_test_h5_exists(const char *path, const char *object);

/** Numeric attribute of an object ("/" for the file). */
double mae_test_h5_attr(const char *path, const char *object, const char *attr);

/** String attribute; caller frees. */
char *mae_test_h5_attr_text(const char *path, const char *object, const char *attr);

/**
 * Give the process a locale whose numbers have a comma, which is made for it; false, and
 * a line on stderr, where that cannot be.
 */
bool mae_test_comma(void);

/** A fresh empty folder, removed with its content by mae_test_folder_remove. Caller
 * frees. */
char *mae_test_folder(void);
void mae_test_folder_remove(char *folder);

/** Whole file in memory, NUL added after @p size bytes; NULL if it cannot be read. */
unsigned char *mae_test_read(const char *path, size_t *size);
void mae_test_write(const char *path, const void *data, size_t size);

/** Files that this process has open; 0 if nobody says. */
size_t mae_test_open_files(void);

/** How often @p piece stands in @p text, overlaps included. */
size_t mae_test_count(const char *text, const char *piece);

/** Fail unless @p piece stands in @p text. */
void mae_test_has(const char *text, const char *piece);

/** malloc'ed standard normal floats of stream (seed, salt). Caller frees. */
float *mae_test_normal(size_t n, uint64_t seed, uint64_t salt);

/** malloc that aborts the test instead of returning NULL; zero-filled. */
void *mae_test_alloc(size_t bytes);

#endif /* MAE_TESTS_SUPPORT_TEST_H */
