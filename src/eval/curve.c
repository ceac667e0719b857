#include "eval/curve.h"

#include <math.h>
#include <stdlib.h>

void mae_curve_open(MaeCurve *curve)
{
    *curve = (MaeCurve){.newest = (double)NAN};
}

static void grow(MaeCurve *curve)
{
    const size_t capacity = curve->capacity > 0 ? 2 * curve->capacity : 256;
    double *x = realloc(curve->x, capacity * sizeof *x), *y;

    if (x != NULL)
        curve->x = x;
    y = realloc(curve->y, capacity * sizeof *y);
    if (y != NULL)
        curve->y = y;
    curve->failed = x == NULL || y == NULL;
    if (!curve->failed)
        curve->capacity = capacity;
}

static void put(MaeCurve *curve, size_t at, double x, double y)
{
    curve->x[at] = x;
    curve->y[at] = y;
}

static void push(MaeCurve *curve, double x, double y)
{
    if (curve->count == curve->capacity)
        grow(curve);
    if (!curve->failed)
        put(curve, curve->count++, x, y);
}

static void keep(MaeCurve *curve, size_t to, size_t from)
{
    put(curve, to, curve->x[from], curve->y[from]);
}

/* Full: its size is a multiple of four. */
static void thin(MaeCurve *curve)
{
    size_t left = 0;

    for (size_t first = 0; first < curve->count; first += 4) {
        size_t low = first, high = first;

        for (size_t i = first + 1; i < first + 4; i++) {
            if (curve->y[i] < curve->y[low])
                low = i;
            if (curve->y[i] >= curve->y[high])
                high = i;
        }
        keep(curve, left++, low < high ? low : high);
        keep(curve, left++, low < high ? high : low);
    }
    curve->count = left;
    curve->group = curve->group > 0 ? 2 * curve->group : 4;
    curve->open = curve->group;
}

/* The last two stand for one point more, which comes after both. */
static void join(MaeCurve *curve, double x, double y)
{
    const size_t first = curve->count - 2, second = curve->count - 1;
    const double low = fmin(curve->y[first], curve->y[second]);
    const double high = fmax(curve->y[first], curve->y[second]);

    if (y < low && curve->y[first] == low)
        keep(curve, first, second);
    if (y > high && curve->y[first] == high)
        keep(curve, first, second);
    if (y < low || y > high)
        put(curve, second, x, y);
    curve->open++;
}

void mae_curve_add(MaeCurve *curve, double x, double y)
{
    if (!isfinite(x) || !isfinite(y) || curve->failed)
        return;
    if (curve->count == MAE_CURVE_POINTS && curve->open == curve->group)
        thin(curve);
    curve->newest = y;
    if (curve->group == 0) {
        push(curve, x, y);
    } else if (curve->open < curve->group) {
        join(curve, x, y);
    } else {
        push(curve, x, y);
        push(curve, x, y);
        curve->open = 1;
    }
}

MaeStatus mae_curve_check(const MaeCurve *curve, MaeError *err)
{
    if (curve->failed)
        MAE_FAIL(err, MAE_ERR_NOMEM, "curve: out of memory after %zu points",
                 curve->count);
    return MAE_OK;
}

void mae_curve_close(MaeCurve *curve)
{
    if (curve == NULL)
        return;
    free(curve->x);
    free(curve->y);
    *curve = (MaeCurve){0};
}
