#include "reconstruct_fixture.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "image/image.h"
#include "support/checkpoint.h"

const char *place_path(const Place *p, const char *name)
{
    static char texts[4][1200];
    static size_t next;
    char *text = texts[next++ % 4];

    (void)snprintf(text, sizeof texts[0], "%s/%s", p->folder, name);
    return text;
}

void place_image(const Place *p, const char *name, size_t height, size_t width,
                 size_t keep)
{
    MaeImage img = {0};
    MaeError err = {0};
    uint8_t *bytes;
    size_t size;

    ck_assert_ok(mae_image_reshape(&img, height, width, 3, MAE_PIXEL_U8, &err));
    for (size_t i = 0; i < height * width * 3; i++)
        ((uint8_t *)img.data)[i] = (uint8_t)(i * 7 + i / 50 * 13);
    ck_assert_ok(mae_image_encode_png(&bytes, &size, &img, &err));
    mae_test_write(place_path(p, name), bytes, size < keep ? size : keep);
    free(bytes);
    mae_image_done(&img);
}

void place_open(Place *p)
{
    *p = (Place){.folder = mae_test_folder()};
    test_golden_checkpoint(place_path(p, "norm.h5"), mae_test_golden("mae_rgb.h5"), true);
    test_golden_checkpoint(place_path(p, "plain.h5"), mae_test_golden("mae_rgb.h5"),
                           false);
    test_classifier_checkpoint(place_path(p, "classifier.h5"));
    place_image(p, "a.png", 30, 40, (size_t)-1);
    place_image(p, "b.png", 64, 20, (size_t)-1);
    place_image(p, "cut.png", 30, 40, 200);
    ck_assert_int_eq(mkdir(place_path(p, "pair"), 0700), 0);
    ck_assert_int_eq(mkdir(place_path(p, "mixed"), 0700), 0);
    place_image(p, "pair/a.png", 30, 40, (size_t)-1);
    place_image(p, "pair/b.png", 64, 20, (size_t)-1);
    place_image(p, "mixed/a.png", 30, 40, (size_t)-1);
    place_image(p, "mixed/cut.png", 30, 40, 200);
}

void place_close(Place *p)
{
    free(p->out);
    free(p->err);
    mae_test_folder_remove(p->folder);
}

static void redirect(int to, const char *path)
{
    const int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

    if (fd < 0 || dup2(fd, to) < 0)
        _exit(99);
}

/* Run the tool in the folder with arguments separated by single spaces. */
void place_run(Place *p, const char *arguments)
{
    const char *tool = getenv("MAE_RECONSTRUCT");
    char *words = strdup(arguments), *argv[24] = {(char *)(uintptr_t)tool};
    size_t size;
    int state;
    pid_t child;

    ck_assert_msg(tool != NULL, "MAE_RECONSTRUCT is not set; run through meson test");
    for (size_t i = 1; i < 23; i++)
        argv[i] = strtok(i == 1 ? words : NULL, " ");
    child = fork();
    ck_assert_int_ge(child, 0);
    if (child == 0) {
        redirect(STDOUT_FILENO, place_path(p, "stdout"));
        redirect(STDERR_FILENO, place_path(p, "stderr"));
        if (chdir(p->folder) != 0)
            _exit(98);
        (void)execv(tool, argv);
        _exit(97);
    }
    ck_assert_int_eq(waitpid(child, &state, 0), child);
    ck_assert_msg(WIFEXITED(state), "%s: killed by signal", arguments);
    p->code = WEXITSTATUS(state);
    free(words);
    free(p->out);
    free(p->err);
    p->out = (char *)mae_test_read(place_path(p, "stdout"), &size);
    p->err = (char *)mae_test_read(place_path(p, "stderr"), &size);
}

bool place_has(const Place *p, const char *name)
{
    return access(place_path(p, name), F_OK) == 0;
}

void place_expect(const char *text, const char *part)
{
    ck_assert_msg(strstr(text, part) != NULL, "\"%s\" lacks \"%s\"", text, part);
}

/* White pixels of a picture of the grid of patches hide. */
static void write_mask(const Place *p, const char *name, size_t height, size_t width,
                       size_t white)
{
    MaeImage img = {0};
    MaeError err = {0};
    uint8_t *bytes;
    size_t size;

    ck_assert_ok(mae_image_reshape(&img, height, width, 1, MAE_PIXEL_U8, &err));
    for (size_t i = 0; i < height * width; i++)
        ((uint8_t *)img.data)[i] = i < white ? 255 : 0;
    ck_assert_ok(mae_image_encode_png(&bytes, &size, &img, &err));
    mae_test_write(place_path(p, name), bytes, size);
    free(bytes);
    mae_image_done(&img);
}

void place_masks(const Place *p)
{
    const MaeArch arch = test_golden_arch(mae_test_golden("mae_rgb.h5"), true);
    const size_t rows = arch.grid.height / arch.grid.patch;
    const size_t columns = arch.grid.width / arch.grid.patch;

    write_mask(p, "three.png", rows, columns, 3);
    write_mask(p, "none.png", rows, columns, 0);
    write_mask(p, "all.png", rows, columns, rows * columns);
    write_mask(p, "large.png", rows + 1, columns, 3);
}
