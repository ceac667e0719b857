#include "data/randaugment.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "data/fixture.h"

static MaeError err;

/* --- images: every operation of the golden file ----------------------------------- */

static const uint8_t fill[3] = {124, 116, 104};

static const struct {
    const char *name;
    MaeRandOp op;
    bool exact; /* a point operation */
} GOLDEN[] = {
    {"00_AutoContrast", MAE_RAND_AUTOCONTRAST, true},
    {"01_Equalize", MAE_RAND_EQUALIZE, true},
    {"02_Invert", MAE_RAND_INVERT, true},
    {"03_Rotate", MAE_RAND_ROTATE, false},
    {"04_Rotate", MAE_RAND_ROTATE, false},
    {"05_Posterize", MAE_RAND_POSTERIZE, true},
    {"06_Posterize", MAE_RAND_POSTERIZE, true},
    {"07_Posterize", MAE_RAND_POSTERIZE, true},
    {"08_Solarize", MAE_RAND_SOLARIZE, true},
    {"09_Solarize", MAE_RAND_SOLARIZE, true},
    {"10_SolarizeAdd", MAE_RAND_SOLARIZE_ADD, true},
    {"11_SolarizeAdd", MAE_RAND_SOLARIZE_ADD, true},
    {"12_Color", MAE_RAND_SATURATION, true},
    {"13_Color", MAE_RAND_SATURATION, true},
    {"14_Contrast", MAE_RAND_CONTRAST, true},
    {"15_Contrast", MAE_RAND_CONTRAST, true},
    {"16_Brightness", MAE_RAND_BRIGHTNESS, true},
    {"17_Brightness", MAE_RAND_BRIGHTNESS, true},
    {"18_Sharpness", MAE_RAND_SHARPNESS, true},
    {"19_Sharpness", MAE_RAND_SHARPNESS, true},
    {"20_ShearX", MAE_RAND_SHEAR_X, false},
    {"21_ShearX", MAE_RAND_SHEAR_X, false},
    {"22_ShearY", MAE_RAND_SHEAR_Y, false},
    {"23_ShearY", MAE_RAND_SHEAR_Y, false},
    {"24_TranslateXRel", MAE_RAND_TRANSLATE_X, false},
    {"25_TranslateXRel", MAE_RAND_TRANSLATE_X, false},
    {"26_TranslateYRel", MAE_RAND_TRANSLATE_Y, false},
    {"27_TranslateYRel", MAE_RAND_TRANSLATE_Y, false},
};
enum { GOLDENS = sizeof GOLDEN / sizeof *GOLDEN };

/* Shapes of image_00, image_01 and image_02. */
static const size_t sides[3][2] = {{32, 32}, {32, 32}, {222, 310}};

/* A data set of the golden file as pixels [H,W,3]. */
static MaeImage golden_image(const char *name, size_t height, size_t width)
{
    size_t n;
    float *values = mae_test_h5_floats(mae_test_golden("augment.h5"), name, &n);
    MaeImage img = {0};

    ck_assert_uint_eq(n, height * width * 3);
    ck_assert_ok(mae_image_reshape(&img, height, width, 3, MAE_PIXEL_U8, &err));
    for (size_t i = 0; i < n; i++)
        ((uint8_t *)img.data)[i] = (uint8_t)values[i];
    free(values);
    return img;
}

static MaeRandStep golden_step(const char *name, MaeRandOp op)
{
    const char *path = mae_test_golden("augment.h5");
    MaeRandStep step = {.op = op};

    step.arg = mae_test_h5_attr(path, name, "arg");
    if (op == MAE_RAND_ROTATE || op >= MAE_RAND_SHEAR_X) {
        char *filter = mae_test_h5_attr_text(path, name, "resample");

        step.filter = strcmp(filter, "bilinear") == 0 ? MAE_BILINEAR : MAE_BICUBIC;
        ck_assert(step.filter == MAE_BILINEAR || strcmp(filter, "bicubic") == 0);
        free(filter);
    }
    return step;
}

