#include "common/eval_head.h"

#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "store/file.h"

enum { NAME = 24, PATH = 4096 };

/* A picture among the images that are read would be one of them next time. */
static MaeStatus open_folder(const char *folder, const char *const data[2], MaeError *err)
{
    char file[PATH];
    const int n = snprintf(file, sizeof file, "%s/confusion.png", folder);

    if (n < 0 || (size_t)n >= sizeof file)
        MAE_FAIL(err, MAE_ERR_ARG, "--confusion: path is too long: %.80s...", folder);
    for (size_t i = 0; i < 2; i++) {
        if (data[i] == NULL)
            continue;
        MAE_TRY(mae_file_check_outside(folder, data[i], err));
    }
    return mae_file_make_folders(folder, err);
}

MaeStatus eval_head_open(EvalHead *head, const FeatureSource *source, const char *folder,
                         const char *const data[2], MaeError *err)
{
    *head = (EvalHead){.model = feature_source_classifier(source), .folder = folder};
    if (folder != NULL && head->model == NULL)
        MAE_FAIL(err, MAE_ERR_ARG, "--confusion: expected a classifier, %s is none",
                 source->tool->args.operands[0]);
    if (head->model == NULL)
        return MAE_OK;
    MAE_TRY(mae_confusion_open(&head->confusion, head->model->arch.classes, err));
    if (folder != NULL && head->confusion.cells == NULL)
        MAE_FAIL(err, MAE_ERR_ARG, "--confusion: expected at most %d classes, got %zu",
                 MAE_CONFUSION_MAX, head->confusion.classes);
    return folder != NULL ? open_folder(folder, data, err) : MAE_OK;
}

void eval_head_close(EvalHead *head)
{
    mae_confusion_close(&head->confusion);
}

MaeStatus eval_head_score(EvalHead *head, const FeatureSource *source,
                          const MaeFeatures *features, const MaeDataset *ds,
                          const MaeCompute *compute, MaeError *err)
{
    const MaeClasses names = mae_dataset_classes(ds, "", "");

    head->ds = ds;
    MAE_TRY(mae_score_classifier(&head->accuracy, &head->confusion, head->model,
                                 source->loaded.weights, features, source->head, compute,
                                 err));
    return head->folder != NULL
               ? mae_confusion_write(&head->confusion, &names, head->folder, err)
               : MAE_OK;
}

/* --- text ------------------------------------------------------------------------- */

static double percent(double fraction)
{
    return 100.0 * fraction;
}

void eval_head_put_accuracy(const MaeAccuracy *acc)
{
    double low, high;

    mae_accuracy_interval(&low, &high, acc->top1, acc->count);
    (void)printf("  %5.2f +- %-4.2f", percent(mae_accuracy_top1(acc)),
                 percent(high - low) / 2.0);
}

static void put_class(const EvalHead *head, size_t c)
{
    const MaeConfusion *confusion = &head->confusion;
    char name[256];

    (void)snprintf(name, sizeof name, "%s", mae_dataset_class(head->ds, c));
    mae_text_tame(name);
    (void)printf("%-*s  %8llu  %6.2f  %9.2f  %6.2f\n", NAME, name,
                 (unsigned long long)confusion->labelled[c],
                 percent(mae_confusion_recall(confusion, c)),
                 percent(mae_confusion_precision(confusion, c)),
                 percent(mae_confusion_f1(confusion, c)));
}

void eval_head_print(const EvalHead *head)
{
    const MaeConfusion *confusion = &head->confusion;

    (void)printf("classifier      top-1");
    eval_head_put_accuracy(&head->accuracy);
    (void)printf("  top-5  %5.2f  macro F1  %5.2f  balanced  %5.2f  of %llu images\n",
                 percent(mae_accuracy_top5(&head->accuracy)),
                 percent(mae_confusion_macro_f1(confusion)),
                 percent(mae_confusion_balanced(confusion)),
                 (unsigned long long)head->accuracy.count);
    (void)printf("%-*s  %8s  %6s  %9s  %6s\n", NAME, "class", "images", "recall",
                 "precision", "F1");
    for (size_t c = 0; c < confusion->classes; c++)
        put_class(head, c);
}

/* --- JSON ------------------------------------------------------------------------- */

MaeJson *eval_head_accuracy_json(const MaeAccuracy *acc)
{
    MaeJson *value = mae_json_object(), *interval = mae_json_array();
    double low, high;

    mae_accuracy_interval(&low, &high, acc->top1, acc->count);
    mae_json_append(interval, mae_json_real(low));
    mae_json_append(interval, mae_json_real(high));
    mae_json_set_real(value, "top1", mae_accuracy_top1(acc));
    mae_json_set(value, "top1_interval", interval);
    mae_json_set_real(value, "top5", mae_accuracy_top5(acc));
    return value;
}

static MaeJson *class_json(const EvalHead *head, size_t c)
{
    const MaeConfusion *confusion = &head->confusion;
    MaeJson *value = mae_json_object();

    mae_json_set_text(value, "class", mae_dataset_class(head->ds, c));
    mae_json_set_int(value, "images", (int64_t)confusion->labelled[c]);
    mae_json_set_real(value, "recall", mae_confusion_recall(confusion, c));
    mae_json_set_real(value, "precision", mae_confusion_precision(confusion, c));
    mae_json_set_real(value, "f1", mae_confusion_f1(confusion, c));
    return value;
}

MaeJson *eval_head_json(const EvalHead *head)
{
    MaeJson *value = eval_head_accuracy_json(&head->accuracy), *list = mae_json_array();

    mae_json_set_real(value, "macro_f1", mae_confusion_macro_f1(&head->confusion));
    mae_json_set_real(value, "balanced_accuracy",
                      mae_confusion_balanced(&head->confusion));
    for (size_t c = 0; c < head->confusion.classes; c++)
        mae_json_append(list, class_json(head, c));
    mae_json_set(value, "per_class", list);
    return value;
}
