#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "image/image.h"
#include "reconstruct_fixture.h"
#include "store/json.h"
#include "support/picture.h"

static MaeJson *parse(const Place *p)
{
    MaeJson *object = NULL;
    MaeError err = {0};

    ck_assert_msg(p->code == 0, "%s", p->err);
    ck_assert_ok(mae_json_parse(&object, p->out, strlen(p->out), "output", &err));
    return object;
}

static double real(const MaeJson *object, const char *key)
{
    double value = 0.0;

    ck_assert_msg(mae_json_get_real(object, key, &value), "no number %s", key);
    return value;
}

/* Panels of two pictures: columns are counted from the left, 4 pixels lie between. */
typedef struct Panel {
    const MaeImage *image;
    size_t top, column, columns;
} Panel;

static bool same_panel(Panel a, Panel b, size_t height)
{
    const size_t wide = (a.image->width + 4) / a.columns, shown = (wide - 4) * 3;

    for (size_t y = 0; y < height; y++) {
        const uint8_t *x = (const uint8_t *)a.image->data +
                           ((a.top + y) * a.image->width + a.column * wide) * 3;
        const uint8_t *z = (const uint8_t *)b.image->data +
                           ((b.top + y) * b.image->width + b.column * wide) * 3;

        if (memcmp(x, z, shown) != 0)
            return false;
    }
    return true;
}

/* At every ratio the scores of an ordinary run, and its pictures in their rows. */
START_TEST(sweeps_as_single_runs)
{
    static const char *const runs[] = {
        "norm.h5 a.png b.png --seed 3 --json -o one.png --mask-ratio 0.3",
        "norm.h5 a.png b.png --seed 3 --json -o two.png --mask-ratio 0.7"};
    MaeJson *sweep, *one;
    MaeImage all, two[2];
    Place p;

    place_open(&p);
    place_run(&p, "norm.h5 a.png b.png --seed 3 --json --sweep 0.3,0.7");
    sweep = parse(&p);
    all = test_picture(place_path(&p, "sweep.png"));
    for (size_t k = 0; k < 2; k++) {
        const MaeJson *step = mae_json_at(mae_json_get(sweep, "sweep"), k);
        size_t side;

        place_run(&p, runs[k]);
        one = parse(&p);
        two[k] = test_picture(place_path(&p, k == 0 ? "one.png" : "two.png"));
        side = (two[k].height - 4) / 2;
        ck_assert_double_eq(real(step, "psnr"), real(one, "psnr"));
        for (size_t i = 0; i < 2; i++) {
            const MaeJson *got = mae_json_at(mae_json_get(step, "images"), i);
            const MaeJson *want = mae_json_at(mae_json_get(one, "images"), i);

            ck_assert_str_eq(mae_json_get_text(got, "name"),
                             mae_json_get_text(want, "name"));
            ck_assert_double_eq(real(got, "ssim"), real(want, "ssim"));
            ck_assert_double_eq(real(got, "loss"), real(want, "loss"));
            for (size_t c = 0; c < 4; c++)
                ck_assert(
                    same_panel((Panel){&all, i * (2 * side + 20) + k * (side + 4), c, 4},
                               (Panel){&two[k], i * (side + 4), c, 4}, side));
        }
        mae_json_free(one);
    }
    place_run(&p, "norm.h5 a.png --sweep 0.3,0.7 --oracle --mask-strategy grid");
    place_expect(p.out, "mask: grid, nested");
    ck_assert(place_has(&p, "sweep-oracle.png"));
    mae_json_free(sweep);
    mae_image_done(&all);
    mae_image_done(&two[0]);
    mae_image_done(&two[1]);
    place_close(&p);
}
END_TEST

