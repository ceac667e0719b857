/* mae-pretrain and mae-finetune as a user runs them. */
#include <fcntl.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "data/fixture.h"
#include "store/h5out.h"
#include "store/json.h"

static char *folder;    /* where the tools run */
static int code;        /* of the last run */
static char *out, *err; /* what it printed */

static const char CONFIG[] = "model:\n"
                             "  img_size: 8\n"
                             "  patch_size: 4\n"
                             "  embed_dim: 16\n"
                             "  depth: 1\n"
                             "  num_heads: 2\n"
                             "  decoder_embed_dim: 16\n"
                             "  decoder_depth: 1\n"
                             "  decoder_num_heads: 2\n"
                             "data:\n"
                             "  train: train\n"
                             "  workers: 1\n"
                             "train:\n"
                             "  epochs: 2\n"
                             "  batch_size: 4\n"
                             "  log_every: 1\n"
                             "  threads: 1\n"
                             "  output_dir: run\n";

static const char *at(const char *name)
{
    return fixture_path(folder, name);
}

static void write_text(const char *name, const char *text)
{
    mae_test_write(at(name), text, strlen(text));
}

static bool exists(const char *name)
{
    return access(at(name), F_OK) == 0;
}

static void classes(const char *name, size_t count, size_t each)
{
    char root[1024];

    (void)snprintf(root, sizeof root, "%s", fixture_folder(folder, name));
    fixture_classes(root, count, each, 10, 12);
}

static void write_h5(const char *name, const char *dataset)
{
    const float values[8] = {0.0f};
    const size_t shape[] = {2, 2, 2};
    MaeError why = {0};
    MaeH5Out *file;

    ck_assert_int_eq(mae_h5out_create(&file, at(name), &why), MAE_OK);
    mae_h5out_floats(file, dataset, values, shape, 3);
    ck_assert_int_eq(mae_h5out_commit(file, &why), MAE_OK);
}

static void redirect(int to, const char *path)
{
    const int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

    if (fd < 0 || dup2(fd, to) < 0)
        _exit(99);
}

/* Start "pretrain ..." or "finetune ..." with arguments separated by single spaces. */
static pid_t start(const char *command)
{
    char *words = strdup(command), *argv[24] = {NULL}, *word = strtok(words, " ");
    const char *tool =
        getenv(strcmp(word, "pretrain") == 0 ? "MAE_PRETRAIN" : "MAE_FINETUNE");
    pid_t child;

    ck_assert_msg(tool != NULL, "MAE_PRETRAIN is not set; run through meson test");
    argv[0] = (char *)(uintptr_t)tool;
    for (size_t i = 1; i < 23; i++)
        argv[i] = strtok(NULL, " ");
    child = fork();
    ck_assert_int_ge(child, 0);
    if (child == 0) {
        redirect(STDOUT_FILENO, at("stdout"));
        redirect(STDERR_FILENO, at("stderr"));
        if (chdir(folder) != 0)
            _exit(98);
        (void)execv(tool, argv);
        _exit(97);
    }
    free(words);
    return child;
}

static void finish(pid_t child)
{
    size_t size;
    int state;

    ck_assert_int_eq(waitpid(child, &state, 0), child);
    ck_assert_msg(WIFEXITED(state), "killed by signal %d", WTERMSIG(state));
    code = WEXITSTATUS(state);
    free(out);
    free(err);
    out = (char *)mae_test_read(at("stdout"), &size);
    err = (char *)mae_test_read(at("stderr"), &size);
}

/* Run to the end, which must be @p expected. */
static void expect(const char *command, int expected)
{
    finish(start(command));
    ck_assert_msg(code == expected, "%s: expected %d, got %d\n%s", command, expected,
                  code, err);
}

static void expect_text(const char *text, const char *part)
{
    ck_assert_msg(strstr(text, part) != NULL, "\"%s\" lacks \"%s\"", text, part);
}

static void setup(void)
{
    folder = mae_test_folder();
    classes("train", 3, 9);
    write_text("run.yaml", CONFIG);
}

static void teardown(void)
{
    mae_test_folder_remove(folder);
    free(out);
    free(err);
}

