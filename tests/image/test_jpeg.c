#include <stdlib.h>
#include <string.h>

#include "base/rng.h"
#include "fixture.h"
#include "support/test.h"

static const FixtureJpeg grey = {.given = JCS_GRAYSCALE, .stored = JCS_GRAYSCALE};
static const FixtureJpeg color = {.given = JCS_RGB, .stored = JCS_YCbCr};

static int largest_difference(const MaeImage *a, const MaeImage *b)
{
    const uint8_t *x = a->data, *y = b->data;
    int worst = 0;

    ck_assert_uint_eq(a->height, b->height);
    ck_assert_uint_eq(mae_image_row_bytes(a), mae_image_row_bytes(b));
    for (size_t i = 0; i < a->height * mae_image_row_bytes(a); i++)
        worst = abs(x[i] - y[i]) > worst ? abs(x[i] - y[i]) : worst;
    return worst;
}

static MaeImage decode(const uint8_t *bytes, size_t size)
{
    MaeImage img = {0};
    MaeError err = {0};

    ck_assert_ok(mae_image_decode(&img, bytes, size, NULL, &err));
    return img;
}

/* Position of the first marker FF @p code that starts a segment. */
static size_t find_marker(const uint8_t *bytes, size_t size, uint8_t code)
{
    for (size_t at = 2; at + 4 <= size;
         at += 2 + (size_t)(bytes[at + 2] << 8 | bytes[at + 3])) {
        if (bytes[at + 1] == code)
            return at;
    }
    ck_abort_msg("no marker %02x", code);
}

static const struct {
    const char *name;
    FixtureJpeg how;
    size_t channels;
    int tolerance;
} spaces[] = {
    {"grey", {.given = JCS_GRAYSCALE, .stored = JCS_GRAYSCALE}, 1, 12},
    {"YCbCr", {.given = JCS_RGB, .stored = JCS_YCbCr}, 3, 40},
    {"RGB", {.given = JCS_RGB, .stored = JCS_RGB}, 3, 12},
};

START_TEST(decodes_every_space_and_progressive)
{
    const MaeImage want = fixture_picture(53, 67, spaces[_i].channels, MAE_PIXEL_U8, 1);
    FixtureJpeg how = spaces[_i].how;
    size_t size;
    uint8_t *plain = fixture_jpeg(&size, &want, how);
    MaeImage first = decode(plain, size), second;
    uint8_t *steps;

    ck_assert_msg(largest_difference(&first, &want) <= spaces[_i].tolerance,
                  "%s: off by %d", spaces[_i].name, largest_difference(&first, &want));
    ck_assert_uint_eq(first.warnings, 0);
    how.progressive = true;
    steps = fixture_jpeg(&size, &want, how);
    second = decode(steps, size);
    ck_assert_int_eq(largest_difference(&first, &second), 0);
    free(plain);
    free(steps);
    mae_image_done(&first);
    mae_image_done(&second);
    free(want.data);
}
END_TEST

/* Flat ink, so that quality 100 keeps it to 1 level: 255 - k, less c of that. */
START_TEST(cmyk_becomes_rgb)
{
    static const uint8_t ink[4] = {200, 100, 0, 50};
    static const int want[3] = {44, 125, 205};
    static const struct {
        J_COLOR_SPACE stored;
        bool adobe;
    } cases[] = {{JCS_CMYK, true}, {JCS_CMYK, false}, {JCS_YCCK, true}};

    for (size_t i = 0; i < 3; i++) {
        MaeImage img = {0}, got;
        MaeError err = {0};
        size_t size;
        uint8_t *bytes;

        ck_assert_ok(mae_image_reshape(&img, 16, 24, 4, MAE_PIXEL_U8, &err));
        for (size_t s = 0; s < 16 * 24 * 4; s++)
            ((uint8_t *)img.data)[s] =
                cases[i].adobe ? (uint8_t)(255 - ink[s % 4]) : ink[s % 4];
        bytes = fixture_jpeg(&size, &img,
                             (FixtureJpeg){.given = JCS_CMYK,
                                           .stored = cases[i].stored,
                                           .no_adobe = !cases[i].adobe,
                                           .quality = 100});
        got = decode(bytes, size);
        ck_assert_uint_eq(got.channels, 3);
        for (size_t s = 0; s < 16 * 24 * 3; s++)
            ck_assert_int_le(abs(((uint8_t *)got.data)[s] - want[s % 3]), 2);
        free(bytes);
        mae_image_done(&img);
        mae_image_done(&got);
    }
}
END_TEST

