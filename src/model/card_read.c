#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "model/card.h"
#include "store/file.h"

#define FILE_LIMIT ((size_t)4 << 20) /* bytes of a configuration */
#define SIZE_LIMIT ((int64_t)1 << 24)
#define EPS 1e-6 /* of our layer norms */

/** A file being read. */
typedef struct Source {
    const MaeJson *root;
    const char *path;
    const MaeLog *log;
} Source;

static MaeStatus wrong(const Source *in, const char *field, const char *expected,
                       MaeError *err)
{
    MAE_FAIL(err, MAE_ERR_FORMAT, "%s: %s: expected %s", in->path, field, expected);
}

/* A size, if the field is there. */
static MaeStatus read_size(const Source *in, const char *field, size_t *size,
                           MaeError *err)
{
    int64_t value;

    if (mae_json_get(in->root, field) == NULL)
        return MAE_OK;
    if (!mae_json_get_int(in->root, field, &value) || value < 0 || value > SIZE_LIMIT)
        return wrong(in, field, "a whole number that is not negative", err);
    *size = (size_t)value;
    return MAE_OK;
}

/* An array as numbers; absent or null: nothing. */
static MaeStatus read_list(const Source *in, const MaeJson *object, const char *field,
                           bool positive, MaeCardList *list, MaeError *err)
{
    const MaeJson *array = mae_json_get(object, field);
    const size_t count = mae_json_size(array);
    MaeCardList made = {.values = calloc(count + 1, sizeof(double)), .count = count};

    if (made.values == NULL)
        MAE_FAIL(err, MAE_ERR_NOMEM, "%s: %s: out of memory", in->path, field);
    for (size_t i = 0; i < count; i++) {
        if (!mae_json_number(mae_json_at(array, i), &made.values[i]) ||
            !isfinite(made.values[i]) || (positive && !(made.values[i] > 0.0))) {
            free(made.values);
            return wrong(in, field, positive ? "numbers above 0" : "numbers", err);
        }
    }
    if (count == 0) {
        free(made.values);
        return MAE_OK;
    }
    free(list->values);
    *list = made;
    return MAE_OK;
}

/* One number for both sides, or [height, width]. */
static MaeStatus read_image(const Source *in, const char *field, MaePatchGrid *grid,
                            MaeError *err)
{
    MaeCardList list = {0};
    bool good;

    if (mae_json_size(mae_json_get(in->root, field)) == 0) {
        size_t side = 0;

        MAE_TRY(read_size(in, field, &side, err));
        if (side > 0)
            grid->height = grid->width = side;
        return MAE_OK;
    }
    MAE_TRY(read_list(in, in->root, field, true, &list, err));
    good = list.count == 2;
    for (size_t i = 0; i < 2 && good; i++)
        good = list.values[i] <= (double)SIZE_LIMIT &&
               list.values[i] == floor(list.values[i]);
    if (good) {
        grid->height = (size_t)list.values[0];
        grid->width = (size_t)list.values[1];
    }
    free(list.values);
    return good ? MAE_OK : wrong(in, field, "a size or [height, width]", err);
}

/* Name of class @p i out of the list or the object with keys "0", "1", ...; or NULL. */
static const char *class_name(const MaeJson *names, bool is_list, size_t i)
{
    char key[24];

    (void)snprintf(key, sizeof key, "%zu", i);
    return is_list ? mae_json_string(mae_json_at(names, i))
                   : mae_json_get_text(names, key);
}

static MaeStatus read_classes(MaeCard *card, const Source *in, MaeError *err)
{
    const MaeJson *list = mae_json_get(in->root, "class_names");
    const MaeJson *names = list != NULL ? list : mae_json_get(in->root, "id2label");
    size_t count = 0, bytes = 0;
    const char *name;
    char *at;

    while ((name = class_name(names, list != NULL, count)) != NULL) {
        bytes += strlen(name) + 1;
        count++;
    }
    if (count == 0)
        return MAE_OK;
    free(card->class_names);
    card->class_count = count;
    card->class_names = malloc(count * sizeof *card->class_names + bytes);
    if (card->class_names == NULL)
        MAE_FAIL(err, MAE_ERR_NOMEM, "%s: class names: out of memory", in->path);
    at = (char *)(card->class_names + count);
    for (size_t i = 0; i < count; i++) {
        name = class_name(names, list != NULL, i);
        card->class_names[i] = strcpy(at, name);
        at += strlen(name) + 1;
    }
    return MAE_OK;
}

