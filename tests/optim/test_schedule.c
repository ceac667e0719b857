#include "optim/schedule.h"

#include <hdf5.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "support/test.h"

#define SCHEDULES 3
#define MAX_POINTS 256

static size_t read_doubles(const char *path, const char *name, double out[MAX_POINTS])
{
    const hid_t file = H5Fopen(path, H5F_ACC_RDONLY, H5P_DEFAULT);
    const hid_t set = H5Dopen2(file, name, H5P_DEFAULT);
    const hid_t space = H5Dget_space(set);
    const hssize_t n = H5Sget_simple_extent_npoints(space);

    ck_assert_msg(n > 0 && n <= MAX_POINTS, "%s: %s: %ld points", path, name, (long)n);
    ck_assert(H5Dread(set, H5T_NATIVE_DOUBLE, H5S_ALL, H5S_ALL, H5P_DEFAULT, out) >= 0);
    H5Sclose(space);
    H5Dclose(set);
    H5Fclose(file);
    return (size_t)n;
}

START_TEST(golden)
{
    const char *path = mae_test_golden("lr_schedule.h5");
    double epoch[MAX_POINTS], lr[MAX_POINTS];
    char group[32], name[64];
    MaeError err = {0};
    MaeSchedule s;
    size_t n;

    (void)snprintf(group, sizeof group, "schedule_%d", _i);
    s = (MaeSchedule){
        .lr = mae_test_h5_attr(path, group, "lr"),
        .min_lr = mae_test_h5_attr(path, group, "min_lr"),
        .warmup_epochs = mae_test_h5_attr(path, group, "warmup_epochs"),
        .epochs = mae_test_h5_attr(path, group, "epochs"),
    };
    ck_assert_ok(mae_schedule_check(&s, &err));
    (void)snprintf(name, sizeof name, "%s/epoch", group);
    n = read_doubles(path, name, epoch);
    (void)snprintf(name, sizeof name, "%s/lr", group);
    ck_assert_uint_eq(read_doubles(path, name, lr), n);
    for (size_t i = 0; i < n; i++) {
        const double got = mae_schedule_lr(&s, epoch[i]);

        ck_assert_msg(fabs(got - lr[i]) <= 1e-12 * fabs(lr[i]),
                      "%s: epoch %g: got %.17g, want %.17g", group, epoch[i], got, lr[i]);
    }
}
END_TEST

START_TEST(edges)
{
    const MaeSchedule usual = {
        .lr = 1.0, .min_lr = 0.1, .warmup_epochs = 5, .epochs = 25};
    const MaeSchedule no_warmup = {.lr = 1.0, .min_lr = 0.1, .epochs = 10};
    const MaeSchedule all_warmup = {.lr = 1.0, .warmup_epochs = 10, .epochs = 10};

    ck_assert_double_eq(mae_schedule_lr(&usual, 0.0), 0.0);
    ck_assert_double_eq_tol(mae_schedule_lr(&usual, 2.5), 0.5, 1e-15);
    ck_assert_double_eq(mae_schedule_lr(&usual, 5.0), 1.0);
    ck_assert_double_eq_tol(mae_schedule_lr(&usual, 15.0), 0.55, 1e-15);
    ck_assert_double_eq(mae_schedule_lr(&usual, 25.0), 0.1);
    ck_assert_double_eq(mae_schedule_lr(&usual, 30.0), 0.1);
    ck_assert_double_eq(mae_schedule_lr(&no_warmup, 0.0), 1.0);
    ck_assert_double_eq(mae_schedule_lr(&no_warmup, 10.0), 0.1);
    ck_assert_double_eq_tol(mae_schedule_lr(&all_warmup, 9.0), 0.9, 1e-15);
    ck_assert_double_eq(mae_schedule_lr(&all_warmup, 10.0), 1.0);
    ck_assert_double_eq(mae_schedule_lr(&all_warmup, 11.0), 1.0);
    ck_assert_double_eq_tol(mae_schedule_scaled_lr(1.5e-4, 4096), 2.4e-3, 1e-18);
}
END_TEST

START_TEST(refused)
{
    const struct {
        MaeSchedule schedule;
        const char *field;
    } bad[] = {
        {{.lr = 1.0, .epochs = 0.0}, "epochs"},
        {{.lr = 1.0, .epochs = (double)NAN}, "epochs"},
        {{.lr = 1.0, .epochs = (double)INFINITY}, "epochs"},
        {{.lr = 1.0, .epochs = 10.0, .warmup_epochs = 11.0}, "warmup_epochs"},
        {{.lr = 1.0, .epochs = 10.0, .warmup_epochs = -1.0}, "warmup_epochs"},
        {{.lr = (double)NAN, .epochs = 10.0}, "lr"},
        {{.lr = -1.0, .epochs = 10.0}, "lr"},
        {{.lr = 1.0, .epochs = 10.0, .min_lr = 2.0}, "min_lr"},
        {{.lr = 1.0, .epochs = 10.0, .min_lr = (double)NAN}, "min_lr"},
    };
    MaeError err = {0};

    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        ck_assert_fails(mae_schedule_check(&bad[i].schedule, &err), MAE_ERR_ARG,
                        bad[i].field);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("schedule");
    TCase *tc = tcase_create("golden");

    tcase_add_loop_test(tc, golden, 0, SCHEDULES);
    tcase_add_test(tc, edges);
    tcase_add_test(tc, refused);
    suite_add_tcase(suite, tc);
    return mae_test_main(suite);
}