START_TEST(every_truncation_is_refused)
{
    MaeImage img = fixture_picture(24, 40, 3, MAE_PIXEL_U8, 2);
    FixtureJpeg how = color;
    MaeImage out = {0};
    MaeError err = {0};
    size_t size, scan;
    uint8_t *bytes;

    how.progressive = _i == 1;
    bytes = fixture_jpeg(&size, &img, how);
    scan = find_marker(bytes, size, 0xda);
    for (size_t cut = 0; cut < size; cut++)
        ck_assert_msg(fixture_survive(bytes, cut) == MAE_ERR_FORMAT,
                      "%zu of %zu bytes decode", cut, size);
    for (size_t cut = scan; cut < size; cut += 7)
        ck_assert_fails(mae_image_decode(&out, bytes, cut, NULL, &err), MAE_ERR_FORMAT,
                        "truncated");
    free(bytes);
    mae_image_done(&img);
    mae_image_done(&out);
}
END_TEST

/* The header claims 65500 x 65500; it must be believed neither by us nor by libjpeg. */
START_TEST(bombs_cost_nothing)
{
    const MaeImageLimits wide = {.max_pixels = SIZE_MAX, .max_memory = (size_t)16 << 30};
    const size_t before = fixture_resident();
    MaeImage img = fixture_picture(16, 16, 3, MAE_PIXEL_U8, 3), out = {0};
    FixtureJpeg how = color;
    MaeError err = {0};
    size_t size, frame;
    uint8_t *bytes;

    how.progressive = true;
    bytes = fixture_jpeg(&size, &img, how);
    frame = find_marker(bytes, size, 0xc2);
    bytes[frame + 5] = bytes[frame + 7] = 0xff;
    bytes[frame + 6] = bytes[frame + 8] = 0xdc;
    ck_assert_fails(mae_image_decode(&out, bytes, size, NULL, &err), MAE_ERR_FORMAT,
                    "65500 x 65500 pixels are over the limit of 178956970");
    ck_assert_fails(mae_image_decode(&out, bytes, size, &wide, &err), MAE_ERR_FORMAT,
                    "bytes cannot hold 65500 x 65500 pixels");
    bytes[frame + 5] = bytes[frame + 7] = 0x33; /* within the limits, and still a lie */
    ck_assert_fails(mae_image_decode(&out, bytes, size, NULL, &err), MAE_ERR_FORMAT,
                    "cannot hold");
    ck_assert_ptr_null(out.data);
    ck_assert_uint_lt(fixture_resident() - before, (size_t)64 << 20);
    free(bytes);
    mae_image_done(&img);
}
END_TEST

/* A progressive file keeps all coefficients: 2 bytes for each of 1.5 samples a pixel. */
START_TEST(decoder_memory_is_limited)
{
    const MaeImageLimits tight = {.max_memory = 256 * 256 * 3 + 100000};
    MaeImage img = fixture_picture(256, 256, 3, MAE_PIXEL_U8, 3), out = {0};
    FixtureJpeg how = color;
    MaeError err = {0};
    size_t size;
    uint8_t *bytes = fixture_jpeg(&size, &img, how);

    ck_assert_ok(mae_image_decode(&out, bytes, size, &tight, &err));
    free(bytes);
    how.progressive = true;
    bytes = fixture_jpeg(&size, &img, how);
    ck_assert_fails(mae_image_decode(&out, bytes, size, &tight, &err), MAE_ERR_FORMAT,
                    "limit of 296608 bytes");
    free(bytes);
    mae_image_done(&img);
    mae_image_done(&out);
}
END_TEST

/* One AC scan of a progressive file over and over again. */
static uint8_t *repeat_last_scan(size_t *size, size_t times)
{
    MaeImage img = fixture_picture(16, 16, 1, MAE_PIXEL_U8, 4);
    FixtureJpeg how = grey;
    size_t length, scan = 0, part;
    uint8_t *bytes, *grown;

    how.progressive = true;
    bytes = fixture_jpeg(&length, &img, how);
    for (size_t at = 0; at + 1 < length; at++)
        scan = bytes[at] == 0xff && bytes[at + 1] == 0xda ? at : scan;
    part = length - 2 - scan;
    *size = scan + times * part + 2;
    grown = mae_test_alloc(*size);
    memcpy(grown, bytes, scan);
    for (size_t i = 0; i < times; i++)
        memcpy(grown + scan + i * part, bytes + scan, part);
    memcpy(grown + *size - 2, bytes + length - 2, 2);
    free(bytes);
    mae_image_done(&img);
    return grown;
}

