/* mae-data: checks, summarises and packs data sets. */
#include <string.h>

#include "base/pool.h"
#include "common/data_report.h"
#include "common/tool.h"
#include "data/pack.h"
#include "data/stats.h"
#include "store/file.h"

typedef struct Values {
    size_t size;
    bool skip_bad, exif;
    MaeImageLimits limits;
} Values;

static const Values DEFAULTS = {.limits = MAE_TOOL_LIMITS};

static const MaeToolOperand OPERANDS[] = {
    {"COMMAND", "pack, check or stats", false, false},
    {"DATASET", "whatever data.train accepts: a folder, IDX, HDF5 or tar files", false,
     false},
    {"OUT", "pack: file to write, .tar or .h5", true, false},
    {.name = NULL},
};

#define FIELD(name) .offset = offsetof(Values, name)
static const MaeOption OPTIONS[] = {
    {"size", 's', MAE_OPTION_SIZE, FIELD(size), .value = "PIXELS", .min = 0, .max = 65536,
     .help = "pack to .h5: scale images until they just cover a square of this side and "
             "keep its centre; 0 leaves them as they are"},
    {"skip-bad", 0, MAE_OPTION_FLAG, FIELD(skip_bad),
     .help = "pack: leave out images that cannot be read instead of giving up; every "
             "image is read once more for it"},
    {"exif-orientation", 0, MAE_OPTION_FLAG, FIELD(exif),
     .help = "turn JPEG images as their EXIF header asks (a .tar keeps the header)"},
    MAE_TOOL_LIMITS_OPTION(offsetof(Values, limits)),
    {.name = NULL},
};

static const MaeCommand COMMAND = {
    .name = "mae-data",
    .summary = "Packs a data set into one file, checks every image, or measures it.",
    .operands = OPERANDS,
    .options = OPTIONS,
    .defaults = &DEFAULTS,
    .values_size = sizeof(Values),
    .notes =
        "pack: a .tar keeps JPEG and PNG files byte for byte under WebDataset names, "
        "with .cls files and, in __classes__, the names of the classes. A .h5 holds "
        "decoded `images` [N,H,W,C], `labels` and the attribute class_names; all images "
        "then need one size, or --size. Both are data sets for data.train. The file "
        "appears when it is complete.\n\n"
        "check: reads every image, lists the bad ones and counts them by reason; exit "
        "code 3 if there are any.\n\n"
        "stats: number, sizes, channels, classes; mean and standard deviation as "
        "data.mean and data.std with `auto` measure them, on up to 10000 images.",
    .example = "mae-data pack my/images images.tar",
};

typedef struct Session {
    MaeTool *tool;
    const Values *values;
    const char *path;
    MaeDataset *ds;
    MaePool *pool;
} Session;

static MaeStatus pack(Session *s, MaeError *err)
{
    const char *out = s->tool->args.operands[2];
    const MaePackOptions opt = {.size = s->values->size,
                                .skip_bad = s->values->skip_bad,
                                .pool = s->pool,
                                .watch = mae_terminal_watch(&s->tool->terminal, "pack")};
    MaePackResult result = {0};

    MAE_TRY(mae_tool_check_output(out, &s->path, 1, err));
    MAE_TRY(mae_file_check_outside(out, s->path, err));
    MAE_TRY(mae_pack(s->ds, out, &opt, &result, err));
    mae_terminal_progress_end(&s->tool->terminal);
    if (s->tool->args.json)
        return mae_tool_print_json(data_report_pack_json(s->path, out, s->ds, &result), 0,
                                   err);
    data_report_pack(stdout, out, s->ds, &result);
    return MAE_OK;
}

static MaeStatus check(Session *s, MaeError *err)
{
    MaeSurvey survey;
    MaeStatus status = MAE_OK;

    MAE_TRY(mae_survey_run(&survey, s->ds, MAE_SURVEY_WHOLE, s->pool,
                           mae_terminal_watch(&s->tool->terminal, "check"), err));
    mae_terminal_progress_end(&s->tool->terminal);
    if (s->tool->args.json)
        status =
            mae_tool_print_json(data_report_check_json(s->path, s->ds, &survey), 0, err);
    else
        data_report_check(stdout, s->ds, &survey);
    if (status == MAE_OK && survey.bad > 0)
        status = mae_error_set(err, MAE_ERR_FORMAT, __FILE__, __LINE__,
                               "%s: %zu of %zu images are bad", s->path, survey.bad,
                               survey.count);
    mae_survey_done(&survey);
    return status;
}

static MaeStatus measure(Session *s, DataStats *stats, MaeError *err)
{
    MAE_TRY(mae_survey_run(&stats->survey, s->ds, MAE_SURVEY_SIZE, s->pool,
                           mae_terminal_watch(&s->tool->terminal, "stats"), err));
    mae_terminal_progress_end(&s->tool->terminal);
    MAE_TRY(data_stats_open(stats, err));
    MAE_TRY(mae_stats_measure(stats->mean, stats->std, &stats->measured, s->ds, NULL, 0,
                              0, s->pool, err));
    if (s->tool->args.json)
        return mae_tool_print_json(data_report_stats_json(s->path, stats), 0, err);
    data_report_stats(stdout, s->path, stats);
    return MAE_OK;
}

static MaeStatus stats(Session *s, MaeError *err)
{
    DataStats stats = {.ds = s->ds};
    const MaeStatus status = measure(s, &stats, err);

    data_stats_done(&stats);
    return status;
}

static MaeStatus run(MaeTool *tool, const Values *values, MaeError *err)
{
    static MaeStatus (*const commands[])(Session *, MaeError *) = {pack, check, stats};
    static const char *const names[] = {"pack", "check", "stats"};
    const MaeArgs *args = &tool->args;
    Session s = {.tool = tool, .values = values, .path = args->operands[1]};
    const MaeDatasetOptions opt = {
        .exif = values->exif, .limits = values->limits, .log = &tool->log};
    size_t which = 0;
    MaeStatus status;

    while (which < 3 && strcmp(args->operands[0], names[which]) != 0)
        which++;
    if (which == 3)
        MAE_FAIL(err, MAE_ERR_ARG, "'%s': expected pack, check or stats",
                 args->operands[0]);
    if ((which == 0) != (args->operand_count == 3))
        MAE_FAIL(err, MAE_ERR_ARG,
                 which == 0 ? "pack: expected DATASET and OUT"
                            : "%s: expected a DATASET only",
                 names[which]);
    if (which != 0 && (values->size > 0 || values->skip_bad))
        MAE_FAIL(err, MAE_ERR_ARG, "--%s needs the command pack",
                 values->size > 0 ? "size" : "skip-bad");
    status = mae_dataset_open(&s.ds, s.path, &opt, err);
    if (status == MAE_OK)
        status = mae_pool_open(&s.pool, args->threads, err);
    if (status == MAE_OK)
        status = commands[which](&s, err);
    mae_pool_close(s.pool);
    mae_dataset_close(s.ds);
    return status;
}

int main(int argc, char **argv)
{
    Values values = DEFAULTS;
    MaeError err = {0};
    MaeStatus status;
    MaeTool tool;

    if (!mae_tool_open(&tool, &COMMAND, &values, argc, argv))
        return tool.exit_code;
    status = run(&tool, &values, &err);
    return mae_tool_close(&tool, status, &err);
}
