/*
 * Feeds a target without libFuzzer: every file of a folder as it is, cut short, and with
 * bytes changed, the same in every run.
 *
 *     replay_<target> FOLDER [CHANGED]    how many changed ones of each file; 0: it alone
 */
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "base/rng.h"
#include "fuzz.h"
#include "support/test.h"

enum { CUTS = 16, CHANGED = 100, MOST_KIB = 1 << 20 };

static glob_t files;
static size_t changed = CHANGED;

/* A copy of exactly this size, so that a sanitizer sees a read past the end. */
static void feed(const unsigned char *bytes, size_t size)
{
    unsigned char *copy = malloc(size > 0 ? size : 1);

    ck_assert_ptr_nonnull(copy);
    memcpy(copy, bytes, size);
    (void)LLVMFuzzerTestOneInput(copy, size);
    free(copy);
}

/* One to four places; a bit, a byte or a run of the same byte. */
static void change(unsigned char *bytes, size_t size, MaeRng *rng)
{
    for (uint64_t places = 1 + mae_rng_below(rng, 4); places > 0; places--) {
        const size_t at = (size_t)mae_rng_below(rng, size);
        const size_t run = (size_t)mae_rng_below(rng, 8);
        const uint32_t bits = mae_rng_u32(rng);

        if (bits & 1)
            bytes[at] ^= (unsigned char)(1u << (bits >> 8) % 8);
        else if (bits & 2)
            bytes[at] = (unsigned char)(bits >> 8);
        else
            memset(bytes + at, bits & 4 ? 0xff : 0, run < size - at ? run : size - at);
    }
}

static void feed_changed(const unsigned char *bytes, size_t size)
{
    unsigned char *copy = mae_test_alloc(size + 1);
    MaeRng rng;

    for (size_t i = 0; i < CUTS; i++)
        feed(bytes, size * i / CUTS);
    for (size_t i = 0; size > 0 && i < changed; i++) {
        mae_rng_init(&rng, 0, 0, i, MAE_RNG_TEST);
        memcpy(copy, bytes, size);
        change(copy, size, &rng);
        feed(copy, size);
    }
    free(copy);
}

START_TEST(reads_or_refuses)
{
    struct rusage usage;
    size_t size;
    unsigned char *bytes = mae_test_read(files.gl_pathv[_i], &size);

    ck_assert_msg(bytes != NULL, "%s cannot be read", files.gl_pathv[_i]);
    feed(bytes, size);
    if (changed > 0)
        feed_changed(bytes, size);
    free(bytes);
    ck_assert_int_eq(getrusage(RUSAGE_SELF, &usage), 0);
    ck_assert_msg(usage.ru_maxrss <= MOST_KIB, "%s: %ld KiB of memory in use",
                  files.gl_pathv[_i], usage.ru_maxrss);
}
END_TEST

int main(int argc, char **argv)
{
    Suite *suite = suite_create("fuzz");
    TCase *tc = tcase_create("replay");
    char pattern[1024];
    int status;

    (void)snprintf(pattern, sizeof pattern, "%s/*", argc > 1 ? argv[1] : "");
    if (argc < 2 || glob(pattern, 0, NULL, &files) != 0) {
        (void)fprintf(stderr, "usage: %s FOLDER [CHANGED]\n", argv[0]);
        return EXIT_FAILURE;
    }
    if (argc > 2)
        changed = (size_t)strtoul(argv[2], NULL, 10);
    tcase_set_timeout(tc, 300);
    tcase_add_loop_test(tc, reads_or_refuses, 0, (int)files.gl_pathc);
    suite_add_tcase(suite, tc);
    status = mae_test_main(suite);
    globfree(&files);
    return status;
}
