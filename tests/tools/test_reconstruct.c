#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "image/image.h"
#include "store/h5out.h"
#include "store/json.h"
#include "support/checkpoint.h"
#include "support/test.h"

/* Checkpoints, images and a replay input in a folder that the tool is run in. */
typedef struct Place {
    char *folder;
    int code; /* of the last run */
    char *out, *err;
} Place;

static const char *join(const Place *p, const char *name)
{
    static char texts[4][1200];
    static size_t next;
    char *text = texts[next++ % 4];

    (void)snprintf(text, sizeof texts[0], "%s/%s", p->folder, name);
    return text;
}

static void write_image(const Place *p, const char *name, size_t height, size_t width,
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
    mae_test_write(join(p, name), bytes, size < keep ? size : keep);
    free(bytes);
    mae_image_done(&img);
}

static void write_replay(const Place *p, const char *name, size_t channels,
                         size_t patches, float first)
{
    const char *golden = mae_test_golden("mae_rgb.h5");
    const MaeArch arch = test_golden_arch(golden, true);
    const size_t images[] = {2, channels, arch.grid.height, arch.grid.width};
    const size_t noise[] = {2, patches > 0 ? patches : mae_patch_count(&arch.grid)};
    float *pixels = mae_test_normal(2 * images[1] * images[2] * images[3], 1, 0);
    float *numbers = mae_test_normal(2 * noise[1], 1, 1);
    MaeError err = {0};
    MaeH5Out *out;

    pixels[0] = first;
    ck_assert_ok(mae_h5out_create(&out, join(p, name), &err));
    mae_h5out_floats(out, "images", pixels, images, 4);
    mae_h5out_floats(out, "noise", numbers, noise, 2);
    ck_assert_ok(mae_h5out_commit(out, &err));
    free(pixels);
    free(numbers);
}

static void place_open(Place *p)
{
    *p = (Place){.folder = mae_test_folder()};
    test_golden_checkpoint(join(p, "norm.h5"), mae_test_golden("mae_rgb.h5"), true);
    test_golden_checkpoint(join(p, "plain.h5"), mae_test_golden("mae_rgb.h5"), false);
    test_classifier_checkpoint(join(p, "classifier.h5"));
    write_image(p, "a.png", 30, 40, (size_t)-1);
    write_image(p, "b.png", 64, 20, (size_t)-1);
    write_image(p, "cut.png", 30, 40, 200);
}

static void place_close(Place *p)
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
static void run(Place *p, const char *arguments)
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
        redirect(STDOUT_FILENO, join(p, "stdout"));
        redirect(STDERR_FILENO, join(p, "stderr"));
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
    p->out = (char *)mae_test_read(join(p, "stdout"), &size);
    p->err = (char *)mae_test_read(join(p, "stderr"), &size);
}

static bool exists(const Place *p, const char *name)
{
    return access(join(p, name), F_OK) == 0;
}

static void expect_text(const char *text, const char *part)
{
    ck_assert_msg(strstr(text, part) != NULL, "\"%s\" lacks \"%s\"", text, part);
}

START_TEST(draws_and_explains)
{
    Place p;

    place_open(&p);
    run(&p, "norm.h5 a.png b.png --seed 7 --threads 2 --mask-ratio 0.5");
    ck_assert_msg(p.code == 0, "%s", p.err);
    ck_assert(exists(&p, "reconstruction.png"));
    expect_text(p.out, "a.png\n");
    expect_text(p.out, "(mean)");
    expect_text(p.out, "mask: random, ratio 0.5 (");
    expect_text(p.out, "seed 7\n");
    expect_text(p.out, "leak-free estimate");
    expect_text(p.out, "masked | reconstruction | reconstruction + visible | original");
    expect_text(p.out, "Seams");
    ck_assert_str_eq(p.err, "");
    run(&p, "norm.h5 a.png --oracle --out o.png --mask_strategy grid");
    ck_assert_int_eq(p.code, 0);
    expect_text(p.out, "oracle (true patch statistics)");
    expect_text(p.out, "mask: grid, ratio");
    ck_assert(exists(&p, "o.png"));
    run(&p, "plain.h5 a.png --oracle");
    expect_text(p.err, "warning: --oracle changes nothing");
    expect_text(p.out, "pixels as predicted");
    place_close(&p);
}
END_TEST