START_TEST(scans_are_limited)
{
    const MaeImageLimits few = {.max_scans = 20}, small = {.max_pixels = 256};
    MaeImage out = {0};
    MaeError err = {0};
    size_t size;
    uint8_t *bytes = repeat_last_scan(&size, 600);

    ck_assert_fails(mae_image_decode(&out, bytes, size, NULL, &err), MAE_ERR_FORMAT,
                    "too many scans: 501");
    free(bytes);
    bytes = repeat_last_scan(&size, 100);
    ck_assert_ok(mae_image_decode(&out, bytes, size, NULL, &err));
    ck_assert_uint_gt(out.warnings, 0);
    ck_assert_fails(mae_image_decode(&out, bytes, size, &few, &err), MAE_ERR_FORMAT,
                    "limit 20");
    ck_assert_fails(mae_image_decode(&out, bytes, size, &small, &err), MAE_ERR_FORMAT,
                    "too many scans: 33");
    free(bytes);
    mae_image_done(&out);
}
END_TEST

START_TEST(unsupported_kinds_are_named)
{
    MaeImage img = fixture_picture(16, 16, 2, MAE_PIXEL_U8, 5), out = {0};
    MaeImage one = fixture_picture(16, 16, 1, MAE_PIXEL_U8, 5);
    MaeError err = {0};
    size_t size;
    uint8_t *bytes = fixture_jpeg(
        &size, &img,
        (FixtureJpeg){.given = JCS_UNKNOWN, .stored = JCS_UNKNOWN, .no_adobe = true});

    ck_assert_fails(mae_image_decode(&out, bytes, size, NULL, &err), MAE_ERR_FORMAT,
                    "2 components");
    free(bytes);
    bytes = fixture_jpeg(&size, &one, grey);
    bytes[find_marker(bytes, size, 0xc0) + 4] = 12;
    ck_assert_fails(mae_image_decode(&out, bytes, size, NULL, &err), MAE_ERR_FORMAT,
                    "precision 12");
    free(bytes);
    mae_image_done(&img);
    mae_image_done(&one);
}
END_TEST

START_TEST(damage_is_survived)
{
    static const J_COLOR_SPACE given[] = {JCS_GRAYSCALE, JCS_RGB, JCS_CMYK};
    static const J_COLOR_SPACE stored[] = {JCS_GRAYSCALE, JCS_YCbCr, JCS_YCCK};
    static const size_t channels[] = {1, 3, 4};
    const size_t kind = (size_t)_i % 3;
    MaeImage img = fixture_picture(33, 41, channels[kind], MAE_PIXEL_U8, 6);
    FixtureJpeg how = {.given = given[kind],
                       .stored = stored[kind],
                       .progressive = _i >= 3,
                       .quality = 70};
    size_t size, decoded = 0;
    uint8_t *bytes = fixture_jpeg(&size, &img, how);
    MaeRng rng;

    mae_rng_init(&rng, 7, 0, (uint64_t)_i, MAE_RNG_TEST);
    for (int round = 0; round < 1000; round++) {
        uint8_t *copy = mae_test_alloc(size);

        memcpy(copy, bytes, size);
        for (uint32_t i = mae_rng_below(&rng, 6) + 1; i > 0; i--)
            copy[3 + mae_rng_below(&rng, (uint32_t)size - 3)] =
                (uint8_t)mae_rng_below(&rng, 256);
        decoded += fixture_survive(copy, size) == MAE_OK;
        free(copy);
    }
    ck_assert_uint_gt(decoded, 0);
    ck_assert_uint_lt(decoded, 1000);
    free(bytes);
    mae_image_done(&img);
}
END_TEST

static MaePart as_told(const void *ctx, size_t height, size_t width)
{
    const MaePart *part = ctx;

    ck_assert_uint_le(part->box.top + part->box.height, height);
    ck_assert_uint_le(part->box.left + part->box.width, width);
    return *part;
}

static MaeImage decode_part(const uint8_t *bytes, size_t size, MaePart part)
{
    const MaeChooser chooser = {as_told, &part};
    MaeImage img = {0};
    MaeError err = {0};

    ck_assert_ok(mae_image_decode_part(&img, bytes, size, NULL, &chooser, &err));
    return img;
}

