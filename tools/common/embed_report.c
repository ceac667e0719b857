#include "common/embed_report.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "store/csv.h"
#include "store/h5out.h"
#include "store/npy.h"

enum { NAME = 64, PATH = 4096, LINE = 8192 };

typedef MaeStatus (*Writer)(const EmbedReport *report, MaeError *err);

/* --- HDF5 ------------------------------------------------------------------------- */

static MaeStatus put_paths(MaeH5Out *out, const EmbedReport *r, MaeError *err)
{
    const size_t count = r->features->count;
    char **paths = calloc(count, sizeof *paths), text[PATH];
    MaeStatus status = MAE_OK;

    for (size_t i = 0; paths != NULL && i < count && status == MAE_OK; i++) {
        mae_dataset_name(r->ds, r->features->samples[i], text, sizeof text);
        paths[i] = malloc(strlen(text) + 1);
        if (paths[i] == NULL)
            status = MAE_ERR_NOMEM;
        else
            memcpy(paths[i], text, strlen(text) + 1);
    }
    if (paths == NULL || status != MAE_OK)
        status = mae_error_set(err, MAE_ERR_NOMEM, __FILE__, __LINE__,
                               "%s: out of memory for %zu paths", r->out, count);
    else
        mae_h5out_text_list(out, "paths", (const char *const *)paths, count);
    for (size_t i = 0; paths != NULL && i < count; i++)
        free(paths[i]);
    free(paths);
    return status;
}

static MaeStatus put_names(MaeH5Out *out, const EmbedReport *r, MaeError *err)
{
    const MaeDatasetInfo *info = mae_dataset_info(r->ds);
    char names[MAE_EMBED_FEATURES][NAME];
    const char *texts[MAE_EMBED_FEATURES], **classes;

    for (size_t i = 0; i < r->spec->count; i++) {
        mae_features_name(r->spec, i, names[i], NAME);
        texts[i] = names[i];
    }
    mae_h5out_text(out, "checkpoint", r->checkpoint);
    mae_h5out_text(out, "dataset", r->data);
    mae_h5out_texts(out, "feature_names", texts, r->spec->count);
    if (info->classes == 0)
        return MAE_OK;
    classes = calloc(info->classes, sizeof *classes);
    if (classes == NULL)
        MAE_FAIL(err, MAE_ERR_NOMEM, "%s: out of memory for %zu class names", r->out,
                 info->classes);
    for (size_t i = 0; i < info->classes; i++)
        classes[i] = mae_dataset_class(r->ds, i);
    mae_h5out_texts(out, "class_names", classes, info->classes);
    free(classes);
    return MAE_OK;
}

static MaeStatus write_h5(const EmbedReport *r, MaeError *err)
{
    const MaeFeatures *f = r->features;
    const size_t all[] = {f->count, f->features, f->width}, one[] = {f->count, f->width};
    MaeStatus status;
    MaeH5Out *out;

    MAE_TRY(mae_h5out_create(&out, r->out, err));
    mae_h5out_floats(out, "features", f->values, f->features > 1 ? all : one,
                     f->features > 1 ? 3 : 2);
    if (mae_dataset_info(r->ds)->labelled)
        mae_h5out_ints(out, "labels", f->labels, &f->count, 1);
    status = put_names(out, r, err);
    if (status == MAE_OK)
        status = put_paths(out, r, err);
    if (status == MAE_OK)
        return mae_h5out_commit(out, err);
    mae_h5out_abort(out);
    return status;
}

/* --- CSV and NPY ------------------------------------------------------------------ */

static void put_header(MaeOutput *out, const EmbedReport *r)
{
    char name[NAME], text[NAME + 32];

    mae_output_append(out, "path,label", 10);
    for (size_t i = 0; i < r->features->features; i++) {
        mae_features_name(r->spec, i, name, sizeof name);
        for (size_t d = 0; d < r->features->width; d++) {
            (void)snprintf(text, sizeof text, ",%s-%zu", name, d);
            mae_output_append(out, text, strlen(text));
        }
    }
    mae_output_append(out, "\n", 1);
}

