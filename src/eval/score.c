#include "eval/score.h"

#include <math.h>
#include <stdlib.h>

#include "eval/probe.h"

/* One feature of both sets, and room for the scores of all classes. */
typedef struct Task {
    const MaeFeatures *train, *test;
    size_t feature, classes;
    const MaeScoreOptions *options;
    const MaeCompute *compute;
    float *logits; /* [Q,classes] */
} Task;

static void count(MaeAccuracy *accuracy, const Task *t)
{
    *accuracy = (MaeAccuracy){0};
    mae_accuracy_add(accuracy, t->logits, t->test->labels, t->test->count, t->classes);
}

/* --- neighbours ------------------------------------------------------------------- */

static MaeKnnSet rows_of(const MaeFeatures *features, size_t feature)
{
    return (MaeKnnSet){mae_features_at(features, feature), mae_features_stride(features),
                       features->count};
}

static MaeStatus use_neighbours(MaeScores *scores, const Task *t,
                                const MaeKnnFound *found, MaeError *err)
{
    if (t->options->knn) {
        mae_knn_vote(t->logits, found, t->train->labels, t->options->k, t->classes,
                     t->options->temperature);
        count(&scores->knn, t);
    }
    if (!t->options->retrieval)
        return MAE_OK;
    return mae_retrieval_score(&scores->retrieval, found, t->test->labels,
                               t->train->labels, t->train->count, t->options->retrieved,
                               MAE_KNN_OTHERS, err);
}

static MaeStatus find_neighbours(MaeScores *scores, const Task *t, MaeError *err)
{
    const MaeKnnSet queries = rows_of(t->test, t->feature);
    const MaeKnnSet memory = rows_of(t->train, t->feature);
    const size_t votes = t->options->knn ? t->options->k : 0;
    const size_t seen = t->options->retrieval ? t->options->retrieved : 0;
    const size_t k = votes > seen ? votes : seen;
    uint32_t *index;
    float *similarity;
    MaeStatus status;

    if (k > memory.count)
        MAE_FAIL(err, MAE_ERR_ARG,
                 "k: expected at most %zu, the training images, got %zu", memory.count,
                 k);
    index = malloc(queries.count * k * sizeof *index);
    similarity = malloc(queries.count * k * sizeof *similarity);
    if (index == NULL || similarity == NULL)
        status =
            mae_error_set(err, MAE_ERR_NOMEM, __FILE__, __LINE__,
                          "neighbours: out of memory for %zu x %zu", queries.count, k);
    else
        status = mae_knn_search(index, similarity, &queries, &memory, t->train->width, k,
                                MAE_KNN_OTHERS, t->compute, err);
    if (status == MAE_OK)
        status = use_neighbours(scores, t,
                                &(MaeKnnFound){index, similarity, k, queries.count}, err);
    free(index);
    free(similarity);
    return status;
}

/* --- probes ----------------------------------------------------------------------- */

typedef MaeStatus (*Fit)(MaeProbe *probe, const MaeProbeSet *train, size_t width,
                         size_t classes, const MaeCompute *compute, MaeError *err);

static MaeStatus probe(MaeAccuracy *accuracy, MaeScores *scores, Fit fit, const Task *t,
                       MaeError *err)
{
    const MaeProbeSet train = {mae_features_at(t->train, t->feature),
                               mae_features_stride(t->train), t->train->labels,
                               t->train->count};
    MaeProbe fitted = {0};
    MaeStatus status = fit(&fitted, &train, t->train->width, t->classes, t->compute, err);

    if (status == MAE_OK)
        status = mae_probe_logits(
            &fitted, t->logits, mae_features_at(t->test, t->feature),
            mae_features_stride(t->test), t->test->count, t->compute, err);
    if (status == MAE_OK)
        count(accuracy, t);
    if (fit == mae_probe_ridge) {
        scores->lambda = fitted.lambda;
    } else {
        scores->iterations = fitted.iterations;
        scores->grad_max = fitted.grad_max;
    }
    mae_probe_done(&fitted);
    return status;
}

static MaeStatus score(MaeScores *scores, const Task *t, MaeError *err)
{
    if (t->options->knn || t->options->retrieval)
        MAE_TRY(find_neighbours(scores, t, err));
    if (t->options->ridge)
        MAE_TRY(probe(&scores->ridge, scores, mae_probe_ridge, t, err));
    if (t->options->logistic)
        MAE_TRY(probe(&scores->logistic, scores, mae_probe_logistic, t, err));
    return MAE_OK;
}

static MaeStatus allocate(float **logits, size_t rows, size_t classes, MaeError *err)
{
    *logits = malloc(rows * classes * sizeof **logits);
    if (*logits == NULL)
        MAE_FAIL(err, MAE_ERR_NOMEM, "scores: out of memory for %zu images x %zu classes",
                 rows, classes);
    return MAE_OK;
}

MaeStatus mae_score_feature(MaeScores *scores, const MaeFeatures *train,
                            const MaeFeatures *test, size_t feature, size_t classes,
                            const MaeScoreOptions *options, const MaeCompute *compute,
                            MaeError *err)
{
    Task t = {train, test, feature, classes, options, compute, NULL};
    MaeScores made = {.retrieval = {(double)NAN, (double)NAN, (double)NAN, 0}};
    MaeStatus status;

    MAE_TRY(allocate(&t.logits, test->count, classes, err));
    status = score(&made, &t, err);
    free(t.logits);
    if (status == MAE_OK)
        *scores = made;
    return status;
}

MaeStatus mae_score_classifier(MaeAccuracy *accuracy, MaeConfusion *confusion,
                               const MaeClassifier *model, const float *w,
                               const MaeFeatures *features, size_t feature,
                               const MaeCompute *compute, MaeError *err)
{
    const MaeLinear *head = &model->head;
    const size_t classes = head->out, width = head->in, rows = features->count;
    float *logits, *folded; /* folded: weight, then bias */
    MaeStatus status;

    MAE_TRY(allocate(&logits, rows, classes, err));
    status = allocate(&folded, classes, width + 1, err);
    if (status == MAE_OK) {
        mae_classifier_fold(model, w, folded, folded + classes * width);
        mae_gemm_nt(compute->gemm, mae_operand_f32(logits), classes,
                    mae_features_at(features, feature), mae_features_stride(features),
                    folded, width, rows, classes, width, folded + classes * width, NULL);
        *accuracy = (MaeAccuracy){0};
        mae_accuracy_add(accuracy, logits, features->labels, rows, classes);
        if (confusion != NULL)
            mae_confusion_add(confusion, logits, features->labels, rows);
    }
    free(folded);
    free(logits);
    return status;
}
