#include "eval/confusion.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "eval/canvas.h"
#include "store/csv.h"
#include "store/file.h"

enum { NUMBER = 12, SIDE = 960, SMALLEST = 2, LARGEST = 40, WITH_LINES = 8 };

MaeStatus mae_confusion_open(MaeConfusion *confusion, size_t classes, MaeError *err)
{
    const bool all = classes <= MAE_CONFUSION_MAX;

    *confusion = (MaeConfusion){.classes = classes};
    confusion->right = calloc(classes, 3 * sizeof *confusion->right);
    if (all)
        confusion->cells = calloc(classes * classes, sizeof *confusion->cells);
    if (confusion->right == NULL || (all && confusion->cells == NULL)) {
        mae_confusion_close(confusion);
        MAE_FAIL(err, MAE_ERR_NOMEM, "confusion matrix: out of memory for %zu classes",
                 classes);
    }
    confusion->labelled = confusion->right + classes;
    confusion->predicted = confusion->labelled + classes;
    return MAE_OK;
}

void mae_confusion_close(MaeConfusion *confusion)
{
    if (confusion == NULL)
        return;
    free(confusion->right);
    free(confusion->cells);
    *confusion = (MaeConfusion){0};
}

void mae_confusion_reset(MaeConfusion *confusion)
{
    const size_t k = confusion->classes;

    memset(confusion->right, 0, 3 * k * sizeof *confusion->right);
    if (confusion->cells != NULL)
        memset(confusion->cells, 0, k * k * sizeof *confusion->cells);
}

/* K if there is a NaN. */
static size_t predict(const float *logits, size_t classes)
{
    size_t best = 0;

    for (size_t c = 0; c < classes; c++) {
        if (isnan(logits[c]))
            return classes;
        if (logits[c] > logits[best])
            best = c;
    }
    return best;
}

void mae_confusion_add(MaeConfusion *confusion, const float *logits,
                       const int64_t *labels, size_t batch)
{
    const size_t k = confusion->classes;

    for (size_t b = 0; b < batch; b++) {
        const size_t label = (size_t)labels[b], guess = predict(logits + b * k, k);

        if (labels[b] < 0 || label >= k)
            continue;
        confusion->labelled[label]++;
        if (guess == k)
            continue;
        confusion->predicted[guess]++;
        confusion->right[label] += guess == label;
        if (confusion->cells != NULL)
            confusion->cells[label * k + guess]++;
    }
}

/* All pairs of classes, a row at a time in wider numbers. */
static MaeStatus sum_cells(MaeConfusion *confusion, MaeComm *comm, MaeError *err)
{
    const size_t k = confusion->classes;
    uint64_t *row = malloc(k * sizeof *row);
    MaeStatus status = MAE_OK;

    if (row == NULL)
        status = mae_error_set(err, MAE_ERR_NOMEM, __FILE__, __LINE__,
                               "confusion: out of memory for %zu classes", k);
    status = mae_comm_agree(comm, status, err);
    for (size_t r = 0; r < k && status == MAE_OK; r++) {
        uint32_t *cells = confusion->cells + r * k;

        for (size_t i = 0; i < k; i++)
            /* NOLINTNEXTLINE(clang-analyzer-core.NullDereference): agreed upon above */
            row[i] = cells[i];
        status = mae_comm_sum_counts(comm, row, k, err);
        for (size_t i = 0; i < k; i++)
            cells[i] = (uint32_t)row[i];
    }
    free(row);
    return status;
}

MaeStatus mae_confusion_sum(MaeConfusion *confusion, MaeComm *comm, MaeError *err)
{
    if (mae_comm_world(comm) == 1)
        return MAE_OK;
    MAE_TRY(mae_comm_sum_counts(comm, confusion->right, 3 * confusion->classes, err));
    return confusion->cells != NULL ? sum_cells(confusion, comm, err) : MAE_OK;
}

static double share(uint64_t part, uint64_t whole, double of_nothing)
{
    return whole > 0 ? (double)part / (double)whole : of_nothing;
}

double mae_confusion_recall(const MaeConfusion *confusion, size_t c)
{
    return share(confusion->right[c], confusion->labelled[c], (double)NAN);
}

double mae_confusion_precision(const MaeConfusion *confusion, size_t c)
{
    return share(confusion->right[c], confusion->predicted[c],
                 confusion->labelled[c] > 0 ? 0.0 : (double)NAN);
}

double mae_confusion_f1(const MaeConfusion *confusion, size_t c)
{
    return share(2 * confusion->right[c],
                 confusion->labelled[c] + confusion->predicted[c], (double)NAN);
}

static double mean(const MaeConfusion *confusion,
                   double (*of)(const MaeConfusion *confusion, size_t c))
{
    double sum = 0.0;
    size_t count = 0;

    for (size_t c = 0; c < confusion->classes; c++) {
        const double value = of(confusion, c);

        if (!isnan(value)) {
            sum += value;
            count++;
        }
    }
    return count > 0 ? sum / (double)count : (double)NAN;
}