static void put_row(MaeOutput *out, const EmbedReport *r, size_t row)
{
    const size_t stride = mae_features_stride(r->features);
    const int64_t label = r->features->labels[row];
    char text[LINE];
    size_t used = 0;

    mae_dataset_name(r->ds, r->features->samples[row], text, sizeof text);
    mae_csv_text(out, text);
    mae_output_append(out, ",", 1);
    if (label >= 0)
        mae_csv_text(out, mae_dataset_class(r->ds, (size_t)label));
    for (size_t d = 0; d < stride; d++) {
        used += (size_t)snprintf(text + used, sizeof text - used, ",%.9g",
                                 (double)r->features->values[row * stride + d]);
        if (used > LINE - NAME || d + 1 == stride) {
            mae_output_append(out, text, used);
            used = 0;
        }
    }
    mae_output_append(out, "\n", 1);
}

static MaeStatus write_csv(const EmbedReport *r, MaeError *err)
{
    MaeOutput out;

    MAE_TRY(mae_output_open(&out, r->out, NULL, err));
    put_header(&out, r);
    for (size_t i = 0; i < r->features->count; i++)
        put_row(&out, r, i);
    return mae_output_commit(&out, err);
}

static MaeStatus write_npy(const EmbedReport *r, MaeError *err)
{
    const MaeFeatures *f = r->features;
    const size_t all[] = {f->count, f->features, f->width}, one[] = {f->count, f->width};

    return mae_npy_write(r->out, f->values, f->features > 1 ? all : one,
                         f->features > 1 ? 3 : 2, err);
}

static Writer writer_of(const char *out)
{
    static const struct {
        const char *end;
        Writer write;
    } writers[] = {
        {".h5", write_h5}, {".hdf5", write_h5}, {".csv", write_csv}, {".npy", write_npy}};
    const size_t length = strlen(out);

    for (size_t i = 0; i < sizeof writers / sizeof *writers; i++) {
        const size_t end = strlen(writers[i].end);

        if (length > end && strcasecmp(out + length - end, writers[i].end) == 0)
            return writers[i].write;
    }
    return NULL;
}

MaeStatus embed_report_check(const char *out, MaeError *err)
{
    if (writer_of(out) == NULL)
        MAE_FAIL(err, MAE_ERR_ARG,
                 "--out: expected a name in .h5, .csv or .npy, got '%s'", out);
    return MAE_OK;
}

MaeStatus embed_report_write(const EmbedReport *report, MaeError *err)
{
    return writer_of(report->out)(report, err);
}

MaeStatus embed_report_print(const EmbedReport *r, bool json, MaeError *err)
{
    const MaeFeatures *f = r->features;
    const double speed = (double)f->count / r->seconds;
    const size_t left_out = mae_dataset_info(r->ds)->count - f->count;
    MaeJson *root, *names;
    char name[NAME];

    if (!json) {
        (void)printf("%s: %zu images, %zu feature%s of %zu numbers:", r->out, f->count,
                     f->features, f->features > 1 ? "s" : "", f->width);
        for (size_t i = 0; i < f->features; i++) {
            mae_features_name(r->spec, i, name, sizeof name);
            (void)printf(" %s", name);
        }
        (void)printf("; %.0f images/s\n", speed);
        return MAE_OK;
    }
    root = mae_json_object();
    names = mae_json_array();
    for (size_t i = 0; i < f->features; i++) {
        mae_features_name(r->spec, i, name, sizeof name);
        mae_json_append(names, mae_json_text(name));
    }
    mae_json_set_text(root, "checkpoint", r->checkpoint);
    mae_json_set_text(root, "data", r->data);
    mae_json_set_text(root, "out", r->out);
    mae_json_set_int(root, "images", (int64_t)f->count);
    mae_json_set_int(root, "left_out", (int64_t)left_out);
    mae_json_set(root, "features", names);
    mae_json_set_int(root, "width", (int64_t)f->width);
    mae_json_set_real(root, "images_per_second", speed);
    return mae_tool_print_json(root, 0, err);
}