/* Largest difference of two images of the same shape. */
static int worst(const MaeImage *a, const MaeImage *b)
{
    const uint8_t *x = a->data, *y = b->data;
    int most = 0;

    ck_assert_uint_eq(a->height, b->height);
    ck_assert_uint_eq(a->width, b->width);
    ck_assert_uint_eq(a->channels, b->channels);
    for (size_t i = 0; i < a->height * a->width * a->channels; i++)
        most = abs(x[i] - y[i]) > most ? abs(x[i] - y[i]) : most;
    return most;
}

START_TEST(operations_equal_pillow)
{
    const char *op = GOLDEN[_i % GOLDENS].name;
    const size_t picture = (size_t)_i / GOLDENS;
    MaeImage img, want, spare = {0};
    MaeRandStep step;
    char name[128];

    (void)snprintf(name, sizeof name, "image_%02zu/rgb_hwc", picture);
    img = golden_image(name, sides[picture][0], sides[picture][1]);
    (void)snprintf(name, sizeof name, "image_%02zu/rand_augment/%s", picture, op);
    want = golden_image(name, sides[picture][0], sides[picture][1]);
    step = golden_step(name, GOLDEN[_i % GOLDENS].op);
    ck_assert_ok(mae_randaugment_apply(&img, &spare, &step, fill, &err));
    ck_assert_msg(worst(&img, &want) <= (GOLDEN[_i % GOLDENS].exact ? 0 : 1),
                  "%s: off by %d", name, worst(&img, &want));
    mae_image_done(&img);
    mae_image_done(&want);
    mae_image_done(&spare);
}
END_TEST

/* Pillow's results of a grey image [5,7], in hexadecimal; fill 77. */
static const struct {
    MaeRandOp op;
    double arg;
    MaeFilter filter;
    const char *want;
} GREY[] = {
    {MAE_RAND_AUTOCONTRAST, 0, MAE_BICUBIC,
     "003a83da279a029116c16210e5b0897064677897c4fe2f86eb46c63dda6d0ed4915c35"},
    {MAE_RAND_EQUALIZE, 0, MAE_BICUBIC,
     "143e72b03082167c249e5a20b89276645c5e6a80a0ca3674bc46a240b0621eac7c563a"},
    {MAE_RAND_INVERT, 0, MAE_BICUBIC,
     "ebc18d4fcf7de983db61a5df476d899ba3a1957f5f35c98b43b95dbf4f9de15383a9c5"},
    {MAE_RAND_POSTERIZE, 3, MAE_BICUBIC,
     "002060a02080006020804020a080606040406080a0c02060a040a040a06000a0604020"},
    {MAE_RAND_SOLARIZE, 100, MAE_BICUBIC,
     "143e8d4f307d168324615a20476d899b5c5e957f5f35368b43465d404f621e5383563a"},
    {MAE_RAND_SOLARIZE_ADD, 99, MAE_BICUBIC,
     "77a1d5b0938279df879ebd83b892d9c7bfc1cd80a0ca99d7bca9a2a3b0c581acdfb99d"},
    {MAE_RAND_SATURATION, 1.81, MAE_BICUBIC,
     "143e72b03082167c249e5a20b89276645c5e6a80a0ca3674bc46a240b0621eac7c563a"},
    {MAE_RAND_CONTRAST, 0.19, MAE_BICUBIC,
     "5a626c785f6f5a6e5d74675c79726d6968686a6e757d606c7a63756278695c776e6761"},
    {MAE_RAND_CONTRAST, 1.81, MAE_BICUBIC,
     "001977e70094008900c74c00f6b17e5e4f536991caff0b7bfd28ce1de75a00e0894412"},
    {MAE_RAND_BRIGHTNESS, 1.81, MAE_BICUBIC,
     "2470ceff56eb27e041ffa239ffffd5b5a6aabfe7ffff61d1ff7eff73ffb136ffe09b68"},
    {MAE_RAND_SHARPNESS, 0.19, MAE_BICUBIC,
     "143e72b03082167c427f604b8c92766a62647079a0ca546d90648340b0621eac7c563a"},
    {MAE_RAND_SHARPNESS, 1.81, MAE_BICUBIC,
     "143e72b03082167c05bc5300e392765d55576386a0ca177ae727c040b0621eac7c563a"},
    {MAE_RAND_ROTATE, -27, MAE_BICUBIC,
     "4d603487bc4d4da7696e853a416a9c306d5e4398858222a87f6a8bb64d4dab768a6e4d"},
    {MAE_RAND_ROTATE, 13.5, MAE_BILINEAR,
     "4d59907158807335498a4d4b9b9c74496b5e628c618c5b64a96c764cc37a446c93694d"},
    {MAE_RAND_SHEAR_X, 0.27, MAE_BILINEAR,
     "19457a9e3b7316585582425da892695e5d6678954d3e70b84c9c454d533ca1734f3a4d"},
    {MAE_RAND_SHEAR_Y, -0.27, MAE_BICUBIC,
     "09414d4d4d4d4d6e2585ab327b4d6f4e8d5519a533c14860635e9dabb44b5bbf49948a"},
    {MAE_RAND_TRANSLATE_X, 0.2, MAE_BICUBIC,
     "529e7d4862064d4e992a58be8c4d5e5a60718fa44d32a58e6388314d2d51b06845354d"},
    {MAE_RAND_TRANSLATE_Y, -0.405, MAE_BILINEAR,
     "4d4d4d4d4d4d4d4d4d4d4d4d4d4d143e72b030821679249c5c20b68e76625d5d68819f"},
};