/* The same masks, hence the same scores, for any number of threads. */
START_TEST(json_is_one_object)
{
    MaeJson *object = NULL;
    const MaeJson *images;
    MaeError err = {0};
    char *first;
    double psnr;
    Place p;

    place_open(&p);
    run(&p, "norm.h5 a.png b.png --json --seed 3 --threads 1 --mask-strategy block");
    ck_assert_int_eq(p.code, 0);
    ck_assert_ok(mae_json_parse(&object, p.out, strlen(p.out), "output", &err));
    images = mae_json_get(object, "images");
    ck_assert_uint_eq(mae_json_size(images), 2);
    ck_assert_str_eq(mae_json_get_text(mae_json_at(images, 1), "name"), "b.png");
    ck_assert(mae_json_get_real(mae_json_at(images, 1), "psnr", &psnr) && psnr > 0.0);
    ck_assert_uint_eq(mae_json_size(mae_json_get(object, "panels")), 4);
    ck_assert_str_eq(mae_json_get_text(mae_json_get(object, "mask"), "strategy"),
                     "block");
    mae_json_free(object);
    first = strdup(p.out);
    run(&p, "norm.h5 a.png b.png --json --seed 3 --threads 3 --mask-strategy block");
    ck_assert_str_eq(p.out, first);
    free(first);
    run(&p, "norm.h5 a.png --json --mask-ratio 0");
    expect_text(p.out, "\"psnr\": null");
    place_close(&p);
}
END_TEST

START_TEST(takes_samples_of_a_dataset)
{
    Place p;

    place_open(&p);
    ck_assert_int_eq(unlink(join(&p, "cut.png")), 0);
    run(&p, "plain.h5 --data . --count 2 -o d.png");
    ck_assert_msg(p.code == 0, "%s", p.err);
    expect_text(p.out, "b.png");
    ck_assert(exists(&p, "d.png"));
    place_close(&p);
}
END_TEST

START_TEST(replays_and_dumps)
{
    Place p;

    place_open(&p);
    write_replay(&p, "in.h5", 3, 0, 0.0f);
    run(&p, "norm.h5 --replay in.h5 --dump out.h5");
    ck_assert_msg(p.code == 0, "%s", p.err);
    expect_text(p.out, "out.h5: replayed 2 images");
    ck_assert(mae_test_h5_exists(join(&p, "out.h5"), "pred"));
    ck_assert(!mae_test_h5_exists(join(&p, "out.h5"), "grads"));
    run(&p, "norm.h5 --replay in.h5 --dump out.h5 --grads --json --mask-ratio 0.25");
    ck_assert_int_eq(p.code, 0);
    expect_text(p.out, "\"loss\": ");
    ck_assert(mae_test_h5_exists(join(&p, "out.h5"), "grads"));
    place_close(&p);
}
END_TEST

typedef struct BadCall {
    const char *arguments;
    int code;
    const char *message;
} BadCall;