START_TEST(from_images_to_a_classifier)
{
    MaeJson *result = NULL;
    MaeError why = {0};
    int64_t epochs;
    double value;

    classes("val", 3, 2);
    expect("pretrain run.yaml --json data.val=val train.preview_every=1", 0);
    expect_text(err, "yardsticks on 27 images");
    ck_assert_int_eq(mae_json_parse(&result, out, strlen(out), "stdout", &why), MAE_OK);
    ck_assert_str_eq(mae_json_get_text(result, "output_dir"), "run");
    ck_assert(mae_json_get_int(result, "epochs", &epochs) && epochs == 2);
    ck_assert(mae_json_get_real(result, "train_loss", &value) && value > 0.0);
    ck_assert(mae_json_get_real(result, "best_val_loss", &value) && value > 0.0);
    ck_assert(mae_json_get_real(result, "images_per_second", &value) && value > 0.0);
    ck_assert(mae_json_get_real(result, "data_wait_share", &value) && value <= 1.0);
    mae_json_free(result);
    ck_assert(exists("run/reconstructions/epoch-0002.png"));
    expect("finetune run.yaml -o tuned finetune.checkpoint=run/best.h5 data.val=val -q",
           0);
    ck_assert_str_eq(err, "");
    expect_text(out, "top-1 accuracy: best ");
    expect_text(out, "next: mae-predict tuned/best.h5 IMAGE");
    expect(
        "finetune run.yaml -o tuned finetune.checkpoint=run/best.h5 data.val=val --json",
        0); /* nothing left to do */
    ck_assert_int_eq(mae_json_parse(&result, out, strlen(out), "stdout", &why), MAE_OK);
    ck_assert(mae_json_get_real(result, "best_acc1", &value) && value >= 0.0);
    mae_json_free(result);
    expect("pretrain run.yaml data.val=val train.preview_every=1", 0);
    expect_text(out, "2 epochs, 12 steps done; nothing was left to do");
    expect("finetune run.yaml -o scratch finetune.init=random --seed 3 --threads 2", 0);
    expect("pretrain run.yaml -o other train.resume=tuned/last.h5", 2);
    expect_text(err, "expected a checkpoint of an autoencoder, found a classifier");
    ck_assert(!exists("other"));
    expect("finetune run.yaml -o other finetune.checkpoint=run/last.h5 model.depth=2", 2);
    expect_text(err, "model.depth: checkpoint has 1, config says 2");
    ck_assert(!exists("other"));
}
END_TEST

/* What is printed is what the run would have, the checkpoint's part included. */
START_TEST(configuration_of_a_classifier)
{
    static const char PRINT[] = "finetune few.yaml finetune.checkpoint=run/last.h5 "
                                "--print-config";

    write_text("few.yaml", "model: {img_size: 16}\n"
                           "data: {train: train, mean: [0, 0, 0], std: [1, 1, 1]}\n"
                           "train: {epochs: 1, batch_size: 4, output_dir: tuned}\n");
    expect(PRINT, 0);
    expect_text(err, "run/last.h5: does not exist");
    expect_text(out, "embed_dim: 192 ");
    expect("pretrain run.yaml train.epochs=1 -q", 0);
    expect(PRINT, 0);
    ck_assert_str_eq(err, "");
    expect_text(out, "embed_dim: 16 ");
    expect_text(out, "img_size: [16, 16] ");
    expect("finetune few.yaml finetune.checkpoint=run/last.h5 model.depth=2 "
           "--print-config",
           2);
    expect("finetune few.yaml finetune.checkpoint=run/last.h5", 0);
    expect_text(err, "data.mean, data.std: channel 0 has 0 and 1, but the checkpoint");
}
END_TEST

