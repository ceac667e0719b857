#include "common/predict_report.h"

#include <stdlib.h>
#include <string.h>

#include "base/text.h"

enum { NUMBER = 24, WIDEST = 24 };

MaeStatus predict_report_check(const PredictChoice *choice, MaeError *err)
{
    if (choice->csv != NULL && choice->pseudo != NULL)
        MAE_FAIL(err, MAE_ERR_ARG,
                 "--csv: expected without --pseudo-label, got both; run twice");
    return MAE_OK;
}

/* --- names ------------------------------------------------------------------------ */

/* Name of a class, its number if it has none. */
static const char *class_of(const PredictReport *r, size_t label, char number[NUMBER])
{
    if (r->snapshot->class_names != NULL)
        return r->snapshot->class_names[label];
    (void)snprintf(number, NUMBER, "%zu", label);
    return number;
}

/* Where an image lies, as its user could name it. */
static void path_of(const PredictReport *r, size_t sample, char *text, size_t size)
{
    const char *kind = mae_dataset_info(r->ds)->kind;
    const size_t length = strlen(r->data);
    size_t used = 0;

    if (strcmp(kind, "flat") == 0)
        used = (size_t)snprintf(text, size, "%s%s", r->data,
                                r->data[length - 1] == '/' ? "" : "/");
    else if (strcmp(kind, "tar") == 0)
        used = (size_t)snprintf(text, size, "%s:", r->data);
    if (used < size)
        mae_dataset_name(r->ds, sample, text + used, size - used);
}

/* Columns that a name takes on a terminal; bytes that are no UTF-8 count as one. */
static int columns_of(const char *text)
{
    int columns = 0;

    while (*text != '\0') {
        const size_t size = mae_text_utf8(text, NULL);

        text += size > 0 ? size : 1;
        columns++;
    }
    return columns;
}

static int widest_class(const PredictReport *r)
{
    char number[NUMBER];
    int widest = 0;

    for (size_t i = 0; i < r->snapshot->arch.classes; i++) {
        const int columns = columns_of(class_of(r, i, number));

        widest = columns > widest ? columns : widest;
    }
    return widest < WIDEST ? widest : WIDEST;
}

/* A class's name, tamed and padded. */
static void put_class(const PredictReport *r, size_t label)
{
    char number[NUMBER], name[MAE_PSEUDO_NAME];

    (void)snprintf(name, sizeof name, "%s", class_of(r, label, number));
    mae_text_tame(name);
    (void)printf("%s%*s", name,
                 columns_of(name) < r->width ? r->width - columns_of(name) : 0, "");
}

/* --- one image -------------------------------------------------------------------- */

static void print_line(const PredictReport *r, const char *path, const float *p)
{
    char tame[MAE_PSEUDO_NAME];

    for (size_t i = 0; i < r->top; i++) {
        (void)printf("%6.2f %%  ", 100.0 * (double)p[r->best[i]]);
        put_class(r, r->best[i]);
        (void)printf("  ");
    }
    (void)snprintf(tame, sizeof tame, "%s", path);
    mae_text_tame(tame);
    (void)puts(tame);
}

static MaeStatus print_json(const PredictReport *r, const char *path, const float *p,
                            MaeError *err)
{
    MaeJson *root = mae_json_object(), *list = mae_json_array();
    char number[NUMBER];

    for (size_t i = 0; i < r->top; i++) {
        MaeJson *item = mae_json_object();

        mae_json_set_text(item, "class", class_of(r, r->best[i], number));
        mae_json_set_int(item, "label", (int64_t)r->best[i]);
        mae_json_set_real(item, "probability", (double)p[r->best[i]]);
        mae_json_append(list, item);
    }
    mae_json_set_text(root, "path", path);
    mae_json_set(root, "predictions", list);
    return mae_tool_print_json(root, 0, err);
}

static void put(PredictReport *r, const char *text)
{
    mae_output_append(&r->out, text, strlen(text));
}

static void put_row(PredictReport *r, const char *path, const float *p)
{
    char number[NUMBER], text[2 * NUMBER];

    mae_csv_text(&r->out, path);
    for (size_t i = 0; i < r->top; i++) {
        (void)snprintf(text, sizeof text, ",%zu,", r->best[i]);
        put(r, text);
        mae_csv_text(&r->out, class_of(r, r->best[i], number));
        (void)snprintf(text, sizeof text, ",%.9g", (double)p[r->best[i]]);
        put(r, text);
    }
    put(r, "\n");
}

static void put_pseudo(PredictReport *r, size_t sample, const float *p)
{
    char number[NUMBER];
    const MaePseudoLabel row = {.sample = sample,
                                .label = r->best[0],
                                .class_name = class_of(r, r->best[0], number),
                                .confidence = (double)p[r->best[0]]};

    if (row.confidence < r->choice->min_confidence)
        return;
    mae_pseudo_add(&r->out, r->ds, &row);
    r->per_class[row.label]++;
}