/* All that @p part asks for is there and equals the same of the whole picture. */
static void check_part(const MaeImage *got, const MaeImage *whole, MaePart part,
                       const char *what)
{
    const MaePicture *at = &got->picture;
    const size_t top = part.box.top / part.shrink, left = part.box.left / part.shrink;
    const size_t bottom =
        (part.box.top + part.box.height + part.shrink - 1) / part.shrink;
    const size_t right = (part.box.left + part.box.width + part.shrink - 1) / part.shrink;
    const size_t pixel = whole->channels;

    ck_assert_uint_eq(at->height, whole->picture.height);
    ck_assert_uint_eq(at->width, whole->picture.width);
    ck_assert_uint_eq(at->shrink, part.shrink);
    ck_assert(at->top <= top && bottom <= at->top + got->height);
    ck_assert(at->left <= left && right <= at->left + got->width);
    for (size_t y = top; y < bottom; y++) {
        const uint8_t *a = got->data, *b = whole->data;

        a += (y - at->top) * mae_image_row_bytes(got) + (left - at->left) * pixel;
        b += y * mae_image_row_bytes(whole) + left * pixel;
        ck_assert_msg(memcmp(a, b, (right - left) * pixel) == 0,
                      "%s: %zu x %zu at 1/%u: row %zu of box %zu %zu %zu %zu", what,
                      at->width, at->height, part.shrink, y, part.box.top, part.box.left,
                      part.box.height, part.box.width);
    }
}

static size_t draw(MaeRng *rng, size_t below)
{
    return (size_t)mae_rng_below(rng, (uint32_t)below);
}

static MaeBox random_box(MaeRng *rng, size_t height, size_t width)
{
    MaeBox box = {.height = draw(rng, height) + 1, .width = draw(rng, width) + 1};

    box.top = draw(rng, height - box.height + 1);
    box.left = draw(rng, width - box.width + 1);
    return box;
}

static const struct {
    const char *name;
    size_t channels;
    FixtureJpeg how;
} layouts[] = {
    {"grey", 1, {.given = JCS_GRAYSCALE, .stored = JCS_GRAYSCALE}},
    {"grey 2x2",
     1,
     {.given = JCS_GRAYSCALE, .stored = JCS_GRAYSCALE, .sampling = {{2, 2}}}},
    {"4:2:0", 3, {.given = JCS_RGB, .stored = JCS_YCbCr}},
    {"4:2:2", 3, {.given = JCS_RGB, .stored = JCS_YCbCr, .sampling = {{2, 1}}}},
    {"4:4:0", 3, {.given = JCS_RGB, .stored = JCS_YCbCr, .sampling = {{1, 2}}}},
    {"4:4:4", 3, {.given = JCS_RGB, .stored = JCS_YCbCr, .sampling = {{1, 1}}}},
    {"4:1:1", 3, {.given = JCS_RGB, .stored = JCS_YCbCr, .sampling = {{4, 1}}}},
    {"4:1:0", 3, {.given = JCS_RGB, .stored = JCS_YCbCr, .sampling = {{4, 2}}}},
    {"1x4", 3, {.given = JCS_RGB, .stored = JCS_YCbCr, .sampling = {{1, 4}}}},
    {"fine chroma",
     3,
     {.given = JCS_RGB, .stored = JCS_YCbCr, .sampling = {{1, 1}, {2, 2}, {2, 1}}}},
    {"RGB", 3, {.given = JCS_RGB, .stored = JCS_RGB}},
    {"CMYK", 4, {.given = JCS_CMYK, .stored = JCS_CMYK}},
    {"YCCK", 4, {.given = JCS_CMYK, .stored = JCS_YCCK}},
    {"restarts", 3, {.given = JCS_RGB, .stored = JCS_YCbCr, .restart = 3}},
    {"arithmetic", 3, {.given = JCS_RGB, .stored = JCS_YCbCr, .arithmetic = true}},
    {"progressive", 3, {.given = JCS_RGB, .stored = JCS_YCbCr, .progressive = true}},
    {"planar", 3, {.given = JCS_RGB, .stored = JCS_YCbCr, .planar = true}},
};