START_TEST(questions)
{
    expect("pretrain --help", 0);
    expect_text(out, "Exit codes:");
    expect("finetune --version", 0);
    expect_text(out, "mae-finetune ");
    expect("pretrain --help-config", 0);
    expect_text(out, "norm_pix_loss");
    expect("pretrain --print-config", 0); /* a template: nothing is required */
    expect_text(out, "output_dir: \"\"");
    expect("finetune --print-config", 0);
    expect("pretrain", 2);
    expect_text(err, "data.train is missing");
    expect("finetune --help_config", 0);
    expect_text(out, "layer_decay");
    expect("pretrain run.yaml train.epochs=7 --seed 5 --print-config", 0);
    expect_text(out, "epochs: 7");
    expect_text(out, "# from command line");
    expect_text(out, "# from run.yaml:");
    expect("pretrain run.yaml train.precision=bf16 train.backend=openblas", 2);
    expect_text(err, "precision: expected f32, got bf16: OpenBLAS has no bf16 products");
    expect("pretrain run.yaml train.precision=f16", 2);
    expect_text(err, "train.precision");
    ck_assert(!exists("run"));
}
END_TEST

static void nap(void)
{
    const struct timespec pause_time = {.tv_nsec = 2000000};

    (void)nanosleep(&pause_time, NULL);
}

START_TEST(signals_stop_a_run_that_goes_on)
{
    static const int SIGNALS[] = {SIGTERM, SIGINT, SIGUSR1};
    static const char COMMAND[] = "pretrain run.yaml train.epochs=300 "
                                  "train.preview_every=none";
    const pid_t child = start(COMMAND);
    struct stat st;

    while (stat(at("run/steps.jsonl"), &st) != 0 || st.st_size == 0)
        nap();
    ck_assert_int_eq(kill(child, SIGNALS[_i]), 0);
    finish(child);
    ck_assert_msg(code == 75, "expected 75, got %d\n%s", code, err);
    expect_text(err, "everything is saved in run: run the same command again to go on");
    ck_assert(exists("run/last.h5"));
    expect(COMMAND, 0);
    expect_text(err, "going on from run/last.h5");
    expect_text(out, "300 epochs, 1800 steps done");
}
END_TEST

typedef struct BadCall {
    const char *arguments;
    int code;
    const char *message;
} BadCall;

