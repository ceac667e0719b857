#include "common/eval_sheet.h"

#include <stdlib.h>
#include <string.h>

#include "data/subset.h"
#include "eval/canvas.h"
#include "store/file.h"

MaeStatus eval_sheet_check(const EvalSheet *sheet, const char *checkpoint,
                           const char *const data[2], MaeError *err)
{
    if (sheet->path == NULL)
        return MAE_OK;
    MAE_TRY(mae_tool_check_output(
        sheet->path, (const char *const[]){checkpoint, data[0], data[1]}, 3, err));
    MAE_TRY(mae_file_check_outside(sheet->path, data[0], err));
    return mae_file_check_outside(sheet->path, data[1], err);
}

/* Everything for one sheet. */
typedef struct Drawing {
    const MaeDataset *train, *test;
    const MaeFeatures *memory, *queries;
    size_t feature, rows, columns;
    size_t *chosen; /* [rows] of queries */
    float *values;  /* [rows,D] their features */
    uint32_t *index;
    float *similarity; /* [rows,columns] */
    MaeImage sheet, thumb;
    MaeThumbnailer thumbnailer;
} Drawing;

static MaeStatus search(Drawing *d, const MaeCompute *compute, MaeError *err)
{
    const size_t width = d->memory->width, found = d->rows * d->columns;
    const MaeKnnSet memory = {mae_features_at(d->memory, d->feature),
                              mae_features_stride(d->memory), d->memory->count};

    d->values = malloc(d->rows * width * sizeof *d->values);
    d->index = malloc(found * sizeof *d->index);
    d->similarity = malloc(found * sizeof *d->similarity);
    if (d->values == NULL || d->index == NULL || d->similarity == NULL)
        MAE_FAIL(err, MAE_ERR_NOMEM, "contact sheet: out of memory for %zu neighbours",
                 found);
    for (size_t r = 0; r < d->rows; r++)
        memcpy(d->values + r * width,
               mae_features_at(d->queries, d->feature) +
                   d->chosen[r] * mae_features_stride(d->queries),
               width * sizeof *d->values);
    return mae_knn_search(d->index, d->similarity,
                          &(MaeKnnSet){d->values, width, d->rows}, &memory, width,
                          d->columns, MAE_KNN_OTHERS, compute, err);
}

static MaeStatus draw_row(Drawing *d, size_t row, MaeError *err)
{
    const size_t query = d->chosen[row];
    const MaeContactRow found = {.label = d->queries->labels[query],
                                 .index = d->index + row * d->columns,
                                 .count = d->columns,
                                 .ds = d->train,
                                 .samples = d->memory->samples};

    MAE_TRY(mae_thumbnail_read(&d->thumbnailer, &d->thumb, d->test,
                               d->queries->samples[query], MAE_CONTACT_SIDE, err));
    mae_contact_sheet_put(&d->sheet, row, 0, &d->thumb, MAE_CONTACT_QUERY);
    return mae_contact_sheet_neighbours(&d->sheet, row, &found, &d->thumbnailer, err);
}

static MaeStatus draw(Drawing *d, const char *path, uint64_t seed,
                      const MaeCompute *compute, MaeError *err)
{
    MAE_TRY(mae_subset_draw(&d->chosen, &d->rows, d->queries->count, seed, err));
    MAE_TRY(search(d, compute, err));
    MAE_TRY(mae_contact_sheet_open(&d->sheet, d->rows, d->columns, err));
    for (size_t row = 0; row < d->rows; row++)
        MAE_TRY(draw_row(d, row, err));
    return mae_canvas_write(&d->sheet, path, err);
}

static size_t smallest(size_t a, size_t b, size_t c)
{
    const size_t ab = a < b ? a : b;

    return ab < c ? ab : c;
}

MaeStatus eval_sheet_write(const EvalSheet *sheet, const FeatureSource *source,
                           const MaeDataset *train, const MaeDataset *test,
                           const MaeFeatures *memory, const MaeFeatures *queries,
                           size_t columns, const MaeCompute *compute, MaeError *err)
{
    Drawing d = {.train = train,
                 .test = test,
                 .memory = memory,
                 .queries = queries,
                 .feature = source->spec.count - 1,
                 .rows = sheet->queries,
                 .columns = smallest(columns, memory->count, MAE_CONTACT_COLUMNS)};
    MaeStatus status;

    if (sheet->path == NULL)
        return MAE_OK;
    status = draw(&d, sheet->path, source->tool->args.seed, compute, err);
    free(d.chosen);
    free(d.values);
    free(d.index);
    free(d.similarity);
    mae_image_done(&d.sheet);
    mae_image_done(&d.thumb);
    mae_thumbnailer_done(&d.thumbnailer);
    return status;
}
