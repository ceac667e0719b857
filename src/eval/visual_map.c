#include <stdio.h>

#include "eval/feature_map.h"
#include "eval/visual.h"

static void explain(MaeFigure *figure, const MaeVisualInput *input)
{
    (void)snprintf(figure->title, sizeof figure->title, "Maps of the data by features");
    mae_visual_explain(
        figure,
        "Each point is an image of the data, placed by the model's features; its name "
        "shows under the pointer. PCA keeps large distances: the two directions in which "
        "features differ most. t-SNE keeps neighbours: which points are together means "
        "something; how far groups are apart, their sizes and the axes do not. Colours "
        "are classes, if the data has any; the model has not seen them unless it is a "
        "classifier. Features that tell classes apart put each in a place of its own.");
    if (input->model_count > 1)
        mae_visual_explain(figure, " Above: %s. Below: %s.", input->models[0].name,
                           input->models[1].name);
}

static MaeStatus draw(MaeFigures *figures, const MaeVisualInput *input, MaeError *err)
{
    MaeFigure figure = {.view = "map", .file = "map.svg"};
    MaeFeatureMap map = {.model_count = input->model_count,
                         .ds = input->ds,
                         .images = input->map_images,
                         .perplexity = 30.0,
                         .thumbnails = input->thumbnails,
                         .seed = input->seed,
                         .workers = 2,
                         .log = input->log,
                         .watch = input->watch};
    MaeStatus status;

    if (mae_dataset_info(input->ds)->count < MAE_FEATURE_MAP_FEWEST) {
        mae_log(input->log, MAE_LOG_WARN,
                "map: left out, the data has fewer than %d images",
                MAE_FEATURE_MAP_FEWEST);
        return MAE_OK;
    }
    for (size_t m = 0; m < input->model_count; m++)
        map.models[m] =
            (MaeFeatureMapModel){input->models[m].name, input->models[m].loaded};
    MAE_TRY(mae_feature_map_draw(&figure.svg, &map, input->compute, err));
    explain(&figure, input);
    status = mae_figures_add(figures, &figure, err);
    mae_figure_done(&figure);
    return status;
}

const MaeVisual mae_visual_map = {"map", "images of --data in the plane, by features",
                                  MAE_VISUAL_NEEDS_DATA, draw};
