#include "train/run_report.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "eval/curve.h"
#include "eval/report.h"

#define PATIENCE 50.0 /* times the seconds a report takes, before the next */
#define COUNT(array) (sizeof(array) / sizeof *(array))

/* What is read from each line of log.txt. */
typedef enum EpochKey {
    TRAIN_LOSS,
    VAL_LOSS,
    TEST_LOSS,
    TEST_ACC1,
    TEST_ACC5,
    TEST_F1,
    PROBE_KNN,
    PROBE_RIDGE,
    SPEED,
    PATCH_MEAN,
    VISIBLE_MEAN,
    EPOCH_KEYS
} EpochKey;

static const char *const EPOCH_NAMES[EPOCH_KEYS] = {
    "train_loss",        "val_loss",        "test_loss",         "test_acc1",
    "test_acc5",         "test_macro_f1",   "probe_knn_acc1",    "probe_ridge_acc1",
    "images_per_second", "patch_mean_loss", "visible_mean_loss",
};

/* And from steps.jsonl. */
typedef enum StepKey { LOSS, RATE, NORM, STEP_KEYS } StepKey;

static const char *const STEP_NAMES[STEP_KEYS] = {"loss", "lr", "grad_norm"};

typedef struct History {
    MaeCurve epochs[EPOCH_KEYS], steps[STEP_KEYS];
} History;

static void add_points(MaeCurve *curves, const char *const *names, size_t count,
                       const MaeJson *record)
{
    double epoch, value;

    if (!mae_json_get_real(record, "epoch", &epoch))
        return;
    for (size_t i = 0; i < count; i++) {
        if (mae_json_get_real(record, names[i], &value))
            mae_curve_add(&curves[i], epoch, value);
    }
}

static MaeStatus add_epoch(void *ctx, const MaeJson *record, MaeError *err)
{
    (void)err;
    add_points(((History *)ctx)->epochs, EPOCH_NAMES, EPOCH_KEYS, record);
    return MAE_OK;
}

static MaeStatus add_step(void *ctx, const MaeJson *record, MaeError *err)
{
    (void)err;
    add_points(((History *)ctx)->steps, STEP_NAMES, STEP_KEYS, record);
    return MAE_OK;
}

static void open_history(History *history)
{
    for (size_t i = 0; i < EPOCH_KEYS; i++)
        mae_curve_open(&history->epochs[i]);
    for (size_t i = 0; i < STEP_KEYS; i++)
        mae_curve_open(&history->steps[i]);
}

static void close_history(History *history)
{
    for (size_t i = 0; i < EPOCH_KEYS; i++)
        mae_curve_close(&history->epochs[i]);
    for (size_t i = 0; i < STEP_KEYS; i++)
        mae_curve_close(&history->steps[i]);
}

static MaeStatus read_history(History *history, const MaeRunFolder *folder, MaeError *err)
{
    char path[MAE_CONFIG_PATH + 32];

    MAE_TRY(mae_run_folder_file(folder, "log.txt", path, sizeof path, err));
    MAE_TRY(mae_jsonl_each(path, add_epoch, history, err));
    MAE_TRY(mae_run_folder_file(folder, "steps.jsonl", path, sizeof path, err));
    MAE_TRY(mae_jsonl_each(path, add_step, history, err));
    for (size_t i = 0; i < EPOCH_KEYS; i++)
        MAE_TRY(mae_curve_check(&history->epochs[i], err));
    for (size_t i = 0; i < STEP_KEYS; i++)
        MAE_TRY(mae_curve_check(&history->steps[i], err));
    return MAE_OK;
}

static size_t best_of(const MaeCurve *curve, bool high)
{
    size_t best = 0;

    for (size_t i = 1; i < curve->count; i++) {
        if (high ? curve->y[i] > curve->y[best] : curve->y[i] < curve->y[best])
            best = i;
    }
    return best;
}

/* The newest score, with its epoch if that is not the last one of all, and the best. */
static void add_score(MaeReport *report, const char *name, const MaeCurve *all,
                      EpochKey which)
{
    const MaeCurve *curve = &all[which], *losses = &all[TRAIN_LOSS];
    const bool percent = which != VAL_LOSS && which != TEST_LOSS;
    const size_t best = best_of(curve, percent);
    const char *unit = percent ? " %" : "";
    const int digits = percent ? 1 : 4;
    char at[32] = "";

    if (curve->count == 0)
        return;
    if (losses->count > 0 &&
        curve->x[curve->count - 1] < losses->x[losses->count - 1] - 0.5)
        (void)snprintf(at, sizeof at, " (epoch %.0f)", curve->x[curve->count - 1]);
    if (curve->y[best] == curve->newest)
        mae_report_fact(report, name, "%.*f%s%s", digits, curve->newest, unit, at);
    else
        mae_report_fact(report, name, "%.*f%s%s, best %.*f%s (epoch %.0f)", digits,
                        curve->newest, unit, at, digits, curve->y[best], unit,
                        curve->x[best]);
}

