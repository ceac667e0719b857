#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "model/card.h"

#define INDENT 2 /* of JSON files, as transformers writes them */

/* The shortest decimal that reads back as this float, as a double. */
static double shortest(float value)
{
    double decimal = (double)value;
    char text[32];

    for (int digits = 6; digits <= 9; digits++) {
        (void)mae_text_format(text, sizeof text, "%.*g", digits, (double)value);
        if (mae_text_real(text, &decimal) && (float)decimal == value)
            break;
    }
    return decimal;
}

static MaeJson *statistics(const MaeSnapshot *s, const float *values)
{
    MaeJson *list = mae_json_array();

    for (size_t i = 0; i < s->arch.grid.channels; i++)
        mae_json_append(list, mae_json_real(shortest(values[i])));
    return list;
}

static MaeJson *image_size(const MaePatchGrid *grid)
{
    MaeJson *list;

    if (grid->height == grid->width)
        return mae_json_int((int64_t)grid->height);
    list = mae_json_array();
    mae_json_append(list, mae_json_int((int64_t)grid->height));
    mae_json_append(list, mae_json_int((int64_t)grid->width));
    return list;
}

static char *finish(MaeJson *root)
{
    char *text = mae_json_dump(root, INDENT), *with_newline = NULL;

    mae_json_free(root);
    if (text != NULL) {
        with_newline = realloc(text, strlen(text) + 2);
        if (with_newline == NULL)
            free(text);
        else
            (void)strcat(with_newline, "\n");
    }
    return with_newline;
}

static void set_sizes(MaeJson *root, const MaeSnapshot *s, MaeNaming naming)
{
    for (const MaeCardSize *size = mae_card_sizes; size->own != NULL; size++)
        if (!size->autoencoder || s->kind == MAE_SNAPSHOT_AUTOENCODER)
            mae_json_set_int(root, naming == MAE_NAMES_HF ? size->hf : size->own,
                             (int64_t) *
                                 (const size_t *)((const char *)&s->arch + size->offset));
    mae_json_set(root, naming == MAE_NAMES_HF ? "image_size" : "img_size",
                 image_size(&s->arch.grid));
}

/* id2label and label2id; "LABEL_0" and so on where names are unknown, as they have it. */
static void set_labels(MaeJson *root, const MaeSnapshot *s)
{
    MaeJson *names = mae_json_object(), *ids = mae_json_object();

    for (size_t i = 0; i < s->arch.classes; i++) {
        char key[24], unnamed[32];
        const char *name = unnamed;

        (void)snprintf(key, sizeof key, "%zu", i);
        (void)snprintf(unnamed, sizeof unnamed, "LABEL_%zu", i);
        if (s->class_names != NULL)
            name = s->class_names[i];
        mae_json_set_text(names, key, name);
        mae_json_set_int(ids, name, (int64_t)i);
    }
    mae_json_set(root, "id2label", names);
    mae_json_set(root, "label2id", ids);
}

static void set_pretraining(MaeJson *root, const MaeSnapshot *s)
{
    if (s->kind != MAE_SNAPSHOT_AUTOENCODER)
        return;
    mae_json_set_bool(root, "norm_pix_loss", s->arch.norm_pix_loss);
    mae_json_set_real(root, "mask_ratio", s->mask_ratio);
}

static MaeJson *config_hf(const MaeSnapshot *s)
{
    const bool classifier = s->kind == MAE_SNAPSHOT_CLASSIFIER;
    MaeJson *root = mae_json_object(), *list = mae_json_array();

    mae_json_append(list, mae_json_text(classifier ? "ViTForImageClassification"
                                                   : "ViTMAEForPreTraining"));
    mae_json_set(root, "architectures", list);
    mae_json_set_text(root, "model_type", classifier ? "vit" : "vit_mae");
    set_sizes(root, s, MAE_NAMES_HF);
    mae_json_set_int(root, "intermediate_size",
                     (int64_t)mae_arch_hidden(&s->arch, s->arch.embed_dim));
    if (classifier)
        set_labels(root, s);
    else
        mae_json_set_int(root, "decoder_intermediate_size",
                         (int64_t)mae_arch_hidden(&s->arch, s->arch.decoder_dim));
    set_pretraining(root, s);
    mae_json_set_text(root, "hidden_act", "gelu");
    mae_json_set_bool(root, "qkv_bias", true);
    mae_json_set_real(root, "layer_norm_eps", 1e-6);
    mae_json_set_real(root, "hidden_dropout_prob", 0.0);
    mae_json_set_real(root, "attention_probs_dropout_prob", 0.0);
    mae_json_set_real(root, "initializer_range", 0.02);
    mae_json_set_text(root, "torch_dtype", "float32");
    return root;
}