double mae_confusion_macro_f1(const MaeConfusion *confusion)
{
    return mean(confusion, mae_confusion_f1);
}

double mae_confusion_balanced(const MaeConfusion *confusion)
{
    return mean(confusion, mae_confusion_recall);
}

/* --- files ------------------------------------------------------------------------ */

static MaeStatus write_csv(const MaeConfusion *confusion, const MaeClasses *names,
                           const char *path, MaeError *err)
{
    const size_t k = confusion->classes;
    char *line = malloc(k * NUMBER + 1);
    MaeOutput out;
    MaeStatus status;

    if (line == NULL)
        MAE_FAIL(err, MAE_ERR_NOMEM, "%s: out of memory", path);
    status = mae_output_open(&out, path, NULL, err);
    if (status != MAE_OK) {
        free(line);
        return status;
    }
    mae_csv_text(&out, "label \\ prediction");
    for (size_t c = 0; c < k; c++) {
        mae_output_append(&out, ",", 1);
        mae_csv_text(&out, mae_classes_name(names, c));
    }
    for (size_t l = 0; l < k; l++) {
        size_t used = 0;

        mae_output_append(&out, "\n", 1);
        mae_csv_text(&out, mae_classes_name(names, l));
        for (size_t c = 0; c < k; c++)
            used += (size_t)snprintf(line + used, NUMBER, ",%lu",
                                     (unsigned long)confusion->cells[l * k + c]);
        mae_output_append(&out, line, used);
    }
    mae_output_append(&out, "\n", 1);
    free(line);
    return mae_output_commit(&out, err);
}

static size_t cell_side(size_t classes)
{
    const size_t side = SIDE / classes;

    return side < SMALLEST ? SMALLEST : side > LARGEST ? LARGEST : side;
}

static void draw(MaeImage *canvas, const float *shares, size_t classes, size_t cell)
{
    static const uint8_t white[3] = {255, 255, 255};
    const MaePalette palette = {MAE_COLOURS_SEQUENTIAL, 0.0f, 1.0f};
    const size_t side = classes * cell;

    mae_canvas_map(canvas, 0, 0, cell, shares, classes, classes, &palette);
    for (size_t c = 1; c < classes && cell >= WITH_LINES; c++) {
        mae_canvas_fill(canvas, (MaeBox){c * cell, 0, 1, side}, white);
        mae_canvas_fill(canvas, (MaeBox){0, c * cell, side, 1}, white);
    }
}

static MaeStatus expect_cells(const MaeConfusion *confusion, MaeError *err)
{
    if (confusion->cells == NULL)
        MAE_FAIL(err, MAE_ERR_ARG,
                 "confusion matrix: expected at most %d classes, got %zu",
                 MAE_CONFUSION_MAX, confusion->classes);
    return MAE_OK;
}

MaeStatus mae_confusion_draw(MaeImage *canvas, const MaeConfusion *confusion,
                             MaeError *err)
{
    const size_t k = confusion->classes, cell = cell_side(k);
    float *shares;
    MaeStatus status;

    MAE_TRY(expect_cells(confusion, err));
    shares = malloc(k * k * sizeof *shares);
    if (shares == NULL)
        MAE_FAIL(err, MAE_ERR_NOMEM, "confusion matrix: out of memory for its picture");
    for (size_t i = 0; i < k * k; i++)
        shares[i] =
            (float)share(confusion->cells[i], confusion->labelled[i / k], (double)NAN);
    status = mae_canvas_open(canvas, k * cell, k * cell, err);
    if (status == MAE_OK)
        draw(canvas, shares, k, cell);
    free(shares);
    return status;
}

static MaeStatus write_png(const MaeConfusion *confusion, const char *path, MaeError *err)
{
    MaeImage canvas = {0};
    MaeStatus status = mae_confusion_draw(&canvas, confusion, err);

    if (status == MAE_OK)
        status = mae_canvas_write(&canvas, path, err);
    mae_image_done(&canvas);
    return status;
}

MaeStatus mae_confusion_write(const MaeConfusion *confusion, const MaeClasses *names,
                              const char *folder, MaeError *err)
{
    static const char *const files[] = {"confusion.csv", "confusion.png"};
    char paths[2][4096];

    MAE_TRY(expect_cells(confusion, err));
    assert(names->count == confusion->classes);
    for (size_t i = 0; i < 2; i++) {
        const int n = snprintf(paths[i], sizeof paths[i], "%s/%s", folder, files[i]);

        if (n < 0 || (size_t)n >= sizeof paths[i])
            MAE_FAIL(err, MAE_ERR_ARG, "confusion matrix: path is too long: %.80s...",
                     folder);
    }
    MAE_TRY(mae_file_make_folders(folder, err));
    MAE_TRY(write_csv(confusion, names, paths[0], err));
    return write_png(confusion, paths[1], err);
}