static const BadCall BAD_CALLS[] = {
    {"pretrain run.yaml train.on_nonfinite=nan", 2,
     "train.on_nonfinite=nan: expected one of stop, skip, rollback, found 'nan'"},
    {"pretrain typo.yaml", 2, "typo.yaml:2:3: model.dept"},
    {"pretrain missing.yaml", 2, "missing.yaml"},
    {"pretrain train", 2, "train"},
    {"pretrain", 2, "data.train is missing"},
    {"pretrain run.yaml --verbos", 2, "did you mean --verbose"},
    {"pretrain run.yaml train.epoch=3", 2, "train.epochs"},
    {"pretrain run.yaml optim.lr=1e30", 2, "optim.lr"},
    {"pretrain run.yaml data.max_pixels=0", 2, "data.max_pixels=0: out of range"},
    {"finetune run.yaml data.max_pixels=4e9", 2, "data.max_pixels=4e9: out of range"},
    {"pretrain run.yaml data.max_pixels=-1", 2, "data.max_pixels=-1: out of range"},
    {"pretrain run.yaml data.max_pixels=12MP", 2, "a whole number, found '12MP'"},
    {"pretrain run.yaml data.max_pixels=9", 3, "over the limit of 9 pixels (max_pixels)"},
    {"pretrain run.yaml optim.lr=nan", 2, "optim.lr"},
    {"pretrain run.yaml model.img_size=10", 2, "model.patch_size"},
    {"pretrain run.yaml mask.ratio=0.99", 2, "mask.ratio"},
    {"pretrain run.yaml data.mean=[1,2] data.std=[1,1]", 2, "one per channel"},
    {"pretrain run.yaml train.batch_size=28", 2, "data.train has 27"},
    {"pretrain run.yaml data.first_n=3", 2, "data.train has 3"},
    {"pretrain run.yaml data.train=nowhere", 2, "data.train: dataset 'nowhere'"},
    {"pretrain run.yaml data.val=nowhere", 2, "data.val: dataset 'nowhere'"},
    {"pretrain run.yaml data.train=/dev/null", 2, "/dev/null"},
    {"pretrain run.yaml data.train=empty", 3, "empty"},
    {"pretrain run.yaml data.train=run.yaml", 3, "run.yaml"},
    {"pretrain run.yaml data.train=other.h5", 3, "images"},
    {"pretrain run.yaml data.train=cut.h5", 3, "cut.h5"},
    {"pretrain run.yaml data.train=unreadable", 3, "unreadable"},
    {"pretrain run.yaml train.resume=nowhere.h5", 2, "nowhere.h5 does not exist"},
    {"pretrain run.yaml train.resume=run.yaml", 3, "run.yaml"},
    {"pretrain run.yaml train.resume=images.h5", 3, "images.h5"},
    {"pretrain run.yaml -o train", 2, "train: lies inside train, which is read"},
    {"pretrain run.yaml -o train/new/run", 2, "lies inside train, which is read"},
    {"pretrain run.yaml -o run.yaml/run", 2, "run.yaml: exists and is no folder"},
    {"pretrain run.yaml -o run.yaml", 2, "run.yaml: exists and is no folder"},
    {"finetune run.yaml", 2, "finetune.checkpoint is missing"},
    {"finetune run.yaml finetune.checkpoint=nowhere.h5", 2, "nowhere.h5 does not exist"},
    {"finetune run.yaml finetune.checkpoint=run.yaml", 3, "run.yaml"},
    {"finetune run.yaml finetune.checkpoint=images.h5", 3, "images.h5"},
    {"finetune run.yaml finetune.init=random data.train=flat", 2, "has no labels"},
    {"finetune run.yaml finetune.init=random data.train=images.h5", 2, "has no labels"},
    {"finetune run.yaml finetune.init=random data.val=two", 2, "classes differ"},
    {"finetune run.yaml finetune.init=random data.val=flat", 2, "has no labels"},
    {"finetune run.yaml finetune.init=random data.train=hollow", 3, "c9"},
    {"finetune run.yaml finetune.init=random data.labels_per_class=10", 2, "c0"},
    {"finetune run.yaml finetune.init=random data.rand_augment=rand-m9-msd0.5", 2,
     "data.rand_augment: unknown part `msd0.5`; did you mean mstd?"},
    {"pretrain run.yaml data.train=images.h5 train.batch_size=2 data.color_jitter=0.4", 2,
     "expected 8-bit or 16-bit images of 1 or 3 channels, images.h5 has float ones of 1"},
};

/* Everything that the bad calls name. */
static void prepare_bad_calls(void)
{
    size_t size;
    unsigned char *bytes;

    write_text("typo.yaml", "model:\n  dept: 3\n");
    (void)fixture_folder(folder, "empty");
    classes("two", 2, 2);
    classes("hollow", 2, 2);
    (void)fixture_folder(folder, "hollow/c9");
    (void)fixture_folder(folder, "flat");
    (void)fixture_folder(folder, "unreadable");
    for (size_t i = 0; i < 5; i++) {
        char name[40];

        (void)snprintf(name, sizeof name, "flat/%zu.png", i);
        fixture_png(at(name), 10, 12, 3, i);
        (void)snprintf(name, sizeof name, "unreadable/%zu.png", i);
        write_text(name, "not a picture");
    }
    write_h5("other.h5", "pictures");
    write_h5("images.h5", "images");
    bytes = mae_test_read(at("images.h5"), &size);
    mae_test_write(at("cut.h5"), bytes, size / 2);
    free(bytes);
}

/* One line, the right code, nothing left behind. */
START_TEST(bad_calls_are_refused)
{
    const BadCall *bad = &BAD_CALLS[_i];
    char quiet[512];

    prepare_bad_calls();
    (void)snprintf(quiet, sizeof quiet, "%s -q", bad->arguments);
    expect(quiet, bad->code);
    expect_text(err, bad->message);
    ck_assert_msg(strchr(err, '\n') == err + strlen(err) - 1, "not one line: %s", err);
    ck_assert_str_eq(out, "");
    ck_assert(!exists("run"));
    ck_assert(!exists("train/.lock"));
}
END_TEST