static void add_state(MaeReport *report, const MaeTrainer *trainer,
                      const History *history, MaeRunStage stage)
{
    static const char *const stages[] = {[MAE_RUN_UNDER_WAY] = "under way",
                                         [MAE_RUN_STOPPED] =
                                             "stopped, can be taken up again",
                                         [MAE_RUN_FINISHED] = "finished"};
    const MaeConfig *cfg = trainer->cfg;
    const MaeTrainPace *pace = &trainer->pace;
    const MaeCurve *epochs = history->epochs;
    char time[32];

    mae_report_section(report, "state", "Summary");
    mae_clock_duration(time, sizeof time, mae_trainer_seconds(trainer));
    mae_report_fact(report, "State", "%s", stages[stage]);
    mae_report_fact(report, "Epochs", "%llu of %zu",
                    (unsigned long long)trainer->state.epoch, cfg->train.epochs);
    mae_report_fact(report, "Updates", "%llu", (unsigned long long)trainer->state.step);
    mae_report_fact(report, "Images of an update", "%zu",
                    mae_config_effective_batch(cfg));
    mae_report_fact(report, "Time", "%s", time);
    if (epochs[TRAIN_LOSS].count > 0)
        mae_report_fact(report, "Training loss", "%.4f", epochs[TRAIN_LOSS].newest);
    add_score(report, "Held-out loss", epochs, VAL_LOSS);
    add_score(report, "Held-out loss", epochs, TEST_LOSS);
    add_score(report, "Top-1 accuracy", epochs, TEST_ACC1);
    add_score(report, "kNN on features", epochs, PROBE_KNN);
    add_score(report, "Ridge probe", epochs, PROBE_RIDGE);
    mae_report_fact(report, "Speed", "%.0f images/s",
                    mae_trainer_speed(trainer, &(MaeTrainPace){0}));
    mae_report_fact(report, "Waiting for data", "%.1f %%",
                    pace->updating > 0.0 ? 100.0 * pace->waiting / pace->updating : 0.0);
    mae_report_fact(report, "Trained parameters", "%.2f million",
                    (double)mae_param_trainable(trainer->task.table) / 1e6);
    mae_report_fact(report, "Input", "%zu x %zu pixels in %zu patches",
                    cfg->model.img_size[0], cfg->model.img_size[1],
                    mae_config_patches(cfg));
    mae_report_fact(report, "Precision", "%s, %s",
                    mae_dtype_name(mae_gemm_operand(trainer->compute.gemm)),
                    mae_gemm_backend(trainer->compute.gemm));
}

static MaeChartSeries series_of(const char *name, const MaeCurve *curve)
{
    return (MaeChartSeries){
        .name = name, .x = curve->x, .y = curve->y, .count = curve->count};
}

/* Draw the curves that have points, if there is one. */
static void add_chart(MaeReport *report, const char *caption, MaeChart chart,
                      const MaeChartSeries *all, size_t count)
{
    MaeChartSeries drawn[MAE_CHART_SERIES];
    size_t n = 0;

    for (size_t i = 0; i < count && n < COUNT(drawn); i++) {
        if (all[i].count > 0)
            drawn[n++] = all[i];
    }
    chart.x_label = "epoch";
    chart.series = drawn;
    chart.series_count = n;
    if (n > 0)
        mae_report_chart(report, caption, &chart);
}

static void add_loss(MaeReport *report, const History *history)
{
    const MaeCurve *epochs = history->epochs;
    const MaeChartYardstick yardsticks[] = {
        {"predicting the mean of each patch", epochs[PATCH_MEAN].newest},
        {"predicting the mean of visible patches", epochs[VISIBLE_MEAN].newest},
    };
    MaeChartSeries all[] = {
        series_of("training, mean of the epoch", &epochs[TRAIN_LOSS]),
        series_of("held out", &epochs[VAL_LOSS]),
        series_of("held out", &epochs[TEST_LOSS]),
        series_of("training, single updates", &history->steps[LOSS]),
    };
    const bool pretraining = epochs[PATCH_MEAN].count > 0;
    const MaeChart chart = {.title = "Loss",
                            .y_label = "loss",
                            .yardsticks = yardsticks,
                            .yardstick_count = pretraining ? COUNT(yardsticks) : 0};

    all[3].faint = true;
    add_chart(report,
              pretraining ? "A good loss is well below the yardsticks: what predictors "
                            "reach that know no picture."
                          : "The training loss includes label smoothing and "
                            "augmentation, the held-out loss does not.",
              chart, all, COUNT(all));
}

