#include "eval/report_confusion.h"

#include <math.h>

#define PAIRS 10
#define FOLDED 40 /* more classes than this are shown on demand */
#define COUNT(array) (sizeof(array) / sizeof *(array))

typedef struct Pair {
    size_t label, guess;
    uint32_t images;
} Pair;

static void add_percent(MaeReport *report, double fraction)
{
    if (isnan(fraction))
        mae_report_cell(report, "-");
    else
        mae_report_cell(report, "%.1f %%", 100.0 * fraction);
}

static void add_classes(MaeReport *report, const MaeConfusion *confusion,
                        const MaeClasses *names)
{
    static const MaeReportColumn columns[] = {{"Class", false},
                                              {"Images", true},
                                              {"Recall", true},
                                              {"Precision", true},
                                              {"F1", true}};

    mae_report_table(report, &(MaeReportTable){.caption = "Scores of each class",
                                               .columns = columns,
                                               .column_count = COUNT(columns),
                                               .folded = confusion->classes > FOLDED});
    for (size_t c = 0; c < confusion->classes; c++) {
        mae_report_cell(report, "%s", mae_classes_name(names, c));
        mae_report_cell(report, "%llu", (unsigned long long)confusion->labelled[c]);
        add_percent(report, mae_confusion_recall(confusion, c));
        add_percent(report, mae_confusion_precision(confusion, c));
        add_percent(report, mae_confusion_f1(confusion, c));
    }
}

/* Keep the most frequent pairs; of equal ones those that come first. */
static void note(Pair *pairs, size_t *count, Pair pair)
{
    size_t at = *count;

    while (at > 0 && pairs[at - 1].images < pair.images)
        at--;
    if (at == PAIRS)
        return;
    if (*count < PAIRS)
        ++*count;
    for (size_t i = *count - 1; i > at; i--)
        pairs[i] = pairs[i - 1];
    pairs[at] = pair;
}

static void add_pairs(MaeReport *report, const MaeConfusion *confusion,
                      const MaeClasses *names)
{
    static const MaeReportColumn columns[] = {
        {"Images of", false}, {"Taken for", false}, {"Images", true}, {"Share", true}};
    const size_t k = confusion->classes;
    Pair pairs[PAIRS];
    size_t count = 0;

    for (size_t i = 0; i < k * k; i++) {
        if (confusion->cells[i] > 0 && i / k != i % k)
            note(pairs, &count, (Pair){i / k, i % k, confusion->cells[i]});
    }
    if (count == 0)
        return;
    mae_report_table(report, &(MaeReportTable){.caption = "Confused most often",
                                               .columns = columns,
                                               .column_count = COUNT(columns)});
    for (size_t i = 0; i < count; i++) {
        mae_report_cell(report, "%s", mae_classes_name(names, pairs[i].label));
        mae_report_cell(report, "%s", mae_classes_name(names, pairs[i].guess));
        mae_report_cell(report, "%lu", (unsigned long)pairs[i].images);
        add_percent(report, (double)pairs[i].images /
                                (double)confusion->labelled[pairs[i].label]);
    }
}

static MaeStatus add_matrix(MaeReport *report, const MaeConfusion *confusion,
                            MaeError *err)
{
    const char *label = "rows are labels, columns predictions, in the order of the table";
    MaeImage image = {0};
    const MaeStatus status = mae_confusion_draw(&image, confusion, err);

    if (status == MAE_OK)
        mae_report_figure(report, &(MaeReportFigure){
                                      .id = "confusion",
                                      .title = "Confusion matrix",
                                      .caption = "Bright: a large share of the images of "
                                                 "a class. A perfect classifier shows "
                                                 "its diagonal alone.",
                                      .images = &image,
                                      .labels = &label,
                                      .count = 1});
    mae_image_done(&image);
    return status;
}

MaeStatus mae_report_confusion(MaeReport *report, const MaeConfusion *confusion,
                               const MaeClasses *names, MaeError *err)
{
    if (isnan(mae_confusion_macro_f1(confusion)))
        return MAE_OK;
    mae_report_section(report, "classes", "Classes");
    add_classes(report, confusion, names);
    if (confusion->cells == NULL)
        return MAE_OK;
    add_pairs(report, confusion, names);
    return add_matrix(report, confusion, err);
}
