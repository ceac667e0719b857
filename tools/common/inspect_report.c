#include "common/inspect_report.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "model/describe.h"

enum { LABEL = 14, CLASSES_SHOWN = 20 };

static void put(FILE *out, const char *text, size_t size, bool lines)
{
    for (size_t i = 0; i < size; i++) {
        const unsigned char c = (unsigned char)text[i];
        const bool control =
            (c < 0x20 && !(lines && (c == '\n' || c == '\t'))) || c == 0x7f;

        (void)fputc(control ? '?' : c, out);
    }
}

void inspect_report_text(FILE *out, const char *text)
{
    const size_t size = strlen(text);

    put(out, text, size, true);
    if (size > 0 && text[size - 1] != '\n')
        (void)fputc('\n', out);
}

static void label(FILE *out, const char *name)
{
    (void)fprintf(out, "%-*s", LABEL, name);
}

static void text_line(FILE *out, const char *name, const char *text)
{
    if (text[0] == '\0')
        return;
    label(out, name);
    put(out, text, strlen(text), false);
    (void)fputc('\n', out);
}

static void architecture(FILE *out, const MaeSnapshot *s)
{
    const MaeArch *a = &s->arch;

    label(out, "input");
    (void)fprintf(out, "%zu x %zu pixels, %zu channel%s, patches of %zu x %zu\n",
                  a->grid.height, a->grid.width, a->grid.channels,
                  a->grid.channels == 1 ? "" : "s", a->grid.patch, a->grid.patch);
    label(out, "encoder");
    (void)fprintf(out, "width %zu, depth %zu, %zu heads, MLP ratio %g\n", a->embed_dim,
                  a->depth, a->heads, a->mlp_ratio);
    if (s->kind == MAE_SNAPSHOT_AUTOENCODER) {
        label(out, "decoder");
        (void)fprintf(out, "width %zu, depth %zu, %zu heads\n", a->decoder_dim,
                      a->decoder_depth, a->decoder_heads);
        label(out, "objective");
        (void)fprintf(out, "%s, %g of the patches hidden\n",
                      a->norm_pix_loss ? "pixels normalised per patch (norm_pix_loss)"
                                       : "pixels",
                      s->mask_ratio);
    } else {
        label(out, "head");
        (void)fprintf(out, "%zu classes on the %s%s\n", a->classes,
                      a->pooling == MAE_POOL_CLS ? "class token" : "mean of the patches",
                      a->head == MAE_HEAD_BATCHNORM ? ", batch norm (linear probe)" : "");
    }
}

static void numbers(FILE *out, const char *name, const float *values, size_t count)
{
    label(out, name);
    for (size_t i = 0; i < count; i++)
        (void)fprintf(out, "%s%.6g", i > 0 ? ", " : "", (double)values[i]);
    (void)fputc('\n', out);
}

static void classes(FILE *out, const MaeSnapshot *s)
{
    if (s->class_names == NULL)
        return;
    label(out, "classes");
    for (size_t i = 0; i < s->arch.classes && i < CLASSES_SHOWN; i++) {
        (void)fputs(i > 0 ? ", " : "", out);
        put(out, s->class_names[i], strlen(s->class_names[i]), false);
    }
    if (s->arch.classes > CLASSES_SHOWN)
        (void)fprintf(out, " and %zu more", s->arch.classes - CLASSES_SHOWN);
    (void)fputc('\n', out);
}

static void progress(FILE *out, const MaeSnapshot *s)
{
    char duration[64];
    size_t size;
    const char *line = mae_describe_last_line(s->history, &size);

    mae_clock_duration(duration, sizeof duration, s->seconds);
    label(out, "trained");
    (void)fprintf(out, "%llu epochs", (unsigned long long)s->epoch);
    if (s->batch > 0)
        (void)fprintf(out, " and %llu batches", (unsigned long long)s->batch);
    (void)fprintf(out, ", %llu steps, %llu samples, %s\n", (unsigned long long)s->step,
                  (unsigned long long)s->samples, duration);
    if (isfinite(s->best)) {
        label(out, "best score");
        (void)fprintf(out, "%.6g\n", s->best);
    }
    if (line != NULL) {
        label(out, "last epoch");
        put(out, line, size, false);
        (void)fputc('\n', out);
    }
}

void inspect_report_summary(FILE *out, const char *path, const MaeSnapshot *snapshot,
                            const MaeParamTable *table)
{
    const size_t trainable = mae_param_trainable(table);
    const size_t total = mae_param_elements(table);

    text_line(out, "file", path);
    text_line(out, "kind", mae_snapshot_kind_name(snapshot->kind));
    architecture(out, snapshot);
    label(out, "parameters");
    (void)fprintf(out, "%zu: %zu trainable, %zu fixed\n", total, trainable,
                  total - trainable);
    if (snapshot->ema_decay > 0.0) {
        label(out, "weights");
        (void)fprintf(out, "averaged over the steps, decay %g\n", snapshot->ema_decay);
    }
    numbers(out, "mean", snapshot->mean, snapshot->arch.grid.channels);
    numbers(out, "std", snapshot->std, snapshot->arch.grid.channels);
    classes(out, snapshot);
    progress(out, snapshot);
    text_line(out, "written by", snapshot->tool);
    text_line(out, "version", snapshot->version);
    text_line(out, "backend", snapshot->backend);
}

/* NaN where a number is missing: JSON has none for it. */
static double real(const MaeJson *object, const char *key)
{
    double value = (double)NAN;

    (void)mae_json_get_real(object, key, &value);
    return value;
}

void inspect_report_tensors(FILE *out, const MaeJson *tensors)
{
    (void)fprintf(out, "%-38s %-18s %11s %11s %11s %11s\n", "tensor", "shape", "mean",
                  "std", "min", "max");
    for (size_t i = 0; i < mae_json_size(tensors); i++) {
        const MaeJson *tensor = mae_json_at(tensors, i);
        const char *name = mae_json_get_text(tensor, "name");
        char *shape = mae_json_dump(mae_json_get(tensor, "shape"), 0);

        (void)fprintf(out, "%-38s %-18s %11.4g %11.4g %11.4g %11.4g\n",
                      name != NULL ? name : "", shape != NULL ? shape : "",
                      real(tensor, "mean"), real(tensor, "std"), real(tensor, "min"),
                      real(tensor, "max"));
        free(shape);
    }
}
