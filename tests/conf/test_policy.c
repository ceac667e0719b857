#include "conf/policy.h"

#include <string.h>

#include "conf/config.h"
#include "support/test.h"

static MaeError err;

static MaePolicy parsed(const char *text)
{
    MaePolicy policy;

    ck_assert_ok(mae_policy_parse(&policy, text, &err));
    return policy;
}

START_TEST(parts_and_their_defaults)
{
    MaePolicy p = parsed("rand-m9-mstd0.5-inc1");

    ck_assert_uint_eq(p.layers, 2);
    ck_assert_double_eq(p.magnitude, 9.0);
    ck_assert_double_eq(p.deviation, 0.5);
    ck_assert_double_eq(p.max_magnitude, 10.0);
    ck_assert_double_eq(p.probability, 0.5);
    ck_assert(p.increasing && !p.uniform);

    p = parsed("rand");
    ck_assert_uint_eq(p.layers, 2);
    ck_assert_double_eq(p.magnitude, 10.0);
    ck_assert_double_eq(p.deviation, 0.0);
    ck_assert(!p.increasing && !p.uniform);

    p = parsed("rand-p1-n3-mmax30-mstd101-inc0-m20");
    ck_assert_uint_eq(p.layers, 3);
    ck_assert_double_eq(p.magnitude, 20.0);
    ck_assert_double_eq(p.max_magnitude, 30.0);
    ck_assert_double_eq(p.probability, 1.0);
    ck_assert(!p.increasing && p.uniform);

    ck_assert_uint_eq(parsed("none").layers, 0);
}
END_TEST

static const struct {
    const char *text, *message;
} BAD[] = {
    {"", "``: expected none or a policy such as rand-m9-mstd0.5-inc1"},
    {"None", "`None`: expected none or a policy such as rand-m9-mstd0.5-inc1"},
    {"rnad-m9", "`rnad-m9`: expected none or a policy such as rand-m9-mstd0.5-inc1; did "
                "you mean rand?"},
    {"augmix-m3", "`augmix-m3`: expected none or a policy such as rand-m9-mstd0.5-inc1"},
    {"rand-m9-msd0.5", "unknown part `msd0.5`; did you mean mstd?"},
    {"rand-max30", "unknown part `max30`; did you mean mmax?"},
    {"rand-icn1", "unknown part `icn1`; did you mean inc?"},
    {"rand-w0", "unknown part `w0`; expected m, n, p, mstd, mmax or inc with a number"},
    {"rand-", "unknown part ``; expected m, n, p, mstd, mmax or inc with a number"},
    {"rand-m9--n2", "unknown part ``; expected m, n, p, mstd, mmax or inc with a number"},
    {"rand-9", "unknown part `9`; expected m, n, p, mstd, mmax or inc with a number"},
    {"rand-t3a", "`t3a`: sets of operations cannot be chosen, only timm's default is "
                 "there; leave this part away"},
    {"rand-m", "`m`: expected m and a whole number from 0 to 1000"},
    {"rand-m9.5", "`m9.5`: expected m and a whole number from 0 to 1000"},
    {"rand-m1001", "`m1001`: expected m and a whole number from 0 to 1000"},
    {"rand-m9 ", "`m9 `: expected m and a whole number from 0 to 1000"},
    {"rand-m9x", "`m9x`: expected m and a whole number from 0 to 1000"},
    {"rand-n0", "`n0`: expected n and a whole number from 1 to 16"},
    {"rand-n17", "`n17`: expected n and a whole number from 1 to 16"},
    {"rand-p1.5", "`p1.5`: expected p and a number from 0 to 1"},
    {"rand-p0x1", "`p0x1`: expected p and a number from 0 to 1"},
    {"rand-p0.5.5", "`p0.5.5`: expected p and a number from 0 to 1"},
    {"rand-p1e3", "`p1e3`: expected p and a number from 0 to 1"},
    {"rand-mstd", "`mstd`: expected mstd and a number from 0 on"},
    {"rand-mstdinf", "unknown part `mstdinf`; expected m, n, p, mstd, mmax or inc with a "
                     "number"},
    {"rand-mmax0", "`mmax0`: expected mmax and a whole number from 1 to 1000"},
    {"rand-inc2", "`inc2`: expected inc and a whole number from 0 to 1"},
    {"rand-m9-m8", "`m8`: m is there twice"},
};

START_TEST(refuses_the_rest)
{
    MaePolicy policy = {.layers = 7};

    ck_assert_int_eq(mae_policy_parse(&policy, BAD[_i].text, &err), MAE_ERR_ARG);
    ck_assert_str_eq(err.msg, BAD[_i].message);
    ck_assert_uint_eq(policy.layers, 7);
}
END_TEST

/* --- the keys of augmentation ------------------------------------------------------- */

static MaeStatus load(MaeConfig *cfg, const char *text)
{
    return mae_config_parse_text(cfg, MAE_CONF_FINETUNE, "f.yaml", text, strlen(text),
                                 NULL, 0, &err);
}

START_TEST(keys_and_their_defaults)
{
    static MaeConfig c;

    ck_assert_ok(load(&c, ""));
    ck_assert_str_eq(c.data.rand_augment, "none");
    ck_assert_double_eq(c.data.color_jitter, 0.0);
    ck_assert_double_eq(c.data.random_erasing, 0.0);
    ck_assert_ok(load(&c, "data: {color-jitter: 0.4}"));
    ck_assert_double_eq(c.data.color_jitter, 0.4);
    ck_assert_ok(load(&c, "data: {rand_augment: rand-m9, random_erasing: 0.25}"));
    ck_assert_str_eq(c.data.rand_augment, "rand-m9");
    ck_assert_double_eq(c.data.random_erasing, 0.25);
}
END_TEST

static const struct {
    const char *text, *message;
} BAD_KEYS[] = {
    {"data: {aa: rand-m9}",
     "f.yaml:1:8: data.aa: unknown key; did you mean data.rand_augment?"},
    {"data: {reprob: 0.25}",
     "f.yaml:1:8: data.reprob: unknown key; did you mean data.random_erasing?"},
    {"data: {random_erasing: 1.5}", "f.yaml:1:24: data.random_erasing: out of range: "
                                    "expected a number >= 0 and <= 1, found '1.5'"},
    {"data: {rand_augment: rand-m9-n0}",
     "f.yaml:1: data.rand_augment: `n0`: expected n and a whole number from 1 to 16"},
};

START_TEST(bad_keys)
{
    static MaeConfig c;

    ck_assert_int_eq(load(&c, BAD_KEYS[_i].text), MAE_ERR_ARG);
    ck_assert_str_eq(err.msg, BAD_KEYS[_i].message);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("conf_policy");
    TCase *tc = tcase_create("unit");

    tcase_add_test(tc, parts_and_their_defaults);
    tcase_add_loop_test(tc, refuses_the_rest, 0, sizeof BAD / sizeof *BAD);
    tcase_add_test(tc, keys_and_their_defaults);
    tcase_add_loop_test(tc, bad_keys, 0, sizeof BAD_KEYS / sizeof *BAD_KEYS);
    suite_add_tcase(suite, tc);
    return mae_test_main(suite);
}
