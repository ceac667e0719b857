/* mae-predict: what a classifier says of images. */
#include <unistd.h>

#include "base/clock.h"
#include "base/text.h"
#include "common/feature_source.h"
#include "common/predict_report.h"
#include "store/file.h"

#define MAX_BAD 0.01 /* share of the images, as in training */

typedef struct Values {
    PredictChoice choice;
    FeatureChoice features;
} Values;

static const Values DEFAULTS = {.choice = {.top = 3, .min_confidence = 0.9},
                                .features = {FEATURE_RUN_DEFAULTS, .head = true}};

static const MaeToolOperand OPERANDS[] = {
    {"CHECKPOINT", "a classifier", false, false},
    {"IMAGES", "JPEG or PNG files, folders of them, IDX, HDF5 or tar files", false, true},
    {.name = NULL},
};

#define FIELD(name) .offset = offsetof(Values, name)
static const MaeOption OPTIONS[] = {
    {"top", 'n', MAE_OPTION_SIZE, FIELD(choice.top), .value = "N", .min = 1,
     .max = 1 << 20, .help = "the likeliest classes of each image"},
    {"csv", 0, MAE_OPTION_TEXT, FIELD(choice.csv), .value = "FILE",
     .help = "write a table instead of lines"},
    {"pseudo-label", 0, MAE_OPTION_TEXT, FIELD(choice.pseudo), .value = "FILE",
     .help = "write the class of every image that is sure enough, for mae-finetune"},
    {"min-confidence", 0, MAE_OPTION_REAL, FIELD(choice.min_confidence), .value = "P",
     .max = 1, .help = "least probability of a pseudo-label", .needs = "pseudo-label"},
    FEATURE_RUN_OPTIONS(offsetof(Values, features)),
    {.name = NULL},
};

static const MaeCommand COMMAND = {
    .name = "mae-predict",
    .summary = "Says which classes images belong to, with probabilities.",
    .operands = OPERANDS,
    .options = OPTIONS,
    .defaults = &DEFAULTS,
    .values_size = sizeof(Values),
    .notes = "Images of any size are scaled and cropped as in the classifier's own "
             "evaluation. With --json each image is a line. Images that cannot be read "
             "are reported and left out; above 1 % of them the exit code is 3 and no "
             "file is written.\n\n"
             "--pseudo-label takes one data set. Train on it beside true labels: "
             "mae-finetune CONFIG.yaml data.unlabelled=IMAGES data.pseudo_labels=FILE.",
    .example = "mae-predict run/best.h5 photos holiday.jpg --top 5",
};

/** Everything open; zero-initialise. */
typedef struct Session {
    FeatureSource source;
    MaeGemm *f32; /* of the head */
    PredictReport report;
    size_t bad;
} Session;

/* One that is not there is found before the others are read; ":test" may be cut off. */
static MaeStatus expect_inputs(const MaeArgs *args, MaeError *err)
{
    for (size_t i = 1; i < args->operand_count; i++) {
        const char *path = args->operands[i];

        if (!mae_text_ends(path, ":test") && !mae_text_ends(path, ":train"))
            MAE_TRY(mae_tool_expect(path, err));
    }
    return MAE_OK;
}

static MaeStatus check_output(const MaeArgs *args, const char *output, MaeError *err)
{
    MAE_TRY(mae_tool_check_output(output, args->operands, args->operand_count, err));
    for (size_t i = 1; output != NULL && i < args->operand_count; i++)
        MAE_TRY(mae_file_check_outside(output, args->operands[i], err));
    return MAE_OK;
}

static MaeStatus check(const MaeArgs *args, const PredictChoice *choice, MaeError *err)
{
    MAE_TRY(predict_report_check(choice, err));
    MAE_TRY(check_output(args, choice->csv, err));
    MAE_TRY(check_output(args, choice->pseudo, err));
    if (choice->pseudo != NULL &&
        (args->operand_count != 2 || mae_dataset_is_image(args->operands[1])))
        MAE_FAIL(err, MAE_ERR_ARG,
                 "--pseudo-label: expected one data set, as data.unlabelled names it");
    return expect_inputs(args, err);
}

