#include "eval/rank.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/text.h"
#include "model/maskset.h"
#include "store/csv.h"
#include "store/json.h"

enum { BATCH = 64, NAME = 4096 };

/* --- errors ----------------------------------------------------------------------- */

/* What a pass holds. */
typedef struct Pass {
    MaeRanking *ranking;
    MaeWeights w;
    const MaeDataset *ds;
    const MaeRankOptions *options;
    MaeMaskSet masks;
    MaeAutoencoderRun run;
    MaeLoader *loader;
} Pass;

static MaeStatus check_errors(const Pass *p, size_t images, MaeError *err)
{
    const MaeRanking *r = p->ranking;
    char name[NAME];

    for (size_t i = r->count - images; i < r->count; i++) {
        if (isfinite(r->items[i].error))
            continue;
        mae_dataset_name(p->ds, r->items[i].sample, name, sizeof name);
        MAE_FAIL(err, MAE_ERR_NUMERIC,
                 "rank: %s: expected a finite loss, got %g; the weights of the model are "
                 "damaged or too large",
                 name, r->items[i].error);
    }
    return MAE_OK;
}

/* Errors of a batch, behind those so far. */
static MaeStatus add(Pass *p, const MaeBatch *batch, MaeError *err)
{
    const size_t masks = p->options->masks > 0 ? p->options->masks : 1;
    const size_t hidden = p->masks.mask.patches - p->masks.mask.visible;
    MaeRankItem *items = p->ranking->items + p->ranking->count;

    for (size_t i = 0; i < batch->size; i++)
        items[i] = (MaeRankItem){batch->samples[i], 0.0};
    for (size_t k = 0; k < masks && batch->size > 0; k++) {
        mae_maskset_draw(&p->masks, p->options->seed, (uint32_t)k, batch->samples,
                         batch->size);
        (void)mae_autoencoder_forward(&p->run, p->w, batch->images, &p->masks.mask,
                                      batch->size);
        for (size_t i = 0; i < batch->size; i++)
            items[i].error += p->run.losses[i] / (double)(hidden * masks);
    }
    p->ranking->count += batch->size;
    return check_errors(p, batch->size, err);
}

static MaeStatus add_all(Pass *p, MaeError *err)
{
    const size_t total = mae_dataset_info(p->ds)->count;
    const MaeWatch *watch = &p->options->watch;
    const MaeBatch *batch;

    do {
        MAE_TRY(mae_loader_next(p->loader, &batch, err));
        if (batch == NULL)
            break;
        MAE_TRY(add(p, batch, err));
        mae_loader_release(p->loader, batch);
        if (watch->fn != NULL)
            watch->fn(watch->ctx, p->ranking->count, total);
    } while (batch != NULL);
    if (p->ranking->count == 0)
        MAE_FAIL(err, MAE_ERR_FORMAT, "rank: none of %zu images could be read", total);
    return MAE_OK;
}

static MaeStatus pass_open(Pass *p, const MaeAutoencoder *model,
                           const MaeCompute *compute, const MaeTransform *transform,
                           MaeError *err)
{
    const MaeRankOptions *o = p->options;
    const size_t total = mae_dataset_info(p->ds)->count;
    const size_t wanted = o->batch > 0 ? o->batch : BATCH;
    const size_t batch = wanted < total ? wanted : total;
    const MaeLoaderOptions loading = {
        .sampler = {.count = total, .batch_size = batch, .world = 1},
        .workers = o->workers,
        .max_bad_fraction = o->max_bad_fraction,
        .log = o->log,
    };

    MAE_TRY(mae_maskset_open(&p->masks, o->kind, &model->arch.grid, o->ratio, batch,
                             compute->pool, err));
    if (p->masks.mask.visible == p->masks.mask.patches)
        MAE_FAIL(err, MAE_ERR_ARG,
                 "rank: expected a mask ratio that hides patches, got %g", o->ratio);
    MAE_TRY(mae_autoencoder_run_open(&p->run, model, compute, batch,
                                     p->masks.mask.visible, MAE_PREDICT_HIDDEN,
                                     MAE_KEEP_NOTHING, err));
    p->ranking->items = calloc(total, sizeof *p->ranking->items);
    if (p->ranking->items == NULL)
        MAE_FAIL(err, MAE_ERR_NOMEM, "rank: out of memory for %zu images", total);
    return mae_loader_open(&p->loader, p->ds, transform, &loading, err);
}

static int worse_first(const void *a, const void *b)
{
    const MaeRankItem *x = a, *y = b;

    if (x->error != y->error)
        return x->error > y->error ? -1 : 1;
    return x->sample < y->sample ? -1 : x->sample > y->sample;
}