START_TEST(hides_what_is_painted)
{
    MaeJson *object;
    int64_t hidden;
    Place p;

    place_open(&p);
    place_masks(&p);
    place_run(&p, "norm.h5 a.png b.png --mask three.png");
    ck_assert_msg(p.code == 0, "%s", p.err);
    place_expect(p.out, "mask: painted, ratio ");
    place_expect(p.out, "(3 of ");
    place_expect(p.out, "note: ");
    place_run(&p, "norm.h5 a.png b.png --mask three.png --json");
    object = parse(&p);
    ck_assert(mae_json_get_int(mae_json_get(object, "mask"), "hidden", &hidden));
    ck_assert_int_eq(hidden, 3);
    ck_assert_str_eq(mae_json_get_text(mae_json_get(object, "mask"), "picture"),
                     "three.png");
    ck_assert_double_gt(real(object, "trained_ratio"), 0.0);
    mae_json_free(object);
    place_close(&p);
}
END_TEST

/* Rows are those of the images, in either order; the original comes first. */
START_TEST(whole_images_keep_their_rows)
{
    static const char *const modes[] = {"--complementary", "--uncertainty 9"};
    static const char *const names[] = {"complementary.png", "uncertainty.png"};
    const size_t columns = _i == 0 ? 3 : 4;
    char line[200];
    MaeImage single, whole;
    MaeJson *object;
    size_t side;
    Place p;

    place_open(&p);
    place_run(&p, "norm.h5 a.png b.png");
    single = test_picture(place_path(&p, "reconstruction.png"));
    side = (single.height - 4) / 2;
    for (size_t swapped = 0; swapped < 2; swapped++) {
        (void)snprintf(line, sizeof line, "norm.h5 %s --json %s",
                       swapped ? "b.png a.png" : "a.png b.png", modes[_i]);
        place_run(&p, line);
        object = parse(&p);
        whole = test_picture(place_path(&p, names[_i]));
        for (size_t i = 0; i < 2; i++) {
            const size_t row = swapped ? 1 - i : i;
            const MaeJson *image = mae_json_at(mae_json_get(object, "images"), row);

            ck_assert_str_eq(mae_json_get_text(image, "name"), i ? "b.png" : "a.png");
            ck_assert_double_gt(real(image, "psnr"), 0.0);
            ck_assert_double_gt(real(image, "error"), 0.0);
            for (size_t other = 0; other < 2; other++)
                ck_assert(same_panel((Panel){&whole, row * (side + 4), 0, columns},
                                     (Panel){&single, other * (side + 4), 3, 4},
                                     side) == (other == i));
        }
        ck_assert_double_ge(real(object, "hidden_least"), 1.0);
        if (_i == 1)
            ck_assert_double_gt(real(mae_json_get(object, "mean"), "std"), 0.0);
        mae_json_free(object);
        mae_image_done(&whole);
    }
    (void)snprintf(line, sizeof line, "norm.h5 a.png b.png %s --oracle --threads 3",
                   modes[_i]);
    place_run(&p, line);
    place_expect(p.out, "masks of each image hide each patch");
    place_expect(p.out, "oracle (true patch statistics)");
    place_expect(p.out, "maps: dark 0");
    mae_image_done(&single);
    place_close(&p);
}
END_TEST

START_TEST(writes_frames)
{
    MaeJson *object;
    int64_t frames;
    Place p;

    place_open(&p);
    place_run(&p, "norm.h5 a.png b.png --frames it's/new --frame-count 4");
    ck_assert_msg(p.code == 0, "%s", p.err);
    ck_assert(place_has(&p, "it's/new/frame-000.png") &&
              place_has(&p, "it's/new/frame-003.png"));
    ck_assert(!place_has(&p, "it's/new/frame-004.png"));
    ck_assert(!place_has(&p, "reconstruction.png"));
    place_expect(p.out, "it's/new/frame-000.png to -003.png");
    place_expect(p.out, "ffmpeg -framerate 10 -i 'it'\\''s/new/frame-%03d.png'");
    place_expect(p.out, "gifski");
    place_run(&p, "norm.h5 a.png --frames f --frame-count 3 --oracle --json");
    object = parse(&p);
    ck_assert(mae_json_get_int(object, "frames", &frames) && frames == 3);
    ck_assert_str_eq(mae_json_get_text(object, "pattern"), "frame-oracle-%03d.png");
    ck_assert(place_has(&p, "f/frame-oracle-002.png"));
    mae_json_free(object);
    place_run(&p, "norm.h5 a.png --frames f --frame-count 2 --oracle");
    ck_assert_int_eq(p.code, 2);
    place_expect(p.err, "of a longer animation");
    place_close(&p);
}
END_TEST