START_TEST(grey_equals_pillow)
{
    const MaeRandStep step = {GREY[_i].op, GREY[_i].arg, GREY[_i].filter};
    const uint8_t outside[1] = {77};
    MaeImage img = {0}, spare = {0};
    char got[71];

    ck_assert_ok(mae_image_reshape(&img, 5, 7, 1, MAE_PIXEL_U8, &err));
    for (size_t i = 0; i < 35; i++)
        ((uint8_t *)img.data)[i] = (uint8_t)((i * 37 + i * i * 5) % 200 + 20);
    ck_assert_ok(mae_randaugment_apply(&img, &spare, &step, outside, &err));
    for (size_t i = 0; i < 35; i++)
        (void)snprintf(got + 2 * i, 3, "%02x", ((uint8_t *)img.data)[i]);
    ck_assert_str_eq(got, GREY[_i].want);
    mae_image_done(&img);
    mae_image_done(&spare);
}
END_TEST

START_TEST(one_pixel)
{
    for (size_t channels = 1; channels <= 3; channels += 2) {
        const MaeRandStep step = {(MaeRandOp)_i, _i == MAE_RAND_POSTERIZE ? 4.0 : 0.3,
                                  MAE_BICUBIC};
        MaeImage img = fixture_image(1, 1, channels, 1), spare = {0};

        ck_assert_ok(mae_randaugment_apply(&img, &spare, &step, fill, &err));
        ck_assert_uint_eq(img.height * img.width, 1);
        ck_assert_uint_eq(img.channels, channels);
        mae_image_done(&img);
        mae_image_done(&spare);
    }
}
END_TEST

/* --- what is drawn ---------------------------------------------------------------- */

static const double MAGNITUDES[] = {0, 0.7, 3.3, 5.25, 9, 9.99, 10, 17, 30};
enum { LEVELS = sizeof MAGNITUDES / sizeof *MAGNITUDES };

/* timm's level_to_arg functions at these magnitudes. Where Pillow's result is the same,
 * posterize keeps between 0 and 8 bits. */
