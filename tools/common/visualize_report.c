#include "common/visualize_report.h"

#include <limits.h>
#include <stdio.h>

#include "common/tool.h"

static MaeStatus path_of(char *path, size_t size, const VisualizeReport *r,
                         const MaeFigure *figure, MaeError *err)
{
    if (snprintf(path, size, "%s/%s", r->folder, figure->file) >= (int)size)
        MAE_FAIL(err, MAE_ERR_ARG, "--out: %.80s...: the name is too long", r->folder);
    return MAE_OK;
}

static MaeStatus check_outputs(const VisualizeReport *r, MaeError *err)
{
    const char *const inputs[] = {r->checkpoint, r->choice->compare, r->choice->data};
    char path[PATH_MAX];

    for (size_t i = 0; i < r->figures->count; i++) {
        MAE_TRY(path_of(path, sizeof path, r, &r->figures->items[i], err));
        MAE_TRY(mae_tool_check_output(path, inputs, 3, err));
        MAE_TRY(mae_tool_check_output(path, r->choice->images.items,
                                      r->choice->images.count, err));
    }
    return MAE_OK;
}

MaeStatus visualize_report_write(const VisualizeReport *r, MaeError *err)
{
    char path[PATH_MAX];

    MAE_TRY(check_outputs(r, err));
    for (size_t i = 0; i < r->figures->count; i++) {
        MAE_TRY(path_of(path, sizeof path, r, &r->figures->items[i], err));
        MAE_TRY(mae_figure_write(&r->figures->items[i], path, err));
    }
    return MAE_OK;
}

static MaeJson *figure_json(const MaeFigure *figure)
{
    MaeJson *object = mae_json_object();

    mae_json_set_text(object, "view", figure->view);
    mae_json_set_text(object, "file", figure->file);
    mae_json_set_text(object, "title", figure->title);
    mae_json_set_text(object, "caption", figure->caption);
    if (figure->svg == NULL) {
        mae_json_set_int(object, "width", (int64_t)figure->picture.width);
        mae_json_set_int(object, "height", (int64_t)figure->picture.height);
    }
    return object;
}

static MaeJson *images_json(const MaeGallery *gallery)
{
    MaeJson *names = mae_json_array();

    for (size_t i = 0; i < gallery->count; i++)
        mae_json_append(names, mae_json_text(gallery->names[i]));
    return names;
}

MaeStatus visualize_report_print(const VisualizeReport *r, bool json, MaeError *err)
{
    MaeJson *object, *figures;

    if (!json) {
        for (size_t i = 0; i < r->figures->count; i++)
            (void)printf("%s/%s: %s\n", r->folder, r->figures->items[i].file,
                         r->figures->items[i].title);
        return MAE_OK;
    }
    object = mae_json_object();
    figures = mae_json_array();
    for (size_t i = 0; i < r->figures->count; i++)
        mae_json_append(figures, figure_json(&r->figures->items[i]));
    mae_json_set_text(object, "checkpoint", r->checkpoint);
    if (r->choice->compare != NULL)
        mae_json_set_text(object, "compare", r->choice->compare);
    mae_json_set_text(object, "out", r->folder);
    mae_json_set(object, "images", images_json(r->gallery));
    mae_json_set(object, "figures", figures);
    return mae_tool_print_json(object, 0, err);
}
