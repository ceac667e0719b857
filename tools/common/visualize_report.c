#include "common/visualize_report.h"

#include <limits.h>
#include <stdio.h>

#include "common/tool.h"

#define PAGE "report.html"

static MaeStatus path_of(char *path, size_t size, const VisualizeReport *r,
                         const char *file, MaeError *err)
{
    if (snprintf(path, size, "%s/%s", r->folder, file) >= (int)size)
        MAE_FAIL(err, MAE_ERR_ARG, "--out: %.80s...: the name is too long", r->folder);
    return MAE_OK;
}

static MaeStatus check_output(const VisualizeReport *r, const char *file, MaeError *err)
{
    const char *const inputs[] = {r->checkpoint, r->choice->compare, r->choice->data};
    char path[PATH_MAX];

    MAE_TRY(path_of(path, sizeof path, r, file, err));
    MAE_TRY(mae_tool_check_output(path, inputs, 3, err));
    return mae_tool_check_output(path, r->choice->images, r->choice->image_count, err);
}

MaeStatus visualize_report_write(VisualizeReport *r, VisualizeSource *source,
                                 MaeError *err)
{
    char path[PATH_MAX];

    for (size_t i = 0; i < r->figures->count; i++)
        MAE_TRY(check_output(r, r->figures->items[i].file, err));
    if (r->choice->report)
        MAE_TRY(check_output(r, PAGE, err));
    for (size_t i = 0; i < r->figures->count; i++) {
        MAE_TRY(path_of(path, sizeof path, r, r->figures->items[i].file, err));
        MAE_TRY(mae_figure_write(&r->figures->items[i], path, err));
    }
    if (!r->choice->report)
        return MAE_OK;
    MAE_TRY(path_of(path, sizeof path, r, PAGE, err));
    return visualize_page_write(&r->scores, source, r->figures, path, err);
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

static MaeJson *scores_json(const VisualizeScores *s)
{
    MaeJson *object = mae_json_object(), *models = mae_json_array();

    for (size_t i = 0; i < s->count; i++) {
        MaeJson *model = mae_json_object();

        mae_json_set_text(model, "features_of", s->names[i]);
        mae_json_set_real(model, "precision", s->scores[i].retrieval.precision);
        mae_json_set_real(model, "knn_accuracy", mae_accuracy_top1(&s->scores[i].knn));
        mae_json_append(models, model);
    }
    mae_json_set_int(object, "queries", (int64_t)s->queries);
    mae_json_set_int(object, "memory", (int64_t)s->memory);
    mae_json_set_int(object, "retrieved", (int64_t)s->retrieved);
    mae_json_set_int(object, "k", (int64_t)s->k);
    mae_json_set_real(object, "chance", s->chance);
    mae_json_set(object, "models", models);
    return object;
}

static void set_page(MaeJson *object, const VisualizeReport *r)
{
    if (r->choice->report)
        mae_json_set_text(object, "report", PAGE);
    if (r->scores.count > 0)
        mae_json_set(object, "scores", scores_json(&r->scores));
}

MaeStatus visualize_report_print(const VisualizeReport *r, bool json, MaeError *err)
{
    MaeJson *object, *figures;

    if (!json) {
        for (size_t i = 0; i < r->figures->count; i++)
            (void)printf("%s/%s: %s\n", r->folder, r->figures->items[i].file,
                         r->figures->items[i].title);
        if (r->choice->report)
            (void)printf("%s/" PAGE ": all of it, to be opened in a browser\n",
                         r->folder);
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
    set_page(object, r);
    return mae_tool_print_json(object, 0, err);
}