static const struct {
    MaeRandOp op;
    bool increasing, negate;
    double want[LEVELS];
} ARGS[] = {
    {MAE_RAND_ROTATE, true, false, {0, 2.1, 9.9, 15.75, 27, 29.97, 30, 51, 90}},
    {MAE_RAND_ROTATE, false, true, {0, -2.1, -9.9, -15.75, -27, -29.97, -30, -51, -90}},
    {MAE_RAND_POSTERIZE, false, false, {0, 0, 1, 2, 3, 3, 4, 6, 8}},
    {MAE_RAND_POSTERIZE, true, true, {4, 4, 3, 2, 1, 1, 0, 0, 0}},
    {MAE_RAND_SOLARIZE, false, true, {0, 17, 84, 134, 230, 255, 256, 256, 256}},
    {MAE_RAND_SOLARIZE, true, false, {256, 239, 172, 122, 26, 1, 0, 0, 0}},
    {MAE_RAND_SOLARIZE_ADD, true, false, {0, 7, 36, 57, 99, 109, 110, 128, 128}},
    {MAE_RAND_SOLARIZE_ADD, false, true, {0, 7, 36, 57, 99, 109, 110, 128, 128}},
    {MAE_RAND_SATURATION,
     false,
     true,
     {0.1, 0.226, 0.694, 1.045, 1.72, 1.8982, 1.9, 3.16, 5.5}},
    {MAE_RAND_CONTRAST,
     true,
     false,
     {1, 1.063, 1.297, 1.4725, 1.81, 1.8991, 1.9, 2.53, 3.7}},
    {MAE_RAND_BRIGHTNESS,
     true,
     true,
     {1, 0.937, 0.703, 0.5275, 0.19, 0.1009, 0.1, 0.1, 0.1}},
    {MAE_RAND_SHARPNESS,
     false,
     false,
     {0.1, 0.226, 0.694, 1.045, 1.72, 1.8982, 1.9, 3.16, 5.5}},
    {MAE_RAND_SHEAR_X,
     true,
     false,
     {0, 0.021, 0.099, 0.1575, 0.27, 0.2997, 0.3, 0.51, 0.9}},
    {MAE_RAND_SHEAR_Y,
     true,
     true,
     {0, -0.021, -0.099, -0.1575, -0.27, -0.2997, -0.3, -0.51, -0.9}},
    {MAE_RAND_TRANSLATE_X,
     false,
     false,
     {0, 0.0315, 0.1485, 0.23625, 0.405, 0.44955, 0.45, 0.765, 1.35}},
    {MAE_RAND_TRANSLATE_Y,
     true,
     true,
     {0, -0.0315, -0.1485, -0.23625, -0.405, -0.44955, -0.45, -0.765, -1.35}},
    {MAE_RAND_EQUALIZE, true, true, {0}},
};

START_TEST(arguments_equal_timm)
{
    for (size_t i = 0; i < LEVELS; i++)
        ck_assert_double_eq_tol(mae_randaugment_arg(ARGS[_i].op, MAGNITUDES[i] / 10.0,
                                                    ARGS[_i].increasing, ARGS[_i].negate),
                                ARGS[_i].want[i], 1e-12);
}
END_TEST

static size_t drawn(MaeRandStep steps[MAE_POLICY_LAYERS], const char *text,
                    uint64_t sample)
{
    MaePolicy policy;
    MaeRng rng;

    ck_assert_ok(mae_policy_parse(&policy, text, &err));
    mae_rng_init(&rng, 3, 1, sample, MAE_RNG_AUGMENT);
    return mae_randaugment_draw(steps, &policy, &rng);
}

/* Shares of independent draws, within 5 deviations. */
static void expect_share(size_t count, size_t n, double share, const char *what)
{
    const double deviation = sqrt(share * (1.0 - share) / (double)n);

    ck_assert_msg(fabs((double)count / (double)n - share) <= 5.0 * deviation,
                  "%s: %zu of %zu, expected a share of %g", what, count, n, share);
}

enum { IMAGES = 30000 };

START_TEST(operations_are_as_frequent)
{
    size_t done[MAE_RAND_OPS] = {0}, counts[3] = {0}, negative = 0;
    size_t moved = 0, total = 0, pairs = 0;

    for (uint64_t i = 0; i < IMAGES; i++) {
        MaeRandStep steps[MAE_POLICY_LAYERS];
        const size_t n = drawn(steps, "rand-m9-mstd0.5-inc1", i);

        ck_assert_uint_le(n, 2);
        counts[n]++;
        total += n;
        pairs += n == 2 && steps[0].op == steps[1].op;
        for (size_t k = 0; k < n; k++) {
            const bool shear = steps[k].op >= MAE_RAND_SHEAR_X;

            done[steps[k].op]++;
            ck_assert_int_eq(steps[k].filter, MAE_BICUBIC);
            moved += shear;
            negative += shear && steps[k].arg < 0.0;
        }
    }
    for (size_t i = 0; i <= 2; i++)
        expect_share(counts[i], IMAGES, i == 1 ? 0.5 : 0.25, "operations of an image");
    for (size_t op = 0; op < MAE_RAND_OPS; op++)
        expect_share(done[op], total, 1.0 / MAE_RAND_OPS, "operation");
    expect_share(pairs, counts[2], 1.0 / MAE_RAND_OPS, "the same one twice");
    expect_share(negative, moved, 0.5, "negative");
}
END_TEST