/* Damaged images: one of 27 is above 1 %; a larger share may be allowed. */
START_TEST(damaged_images_are_listed)
{
    write_text("train/c1/004.png", "\x89PNG\r\n\x1a\nbroken");
    expect("pretrain run.yaml", 3);
    expect_text(err, "c1/004.png");
    ck_assert(exists("run/last.h5")); /* what was learnt before, and it goes on */
    expect_text(err, "limit 1 %");
    expect("pretrain run.yaml data.max_bad_fraction=0.05", 0);
    expect_text(err, "going on from");
    expect_text(err, "bad image left out: c1/004.png");
    expect("finetune run.yaml -o tuned finetune.init=random", 3);
    expect_text(err, "c1/004.png");
}
END_TEST

/* Labelled grey images of which the sixth is @p odd all over. */
static void write_stack(const char *name, float odd)
{
    const size_t shape[] = {12, 8, 8};
    float *pixels = mae_test_normal(12 * 64, 1, 0);
    int64_t labels[12];
    MaeError why = {0};
    MaeH5Out *file;

    for (size_t i = 0; i < 12; i++)
        labels[i] = (int64_t)i % 3;
    for (size_t i = 0; i < 64; i++)
        pixels[5 * 64 + i] = odd;
    ck_assert_int_eq(mae_h5out_create(&file, at(name), &why), MAE_OK);
    mae_h5out_floats(file, "images", pixels, shape, 3);
    mae_h5out_ints(file, "labels", labels, shape, 1);
    ck_assert_int_eq(mae_h5out_commit(file, &why), MAE_OK);
    free(pixels);
}

#define STACK " data.train=images.h5 data.mean=[0] data.augment=none"

/* An image too large for floats ends the run with 4 and a file that names it; the run
 * goes on without it, in whichever way. One that is not finite itself is a bad image. */
START_TEST(numbers_that_are_not_finite)
{
    static const char *const tools[] = {"pretrain run.yaml",
                                        "finetune tune.yaml finetune.init=random"};
    char command[400];

    write_text("tune.yaml",
               "model: {img_size: 8, patch_size: 4, embed_dim: 16, depth: 1, "
               "num_heads: 2}\ndata: {workers: 1}\ntrain: {epochs: 2, "
               "batch_size: 4, threads: 1, output_dir: run}\n");
    write_stack("images.h5", 3e37f);
    (void)snprintf(command, sizeof command, "%s%s data.std=[1e-6]", tools[_i], STACK);
    expect(command, 4);
    expect_text(err, "pixel of images.h5[5][0] is inf; see nonfinite-");
    expect_text(err, "run again with train.on_nonfinite=skip");
    ck_assert(exists("run/nonfinite-1.json") || exists("run/nonfinite-2.json") ||
              exists("run/nonfinite-3.json"));
    (void)snprintf(command, sizeof command,
                   "%s%s data.std=[1e-6] train.on_nonfinite=skip", tools[_i], STACK);
    expect(command, 0);
    expect_text(err, "left out; see nonfinite-");
    (void)snprintf(command, sizeof command,
                   "%s%s data.std=[1e-6] train.on_nonfinite=rollback -o back", tools[_i],
                   STACK);
    expect(command, 0);
    expect_text(err, "going on from back/last.h5");
    write_stack("images.h5", (float)NAN);
    (void)snprintf(command, sizeof command,
                   "%s%s data.std=[1] data.max_bad_fraction=0.5 -o bad", tools[_i],
                   STACK);
    expect(command, 0);
    expect_text(err, "is nan");
    ck_assert(!exists("bad/nonfinite-1.json"));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("tools training");
    TCase *tc = tcase_create("training");

    tcase_set_timeout(tc, 200);
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, from_images_to_a_classifier);
    tcase_add_test(tc, configuration_of_a_classifier);
    tcase_add_test(tc, questions);
    tcase_add_loop_test(tc, signals_stop_a_run_that_goes_on, 0, 3);
    tcase_add_loop_test(tc, bad_calls_are_refused, 0,
                        (int)(sizeof BAD_CALLS / sizeof *BAD_CALLS));
    tcase_add_test(tc, damaged_images_are_listed);
    tcase_add_loop_test(tc, numbers_that_are_not_finite, 0, 2);
    suite_add_tcase(suite, tc);
    return mae_test_main(suite);
}
