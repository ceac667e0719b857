#include "conf/value.h"

#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"

static void *slot(MaeConfig *cfg, const MaeKey *key)
{
    return (char *)cfg + key->offset;
}

/* At most @p n bytes without cutting a character in two. */
static size_t whole_characters(const char *text, size_t n)
{
    while (n > 0 && ((unsigned char)text[n] & 0xc0) == 0x80)
        n--;
    return n;
}

/* Describe what was found, cut to a line. */
static void describe(const MaeYamlValue *value, size_t i, char *out, size_t size)
{
    const char *text = value->text + value->start[i];

    if (value->kind == MAE_YAML_MAPPING)
        (void)snprintf(out, size, "a mapping");
    else if (value->kind == MAE_YAML_LIST && value->count == 0)
        (void)snprintf(out, size, "an empty list");
    else if (*text == '\0')
        (void)snprintf(out, size, "nothing");
    else if (strlen(text) > 60)
        (void)snprintf(out, size, "'%.*s...'", (int)whole_characters(text, 57), text);
    else
        (void)snprintf(out, size, "'%s'", text);
}

static MaeStatus mismatch(const MaeKey *key, const MaeYamlValue *value, size_t i,
                          const char *where, MaeError *err)
{
    char want[128], found[80];

    mae_value_wanted(key, want, sizeof want);
    describe(value, i, found, sizeof found);
    if (value->kind == MAE_YAML_LIST && key->type != MAE_KEY_SIZE_PAIR &&
        key->type != MAE_KEY_REAL_PAIR && key->type != MAE_KEY_STATS)
        (void)snprintf(found, sizeof found, "a list");
    MAE_FAIL(err, MAE_ERR_ARG, "%s: expected %s, found %s", where, want, found);
}

/* True for a decimal like 1e-400, which is not 0 but reads as 0. */
static bool underflows(const char *text, double x)
{
    const char first = text[strcspn(text, "123456789eE")];

    return x == 0.0 && first >= '1' && first <= '9';
}

/* Entry @p i as a number in the key's range. */
static MaeStatus get_number(const MaeKey *key, const MaeYamlValue *value, size_t i,
                            double *x, const char *where, MaeError *err)
{
    const char *text = value->text + value->start[i];
    const bool whole = key->type == MAE_KEY_SIZE || key->type == MAE_KEY_SEED ||
                       key->type == MAE_KEY_SIZE_PAIR;
    char limits[120];

    if (key->zero != NULL && strcmp(text, key->zero) == 0) {
        *x = 0.0;
        return MAE_OK;
    }
    if (!mae_text_real(text, x) || (whole && isfinite(*x) && *x != floor(*x)))
        return mismatch(key, value, i, where, err);
    if (underflows(text, *x))
        MAE_FAIL(err, MAE_ERR_ARG, "%s: out of range: '%s' is too close to 0", where,
                 text);
    if (*x == 0.0 && mae_value_zero_is_number(key))
        return MAE_OK;
    if (*x < key->min || (key->flags & MAE_KEY_OPEN_MIN && *x == key->min) ||
        *x > key->max || (key->flags & MAE_KEY_OPEN_MAX && *x == key->max)) {
        mae_value_range(key, limits, sizeof limits);
        MAE_FAIL(err, MAE_ERR_ARG, "%s: out of range: expected a number %s, found '%s'",
                 where, limits, text);
    }
    return MAE_OK;
}

static MaeStatus set_bool(MaeConfig *cfg, const MaeKey *key, const MaeYamlValue *value,
                          const char *where, MaeError *err)
{
    static const char *const WORDS[] = {"false", "true", "no", "yes", "off", "on",
                                        "False", "True", "No", "Yes", "Off", "On"};

    for (size_t i = 0; i < sizeof WORDS / sizeof *WORDS; i++) {
        if (strcmp(value->text, WORDS[i]) == 0) {
            *(bool *)slot(cfg, key) = i % 2 == 1;
            return MAE_OK;
        }
    }
    return mismatch(key, value, 0, where, err);
}

static bool same_word(const char *a, const char *b)
{
    for (; *a != '\0' && (*a == *b || (*a == '-' && *b == '_')); a++)
        b++;
    return *a == *b;
}

/* Index into choices, or SIZE_MAX. */
static size_t choice(const MaeKey *key, const char *text)
{
    for (size_t i = 0; key->choices[i] != NULL; i++) {
        if (same_word(text, key->choices[i]))
            return i;
    }
    return SIZE_MAX;
}

static MaeStatus set_choice(MaeConfig *cfg, const MaeKey *key, const MaeYamlValue *value,
                            const char *where, MaeError *err)
{
    const size_t i = choice(key, value->text);
    const unsigned number = (unsigned)i;

    _Static_assert(sizeof(MaeConfMask) == sizeof number, "enums are stored as unsigned");
    if (i == SIZE_MAX)
        return mismatch(key, value, 0, where, err);
    memcpy(slot(cfg, key), &number, sizeof number);
    return MAE_OK;
}

size_t mae_value_printable(const char *text)
{
    uint32_t code = 0;
    const size_t n = mae_text_utf8(text, &code);
    const bool refused = code < 0x20 || (code >= 0x7f && code < 0xa0) || code == 0x2028 ||
                         code == 0x2029 || code == 0xfeff || (code & 0xfffe) == 0xfffe;

    return refused ? 0 : n;
}