/* Images of a data set with classes; the same files for any number of threads. */
START_TEST(ranks_a_data_set)
{
    MaeJson *object;
    size_t size, rows = 0;
    char *first, *second, name[32];
    MaeImage sheet;
    Place p;

    place_open(&p);
    ck_assert_int_eq(mkdir(place_path(&p, "set"), 0700), 0);
    for (size_t c = 0; c < 2; c++) {
        (void)snprintf(name, sizeof name, "set/class %zu", c);
        ck_assert_int_eq(mkdir(place_path(&p, name), 0700), 0);
        for (size_t i = 0; i < 3; i++) {
            (void)snprintf(name, sizeof name, "set/class %zu/%zu.png", c, i);
            place_image(&p, name, 20 + 7 * i + 3 * c, 30 + 5 * c, (size_t)-1);
        }
    }
    place_run(
        &p, "norm.h5 --data set --count 2 --rank r.csv --threads 1 --workers 0 --seed 2");
    ck_assert_msg(p.code == 0, "%s", p.err);
    place_expect(p.out, "r.csv: all 6 images, worst first");
    place_expect(p.out, "norm_pix_loss");
    first = (char *)mae_test_read(place_path(&p, "r.csv"), &size);
    for (const char *at = first; (at = strchr(at, '\n')) != NULL; at++)
        rows++;
    ck_assert_uint_eq(rows, 7);
    ck_assert_int_eq(strncmp(first, "rank,path,error,class\n1,\"class ", 31), 0);
    place_run(
        &p, "norm.h5 --data set --count 2 --rank r.csv --threads 3 --workers 3 --seed 2 "
            "--json");
    object = parse(&p);
    second = (char *)mae_test_read(place_path(&p, "r.csv"), &size);
    ck_assert_str_eq(first, second);
    ck_assert_uint_eq(mae_json_size(mae_json_get(object, "worst")), 2);
    place_expect(
        strchr(first, '\n'),
        mae_json_get_text(mae_json_at(mae_json_get(object, "worst"), 0), "path"));
    ck_assert_double_gt(real(mae_json_at(mae_json_get(object, "worst"), 0), "error"),
                        real(mae_json_at(mae_json_get(object, "best"), 0), "error"));
    sheet = test_picture(place_path(&p, "rank.png"));
    ck_assert_uint_eq((sheet.height - 24) % 4, 0); /* two groups of two rows */
    mae_image_done(&sheet);
    mae_json_free(object);
    free(first);
    free(second);
    place_run(&p, "plain.h5 --data set --count 128 --rank r.json --masks 1");
    ck_assert_msg(p.code == 0, "%s", p.err);
    place_expect(p.out, "in normalised pixels; mean of 1 masks");
    place_run(&p, "plain.h5 --data set --rank few.csv --max-pixels 1294");
    ck_assert_int_eq(p.code, 3);
    place_expect(p.err, "35 x 37 pixels are over the limit of 1294 pixels (max_pixels)");
    ck_assert(!place_has(&p, "few.csv"));
    place_close(&p);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("tools reconstruct modes");
    TCase *tc = tcase_create("modes");

    tcase_set_timeout(tc, 60);
    tcase_add_test(tc, sweeps_as_single_runs);
    tcase_add_test(tc, hides_what_is_painted);
    tcase_add_loop_test(tc, whole_images_keep_their_rows, 0, 2);
    tcase_add_test(tc, writes_frames);
    tcase_add_test(tc, ranks_a_data_set);
    suite_add_tcase(suite, tc);
    return mae_test_main(suite);
}