/* Images that follow one another are one data set, anything else is one by itself.
 * @param[out] used operands that it took. */
static MaeStatus open_next(MaeDataset **ds, size_t *used, const FeatureSource *source,
                           const char *const *paths, size_t count, MaeError *err)
{
    MaeDatasetOptions options = feature_source_options(source);
    size_t files = 0;

    while (files < count && mae_dataset_is_image(paths[files]) &&
           access(paths[files], F_OK) == 0)
        files++;
    options.unlabelled = true;
    *used = files > 0 ? files : 1;
    return files > 0 ? mae_dataset_open_files(ds, paths, files, &options, err)
                     : mae_dataset_open(ds, paths[0], &options, err);
}

static MaeStatus predict_set(Session *s, const MaeDataset *ds, const char *data,
                             MaeError *err)
{
    FeatureSource *source = &s->source;
    const PredictChoice *choice = s->report.choice;
    const MaePredictor predictor = {.model = feature_source_classifier(source),
                                    .w = source->loaded.weights,
                                    .embedder = &source->embedder,
                                    .feature = source->head,
                                    .gemm = s->f32};
    const MaePredictSink sink = {predict_report_take, &s->report};
    MaeFeaturesOptions options = feature_source_reading(source, "predict");
    size_t bad = 0;

    options.max_bad_fraction = 1.0;
    if (choice->csv == NULL && choice->pseudo == NULL && isatty(STDOUT_FILENO))
        options.watch.fn = NULL; /* the lines are the progress */
    MAE_TRY(predict_report_begin(&s->report, ds, data, err));
    MAE_TRY(mae_predict(&predictor, ds, &source->transform, &options, &sink, &bad, err));
    mae_terminal_progress_end(&source->tool->terminal);
    s->bad += bad;
    return MAE_OK;
}

static MaeStatus predict_all(Session *s, const MaeArgs *args, MaeError *err)
{
    size_t used;

    for (size_t i = 1; i < args->operand_count; i += used) {
        MaeDataset *ds = NULL;
        MaeStatus status = open_next(&ds, &used, &s->source, args->operands + i,
                                     args->operand_count - i, err);

        if (status == MAE_OK)
            status = predict_set(s, ds, args->operands[i], err);
        mae_dataset_close(ds);
        MAE_TRY(status);
    }
    if ((double)s->bad > MAX_BAD * (double)(s->report.images + s->bad))
        MAE_FAIL(err, MAE_ERR_FORMAT, "%zu of %zu images could not be read", s->bad,
                 s->report.images + s->bad);
    return MAE_OK;
}

static MaeStatus run(Session *s, MaeTool *tool, const Values *values, MaeError *err)
{
    const MaeArgs *args = &tool->args;
    double began;

    MAE_TRY(check(args, &values->choice, err));
    MAE_TRY(
        feature_source_open(&s->source, tool, args->operands[0], &values->features, err));
    MAE_TRY(mae_gemm_open(
        &s->f32, &(MaeGemmOptions){.threads = mae_pool_threads(s->source.pool)}, err));
    MAE_TRY(predict_report_open(&s->report, tool, &values->choice,
                                &s->source.loaded.snapshot, err));
    began = mae_clock_now();
    MAE_TRY(predict_all(s, args, err));
    MAE_TRY(predict_report_end(&s->report, s->bad, err));
    mae_log(&tool->log, MAE_LOG_INFO, "%zu images, %zu left out, %.0f images/s",
            s->report.images, s->bad,
            (double)s->report.images / (mae_clock_now() - began));
    return MAE_OK;
}

int main(int argc, char **argv)
{
    Values values = DEFAULTS;
    Session s = {.bad = 0};
    MaeError err = {0};
    MaeStatus status;
    MaeTool tool;

    if (!mae_tool_open(&tool, &COMMAND, &values, argc, argv))
        return tool.exit_code;
    status = run(&s, &tool, &values, &err);
    predict_report_close(&s.report);
    mae_gemm_close(s.f32);
    feature_source_close(&s.source);
    return mae_tool_close(&tool, status, &err);
}