static MaeJson *config_own(const MaeSnapshot *s)
{
    MaeJson *root = mae_json_object(), *names;

    mae_json_set_text(root, "kind", mae_snapshot_kind_name(s->kind));
    set_sizes(root, s, MAE_NAMES_TIMM);
    mae_json_set_real(root, "mlp_ratio", s->arch.mlp_ratio);
    set_pretraining(root, s);
    if (s->kind == MAE_SNAPSHOT_CLASSIFIER) {
        mae_json_set_int(root, "num_classes", (int64_t)s->arch.classes);
        mae_json_set_text(root, "pool", s->arch.pooling == MAE_POOL_CLS ? "cls" : "mean");
    }
    if (s->class_names != NULL) {
        names = mae_json_array();
        for (size_t i = 0; i < s->arch.classes; i++)
            mae_json_append(names, mae_json_text(s->class_names[i]));
        mae_json_set(root, "class_names", names);
    }
    mae_json_set(root, "mean", statistics(s, s->mean));
    mae_json_set(root, "std", statistics(s, s->std));
    return root;
}

char *mae_card_config(const MaeSnapshot *snapshot, MaeNaming naming)
{
    return finish(naming == MAE_NAMES_HF ? config_hf(snapshot) : config_own(snapshot));
}

char *mae_card_preprocessor(const MaeSnapshot *snapshot)
{
    const MaePatchGrid *grid = &snapshot->arch.grid;
    MaeJson *root = mae_json_object(), *size = mae_json_object();

    mae_json_set_text(root, "image_processor_type", "ViTImageProcessor");
    mae_json_set_bool(root, "do_resize", true);
    mae_json_set_int(size, "height", (int64_t)grid->height);
    mae_json_set_int(size, "width", (int64_t)grid->width);
    mae_json_set(root, "size", size);
    mae_json_set_int(root, "resample", 3); /* PIL.Image.BICUBIC */
    mae_json_set_bool(root, "do_rescale", true);
    mae_json_set_real(root, "rescale_factor", 1.0 / 255.0);
    mae_json_set_bool(root, "do_normalize", true);
    mae_json_set(root, "image_mean", statistics(snapshot, snapshot->mean));
    mae_json_set(root, "image_std", statistics(snapshot, snapshot->std));
    return finish(root);
}

static void write_list(FILE *out, const char *key, const float *values, size_t count)
{
    (void)fprintf(out, "  %s: [", key);
    for (size_t i = 0; i < count; i++)
        (void)mae_text_print(out, "%s%.9g", i > 0 ? ", " : "", shortest(values[i]));
    (void)fprintf(out, "]\n");
}

char *mae_card_yaml(const MaeSnapshot *snapshot, bool statistics_known)
{
    const MaeArch *arch = &snapshot->arch;
    const bool autoencoder = snapshot->kind == MAE_SNAPSHOT_AUTOENCODER;
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    bool failed;

    if (out == NULL)
        return NULL;
    (void)fprintf(out, "model:\n  img_size: [%zu, %zu]\n", arch->grid.height,
                  arch->grid.width);
    for (const MaeCardSize *row = mae_card_sizes; row->own != NULL; row++)
        if (!row->autoencoder || autoencoder)
            (void)fprintf(out, "  %s: %zu\n", row->own,
                          *(const size_t *)((const char *)arch + row->offset));
    (void)mae_text_print(out, "  mlp_ratio: %.17g\n", arch->mlp_ratio);
    if (autoencoder)
        (void)mae_text_print(out, "  norm_pix_loss: %s\nmask:\n  ratio: %.17g\n",
                             arch->norm_pix_loss ? "true" : "false",
                             snapshot->mask_ratio);
    if (statistics_known) {
        (void)fprintf(out, "data:\n");
        write_list(out, "mean", snapshot->mean, arch->grid.channels);
        write_list(out, "std", snapshot->std, arch->grid.channels);
    }
    failed = ferror(out) != 0;
    if (fclose(out) != 0 || failed) {
        free(text);
        return NULL;
    }
    return text;
}
