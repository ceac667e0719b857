#include "common/eval_report.h"

#include <stdio.h>
#include <string.h>

#include "eval/probe.h"

enum { NAME = 64, COLUMN = 14 };

MaeStatus eval_report_probes(MaeScoreOptions *o, const char *list, MaeError *err)
{
    const struct {
        const char *name;
        bool *wanted;
    } probes[] = {{"knn", &o->knn},
                  {"ridge", &o->ridge},
                  {"logistic", &o->logistic},
                  {"retrieval", &o->retrieval}};

    for (const char *at = list;; at++) {
        const size_t length = strcspn(at, ",");
        size_t i = 0;

        while (i < 4 && (strlen(probes[i].name) != length ||
                         strncmp(probes[i].name, at, length) != 0))
            i++;
        if (i == 4)
            MAE_FAIL(err, MAE_ERR_ARG,
                     "--probes: expected some of knn,ridge,logistic,retrieval, got '%s'",
                     list);
        *probes[i].wanted = true;
        at += length;
        if (*at == '\0')
            return MAE_OK;
    }
}

MaeStatus eval_report_counts(const MaeScoreOptions *o, size_t images, MaeError *err)
{
    if (o->knn && o->k > images)
        MAE_FAIL(err, MAE_ERR_ARG,
                 "--k: expected at most %zu, the training images, got %zu", images, o->k);
    if (o->retrieval && o->retrieved > images)
        MAE_FAIL(err, MAE_ERR_ARG,
                 "--retrieved: expected at most %zu, the training images, got %zu",
                 images, o->retrieved);
    return MAE_OK;
}

static void set_default(size_t *count, size_t usual, size_t images, bool wanted,
                        const char *option, const MaeLog *log)
{
    if (*count > 0)
        return;
    *count = usual < images ? usual : images;
    if (wanted && *count < usual)
        mae_log(log, MAE_LOG_INFO,
                "--%s: %zu instead of %zu, there are no more training "
                "images",
                option, *count, usual);
}

MaeStatus eval_report_defaults(MaeScoreOptions *o, size_t images, const MaeLog *log,
                               MaeError *err)
{
    set_default(&o->k, 20, images, o->knn, "k", log);
    set_default(&o->retrieved, 10, images, o->retrieval, "retrieved", log);
    return eval_report_counts(o, images, err);
}

/* --- table ------------------------------------------------------------------------ */

static double percent(double fraction)
{
    return 100.0 * fraction;
}

static void put_top5(const MaeAccuracy *acc)
{
    (void)printf("  %5.2f", percent(mae_accuracy_top5(acc)));
}

static void put_head(const MaeScoreOptions *o)
{
    (void)printf("%-*s", COLUMN, "feature");
    if (o->knn)
        (void)printf("  %-13s  %5s", "kNN top-1", "top-5");
    if (o->ridge)
        (void)printf("  %-13s", "ridge top-1");
    if (o->logistic)
        (void)printf("  %-13s", "logistic");
    if (o->retrieval)
        (void)printf("  P@%-4zu  R@%-5zu  mAP@%-3zu", o->retrieved, o->retrieved,
                     o->retrieved);
    (void)putchar('\n');
}

static void put_row(const EvalReport *r, size_t feature)
{
    const MaeScoreOptions *o = r->options;
    const MaeScores *s = &r->scores[feature];
    char name[NAME];

    mae_features_name(r->spec, feature, name, sizeof name);
    (void)printf("%-*s", COLUMN, name);
    if (o->knn) {
        eval_head_put_accuracy(&s->knn);
        put_top5(&s->knn);
    }
    if (o->ridge)
        eval_head_put_accuracy(&s->ridge);
    if (o->logistic)
        eval_head_put_accuracy(&s->logistic);
    if (o->retrieval)
        (void)printf("  %6.2f  %7.4f  %7.2f", percent(s->retrieval.precision),
                     percent(s->retrieval.recall), percent(s->retrieval.map));
    (void)putchar('\n');
}

/* What was cut short is a lower bound. */
static void put_unfinished(const EvalReport *r)
{
    char name[NAME];

    for (size_t i = 0; i < r->spec->count; i++) {
        const MaeScores *s = &r->scores[i];

        mae_features_name(r->spec, i, name, sizeof name);
        if (s->grad_max > MAE_PROBE_TOLERANCE)
            (void)printf("logistic of %s: cut short after %zu iterations (gradient %.1g, "
                         "done at %g)\n",
                         name, s->iterations, s->grad_max, MAE_PROBE_TOLERANCE);
    }
}

