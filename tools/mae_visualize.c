/* mae-visualize: what a model looks for, where it looks, what its features are. */
#include <string.h>

#include "common/visualize_report.h"
#include "common/visualize_source.h"
#include "eval/tsne.h"
#include "store/file.h"

typedef struct Values {
    const char *out;
    VisualizeChoice choice;
} Values;

static const Values DEFAULTS = {.out = "figures",
                                .choice = {.count = 8,
                                           .map_images = 1000,
                                           .sample = 3000,
                                           .limits = MAE_TOOL_LIMITS,
                                           .mask_ratio = -1.0}};

static const char *const QUERIES[] = {"auto", "cls", "mean", NULL};

static const MaeToolOperand OPERANDS[] = {
    {"CHECKPOINT", "an autoencoder or a classifier", false, false},
    {"VIEW|IMAGE",
     "names of views: what to draw, see below; without any, all that the input allows. "
     "Other names are JPEG or PNG files to look at (./map for one called map)",
     true, true},
    {.name = NULL},
};

#define FIELD(name) .offset = offsetof(Values, choice.name)
static const MaeOption OPTIONS[] = {
    {"data", 'd', MAE_OPTION_TEXT, FIELD(data), .value = "DATASET",
     .help = "whatever data.train accepts; without IMAGE also the images to look at, "
             "spread evenly"},
    {"count", 'n', MAE_OPTION_SIZE, FIELD(count), .value = "N", .min = 1,
     .max = MAE_GALLERY_MAX, .help = "images to take from --data", .needs = "data"},
    {"out", 'o', MAE_OPTION_TEXT, .offset = offsetof(Values, out), .value = "FOLDER",
     .help = "where the figures are written; files of their names are replaced, others "
             "left alone"},
    {"compare", 'c', MAE_OPTION_TEXT, FIELD(compare), .value = "CHECKPOINT|random",
     .help = "draw another model of the same input size and patch beside it; random: "
             "the same architecture with new weights, drawn by --seed"},
    {"layer", 'l', MAE_OPTION_SIZE, FIELD(layer), .value = "N", .max = 4096,
     .help = "block to look at, 1 is the first; 0: the last one, of features three"},
    {"query", 0, MAE_OPTION_CHOICE, FIELD(query), .choices = QUERIES,
     .help = "whose attention: the class token's or the mean over patches; auto takes "
             "the mean for classifiers that pool by the mean"},
    {"map-images", 0, MAE_OPTION_SIZE, FIELD(map_images), .value = "N", .min = 4,
     .max = (double)MAE_TSNE_MAX,
     .help = "images of --data on a map, drawn by --seed; time grows with their square",
     .needs = "data"},
    {"thumbnails", 0, MAE_OPTION_FLAG, FIELD(thumbnails),
     .help = "small pictures in place of the points of a map", .needs = "data"},
    {"sample", 0, MAE_OPTION_SIZE, FIELD(sample), .value = "N",
     .min = (double)MAE_SPOT_CHECK_FEWEST, .max = 1e9,
     .help = "images of --data, drawn by --seed, among which neighbours are looked for "
             "and by which the report scores features",
     .needs = "data"},
    {"report", 'r', MAE_OPTION_FLAG, FIELD(report),
     .help =
         "write report.html as well: all figures, reconstructions, and, if --data has "
         "labels, retrieval and kNN beside those of random weights"},
    {"mask-ratio", 'm', MAE_OPTION_REAL, FIELD(mask_ratio), .value = "R", .min = -1,
     .max = 1,
     .help = "share of patches to hide where a view hides some, below 1; -1 = "
             "as in training (classifiers: 0.75)"},
    MAE_TOOL_LIMITS_OPTION(offsetof(Values, choice.limits)),
    {.name = NULL},
};

static const MaeCommand COMMAND = {
    .name = "mae-visualize",
    .summary = "Draws what a model has learned, as pictures with captions.",
    .operands = OPERANDS,
    .options = OPTIONS,
    .defaults = &DEFAULTS,
    .values_size = sizeof(Values),
    .example = "mae-visualize run/last.h5 --data photos --compare random --out figures",
};

/* The views by name, for the end of the help. */
static void describe_views(char *text, size_t size)
{
    size_t used = (size_t)snprintf(text, size, "Views:");

    for (size_t i = 0; mae_visuals[i] != NULL && used < size; i++)
        used += (size_t)snprintf(text + used, size - used, "%s %s (%s)", i > 0 ? ";" : "",
                                 mae_visuals[i]->name, mae_visuals[i]->help);
    if (used < size)
        (void)snprintf(
            text + used, size - used,
            ".\n\nCaptions, which say how to read a figure, are part of --json.");
}

static MaeStatus check_usage(MaeArgs *args, Values *v, MaeError *err)
{
    MAE_TRY(visualize_source_sort(&v->choice, args, err));
    for (size_t i = 1; i < args->operand_count; i++)
        MAE_TRY(visualize_source_view(args->operands[i], &v->choice, err));
    if (v->choice.data != NULL)
        MAE_TRY(mae_file_check_outside(v->out, v->choice.data, err));
    return MAE_OK;
}

/* Was the view asked for, by name or by naming none? */
static bool wanted(const MaeVisual *view, const MaeArgs *args,
                   const VisualizeChoice *choice)
{
    for (size_t i = 1; i < args->operand_count; i++)
        if (strcmp(args->operands[i], view->name) == 0)
            return true;
    return args->operand_count == 1 && visualize_source_allows(choice, view);
}

static MaeStatus draw(MaeFigures *figures, VisualizeSource *source, MaeError *err)
{
    for (size_t i = 0; mae_visuals[i] != NULL; i++) {
        if (!wanted(mae_visuals[i], &source->tool->args, source->choice))
            continue;
        visualize_source_begin(source, mae_visuals[i]->name);
        MAE_TRY(mae_visuals[i]->draw(figures, &source->input, err));
    }
    mae_terminal_progress_end(&source->tool->terminal);
    return MAE_OK;
}

static MaeStatus run(MaeTool *tool, Values *values, VisualizeSource *source,
                     MaeFigures *figures, MaeError *err)
{
    VisualizeReport report = {.checkpoint = tool->args.operands[0],
                              .folder = values->out,
                              .choice = &values->choice,
                              .gallery = &source->galleries[0],
                              .figures = figures};

    MAE_TRY(check_usage(&tool->args, values, err));
    MAE_TRY(visualize_source_open(source, tool, &values->choice, err));
    MAE_TRY(mae_file_make_folders(values->out, err));
    MAE_TRY(draw(figures, source, err));
    MAE_TRY(visualize_report_write(&report, source, err));
    return visualize_report_print(&report, tool->args.json, err);
}

int main(int argc, char **argv)
{
    char views[1024];
    MaeCommand command = COMMAND;
    Values values = DEFAULTS;
    VisualizeSource source = {0};
    MaeFigures figures = {0};
    MaeError err = {0};
    MaeStatus status;
    MaeTool tool;

    describe_views(views, sizeof views);
    command.notes = views;
    if (!mae_tool_open(&tool, &command, &values, argc, argv))
        return tool.exit_code;
    status = run(&tool, &values, &source, &figures, &err);
    mae_figures_done(&figures);
    visualize_source_close(&source);
    return mae_tool_close(&tool, status, &err);
}