static void add_curves(MaeReport *report, const History *history)
{
    const MaeCurve *epochs = history->epochs, *steps = history->steps;
    const MaeChartSeries accuracy[] = {series_of("top 1", &epochs[TEST_ACC1]),
                                       series_of("top 5", &epochs[TEST_ACC5]),
                                       series_of("macro F1", &epochs[TEST_F1])};
    const MaeChartSeries probes[] = {series_of("kNN", &epochs[PROBE_KNN]),
                                     series_of("ridge probe", &epochs[PROBE_RIDGE])};
    const MaeChartSeries rate = series_of("learning rate", &steps[RATE]);
    const MaeChartSeries norm = series_of("gradient norm", &steps[NORM]);
    const MaeChartSeries speed = series_of("images per second", &epochs[SPEED]);

    mae_report_section(report, "curves", "Curves");
    add_loss(report, history);
    add_chart(report, "On held-out images.",
              (MaeChart){.title = "Accuracy", .y_label = "%"}, accuracy, COUNT(accuracy));
    add_chart(report, "What features are worth, on held-out images.",
              (MaeChart){.title = "Accuracy of features", .y_label = "%"}, probes, 2);
    add_chart(report, NULL, (MaeChart){.title = "Learning rate", .y_label = "rate"},
              &rate, 1);
    add_chart(report, "Of the whole gradient, before clipping.",
              (MaeChart){.title = "Gradient norm", .y_label = "norm", .log_y = true},
              &norm, 1);
    add_chart(report, "Training alone, evaluations left out.",
              (MaeChart){.title = "Speed", .y_label = "images/s"}, &speed, 1);
}

typedef struct Rows {
    MaeReport *report;
    bool given;
} Rows;

static void add_row(void *ctx, const MaeConfRow *row)
{
    const Rows *rows = ctx;

    if (rows->given != row->given)
        return;
    mae_report_cell(rows->report, "%s.%s", row->section, row->name);
    mae_report_cell(rows->report, "%s", row->value);
    mae_report_cell(rows->report, "%s", row->origin);
}

static void add_config(MaeReport *report, const MaeConfig *cfg)
{
    static const MaeReportColumn columns[] = {
        {"Key", false}, {"Value", false}, {"From", false}};

    mae_report_section(report, "configuration", "Configuration");
    mae_report_table(report, &(MaeReportTable){.caption = "Set for this run",
                                               .columns = columns,
                                               .column_count = COUNT(columns)});
    mae_config_each(cfg, add_row, &(Rows){report, true});
    mae_report_table(report, &(MaeReportTable){.caption = "Defaults",
                                               .columns = columns,
                                               .column_count = COUNT(columns),
                                               .folded = true});
    mae_config_each(cfg, add_row, &(Rows){report, false});
}

/* Pictures that cannot be drawn leave the rest of the report. */
static void add_task(MaeReport *report, MaeTrainer *trainer)
{
    const MaeTask *task = &trainer->task;
    MaeError why = {0};

    if (task->illustrate != NULL &&
        task->illustrate(task->ctx, mae_trainer_weights(trainer), report, &why) != MAE_OK)
        mae_report_text(report, "Something is missing here: %s", why.msg);
}

static MaeStatus open_report(MaeReport **report, const MaeTrainer *trainer, MaeError *err)
{
    const bool pretraining = trainer->cfg->tool == MAE_CONF_PRETRAIN;
    const time_t now = (time_t)mae_clock_wall();
    char title[MAE_CONFIG_PATH + 32], subtitle[128], date[64] = "";
    struct tm utc;

    if (gmtime_r(&now, &utc) != NULL)
        (void)strftime(date, sizeof date, "%Y-%m-%d %H:%M UTC", &utc);
    (void)snprintf(title, sizeof title, "%s: %s",
                   pretraining ? "Pretraining" : "Fine-tuning", trainer->folder->path);
    (void)snprintf(subtitle, sizeof subtitle, "libmae %s, %s", MAE_VERSION, date);
    return mae_report_open(report, title, subtitle, err);
}

static MaeStatus write_report(MaeTrainer *trainer, MaeRunStage stage, MaeError *err)
{
    History history;
    char path[MAE_CONFIG_PATH + 32];
    MaeReport *report = NULL;
    MaeStatus status;

    MAE_TRY(mae_run_folder_file(trainer->folder, "report.html", path, sizeof path, err));
    MAE_TRY(open_report(&report, trainer, err));
    open_history(&history);
    status = read_history(&history, trainer->folder, err);
    if (status == MAE_OK) {
        add_state(report, trainer, &history, stage);
        add_curves(report, &history);
        add_task(report, trainer);
        add_config(report, trainer->cfg);
        status = mae_report_write(report, path, err);
    }
    close_history(&history);
    mae_report_close(report);
    return status;
}

void mae_run_report_update(MaeTrainer *trainer, MaeRunStage stage)
{
    const double start = mae_clock_now();
    double took;
    MaeError why = {0};

    if (!trainer->cfg->train.report || !mae_trainer_leads(trainer) ||
        (stage == MAE_RUN_UNDER_WAY && start < trainer->next_report))
        return;
    if (write_report(trainer, stage, &why) != MAE_OK)
        mae_log(&trainer->hooks->log, MAE_LOG_WARN, "report.html: %s; training goes on",
                why.msg);
    took = mae_clock_now() - start;
    mae_log(&trainer->hooks->log, MAE_LOG_DEBUG, "report.html took %.3f s", took);
    trainer->next_report = start + took + PATIENCE * took;
}