static MaeStatus set_text(MaeConfig *cfg, const MaeKey *key, const MaeYamlValue *value,
                          const char *where, MaeError *err)
{
    const char *text = value->text;

    if (value->plain && (*text == '\0' || strcmp(text, "~") == 0))
        MAE_FAIL(err, MAE_ERR_ARG, "%s: expected %s, found nothing (write \"\" for none)",
                 where, mae_value_noun(key));
    for (size_t n; *text != '\0'; text += n) {
        n = mae_value_printable(text);
        if (n == 0)
            MAE_FAIL(err, MAE_ERR_ARG,
                     "%s: byte %zu of the text is a control character or not UTF-8",
                     where, (size_t)(text - value->text) + 1);
    }
    text = value->text;
    if (key->choices != NULL) {
        const size_t i = choice(key, text);

        if (i == SIZE_MAX)
            return mismatch(key, value, 0, where, err);
        text = key->choices[i];
    }
    memset(slot(cfg, key), 0, key->size);
    memcpy(slot(cfg, key), text, strlen(text));
    return MAE_OK;
}

static MaeStatus set_pair(MaeConfig *cfg, const MaeKey *key, const MaeYamlValue *value,
                          const char *where, MaeError *err)
{
    const bool sizes = key->type == MAE_KEY_SIZE_PAIR;
    double x[2] = {0.0, 0.0};

    if (value->count != 2 && !(sizes && value->kind == MAE_YAML_SCALAR))
        MAE_FAIL(err, MAE_ERR_ARG, "%s: expected %s, found %zu value%s", where,
                 mae_value_noun(key), value->count, value->count == 1 ? "" : "s");
    for (size_t i = 0; i < value->count; i++)
        MAE_TRY(get_number(key, value, i, &x[i], where, err));
    if (value->count == 1)
        x[1] = x[0];
    for (size_t i = 0; i < 2; i++) {
        if (sizes)
            ((size_t *)slot(cfg, key))[i] = (size_t)x[i];
        else
            ((double *)slot(cfg, key))[i] = x[i];
    }
    return MAE_OK;
}

static MaeStatus set_stats(MaeConfig *cfg, const MaeKey *key, const MaeYamlValue *value,
                           const char *where, MaeError *err)
{
    static const double IMAGENET[2][3] = {{0.485, 0.456, 0.406}, {0.229, 0.224, 0.225}};
    const bool is_mean = key->offset == offsetof(MaeConfig, data.mean);
    MaeConfStats stats = {.kind = MAE_CONF_STATS_AUTO};

    if (value->count == 0)
        return mismatch(key, value, 0, where, err);
    if (value->kind == MAE_YAML_SCALAR && strcmp(value->text, "imagenet") == 0) {
        stats.kind = MAE_CONF_STATS_IMAGENET;
        stats.count = 3;
        memcpy(stats.value, IMAGENET[is_mean ? 0 : 1], sizeof IMAGENET[0]);
    } else if (value->kind != MAE_YAML_SCALAR || strcmp(value->text, "auto") != 0) {
        stats.kind = MAE_CONF_STATS_GIVEN;
        stats.count = value->count;
        for (size_t i = 0; i < value->count; i++)
            MAE_TRY(get_number(key, value, i, &stats.value[i], where, err));
    }
    *(MaeConfStats *)slot(cfg, key) = stats;
    return MAE_OK;
}

static MaeStatus set_number(MaeConfig *cfg, const MaeKey *key, const MaeYamlValue *value,
                            const char *where, MaeError *err)
{
    double x;

    MAE_TRY(get_number(key, value, 0, &x, where, err));
    if (key->type == MAE_KEY_SEED)
        *(uint64_t *)slot(cfg, key) = (uint64_t)x;
    else if (key->type == MAE_KEY_SIZE)
        *(size_t *)slot(cfg, key) = (size_t)x;
    else
        *(double *)slot(cfg, key) = x;
    return MAE_OK;
}

MaeStatus mae_value_set(MaeConfig *cfg, const MaeKey *key, const MaeYamlValue *value,
                        const char *where, MaeError *err)
{
    const bool takes_list = key->type == MAE_KEY_SIZE_PAIR ||
                            key->type == MAE_KEY_REAL_PAIR || key->type == MAE_KEY_STATS;

    if (value->kind == MAE_YAML_MAPPING || (value->kind == MAE_YAML_LIST && !takes_list))
        return mismatch(key, value, 0, where, err);
    switch (key->type) {
    case MAE_KEY_BOOL:
        return set_bool(cfg, key, value, where, err);
    case MAE_KEY_CHOICE:
        return set_choice(cfg, key, value, where, err);
    case MAE_KEY_TEXT:
        return set_text(cfg, key, value, where, err);
    case MAE_KEY_SIZE_PAIR:
    case MAE_KEY_REAL_PAIR:
        return set_pair(cfg, key, value, where, err);
    case MAE_KEY_STATS:
        return set_stats(cfg, key, value, where, err);
    case MAE_KEY_SIZE:
    case MAE_KEY_SEED:
    case MAE_KEY_REAL:
        break;
    }
    return set_number(cfg, key, value, where, err);
}