/* What would silently change the numbers of a model computed here. */
static MaeStatus check_kind(const Source *in, MaeError *err)
{
    const char *type = mae_json_get_text(in->root, "model_type");
    const char *act = mae_json_get_text(in->root, "hidden_act");
    bool bias = true;
    double eps = EPS;

    if (type != NULL && strcmp(type, "vit_mae") != 0 && strcmp(type, "vit") != 0)
        MAE_FAIL(err, MAE_ERR_FORMAT, "%s: model_type: expected vit_mae or vit, got %s",
                 in->path, type);
    if (act != NULL && strcmp(act, "gelu") != 0)
        MAE_FAIL(err, MAE_ERR_FORMAT, "%s: hidden_act: expected gelu, got %s", in->path,
                 act);
    if (mae_json_get_bool(in->root, "qkv_bias", &bias) && !bias)
        return wrong(in, "qkv_bias", "true", err);
    if (mae_json_get_real(in->root, "layer_norm_eps", &eps) && fabs(eps - EPS) > 1e-12)
        mae_log(in->log, MAE_LOG_WARN,
                "%s: layer_norm_eps is %g, but the model will use %g", in->path, eps,
                EPS);
    return MAE_OK;
}

static MaeStatus read_config(MaeCard *card, const Source *in, MaeError *err)
{
    const MaeJson *timm = mae_json_get(in->root, "pretrained_cfg");

    MAE_TRY(check_kind(in, err));
    for (const MaeCardSize *size = mae_card_sizes; size->own != NULL; size++) {
        size_t *field = (size_t *)((char *)&card->arch + size->offset);

        MAE_TRY(read_size(in, size->hf, field, err));
        MAE_TRY(read_size(in, size->own, field, err));
    }
    MAE_TRY(read_image(in, "image_size", &card->arch.grid, err));
    MAE_TRY(read_image(in, "img_size", &card->arch.grid, err));
    if (mae_json_get_bool(in->root, "norm_pix_loss", &card->arch.norm_pix_loss))
        card->has_norm_pix_loss = true;
    if (mae_json_get_real(in->root, "mask_ratio", &card->mask_ratio)) {
        if (!(card->mask_ratio >= 0.0 && card->mask_ratio < 1.0))
            return wrong(in, "mask_ratio", "a number between 0 and 1", err);
        card->has_mask_ratio = true;
    }
    MAE_TRY(read_list(in, timm, "mean", false, &card->mean, err));
    MAE_TRY(read_list(in, timm, "std", true, &card->std, err));
    MAE_TRY(read_list(in, in->root, "mean", false, &card->mean, err));
    MAE_TRY(read_list(in, in->root, "std", true, &card->std, err));
    return read_classes(card, in, err);
}

static MaeStatus read_preprocessor(MaeCard *card, const Source *in, MaeError *err)
{
    MAE_TRY(read_list(in, in->root, "image_mean", false, &card->mean, err));
    return read_list(in, in->root, "image_std", true, &card->std, err);
}

typedef MaeStatus (*ReadFn)(MaeCard *card, const Source *in, MaeError *err);

static MaeStatus read_file(MaeCard *card, const char *path, ReadFn fn, const MaeLog *log,
                           MaeError *err)
{
    unsigned char *bytes = NULL;
    MaeJson *root = NULL;
    MaeStatus status;
    size_t size = 0;

    if (access(path, F_OK) != 0)
        return MAE_OK;
    MAE_TRY(mae_file_read_all(path, FILE_LIMIT, &bytes, &size, err));
    status = mae_json_parse(&root, (const char *)bytes, size, path, err);
    free(bytes);
    if (status == MAE_OK) {
        const Source in = {.root = root, .path = path, .log = log};

        status = fn(card, &in, err);
        mae_json_free(root);
    }
    return status;
}

MaeStatus mae_card_read(MaeCard *card, const char *path, const MaeLog *log, MaeError *err)
{
    static const struct {
        const char *name;
        ReadFn fn;
    } FILES[] = {
        {"config.json", read_config},
        {"preprocessor_config.json", read_preprocessor},
    };

    for (size_t i = 0; i < sizeof FILES / sizeof FILES[0]; i++) {
        char *file = mae_card_beside(path, FILES[i].name);
        MaeStatus status;

        if (file == NULL)
            MAE_FAIL(err, MAE_ERR_NOMEM, "%s: out of memory", path);
        status = read_file(card, file, FILES[i].fn, log, err);
        free(file);
        MAE_TRY(status);
    }
    return MAE_OK;
}
