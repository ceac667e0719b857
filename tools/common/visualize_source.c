#include "common/visualize_source.h"

#include <assert.h>
#include <string.h>
#include <unistd.h>

#include "eval/feature_set.h"

/* Hidden where the model does not say: a classifier was not trained on masks. */
#define MASK_RATIO 0.75

static unsigned supplied(const VisualizeChoice *choice)
{
    const bool images = choice->image_count > 0 || choice->data != NULL;

    return (images ? (unsigned)MAE_VISUAL_NEEDS_IMAGES : 0u) |
           (choice->data != NULL ? (unsigned)MAE_VISUAL_NEEDS_DATA : 0u);
}

bool visualize_source_allows(const VisualizeChoice *choice, const MaeVisual *view)
{
    return (view->needs & ~supplied(choice)) == 0;
}

static MaeStatus unknown_view(const char *name, MaeError *err)
{
    const char *names[64], *near;
    size_t count = 0;

    while (count < 64 && mae_visuals[count] != NULL) {
        names[count] = mae_visuals[count]->name;
        count++;
    }
    near = mae_options_nearest(name, names, count);
    if (near != NULL)
        MAE_FAIL(err, MAE_ERR_ARG, "%s: no view and no image; did you mean %s?", name,
                 near);
    MAE_FAIL(err, MAE_ERR_ARG, "%s: no view and no image; --help lists the views", name);
}

MaeStatus visualize_source_sort(VisualizeChoice *choice, MaeArgs *args, MaeError *err)
{
    size_t views = 1;

    for (size_t i = 1; i < args->operand_count; i++) {
        const char *name = args->operands[i];

        if (mae_visual_find(name) == NULL && access(name, F_OK) != 0)
            return unknown_view(name, err);
        if (mae_visual_find(name) == NULL)
            continue;
        memmove(&args->operands[views + 1], &args->operands[views],
                (i - views) * sizeof *args->operands);
        args->operands[views++] = name;
    }
    choice->images = args->operands + views;
    choice->image_count = args->operand_count - views;
    args->operand_count = views;
    return MAE_OK;
}

MaeStatus visualize_source_view(const char *name, const VisualizeChoice *choice,
                                MaeError *err)
{
    const MaeVisual *view = mae_visual_find(name);
    unsigned missing;

    assert(view != NULL);
    missing = view->needs & ~supplied(choice);
    if (missing & MAE_VISUAL_NEEDS_DATA)
        MAE_FAIL(err, MAE_ERR_ARG, "%s: needs a data set: --data DATASET", name);
    if (missing & MAE_VISUAL_NEEDS_IMAGES)
        MAE_FAIL(err, MAE_ERR_ARG, "%s: needs images: IMAGE files or --data DATASET",
                 name);
    return MAE_OK;
}

static MaeStatus load_model(VisualizeSource *s, size_t index, const char *path,
                            const char *name, MaeError *err)
{
    MAE_TRY(mae_tool_expect(path, err));
    MAE_TRY(mae_loaded_model_open(&s->loaded[index], path, err));
    s->input.models[index] = mae_visual_model(name, &s->loaded[index]);
    s->input.model_count = index + 1;
    return MAE_OK;
}

static MaeStatus load_models(VisualizeSource *s, MaeError *err)
{
    const char *path = s->tool->args.operands[0], *other = s->choice->compare;

    MAE_TRY(load_model(s, 0, path, path, err));
    if (visualize_source_random(s)) {
        MAE_TRY(load_model(s, 1, path, "random weights", err));
        mae_loaded_model_init(&s->loaded[1], s->tool->args.seed);
    } else if (other != NULL) {
        MAE_TRY(load_model(s, 1, other, other, err));
    }
    return MAE_OK;
}