static const BadCall bad_calls[] = {
    {"", 2, "CHECKPOINT"},
    {"norm.h5", 2, "one source of images"},
    {"norm.h5 a.png --data .", 2, "one source of images"},
    {"norm.h5 a.png --replay three.h5 --dump x.h5", 2, "one source of images"},
    {"norm.h5 --replay three.h5", 2, "--dump belong together"},
    {"norm.h5 a.png --grads", 2, "--grads needs --replay"},
    {"norm.h5 a.png --mask-ratio 1.5", 2, "mask-ratio"},
    {"norm.h5 a.png --mask-ratio -0.5", 2, "got -0.5"},
    {"norm.h5 a.png --mask-ratio 1", 2, "ratio"},
    {"norm.h5 a.png --mask-ratio 0.999", 2, "none visible"},
    {"norm.h5 a.png --mask-strategy squares", 2, "squares"},
    {"norm.h5 --data . --count 0", 2, "count"},
    {"norm.h5 --data . --count 257", 2, "count"},
    {"norm.h5 a.png -o a.png", 2, "a.png: is an input too"},
    {"norm.h5 --replay three.h5 --dump ./three.h5", 2, "is an input too"},
    {"norm.h5 --replay three.h5 --dump norm.h5", 2, "is an input too"},
    {"missing.h5 a.png", 2, "missing.h5"},
    {"a.png b.png", 3, "a.png"},
    {"classifier.h5 a.png", 3, "classifier.h5"},
    {"norm.h5 a.png missing.png", 2, "missing.png"},
    {"norm.h5 a.png cut.png", 3, "cut.png: "},
    {"norm.h5 norm.h5", 3, "norm.h5"},
    {"norm.h5 --data nothing", 2, "nothing"},
    {"norm.h5 --data cut.png", 3, "cut.png"},
    {"norm.h5 --data . --count 5 -qq", 3, "cut.png"},
    {"norm.h5 a.png --out no/x.png", 2, "no/x.png"},
    {"norm.h5 --replay missing.h5 --dump x.h5", 2, "missing.h5"},
    {"norm.h5 --replay a.png --dump x.h5", 3, "a.png"},
    {"norm.h5 --replay two.h5 --dump x.h5", 3, "images: expected [B,3,"},
    {"norm.h5 --replay short.h5 --dump x.h5", 3, "noise: expected [2,"},
    {"norm.h5 --replay nan.h5 --dump x.h5", 4, "images: expected finite values"},
    {"norm.h5 --replay three.h5 --dump x.h5 --mask-ratio 1", 2, "ratio"},
    {"norm.h5 --replay three.h5 --dump no/x.h5", 2, "no/x.h5"},
};

/* One line, the right code, nothing left behind. */
START_TEST(bad_calls_are_refused)
{
    const BadCall *bad = &bad_calls[_i];
    Place p;

    place_open(&p);
    write_replay(&p, "three.h5", 3, 0, 0.0f);
    write_replay(&p, "two.h5", 2, 0, 0.0f);
    write_replay(&p, "short.h5", 3, 5, 0.0f);
    write_replay(&p, "nan.h5", 3, 0, (float)strtod("nan", NULL));
    run(&p, bad->arguments);
    ck_assert_msg(p.code == bad->code, "%s: exit code %d, expected %d: %s",
                  bad->arguments, p.code, bad->code, p.err);
    expect_text(p.err, bad->message);
    ck_assert_int_eq(strncmp(p.err, "mae-reconstruct: ", 17), 0);
    ck_assert_ptr_eq(strchr(p.err, '\n'), p.err + strlen(p.err) - 1);
    ck_assert_str_eq(p.out, "");
    ck_assert(!exists(&p, "reconstruction.png") && !exists(&p, "x.h5"));
    ck_assert(!exists(&p, "reconstruction.png.mae-tmp") && !exists(&p, "x.h5.mae-tmp"));
    place_close(&p);
}
END_TEST

int main(void)
{
    const int bad = (int)(sizeof bad_calls / sizeof *bad_calls);
    Suite *suite = suite_create("tools reconstruct");
    TCase *tc = tcase_create("reconstruct");

    tcase_set_timeout(tc, 60);
    tcase_add_test(tc, draws_and_explains);
    tcase_add_test(tc, json_is_one_object);
    tcase_add_test(tc, takes_samples_of_a_dataset);
    tcase_add_test(tc, replays_and_dumps);
    tcase_add_loop_test(tc, bad_calls_are_refused, 0, bad);
    suite_add_tcase(suite, tc);
    return mae_test_main(suite);
}
