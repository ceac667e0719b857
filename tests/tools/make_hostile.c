/*
 * make_hostile FOLDER: writes all files of image/hostile.c, and good pictures, to FOLDER.
 * make_hostile --peak COMMAND...: runs it; adds "peak N MB" to what it prints.
 */
#define _DEFAULT_SOURCE /* wait4 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "image/fixture.h"
#include "image/hostile.h"
#include "support/test.h"

#define GOOD 64

static const char *folder;

static void put(const char *name, const uint8_t *bytes, size_t size)
{
    char path[1024];

    (void)snprintf(path, sizeof path, "%s/%s", folder, name);
    mae_test_write(path, bytes, size);
}

/* A test, since what makes the files asserts. */
START_TEST(write_all)
{
    size_t count, size, bad = 0;
    const HostileFile *files = hostile_files(&count);

    for (size_t i = 0; i < count; i++) {
        uint8_t *bytes = hostile_make(&files[i], &size);

        put(files[i].name, bytes, size);
        bad += files[i].message != NULL;
        free(bytes);
    }
    for (unsigned i = 0; i < GOOD; i++) {
        MaeImage img = fixture_picture(20, 24, 3, MAE_PIXEL_U8, i);
        const FixtureJpeg how = {.given = JCS_RGB, .stored = JCS_YCbCr};
        uint8_t *bytes = fixture_jpeg(&size, &img, how);
        char name[32];

        (void)snprintf(name, sizeof name, "good-%02u.jpg", i);
        put(name, bytes, size);
        free(bytes);
        mae_image_done(&img);
    }
    (void)printf("%zu images, %zu bad\n", count + GOOD, bad);
}
END_TEST

static int make(void)
{
    Suite *suite = suite_create("make_hostile");
    TCase *tc = tcase_create("make");
    SRunner *runner = srunner_create(suite);
    int failed;

    tcase_add_test(tc, write_all);
    suite_add_tcase(suite, tc);
    srunner_set_fork_status(runner, CK_NOFORK);
    srunner_run_all(runner, CK_SILENT);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed > 0;
}

static int run(char **command)
{
    struct rusage usage = {0};
    const pid_t child = fork();
    int state = 0;

    if (child == 0) {
        (void)execv(command[0], command);
        _exit(97);
    }
    if (child < 0 || wait4(child, &state, 0, &usage) != child || !WIFEXITED(state))
        return 98;
    (void)printf("peak %ld MB\n", usage.ru_maxrss >> 10);
    return WEXITSTATUS(state);
}

int main(int argc, char **argv)
{
    if (argc > 2 && strcmp(argv[1], "--peak") == 0)
        return run(argv + 2);
    if (argc != 2)
        return 2;
    folder = argv[1];
    return make();
}
