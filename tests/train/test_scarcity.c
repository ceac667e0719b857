/*
 * Whichever allocation of a reader fails: no crash, a message that says so, no file left
 * open, nothing written. Linked with --wrap for malloc and its relatives; does not see
 * inside shared libraries.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "data/dataset.h"
#include "data/pack.h"
#include "eval/report.h"
#include "model/convert.h"
#include "model/snapshot.h"
#include "store/csv.h"
#include "store/jsonl.h"
#include "support/allocations.h"
#include "train/fixture.h"

static char *folder;
static char made[1200]; /* what an operation writes; not there if it failed */

static const char *at(const char *name)
{
    return fixture_path(folder, name);
}

/* Open a data set and read its images. */
static MaeStatus read_set(const char *name, MaeError *err)
{
    const MaeDatasetOptions options = {.unlabelled = false};
    MaeReadBuffer buffer = {0};
    MaeDataset *set = NULL;
    MaeImage img = {0};
    MaeStatus status = mae_dataset_open(&set, at(name), &options, err);

    for (size_t i = 0; status == MAE_OK && i < 2; i++)
        status = mae_dataset_read(set, i, &img, &buffer, err);
    mae_image_done(&img);
    mae_read_buffer_done(&buffer);
    mae_dataset_close(set);
    return status;
}

static MaeStatus read_folders(MaeError *err)
{
    return read_set("train", err);
}

static MaeStatus read_hdf5(MaeError *err)
{
    return read_set("set.h5", err);
}

static MaeStatus read_tar(MaeError *err)
{
    return read_set("set.tar", err);
}

static MaeStatus read_idx(MaeError *err)
{
    return read_set("idx", err);
}

static MaeStatus read_idx_gz(MaeError *err)
{
    return read_set("gz", err);
}

static MaeStatus decode(const char *name, MaeError *err)
{
    static unsigned char bytes[1 << 16];
    MaeImage img = {0};
    MaeStatus status;
    FILE *file = fopen(at(name), "rb");
    const size_t size = fread(bytes, 1, sizeof bytes, file);

    (void)fclose(file);
    status = mae_image_decode(&img, bytes, size, NULL, err);
    mae_image_done(&img);
    return status;
}

static MaeStatus decode_png(MaeError *err)
{
    return decode("a.png", err);
}

static MaeStatus decode_jpeg(MaeError *err)
{
    return decode("a.jpg", err);
}

static MaeStatus pack(const char *name, MaeError *err)
{
    const MaePackOptions options = {.size = 0};
    const MaeDatasetOptions all = {.unlabelled = false};
    MaePackResult result;
    MaeDataset *set = NULL;
    MaeStatus status = mae_dataset_open(&set, at("train"), &all, err);

    (void)snprintf(made, sizeof made, "%s", at(name));
    if (status == MAE_OK)
        status = mae_pack(set, made, &options, &result, err);
    mae_dataset_close(set);
    return status;
}

static MaeStatus pack_tar(MaeError *err)
{
    return pack("new.tar", err);
}

static MaeStatus pack_hdf5(MaeError *err)
{
    return pack("new.h5", err);
}

static MaeStatus read_config(MaeError *err)
{
    static MaeConfig cfg;
    char *text = NULL;
    MaeStatus status =
        mae_config_read(&cfg, MAE_CONF_PRETRAIN, at("run/config.yaml"), NULL, 0, err);

    if (status == MAE_OK)
        status = mae_config_text(&cfg, &text, err);
    free(text);
    return status;
}

static MaeStatus read_csv(MaeError *err)
{
    MaeCsvReader csv = {0};
    MaeStatus status = mae_csv_open(&csv, at("a.csv"), err);

    if (status == MAE_OK)
        status = mae_csv_next(&csv, err);
    mae_csv_close(&csv);
    return status;
}

static MaeStatus ignore(void *ctx, const MaeJson *record, MaeError *err)
{
    (void)ctx;
    (void)record;
    (void)err;
    return MAE_OK;
}

static MaeStatus read_log(MaeError *err)
{
    return mae_jsonl_each(at("run/log.txt"), ignore, NULL, err);
}

static MaeStatus load_model(MaeError *err)
{
    MaeLoadedModel loaded = {0};
    const MaeStatus status = mae_loaded_model_open(&loaded, at("run/last.h5"), err);

    mae_loaded_model_close(&loaded);
    return status;
}

static MaeStatus convert(const char *from, const char *to, MaeError *err)
{
    const MaeConvertOptions options = {.overwrite = true, .tool = "t", .version = "1"};

    (void)snprintf(made, sizeof made, "%s", at(to));
    return mae_convert(at(from), made, &options, err);
}

