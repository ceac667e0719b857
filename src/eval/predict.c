#include "eval/predict.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>

void mae_predict_softmax(float *logits, size_t classes)
{
    float most = logits[0];
    double sum = 0.0;

    for (size_t k = 1; k < classes; k++)
        most = logits[k] > most ? logits[k] : most;
    for (size_t k = 0; k < classes; k++)
        sum += exp((double)logits[k] - (double)most);
    for (size_t k = 0; k < classes; k++)
        logits[k] = (float)(exp((double)logits[k] - (double)most) / sum);
}

void mae_predict_top(size_t *best, size_t n, const float *p, size_t classes)
{
    size_t have = 0;

    assert(n <= classes);
    for (size_t k = 0; k < classes; k++) {
        size_t at = have;

        if (have == n && (n == 0 || p[k] <= p[best[n - 1]]))
            continue;
        if (have < n)
            have++;
        else
            at = n - 1;
        for (; at > 0 && p[k] > p[best[at - 1]]; at--)
            best[at] = best[at - 1];
        best[at] = k;
    }
}

/* A pass. */
typedef struct Pass {
    const MaePredictor *predictor;
    const MaePredictSink *sink;
    const MaeDataset *ds;
    float *p;    /* [K] */
    float *head; /* [K,D] and bias [K], a batch norm folded in */
} Pass;

/* Logits of one image, so that their bits depend on nothing else. */
static void logits_of(const Pass *pass, const float *feature)
{
    const size_t classes = pass->predictor->model->head.out;
    const size_t width = pass->predictor->model->head.in;

    mae_gemm_nt(pass->predictor->gemm, mae_operand_f32(pass->p), classes, feature, width,
                pass->head, width, 1, classes, width, pass->head + classes * width, NULL);
}

/* Finite features, but logits beyond the floats: there is nothing to choose from. */
static MaeStatus expect_finite(const Pass *pass, size_t sample, MaeError *err)
{
    for (size_t k = 0; k < pass->predictor->model->head.out; k++) {
        char name[128];

        if (isfinite(pass->p[k]))
            continue;
        mae_dataset_name(pass->ds, sample, name, sizeof name);
        MAE_FAIL(err, MAE_ERR_NUMERIC,
                 "logits of %s: expected finite numbers, got %g; the weights of the head "
                 "are damaged or too large",
                 name, (double)pass->p[k]);
    }
    return MAE_OK;
}

static MaeStatus take(void *ctx, const MaeFeatureRows *rows, MaeError *err)
{
    const Pass *pass = ctx;
    const MaePredictor *by = pass->predictor;
    const size_t offset = by->feature * by->model->head.in;

    for (size_t i = 0; i < rows->count; i++) {
        logits_of(pass, rows->values + i * rows->stride + offset);
        MAE_TRY(expect_finite(pass, rows->samples[i], err));
        mae_predict_softmax(pass->p, by->model->head.out);
        MAE_TRY(pass->sink->take(pass->sink->ctx, rows->samples[i], pass->p, err));
    }
    return MAE_OK;
}

MaeStatus mae_predict(const MaePredictor *predictor, const MaeDataset *ds,
                      const MaeTransform *transform, const MaeFeaturesOptions *options,
                      const MaePredictSink *sink, size_t *bad, MaeError *err)
{
    const MaeLinear *head = &predictor->model->head;
    Pass pass = {.predictor = predictor,
                 .sink = sink,
                 .ds = ds,
                 .p = malloc(head->out * sizeof *pass.p),
                 .head = malloc(head->out * (head->in + 1) * sizeof *pass.head)};
    const MaeFeatureSink rows = {take, &pass};
    MaeStatus status;

    if (pass.p == NULL || pass.head == NULL) {
        status = mae_error_set(err, MAE_ERR_NOMEM, __FILE__, __LINE__,
                               "predictions: out of memory for %zu classes", head->out);
    } else {
        mae_classifier_fold(predictor->model, predictor->w, pass.head,
                            pass.head + head->out * head->in);
        status = mae_features_each(predictor->embedder, ds, transform, options, &rows,
                                   bad, err);
    }
    free(pass.p);
    free(pass.head);
    return status;
}
