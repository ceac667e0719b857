#include "model/card.h"

#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"

#define SIZE_LIMIT ((double)(1 << 24)) /* largest size that may be said */
#define LIST_LIMIT 4096                /* most numbers in a list */

const MaeCardSize mae_card_sizes[] = {
    {"patch_size", "patch_size", offsetof(MaeArch, grid.patch), false},
    {"in_chans", "num_channels", offsetof(MaeArch, grid.channels), false},
    {"embed_dim", "hidden_size", offsetof(MaeArch, embed_dim), false},
    {"depth", "num_hidden_layers", offsetof(MaeArch, depth), false},
    {"num_heads", "num_attention_heads", offsetof(MaeArch, heads), false},
    {"decoder_embed_dim", "decoder_hidden_size", offsetof(MaeArch, decoder_dim), true},
    {"decoder_depth", "decoder_num_hidden_layers", offsetof(MaeArch, decoder_depth),
     true},
    {"decoder_num_heads", "decoder_num_attention_heads", offsetof(MaeArch, decoder_heads),
     true},
    {.own = NULL},
};

void mae_card_done(MaeCard *card)
{
    if (card == NULL)
        return;
    free(card->mean.values);
    free(card->std.values);
    free(card->class_names);
    *card = (MaeCard){0};
}

char *mae_card_beside(const char *path, const char *name)
{
    const char *slash = strrchr(path, '/');
    const size_t folder = slash == NULL ? 0 : (size_t)(slash - path) + 1;
    char *joined = malloc(folder + strlen(name) + 1);

    if (joined != NULL) {
        memcpy(joined, path, folder);
        memcpy(joined + folder, name, strlen(name) + 1);
    }
    return joined;
}

/* "0.5", "[0.5, 0.25]" or "0.5,0.25"; false if it is anything else. */
static bool parse_numbers(MaeCardList *list, const char *text)
{
    const bool bracket = *text == '[';
    char number[64];
    double value;

    list->count = 0;
    for (text += bracket;; text++) {
        size_t length;

        text += strspn(text, " ");
        length = strcspn(text, " ,]");
        if (length >= sizeof number || list->count == LIST_LIMIT)
            return false;
        memcpy(number, text, length);
        number[length] = '\0';
        if (!mae_text_real(number, &value) || !isfinite(value))
            return false;
        list->values[list->count++] = value;
        text += length + strspn(text + length, " ");
        if (*text != ',')
            break;
    }
    return strcmp(text, bracket ? "]" : "") == 0;
}

static MaeStatus refuse(const char *text, const char *expected, MaeError *err)
{
    MAE_FAIL(err, MAE_ERR_ARG, "command line: %s: expected %s", text, expected);
}

static bool is_size(double value)
{
    return value >= 1.0 && value <= SIZE_LIMIT && floor(value) == value;
}

static MaeStatus set_image(MaeArch *arch, const char *text, const MaeCardList *list,
                           MaeError *err)
{
    const double *v = list->values;

    if (list->count == 0 || list->count > 2 || !is_size(v[0]) ||
        !is_size(v[list->count - 1]))
        return refuse(text, "one size in pixels or [height, width]", err);
    arch->grid.height = (size_t)v[0];
    arch->grid.width = (size_t)v[list->count - 1];
    return MAE_OK;
}

/* Take over the numbers, unless there are none or, for a std, one is not above 0. */
static MaeStatus set_statistics(MaeCardList *to, const char *text, MaeCardList *list,
                                bool positive, MaeError *err)
{
    for (size_t i = 0; i < list->count; i++)
        if (positive && !(list->values[i] > 0.0))
            return refuse(text, "numbers above 0", err);
    if (list->count == 0)
        return refuse(text, "a number per channel, [0.5, 0.4, 0.4], or imagenet", err);
    free(to->values);
    *to = *list;
    list->values = NULL; /* taken */
    return MAE_OK;
}

static void imagenet(MaeCardList *list, bool is_std)
{
    static const double MEAN[] = {0.485, 0.456, 0.406}, STD[] = {0.229, 0.224, 0.225};

    memcpy(list->values, is_std ? STD : MEAN, sizeof MEAN);
    list->count = 3;
}

static MaeStatus set_flag(MaeCard *card, const char *text, const char *value,
                          MaeError *err)
{
    static const char *const WORDS[] = {"false", "true", "no", "yes", "off", "on"};

    for (size_t i = 0; i < sizeof WORDS / sizeof WORDS[0]; i++) {
        if (strcmp(value, WORDS[i]) == 0) {
            card->arch.norm_pix_loss = i % 2 == 1;
            card->has_norm_pix_loss = true;
            return MAE_OK;
        }
    }
    return refuse(text, "true or false", err);
}

/* @param list the value as numbers; empty if it is none. May be taken over. */
static MaeStatus set_key(MaeCard *card, const char *text, const char *key,
                         const char *value, MaeCardList *list, MaeError *err)
{
    const char *model = strncmp(key, "model.", 6) == 0 ? key + 6 : "";

    for (const MaeCardSize *size = mae_card_sizes; size->own != NULL; size++) {
        if (strcmp(model, size->own) != 0)
            continue;
        if (list->count != 1 || !is_size(list->values[0]))
            return refuse(text, "a whole number above 0", err);
        *(size_t *)((char *)&card->arch + size->offset) = (size_t)list->values[0];
        return MAE_OK;
    }
    if (strcmp(model, "img_size") == 0)
        return set_image(&card->arch, text, list, err);
    if (strcmp(model, "norm_pix_loss") == 0)
        return set_flag(card, text, value, err);
    if (strcmp(key, "data.mean") == 0)
        return set_statistics(&card->mean, text, list, false, err);
    if (strcmp(key, "data.std") == 0)
        return set_statistics(&card->std, text, list, true, err);
    if (strcmp(key, "mask.ratio") != 0)
        return refuse(text,
                      "one of the keys model.{img_size, patch_size, in_chans, embed_dim, "
                      "depth, num_heads, decoder_embed_dim, decoder_depth, "
                      "decoder_num_heads, norm_pix_loss}, mask.ratio, data.{mean, std}",
                      err);
    if (list->count != 1 || !(list->values[0] > 0.0 && list->values[0] < 1.0))
        return refuse(text, "a number between 0 and 1", err);
    card->mask_ratio = list->values[0];
    card->has_mask_ratio = true;
    return MAE_OK;
}

MaeStatus mae_card_override(MaeCard *card, const char *text, MaeError *err)
{
    const char *equals = strchr(text, '=');
    MaeCardList list = {0};
    MaeStatus status;
    char key[64];

    if (equals == NULL || (size_t)(equals - text) >= sizeof key)
        return refuse(text, "key=value", err);
    for (size_t i = 0; i < (size_t)(equals - text); i++)
        key[i] = (char)(text[i] == '-' ? '_' : text[i]);
    key[equals - text] = '\0';
    list.values = calloc(LIST_LIMIT, sizeof *list.values);
    if (list.values == NULL)
        MAE_FAIL(err, MAE_ERR_NOMEM, "command line: %s: out of memory", text);
    if (strncmp(key, "data.", 5) == 0 && strcmp(equals + 1, "imagenet") == 0)
        imagenet(&list, strcmp(key, "data.std") == 0);
    else if (!parse_numbers(&list, equals + 1))
        list.count = 0;
    status = set_key(card, text, key, equals + 1, &list, err);
    free(list.values);
    return status;
}