static MaeStatus export_model(MaeError *err)
{
    return convert("run/last.h5", "new.safetensors", err);
}

static MaeStatus import_model(MaeError *err)
{
    return convert("given.safetensors", "new-last.h5", err);
}

static MaeStatus write_report(MaeError *err)
{
    static const double x[] = {1, 2, 3}, y[] = {3, 1, 2};
    const MaeChartSeries series = {.name = "s", .x = x, .y = y, .count = 3};
    const MaeChart chart = {.title = "t",
                            .x_label = "x",
                            .y_label = "y",
                            .series = &series,
                            .series_count = 1};
    MaeReport *report = NULL;
    MaeStatus status = mae_report_open(&report, "title", "subtitle", err);

    (void)snprintf(made, sizeof made, "%s", at("new.html"));
    if (status == MAE_OK) {
        mae_report_section(report, "a", "A");
        mae_report_fact(report, "fact", "%d", 1);
        mae_report_chart(report, "caption", &chart);
        status = mae_report_write(report, made, err);
    }
    mae_report_close(report);
    return status;
}

static const struct {
    const char *name;
    MaeStatus (*run)(MaeError *err);
} OPERATIONS[] = {
    {"folders", read_folders},
    {"HDF5 images", read_hdf5},
    {"tar", read_tar},
    {"IDX", read_idx},
    {"IDX, gzip", read_idx_gz},
    {"PNG", decode_png},
    {"JPEG", decode_jpeg},
    {"pack as tar", pack_tar},
    {"pack as HDF5", pack_hdf5},
    {"configuration", read_config},
    {"CSV", read_csv},
    {"log", read_log},
    {"load a model", load_model},
    {"export", export_model},
    {"import", import_model},
    {"report", write_report},
};

enum { OPERATION_COUNT = sizeof OPERATIONS / sizeof *OPERATIONS };

static void setup(void)
{
    const TrainSpec spec = {.name = "run", .overrides = "train.epochs=1"};
    TrainSpec here = spec;
    static TrainRun run;
    MaeError err = {0};
    char *csv;

    folder = train_place();
    here.folder = folder;
    train_expect(&run, &here, MAE_OK);
    fixture_mnist(fixture_folder(folder, "idx"), "train", false, 5, 7, 9);
    fixture_mnist(fixture_folder(folder, "gz"), "train", true, 5, 7, 9);
    fixture_png(at("a.png"), 9, 7, 3, 1);
    fixture_jpeg(at("a.jpg"), 9, 7, 3, 1);
    ck_assert_ok(pack("set.tar", &err));
    ck_assert_ok(pack("set.h5", &err));
    ck_assert_ok(convert("run/last.h5", "given.safetensors", &err));
    csv = strdup(at("a.csv"));
    mae_test_write(csv, "a,b\n1,2\n", 8);
    free(csv);
}

static void teardown(void)
{
    mae_test_folder_remove(folder);
}

START_TEST(any_allocation_may_fail)
{
    size_t files = 0, count = 0, failures = 0;
    MaeStatus status;

    for (size_t n = 0; n <= count + 1; n++) { /* the first warms libraries up */
        MaeError err = {0};

        made[0] = '\0';
        test_allocations_fail(n);
        status = OPERATIONS[_i].run(&err);
        count = test_allocations();
        test_allocations_fail(0);
        if (n == 0)
            files = mae_test_open_files();
        ck_assert_msg(status == (n == 0 ? MAE_OK : status) &&
                          (status == MAE_OK || status == MAE_ERR_NOMEM ||
                           strstr(err.msg, "out of memory") != NULL ||
                           strstr(err.msg, "libhdf5 cannot") != NULL), /* it knows why */
                      "%s, allocation %zu: %s: %s", OPERATIONS[_i].name, n,
                      mae_status_name(status), err.msg);
        ck_assert_msg(status == MAE_OK || err.msg[0] != '\0', "%s, allocation %zu",
                      OPERATIONS[_i].name, n);
        ck_assert_msg(mae_test_open_files() == files, "%s, allocation %zu: files open",
                      OPERATIONS[_i].name, n);
        ck_assert_msg(status == MAE_OK || made[0] == '\0' || access(made, F_OK) != 0,
                      "%s, allocation %zu: %s is there", OPERATIONS[_i].name, n, made);
        failures += status != MAE_OK;
        (void)unlink(made);
    }
    ck_assert_msg(failures > 0, "%s never failed", OPERATIONS[_i].name);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("train scarcity");
    TCase *tc = tcase_create("scarcity");

    tcase_set_timeout(tc, 240);
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_loop_test(tc, any_allocation_may_fail, 0, OPERATION_COUNT);
    suite_add_tcase(suite, tc);
    return mae_test_main(suite);
}