/* Mean, deviation and limits of a magnitude, read off translations. */
START_TEST(magnitudes_are_distributed)
{
    static const struct {
        const char *text;
        double mean, deviation, low, high;
    } cases[] = {
        {"rand-m5-p1-n16", 5.0, 0.0, 5.0, 5.0},
        {"rand-m5-mstd0.5-p1-n16", 5.0, 0.5, 2.0, 8.0},
        {"rand-m5-mstd101-p1-n16", 2.5, 5.0 / 3.4641016, 0.0, 5.0},
        /* above 10 all are 10: moments by numerical integration */
        {"rand-m9-mstd0.5-p1-n16", 8.995755, 0.489948, 6.0, 10.0},
        {"rand-m30-p1-n16", 10.0, 0.0, 10.0, 10.0},
        {"rand-m20-mmax30-mstd1-p1-n16", 20.0, 1.0, 14.0, 26.0},
    };
    double sum = 0.0, squares = 0.0;
    size_t n = 0;

    for (uint64_t i = 0; i < IMAGES / 4; i++) {
        MaeRandStep steps[MAE_POLICY_LAYERS];

        ck_assert_uint_eq(drawn(steps, cases[_i].text, i), 16);
        for (size_t k = 0; k < 16; k++) {
            const double m = fabs(steps[k].arg) / 0.045;

            if (steps[k].op != MAE_RAND_TRANSLATE_X)
                continue;
            ck_assert(m >= cases[_i].low - 1e-9 && m <= cases[_i].high + 1e-9);
            sum += m - cases[_i].mean;
            squares += (m - cases[_i].mean) * (m - cases[_i].mean);
            n++;
        }
    }
    ck_assert_double_eq_tol(sum / (double)n, 0.0,
                            5.0 * cases[_i].deviation / sqrt((double)n) + 1e-9);
    ck_assert_double_eq_tol(sqrt(squares / (double)n), cases[_i].deviation,
                            5.0 * cases[_i].deviation / sqrt(2.0 * (double)n) + 1e-9);
}
END_TEST

START_TEST(probability_and_none)
{
    MaeRandStep steps[MAE_POLICY_LAYERS];
    size_t done = 0;

    for (uint64_t i = 0; i < IMAGES; i++) {
        done += drawn(steps, "rand-p0.1-n3", i);
        ck_assert_uint_eq(drawn(steps, "none", i), 0);
        ck_assert_uint_eq(drawn(steps, "rand-p0", i), 0);
        ck_assert_uint_eq(drawn(steps, "rand-p1-n5", i), 5);
    }
    expect_share(done, 3 * IMAGES, 0.1, "probability 0.1");
}
END_TEST

static TCase *draws(void)
{
    TCase *tc = tcase_create("draws");

    tcase_set_timeout(tc, 30);
    tcase_add_loop_test(tc, arguments_equal_timm, 0, sizeof ARGS / sizeof *ARGS);
    tcase_add_test(tc, operations_are_as_frequent);
    tcase_add_loop_test(tc, magnitudes_are_distributed, 0, 6);
    tcase_add_test(tc, probability_and_none);
    return tc;
}

int main(void)
{
    Suite *suite = suite_create("data_randaugment");
    TCase *tc = tcase_create("golden");

    tcase_add_loop_test(tc, operations_equal_pillow, 0, 3 * GOLDENS);
    tcase_add_loop_test(tc, grey_equals_pillow, 0, sizeof GREY / sizeof *GREY);
    tcase_add_loop_test(tc, one_pixel, 0, MAE_RAND_OPS);
    suite_add_tcase(suite, tc);
    suite_add_tcase(suite, draws());
    return mae_test_main(suite);
}