MaeStatus mae_rank_run(MaeRanking *ranking, const MaeAutoencoder *model, MaeWeights w,
                       const MaeCompute *compute, const MaeDataset *ds,
                       const MaeTransform *transform, const MaeRankOptions *options,
                       MaeError *err)
{
    Pass p = {.ranking = ranking, .w = w, .ds = ds, .options = options};
    MaeStatus status;

    *ranking = (MaeRanking){0};
    status = pass_open(&p, model, compute, transform, err);
    if (status == MAE_OK)
        status = add_all(&p, err);
    mae_loader_close(p.loader);
    mae_autoencoder_run_close(&p.run);
    mae_maskset_close(&p.masks);
    if (status != MAE_OK) {
        mae_rank_done(ranking);
        return status;
    }
    qsort(ranking->items, ranking->count, sizeof *ranking->items, worse_first);
    return MAE_OK;
}

void mae_rank_done(MaeRanking *ranking)
{
    if (ranking == NULL)
        return;
    free(ranking->items);
    *ranking = (MaeRanking){0};
}

/* --- files ------------------------------------------------------------------------ */

/* One image on its way into a file. */
typedef struct Row {
    size_t rank; /* from 1 on */
    double error;
    const char *class_name; /* NULL: unlabelled */
    char name[NAME];
} Row;

typedef MaeStatus (*PutRow)(MaeOutput *out, const Row *row, MaeError *err);

static MaeStatus put_csv(MaeOutput *out, const Row *row, MaeError *err)
{
    char text[64];

    (void)err;
    (void)snprintf(text, sizeof text, "%zu,", row->rank);
    mae_output_append(out, text, strlen(text));
    mae_csv_text(out, row->name);
    (void)mae_text_format(text, sizeof text, ",%.9g", row->error);
    mae_output_append(out, text, strlen(text));
    if (row->class_name != NULL) {
        mae_output_append(out, ",", 1);
        mae_csv_text(out, row->class_name);
    }
    mae_output_append(out, "\n", 1);
    return MAE_OK;
}

static MaeStatus put_json(MaeOutput *out, const Row *row, MaeError *err)
{
    MaeJson *object = mae_json_object();
    char *text;

    mae_json_set_int(object, "rank", (int64_t)row->rank);
    mae_json_set_text(object, "path", row->name);
    mae_json_set_real(object, "error", row->error);
    if (row->class_name != NULL)
        mae_json_set_text(object, "class", row->class_name);
    text = mae_json_dump(object, 0);
    mae_json_free(object);
    if (text == NULL)
        MAE_FAIL(err, MAE_ERR_NOMEM, "rank: out of memory for %s", row->name);
    mae_output_append(out, row->rank > 1 ? ",\n" : "[\n", 2);
    mae_output_append(out, text, strlen(text));
    free(text);
    return MAE_OK;
}

static bool is_csv(const char *path)
{
    const size_t length = strlen(path);

    return length > 4 && strcasecmp(path + length - 4, ".csv") == 0;
}

MaeStatus mae_rank_check(const char *path, MaeError *err)
{
    const size_t length = strlen(path);

    if (!is_csv(path) && !(length > 5 && strcasecmp(path + length - 5, ".json") == 0))
        MAE_FAIL(err, MAE_ERR_ARG, "rank: expected a name in .csv or .json, got '%s'",
                 path);
    return MAE_OK;
}

static MaeStatus put_rows(MaeOutput *out, const MaeRanking *r, const MaeDataset *ds,
                          PutRow put, MaeError *err)
{
    Row row;

    for (size_t i = 0; i < r->count; i++) {
        const int64_t label = mae_dataset_label(ds, r->items[i].sample);

        row.rank = i + 1;
        row.error = r->items[i].error;
        row.class_name = label >= 0 ? mae_dataset_class(ds, (size_t)label) : NULL;
        mae_dataset_name(ds, r->items[i].sample, row.name, sizeof row.name);
        MAE_TRY(put(out, &row, err));
    }
    return MAE_OK;
}

MaeStatus mae_rank_write(const MaeRanking *ranking, const MaeDataset *ds,
                         const char *path, MaeError *err)
{
    const char *header =
        mae_dataset_info(ds)->labelled ? "rank,path,error,class\n" : "rank,path,error\n";
    MaeOutput out;
    MaeStatus status;

    MAE_TRY(mae_rank_check(path, err));
    MAE_TRY(mae_output_open(&out, path, NULL, err));
    if (is_csv(path))
        mae_output_append(&out, header, strlen(header));
    status = put_rows(&out, ranking, ds, is_csv(path) ? put_csv : put_json, err);
    if (!is_csv(path))
        mae_output_append(&out, "\n]\n", 3);
    if (status == MAE_OK)
        return mae_output_commit(&out, err);
    mae_output_abort(&out);
    return status;
}
