#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "reconstruct_fixture.h"
#include "store/h5out.h"
#include "store/json.h"
#include "support/checkpoint.h"

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
    ck_assert_ok(mae_h5out_create(&out, place_path(p, name), &err));
    mae_h5out_floats(out, "images", pixels, images, 4);
    mae_h5out_floats(out, "noise", numbers, noise, 2);
    ck_assert_ok(mae_h5out_commit(out, &err));
    free(pixels);
    free(numbers);
}

START_TEST(draws_and_explains)
{
    Place p;

    place_open(&p);
    place_run(&p, "norm.h5 a.png b.png --seed 7 --threads 2 --mask-ratio 0.5");
    ck_assert_msg(p.code == 0, "%s", p.err);
    ck_assert(place_has(&p, "reconstruction.png"));
    place_expect(p.out, "a.png\n");
    place_expect(p.out, "(mean)");
    place_expect(p.out, "mask: random, ratio 0.5 (");
    place_expect(p.out, "seed 7\n");
    place_expect(p.out, "leak-free estimate");
    place_expect(p.out, "masked | reconstruction | reconstruction + visible | original");
    place_expect(p.out, "Seams");
    ck_assert_str_eq(p.err, "");
    place_run(&p, "norm.h5 a.png --oracle --out o.png --mask_strategy grid");
    ck_assert_int_eq(p.code, 0);
    place_expect(p.out, "oracle (true patch statistics)");
    place_expect(p.out, "mask: grid, ratio");
    ck_assert(place_has(&p, "o.png"));
    place_run(&p, "norm.h5 reconstruction.png"); /* as what it would write is called */
    ck_assert_int_eq(p.code, 2);
    place_expect(p.err, "reconstruction.png: is an input too");
    place_run(&p, "plain.h5 a.png --oracle");
    place_expect(p.err, "warning: --oracle changes nothing");
    place_expect(p.out, "pixels as predicted");
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
    place_run(&p,
              "norm.h5 a.png b.png --json --seed 3 --threads 1 --mask-strategy block");
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
    place_run(&p,
              "norm.h5 a.png b.png --json --seed 3 --threads 3 --mask-strategy block");
    ck_assert_str_eq(p.out, first);
    free(first);
    place_run(&p, "norm.h5 a.png --json --mask-ratio 0");
    place_expect(p.out, "\"psnr\": null");
    place_close(&p);
}
END_TEST

START_TEST(takes_samples_of_a_dataset)
{
    Place p;

    place_open(&p);
    place_run(&p, "plain.h5 --data pair --count 2 -o d.png");
    ck_assert_msg(p.code == 0, "%s", p.err);
    place_expect(p.out, "b.png");
    ck_assert(place_has(&p, "d.png"));
    place_close(&p);
}
END_TEST

