#include "eval/visual.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"

const MaeVisual *const mae_visuals[] = {
    &mae_visual_kernels,
    &mae_visual_positions,
    &mae_visual_attention,
    &mae_visual_features,
    &mae_visual_map,
    &mae_visual_neighbours,
    NULL,
};

const MaeVisual *mae_visual_find(const char *name)
{
    for (size_t i = 0; mae_visuals[i] != NULL; i++)
        if (strcmp(mae_visuals[i]->name, name) == 0)
            return mae_visuals[i];
    return NULL;
}

MaeStatus mae_visual_check(const MaeVisualInput *input, MaeError *err)
{
    const MaePatchGrid *want = &input->models[0].encoder->grid;

    for (size_t m = 0; m < input->model_count; m++) {
        const MaeEncoder *encoder = input->models[m].encoder;
        const MaePatchGrid *have = &encoder->grid;

        if (have->channels != want->channels || have->height != want->height ||
            have->width != want->width || have->patch != want->patch)
            MAE_FAIL(err, MAE_ERR_SHAPE,
                     "%s: expected images [%zu,%zu,%zu] in patches of %zu as %s, got "
                     "[%zu,%zu,%zu] in patches of %zu",
                     input->models[m].name, want->channels, want->height, want->width,
                     want->patch, input->models[0].name, have->channels, have->height,
                     have->width, have->patch);
        if (input->layer > encoder->trunk.depth)
            MAE_FAIL(err, MAE_ERR_ARG, "%s: layer: expected 1 to %zu, got %zu",
                     input->models[m].name, encoder->trunk.depth, input->layer);
    }
    return MAE_OK;
}

MaeVisualModel mae_visual_model(const char *name, const MaeLoadedModel *loaded)
{
    const MaeSnapshot *snapshot = &loaded->snapshot;
    const bool classifier = snapshot->kind == MAE_SNAPSHOT_CLASSIFIER;

    return (MaeVisualModel){
        .name = name,
        .encoder = classifier ? &loaded->model.as.classifier.encoder
                              : &loaded->model.as.autoencoder.encoder,
        .w = loaded->weights,
        .query = classifier ? snapshot->arch.pooling : MAE_POOL_CLS,
        .mean = snapshot->mean,
        .std = snapshot->std,
        .loaded = loaded,
    };
}

void mae_visual_explain(MaeFigure *figure, const char *fmt, ...)
{
    const size_t used = strlen(figure->caption);
    va_list args;

    va_start(args, fmt);
    (void)mae_text_vformat(figure->caption + used, sizeof figure->caption - used, fmt,
                           args);
    va_end(args);
}

void mae_visual_explain_models(MaeFigure *figure, const MaeVisualInput *input)
{
    if (input->model_count > 1)
        mae_visual_explain(figure, " Left: %s. Right: %s.", input->models[0].name,
                           input->models[1].name);
}

MaeStatus mae_visual_finite(const MaeVisualModel *model, const char *what,
                            const float *values, size_t n, MaeError *err)
{
    for (size_t i = 0; i < n; i++)
        if (!isfinite(values[i]))
            MAE_FAIL(err, MAE_ERR_NUMERIC, "%s: %s: expected finite numbers, got %g",
                     model->name, what, (double)values[i]);
    return MAE_OK;
}