START_TEST(parts_equal_the_whole)
{
    MaeRng rng;

    mae_rng_init(&rng, 11, 0, (uint64_t)_i, MAE_RNG_TEST);
    for (int round = 0; round < 40; round++) {
        const size_t height = draw(&rng, 120) + 1, width = draw(&rng, 120) + 1;
        MaeImage img =
            fixture_picture(height, width, layouts[_i].channels, MAE_PIXEL_U8, 9);
        size_t size;
        uint8_t *bytes = fixture_jpeg(&size, &img, layouts[_i].how);

        for (unsigned shrink = 1; shrink <= 8; shrink *= 2) {
            const MaePart all = {{0, 0, height, width}, shrink};
            MaeImage whole = decode_part(bytes, size, all);

            ck_assert_uint_eq(whole.height, (height + shrink - 1) / shrink);
            ck_assert_uint_eq(whole.width, (width + shrink - 1) / shrink);
            for (int i = 0; i < 20; i++) {
                const MaePart part = {random_box(&rng, height, width), shrink};
                MaeImage got = decode_part(bytes, size, part);

                check_part(&got, &whole, part, layouts[_i].name);
                mae_image_done(&got);
            }
            mae_image_done(&whole);
        }
        free(bytes);
        mae_image_done(&img);
    }
}
END_TEST

/* Less than the whole is decoded where that is allowed, and a cut is always seen. */
START_TEST(parts_hide_no_truncation)
{
    const MaePart part = {{50, 60, 10, 10}, 1};
    const MaeChooser chooser = {as_told, &part};
    MaeImage img = fixture_picture(150, 160, 3, MAE_PIXEL_U8, 2), got;
    MaeError err = {0};
    size_t size;
    uint8_t *bytes = fixture_jpeg(&size, &img, color);

    got = decode_part(bytes, size, part);
    ck_assert(got.height < 30 && got.width < 60);
    for (size_t cut = 3; cut < size; cut += cut < size - 64 ? 61 : 1)
        ck_assert_int_eq(mae_image_decode_part(&got, bytes, cut, NULL, &chooser, &err),
                         MAE_ERR_FORMAT);
    bytes = realloc(bytes, size + 4);
    memset(bytes + size, 0, 4); /* bytes behind the picture are fine */
    ck_assert_ok(mae_image_decode_part(&got, bytes, size + 4, NULL, &chooser, &err));
    ck_assert_uint_eq(got.height, 150);
    free(bytes);
    mae_image_done(&img);
    mae_image_done(&got);
}
END_TEST

START_TEST(encoding)
{
    MaeImage img = fixture_picture(31, 45, 3, MAE_PIXEL_U8, 8), out = {0};
    MaeImage deep = fixture_picture(4, 4, 3, MAE_PIXEL_U16, 8);
    const MaeImage empty = {.channels = 3};
    MaeError err = {0};
    uint8_t *bytes = NULL;
    size_t size;

    ck_assert_fails(mae_image_encode_jpeg(&bytes, &size, &deep, 90, &err), MAE_ERR_ARG,
                    "8-bit");
    ck_assert_fails(mae_image_encode_jpeg(&bytes, &size, &empty, 90, &err), MAE_ERR_SHAPE,
                    "sides");
    ck_assert_ptr_null(bytes);
    ck_assert_ok(mae_image_encode_jpeg(&bytes, &size, &img, 95, &err));
    ck_assert_ok(mae_image_decode(&out, bytes, size, NULL, &err));
    ck_assert_int_le(largest_difference(&img, &out), 40);
    free(bytes);
    mae_image_done(&img);
    mae_image_done(&deep);
    mae_image_done(&out);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("image_jpeg");
    TCase *tc = tcase_create("jpeg");

    tcase_set_timeout(tc, 60);
    tcase_add_loop_test(tc, decodes_every_space_and_progressive, 0, 3);
    tcase_add_test(tc, cmyk_becomes_rgb);
    tcase_add_loop_test(tc, every_truncation_is_refused, 0, 2);
    tcase_add_test(tc, bombs_cost_nothing);
    tcase_add_test(tc, decoder_memory_is_limited);
    tcase_add_test(tc, scans_are_limited);
    tcase_add_test(tc, unsupported_kinds_are_named);
    tcase_add_loop_test(tc, damage_is_survived, 0, 6);
    tcase_add_loop_test(tc, parts_equal_the_whole, 0,
                        (int)(sizeof layouts / sizeof *layouts));
    tcase_add_test(tc, parts_hide_no_truncation);
    tcase_add_test(tc, encoding);
    suite_add_tcase(suite, tc);
    return mae_test_main(suite);
}