START_TEST(replays_and_dumps)
{
    Place p;

    place_open(&p);
    write_replay(&p, "in.h5", 3, 0, 0.0f);
    place_run(&p, "norm.h5 --replay in.h5 --dump out.h5");
    ck_assert_msg(p.code == 0, "%s", p.err);
    place_expect(p.out, "out.h5: replayed 2 images");
    ck_assert(mae_test_h5_exists(place_path(&p, "out.h5"), "pred"));
    ck_assert(!mae_test_h5_exists(place_path(&p, "out.h5"), "grads"));
    place_run(&p,
              "norm.h5 --replay in.h5 --dump out.h5 --grads --json --mask-ratio 0.25");
    ck_assert_int_eq(p.code, 0);
    place_expect(p.out, "\"loss\": ");
    ck_assert(mae_test_h5_exists(place_path(&p, "out.h5"), "grads"));
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
    {"norm.h5 --replay three.h5", 2, "--replay needs --dump"},
    {"norm.h5 a.png --grads", 2, "--grads needs --replay"},
    {"norm.h5 a.png --dump x.h5", 2, "--dump needs --replay"},
    {"norm.h5 a.png --masks 2", 2, "--masks needs --rank"},
    {"norm.h5 a.png --frame-count 9", 2, "--frame-count needs --frames"},
    {"norm.h5 a.png --count 2", 2, "--count needs --data"},
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
    {"classifier.h5 a.png", 2, "classifier.h5"},
    {"norm.h5 a.png missing.png", 2, "missing.png"},
    {"norm.h5 a.png cut.png", 3, "cut.png: "},
    {"norm.h5 norm.h5", 3, "norm.h5"},
    {"norm.h5 --data nothing", 2, "nothing"},
    {"norm.h5 --data cut.png", 3, "cut.png"},
    {"norm.h5 --data mixed --count 5 -qq", 3, "cut.png"},
    {"norm.h5 --data pair -o pair/x.png", 2, "lies inside pair, which is read"},
    {"norm.h5 --data pair --frames pair", 2, "lies inside pair, which is read"},
    {"norm.h5 --data pair --frames pair/new/frames", 2, "lies inside pair"},
    {"norm.h5 a.png --out no/x.png", 2, "no/x.png"},
    {"norm.h5 --replay missing.h5 --dump x.h5", 2, "missing.h5"},
    {"norm.h5 a.png --sweep 0.3 --complementary", 2,
     "--sweep and --complementary exclude each other"},
    {"norm.h5 a.png --uncertainty 9 --mask three.png", 2,
     "--mask and --uncertainty exclude each other"},
    {"norm.h5 --replay three.h5 --dump x.h5 --frames f", 2, "exclude each other"},
    {"norm.h5 a.png --sweep 0.3,x", 2, "--sweep: expected mask ratios"},
    {"norm.h5 a.png --sweep 0.3,", 2, "--sweep: expected mask ratios"},
    {"norm.h5 a.png --sweep nan", 2, "--sweep: expected mask ratios"},
    {"norm.h5 a.png --sweep 0.5,0.3", 2, "rising ratios"},
    {"norm.h5 a.png --sweep 0.5,1", 2, "ratio"},
    {"norm.h5 a.png --sweep 0.5 --mask-ratio 0.5", 2, "--mask-ratio does not go"},
    {"norm.h5 a.png --sweep 0.5 --mask-strategy block", 2, "nested"},
    {"norm.h5 a.png --frames f --mask-strategy block", 2, "nested"},
    {"norm.h5 a.png --frames f --out x.png", 2, "--out does not go"},
    {"norm.h5 a.png --frames a.png", 2, "a.png"},
    {"norm.h5 a.png --mask missing.png", 2, "missing.png: does not exist"},
    {"norm.h5 a.png --mask norm.h5", 3, "norm.h5"},
    {"norm.h5 a.png --mask large.png", 2, "large.png: expected a mask of "},
    {"norm.h5 a.png --mask none.png", 2, "none.png: hides none of "},
    {"norm.h5 a.png --mask all.png", 2, "all.png: hides all "},
    {"norm.h5 a.png --mask three.png --mask-ratio 0.5", 2, "--mask-ratio does not go"},
    {"norm.h5 a.png --mask three.png --mask-strategy grid", 2, "grid does not go"},
    {"norm.h5 a.png --mask three.png -o three.png", 2, "is an input too"},
    {"norm.h5 a.png --complementary --mask-strategy block", 2, "block does not go"},
    {"norm.h5 a.png --complementary --mask-ratio 0", 2, "hides none of "},
    {"norm.h5 a.png --uncertainty 2", 2, "expected at least "},
    {"norm.h5 a.png --rank r.csv", 2, "--rank needs --data"},
    {"norm.h5 --data . --rank r.txt", 2, ".csv or .json"},
    {"norm.h5 --data . --rank r.csv", 2, "lies inside ."},
    {"norm.h5 --data cut.png --rank norm.h5", 2, ".csv or .json"},
    {"norm.h5 --data . --rank r.csv --count 129", 2, "at most 128"},
    {"norm.h5 a.png --max-pixels 9", 3, "over the limit of 9 pixels (max_pixels)"},
    {"norm.h5 --data pair --max-pixels 9", 3, "over the limit of 9 pixels (max_pixels)"},
    {"norm.h5 a.png --mask b.png --max-pixels 1250", 3,
     "b.png: PNG: 20 x 64 pixels are over the limit of 1250 pixels (max_pixels)"},
    {"norm.h5 a.png --max-pixels 0", 2, "--max-pixels: expected 1 to 2147483648, got 0"},
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
    if (strstr(bad->arguments, "--mask ") != NULL)
        place_masks(&p);
    write_replay(&p, "three.h5", 3, 0, 0.0f);
    write_replay(&p, "two.h5", 2, 0, 0.0f);
    write_replay(&p, "short.h5", 3, 5, 0.0f);
    write_replay(&p, "nan.h5", 3, 0, (float)strtod("nan", NULL));
    place_run(&p, bad->arguments);
    ck_assert_msg(p.code == bad->code, "%s: exit code %d, expected %d: %s",
                  bad->arguments, p.code, bad->code, p.err);
    place_expect(p.err, bad->message);
    ck_assert_int_eq(strncmp(p.err, "mae-reconstruct: ", 17), 0);
    ck_assert_ptr_eq(strchr(p.err, '\n'), p.err + strlen(p.err) - 1);
    ck_assert_str_eq(p.out, "");
    ck_assert(!place_has(&p, "reconstruction.png") && !place_has(&p, "x.h5"));
    ck_assert(!place_has(&p, "sweep.png") && !place_has(&p, "f"));
    ck_assert(!place_has(&p, "reconstruction.png.mae-tmp") &&
              !place_has(&p, "x.h5.mae-tmp"));
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