/* The same images for each model, as it takes them. */
static MaeStatus load_images(VisualizeSource *s, size_t index, MaeError *err)
{
    const VisualizeChoice *c = s->choice;
    const MaeTransform transform = mae_features_transform(&s->loaded[index]);
    MaeGallery *gallery = &s->galleries[index];

    if (c->image_count > 0)
        MAE_TRY(mae_gallery_files(gallery, &transform, c->images, c->image_count,
                                  &c->limits, err));
    else
        MAE_TRY(mae_gallery_spread(gallery, &transform, s->ds, c->count, err));
    s->input.models[index].gallery = gallery;
    return MAE_OK;
}

static MaeStatus load_data(VisualizeSource *s, MaeError *err)
{
    const MaeDatasetOptions options = {.in_chans =
                                           s->loaded[0].snapshot.arch.grid.channels,
                                       .limits = s->choice->limits,
                                       .log = &s->tool->log};

    if (s->choice->data != NULL)
        MAE_TRY(mae_dataset_open(&s->ds, s->choice->data, &options, err));
    s->input.ds = s->ds;
    for (size_t m = 0; m < s->input.model_count; m++)
        if (supplied(s->choice) & MAE_VISUAL_NEEDS_IMAGES)
            MAE_TRY(load_images(s, m, err));
    return MAE_OK;
}

static MaeStatus check_ratio(double *ratio, const VisualizeSource *s, MaeError *err)
{
    const MaeSnapshot *snapshot = &s->loaded[0].snapshot;

    *ratio = s->choice->mask_ratio;
    if (*ratio == -1.0)
        *ratio = snapshot->kind == MAE_SNAPSHOT_AUTOENCODER ? snapshot->mask_ratio
                                                            : MASK_RATIO;
    if (!(*ratio >= 0.0 && *ratio < 1.0))
        MAE_FAIL(err, MAE_ERR_ARG, "--mask-ratio: expected 0 to below 1, got %g", *ratio);
    return MAE_OK;
}

bool visualize_source_random(const VisualizeSource *source)
{
    const char *other = source->choice->compare;

    return other != NULL && strcmp(other, "random") == 0;
}

void visualize_source_begin(VisualizeSource *source, const char *label)
{
    mae_terminal_progress_end(&source->tool->terminal);
    source->input.watch = mae_terminal_watch(&source->tool->terminal, label);
}

MaeStatus visualize_source_open(VisualizeSource *source, MaeTool *tool,
                                const VisualizeChoice *choice, MaeError *err)
{
    VisualizeSource *s = source;
    MaeGemmOptions options = {.operand = MAE_F32};

    *s = (VisualizeSource){.tool = tool, .choice = choice};
    s->input.layer = choice->layer;
    s->input.query = (MaeVisualQuery)choice->query;
    s->input.seed = tool->args.seed;
    s->input.map_images = choice->map_images;
    s->input.thumbnails = choice->thumbnails;
    s->input.sample = choice->sample;
    s->input.limits = choice->limits;
    s->input.log = &tool->log;
    s->input.compute = &s->compute;
    MAE_TRY(load_models(s, err));
    MAE_TRY(mae_visual_check(&s->input, err));
    MAE_TRY(check_ratio(&s->input.mask_ratio, s, err));
    MAE_TRY(load_data(s, err));
    MAE_TRY(mae_pool_open(&s->pool, tool->args.threads, err));
    options.threads = mae_pool_threads(s->pool);
    MAE_TRY(mae_gemm_open(&s->gemm, &options, err));
    s->compute = (MaeCompute){.pool = s->pool, .gemm = s->gemm};
    return MAE_OK;
}

void visualize_source_close(VisualizeSource *source)
{
    mae_gemm_close(source->gemm);
    mae_pool_close(source->pool);
    mae_dataset_close(source->ds);
    for (size_t m = 0; m < MAE_VISUAL_MODELS; m++) {
        mae_gallery_close(&source->galleries[m]);
        mae_loaded_model_close(&source->loaded[m]);
    }
    *source = (VisualizeSource){0};
}
