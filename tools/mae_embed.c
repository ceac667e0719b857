/* mae-embed: features of images, for whatever comes after. */
#include "base/clock.h"
#include "common/embed_report.h"
#include "store/file.h"

typedef struct Values {
    const char *out;
    FeatureChoice features;
} Values;

static const Values DEFAULTS = {.out = "features.h5", .features = FEATURE_DEFAULTS};

static const MaeToolOperand OPERANDS[] = {
    {"CHECKPOINT", "an autoencoder or a classifier", false, false},
    {"DATASET", "whatever data.train accepts: a folder, IDX, HDF5 or tar files", false,
     false},
    {.name = NULL},
};

static const MaeOption OPTIONS[] = {
    {"out", 'o', MAE_OPTION_TEXT, offsetof(Values, out), .value = "FILE",
     .help = "file to write; its name ends in .h5, .csv or .npy"},
    FEATURE_OPTIONS(offsetof(Values, features)),
    {.name = NULL},
};

static const MaeCommand COMMAND = {
    .name = "mae-embed",
    .summary = "Writes features of images: the encoder over all patches, nothing hidden.",
    .operands = OPERANDS,
    .options = OPTIONS,
    .defaults = &DEFAULTS,
    .values_size = sizeof(Values),
    .ranks = true,
    .notes =
        "Images of any size are scaled until they just cover the size the model was "
        "trained for, and cropped at the centre.\n\n"
        ".h5 holds `features` [N,D] ([N,F,D] for several), `paths` [N] and, if there "
        "are, `labels` [N], with the attributes feature_names and class_names. .csv "
        "has a row for each image. .npy is the features alone.\n\n"
        "Started as several ranks, `mpirun -np 4 mae-embed ...`, each embeds a part of "
        "the images and one writes the file.\n\n"
        "Features are called LAYER-POOL[-norm]: 12-mean-norm is the mean of the "
        "patches after block 12, normalised.",
    .example = "mae-embed run/last.h5 photos --out features.csv",
};

static MaeStatus write(EmbedReport *report, const MaeTool *tool, MaeError *err)
{
    if (!mae_tool_leads(tool))
        return MAE_OK;
    MAE_TRY(embed_report_write(report, err));
    return embed_report_print(report, tool->args.json, err);
}

static MaeStatus embed(FeatureSource *source, EmbedReport *report, MaeError *err)
{
    MaeComm *comm = source->tool->comm;
    MaeFeatures features = {0};
    MaeDataset *ds = NULL;
    MaeStatus status;

    status = feature_source_dataset(source, &ds, report->data, false, err);
    status = mae_comm_agree(comm, status, err);
    report->seconds = mae_clock_now();
    if (status == MAE_OK)
        status = feature_source_read(source, &features, ds, "embed", NULL, 0, err);
    report->seconds = mae_clock_now() - report->seconds;
    report->spec = &source->spec;
    report->ds = ds;
    report->features = &features;
    if (status == MAE_OK)
        status = mae_comm_agree(comm, write(report, source->tool, err), err);
    report->ds = NULL;
    report->features = NULL;
    mae_features_done(&features);
    mae_dataset_close(ds);
    return status;
}

static MaeStatus check_output(const EmbedReport *report, const MaeTool *tool,
                              MaeError *err)
{
    MAE_TRY(embed_report_check(report->out, err));
    MAE_TRY(mae_tool_check_output(report->out, tool->args.operands, 2, err));
    return mae_file_check_outside(report->out, report->data, err);
}

static MaeStatus run(MaeTool *tool, const Values *values, MaeError *err)
{
    const char **paths = tool->args.operands;
    EmbedReport report = {.checkpoint = paths[0], .data = paths[1], .out = values->out};
    FeatureSource source = {0};
    MaeStatus status = MAE_OK;

    MAE_TRY(mae_tool_join(tool, &(MaeCommOptions){.timeout = 0.0}, err));
    if (mae_tool_leads(tool))
        status = check_output(&report, tool, err);
    MAE_TRY(mae_comm_agree(tool->comm, status, err));
    status = feature_source_open(&source, tool, paths[0], &values->features, err);
    status = mae_comm_agree(tool->comm, status, err);
    if (status == MAE_OK)
        status = embed(&source, &report, err);
    feature_source_close(&source);
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