MaeStatus predict_report_take(void *ctx, size_t sample, const float *p, MaeError *err)
{
    PredictReport *r = ctx;
    char path[MAE_PSEUDO_NAME];

    mae_predict_top(r->best, r->top, p, r->snapshot->arch.classes);
    path_of(r, sample, path, sizeof path);
    r->images++;
    if (r->choice->pseudo != NULL)
        put_pseudo(r, sample, p);
    else if (r->choice->csv != NULL)
        put_row(r, path, p);
    if (r->writing)
        return mae_output_check(&r->out, err);
    if (r->tool->args.json)
        MAE_TRY(print_json(r, path, p, err));
    else
        print_line(r, path, p);
    if (ferror(stdout))
        MAE_FAIL(err, MAE_ERR_IO, "standard output: cannot write");
    return MAE_OK;
}

/* --- all -------------------------------------------------------------------------- */

static void put_head(PredictReport *r)
{
    char text[3 * NUMBER];

    put(r, "path,label,class,probability");
    for (size_t i = 2; i <= r->top; i++) {
        (void)snprintf(text, sizeof text, ",label_%zu,class_%zu,probability_%zu", i, i,
                       i);
        put(r, text);
    }
    put(r, "\n");
}

MaeStatus predict_report_open(PredictReport *r, const MaeTool *tool,
                              const PredictChoice *choice, const MaeSnapshot *snapshot,
                              MaeError *err)
{
    const size_t classes = snapshot->arch.classes;

    *r = (PredictReport){.tool = tool, .choice = choice, .snapshot = snapshot};
    r->checkpoint = tool->args.operands[0];
    r->top = choice->pseudo != NULL ? 1 : choice->top < classes ? choice->top : classes;
    r->best = malloc(r->top * sizeof *r->best);
    r->per_class = calloc(classes, sizeof *r->per_class);
    if (r->best == NULL || r->per_class == NULL)
        MAE_FAIL(err, MAE_ERR_NOMEM, "out of memory for %zu classes", classes);
    r->width = widest_class(r);
    if (choice->csv == NULL)
        return MAE_OK;
    MAE_TRY(mae_output_open(&r->out, choice->csv, NULL, err));
    r->writing = true;
    put_head(r);
    return MAE_OK;
}

MaeStatus predict_report_begin(PredictReport *r, const MaeDataset *ds, const char *data,
                               MaeError *err)
{
    r->ds = ds;
    r->data = data;
    if (r->choice->pseudo == NULL)
        return MAE_OK;
    MAE_TRY(mae_pseudo_create(&r->out, r->choice->pseudo, ds, data, r->checkpoint, err));
    r->writing = true;
    return MAE_OK;
}

static size_t labelled(const PredictReport *r)
{
    size_t sum = 0;

    for (size_t i = 0; i < r->snapshot->arch.classes; i++)
        sum += r->per_class[i];
    return sum;
}

static void print_pseudo(const PredictReport *r)
{
    (void)printf("%s: %zu of %zu images labelled, with a confidence of %g or more\n",
                 r->choice->pseudo, labelled(r), r->images, r->choice->min_confidence);
    for (size_t i = 0; i < r->snapshot->arch.classes; i++) {
        (void)printf("  ");
        put_class(r, i);
        (void)printf("  %zu\n", r->per_class[i]);
    }
}

static MaeJson *classes_json(const PredictReport *r)
{
    MaeJson *list = mae_json_array();
    char number[NUMBER];

    for (size_t i = 0; i < r->snapshot->arch.classes; i++) {
        MaeJson *item = mae_json_object();

        mae_json_set_text(item, "class", class_of(r, i, number));
        mae_json_set_int(item, "images", (int64_t)r->per_class[i]);
        mae_json_append(list, item);
    }
    return list;
}

static MaeStatus print_file_json(const PredictReport *r, size_t bad, MaeError *err)
{
    const PredictChoice *choice = r->choice;
    MaeJson *root = mae_json_object();

    mae_json_set_text(root, "checkpoint", r->checkpoint);
    mae_json_set_text(root, "out", choice->pseudo != NULL ? choice->pseudo : choice->csv);
    mae_json_set_int(root, "images", (int64_t)r->images);
    mae_json_set_int(root, "left_out", (int64_t)bad);
    if (choice->pseudo != NULL) {
        mae_json_set_text(root, "data", r->data);
        mae_json_set_real(root, "min_confidence", choice->min_confidence);
        mae_json_set_int(root, "labelled", (int64_t)labelled(r));
        mae_json_set(root, "classes", classes_json(r));
    }
    return mae_tool_print_json(root, 0, err);
}

MaeStatus predict_report_end(PredictReport *r, size_t bad, MaeError *err)
{
    if (!r->writing)
        return MAE_OK;
    r->writing = false;
    MAE_TRY(mae_output_commit(&r->out, err));
    if (r->tool->args.json)
        return print_file_json(r, bad, err);
    if (r->choice->pseudo != NULL)
        print_pseudo(r);
    else
        (void)printf("%s: %zu images\n", r->choice->csv, r->images);
    return MAE_OK;
}

void predict_report_close(PredictReport *r)
{
    if (r->writing)
        mae_output_abort(&r->out);
    free(r->best);
    free(r->per_class);
    *r = (PredictReport){.tool = NULL};
}