static void put_retrieval(size_t k)
{
    (void)printf(
        "retrieval: of the %zu nearest training images, P@%zu: how many have the "
        "image's class;\n    R@%zu: how many of that class they are (small, "
        "classes have more images than %zu);\n    mAP@%zu: mean precision at "
        "each hit, so early hits count more\n",
        k, k, k, k, k);
}

static void print_text(const EvalReport *r)
{
    if (r->head->model != NULL)
        eval_head_print(r->head);
    if (r->scores == NULL)
        return;
    put_head(r->options);
    for (size_t i = 0; i < r->spec->count; i++)
        put_row(r, i);
    (void)printf("percent of %zu test images; %zu training images, %zu classes%s\n",
                 r->test_count, r->train_count, r->classes,
                 r->random ? "; random weights" : "");
    (void)printf(
        "+-: half of Wilson's 95 %% interval; it tells what another draw of test "
        "images would change,\n    not another training run\n");
    if (r->options->knn)
        (void)printf("kNN: k = %zu, temperature %g, cosine similarity\n", r->options->k,
                     r->options->temperature);
    if (r->options->retrieval)
        put_retrieval(r->options->retrieved);
    if (r->options->logistic)
        put_unfinished(r);
    if (r->sheet != NULL)
        (void)printf("%s: first column test images, then their nearest training images "
                     "by the last feature;\n    green frames: same class, red: another\n",
                     r->sheet);
}

/* --- JSON ------------------------------------------------------------------------- */

static MaeJson *retrieval_json(const MaeRetrieval *retrieval, size_t k)
{
    MaeJson *value = mae_json_object();

    mae_json_set_int(value, "k", (int64_t)k);
    mae_json_set_real(value, "precision", retrieval->precision);
    mae_json_set_real(value, "recall", retrieval->recall);
    mae_json_set_real(value, "map", retrieval->map);
    mae_json_set_int(value, "queries", (int64_t)retrieval->queries);
    return value;
}

static MaeJson *feature_json(const EvalReport *r, size_t feature)
{
    const MaeScoreOptions *o = r->options;
    const MaeScores *s = &r->scores[feature];
    MaeJson *value = mae_json_object(), *ridge, *logistic;
    char name[NAME];

    mae_features_name(r->spec, feature, name, sizeof name);
    mae_json_set_text(value, "feature", name);
    if (o->knn)
        mae_json_set(value, "knn", eval_head_accuracy_json(&s->knn));
    if (o->ridge) {
        ridge = eval_head_accuracy_json(&s->ridge);
        mae_json_set_real(ridge, "lambda", s->lambda);
        mae_json_set(value, "ridge", ridge);
    }
    if (o->logistic) {
        logistic = eval_head_accuracy_json(&s->logistic);
        mae_json_set_int(logistic, "iterations", (int64_t)s->iterations);
        mae_json_set_bool(logistic, "converged", s->grad_max <= MAE_PROBE_TOLERANCE);
        mae_json_set(value, "logistic", logistic);
    }
    if (o->retrieval)
        mae_json_set(value, "retrieval", retrieval_json(&s->retrieval, o->retrieved));
    return value;
}

static MaeStatus print_json(const EvalReport *r, MaeError *err)
{
    MaeJson *root = mae_json_object(), *list = mae_json_array();

    mae_json_set_text(root, "checkpoint", r->checkpoint);
    mae_json_set_text(root, "test", r->test);
    mae_json_set_int(root, "test_images", (int64_t)r->test_count);
    mae_json_set_int(root, "classes", (int64_t)r->classes);
    mae_json_set_bool(root, "random_weights", r->random);
    if (r->random)
        mae_json_set_int(root, "seed", (int64_t)r->seed);
    if (r->head->model != NULL)
        mae_json_set(root, "classifier", eval_head_json(r->head));
    if (r->scores != NULL) {
        mae_json_set_text(root, "train", r->train);
        mae_json_set_int(root, "train_images", (int64_t)r->train_count);
        mae_json_set_int(root, "k", (int64_t)r->options->k);
        mae_json_set_real(root, "temperature", r->options->temperature);
    }
    for (size_t i = 0; r->scores != NULL && i < r->spec->count; i++)
        mae_json_append(list, feature_json(r, i));
    if (r->sheet != NULL)
        mae_json_set_text(root, "contact_sheet", r->sheet);
    mae_json_set(root, "features", list);
    return mae_tool_print_json(root, 0, err);
}

MaeStatus eval_report_print(const EvalReport *report, bool json, MaeError *err)
{
    if (json)
        return print_json(report, err);
    print_text(report);
    return MAE_OK;
}
