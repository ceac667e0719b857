#include "eval/accuracy.h"

#include <math.h>

/* Classes that rank before the label; K if the row cannot be ranked. */
static size_t label_rank(const float *logits, int64_t label, size_t classes)
{
    size_t rank = 0;

    if (label < 0 || (uint64_t)label >= classes)
        return classes;
    for (size_t j = 0; j < classes; j++) {
        if (isnan(logits[j]))
            return classes;
        rank += logits[j] > logits[label] ||
                (logits[j] == logits[label] && j < (size_t)label);
    }
    return rank;
}

void mae_accuracy_add(MaeAccuracy *acc, const float *logits, const int64_t *labels,
                      size_t batch, size_t classes)
{
    const size_t five = classes < 5 ? classes : 5;

    for (size_t b = 0; b < batch; b++, logits += classes) {
        const size_t rank = label_rank(logits, labels[b], classes);

        acc->top1 += rank < 1 && rank < classes;
        acc->top5 += rank < five;
    }
    acc->count += batch;
}

void mae_accuracy_merge(MaeAccuracy *acc, const MaeAccuracy *other)
{
    acc->count += other->count;
    acc->top1 += other->top1;
    acc->top5 += other->top5;
}

static double fraction(uint64_t part, uint64_t count)
{
    return count > 0 ? (double)part / (double)count : (double)NAN;
}

double mae_accuracy_top1(const MaeAccuracy *acc)
{
    return fraction(acc->top1, acc->count);
}

double mae_accuracy_top5(const MaeAccuracy *acc)
{
    return fraction(acc->top5, acc->count);
}

void mae_accuracy_interval(double *low, double *high, uint64_t right, uint64_t count)
{
    const double z = 1.959963984540054, n = (double)count, p = fraction(right, count);
    const double centre = p + z * z / (2.0 * n);
    const double half = z * sqrt(p * (1.0 - p) / n + z * z / (4.0 * n * n));

    *low = (centre - half) / (1.0 + z * z / n);
    *high = (centre + half) / (1.0 + z * z / n);
}
