#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/text.h"
#include "conf/value.h"

static const void *field(const MaeConfig *cfg, const MaeKey *key)
{
    return (const char *)cfg + key->offset;
}

const char *mae_value_noun(const MaeKey *key)
{
    switch (key->type) {
    case MAE_KEY_BOOL:
        return "true or false";
    case MAE_KEY_SIZE:
    case MAE_KEY_SEED:
        return "a whole number";
    case MAE_KEY_REAL:
        return "a number";
    case MAE_KEY_TEXT:
        return "text";
    case MAE_KEY_CHOICE:
        return "one of";
    case MAE_KEY_SIZE_PAIR:
        return "a whole number or a list of two";
    case MAE_KEY_REAL_PAIR:
        return "a list of two numbers";
    case MAE_KEY_STATS:
        return "a number, a list of numbers, auto or imagenet";
    }
    return "?";
}

static bool is_number(const MaeKey *key)
{
    return key->type != MAE_KEY_BOOL && key->type != MAE_KEY_TEXT &&
           key->type != MAE_KEY_CHOICE;
}

void mae_value_wanted(const MaeKey *key, char *out, size_t size)
{
    size_t n;

    n = (size_t)snprintf(out, size, "%s",
                         key->choices == NULL ? mae_value_noun(key) : "one of");
    if (key->zero != NULL)
        (void)snprintf(out + n, size - n, " or %s", key->zero);
    for (size_t i = 0; key->choices != NULL && key->choices[i] != NULL && n < size; i++)
        n += (size_t)snprintf(out + n, size - n, "%s%s", i == 0 ? " " : ", ",
                              key->choices[i]);
}

bool mae_value_zero_is_number(const MaeKey *key)
{
    return key->zero != NULL && strcmp(key->zero, "auto") != 0;
}

void mae_value_range(const MaeKey *key, char *out, size_t size)
{
    char lo[32], hi[32];
    int n;

    mae_value_real(key->min, lo, sizeof lo);
    mae_value_real(key->max, hi, sizeof hi);
    n = snprintf(out, size, "%s %s and %s %s",
                 key->flags & MAE_KEY_OPEN_MIN ? ">" : ">=", lo,
                 key->flags & MAE_KEY_OPEN_MAX ? "<" : "<=", hi);
    if (key->zero != NULL && n > 0 && (size_t)n < size)
        (void)snprintf(out + n, size - (size_t)n,
                       mae_value_zero_is_number(key) ? ", or 0 (%s)" : ", or %s",
                       key->zero);
}

void mae_value_expected(const MaeKey *key, char *out, size_t size)
{
    char limits[120];

    if (!is_number(key)) {
        mae_value_wanted(key, out, size);
        return;
    }
    mae_value_range(key, limits, sizeof limits);
    (void)snprintf(out, size, "%s%s %s", mae_value_noun(key),
                   key->zero != NULL ? "" : ",", limits);
}

void mae_value_real(double x, char *out, size_t size)
{
    char *point, *exponent;
    double back;

    for (int digits = 15; digits <= 17; digits++) {
        (void)mae_text_format(out, size, "%.*g", digits, x);
        if (mae_text_real(out, &back) && back == x)
            break;
    }
    point = strchr(out, '.');
    exponent = strchr(out, 'e'); /* YAML 1.1 readers want a point in 1.0e-08 */
    if (exponent != NULL && point == NULL && strlen(out) + 2 < size) {
        memmove(exponent + 2, exponent, strlen(exponent) + 1);
        memcpy(exponent, ".0", 2);
    }
}

static void quoted(const char *text, char *out, size_t size)
{
    size_t n = 0;

    out[n++] = '"';
    for (; *text != '\0' && n + 3 < size; text++) {
        if (*text == '"' || *text == '\\')
            out[n++] = '\\';
        out[n++] = *text;
    }
    out[n++] = '"';
    out[n] = '\0';
}

/* Quotes are left out where no reader could take the text for anything else. */
static void plain_or_quoted(const char *text, char *out, size_t size)
{
    static const char SAFE[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
                               "0123456789_./-+";
    static const char *const WORDS[] = {"yes",   "no", "on", "off", "true",
                                        "false", "y",  "n",  "null"};
    const size_t n = strlen(text);
    bool safe = n > 0 && strspn(text, SAFE) == n && strspn(text, "0123456789.-+") == 0;

    for (size_t i = 0; i < sizeof WORDS / sizeof *WORDS; i++)
        safe = safe && strcasecmp(text, WORDS[i]) != 0;
    if (safe && n < size)
        memcpy(out, text, n + 1);
    else
        quoted(text, out, size);
}

/* "[0.9, 0.95]" */
static void list_text(const double *x, size_t n, char *out, size_t size)
{
    char number[40];
    size_t used = (size_t)snprintf(out, size, "[");

    for (size_t i = 0; i < n; i++) {
        mae_value_real(x[i], number, sizeof number);
        used +=
            (size_t)snprintf(out + used, size - used, "%s%s", i == 0 ? "" : ", ", number);
    }
    (void)snprintf(out + used, size - used, "]");
}

static void stats_text(const MaeConfStats *stats, char *out, size_t size)
{
    if (stats->kind == MAE_CONF_STATS_GIVEN)
        list_text(stats->value, stats->count, out, size);
    else
        (void)snprintf(out, size, "%s",
                       stats->kind == MAE_CONF_STATS_AUTO ? "auto" : "imagenet");
}

/* Number types as a double: all are below 2^53. */
static double number_of(const MaeConfig *cfg, const MaeKey *key)
{
    if (key->type == MAE_KEY_SEED)
        return (double)*(const uint64_t *)field(cfg, key);
    if (key->type == MAE_KEY_SIZE)
        return (double)*(const size_t *)field(cfg, key);
    return *(const double *)field(cfg, key);
}

static void number_text(const MaeConfig *cfg, const MaeKey *key, char *out, size_t size)
{
    const double x = number_of(cfg, key);

    if (key->zero != NULL && x == 0.0)
        (void)snprintf(out, size, "%s", key->zero);
    else if (key->type == MAE_KEY_REAL)
        mae_value_real(x, out, size);
    else
        (void)snprintf(out, size, "%.0f", x);
}

void mae_value_text(const MaeConfig *cfg, const MaeKey *key, char *out, size_t size)
{
    const void *at = field(cfg, key);
    unsigned number;

    switch (key->type) {
    case MAE_KEY_BOOL:
        (void)snprintf(out, size, "%s", *(const bool *)at ? "true" : "false");
        return;
    case MAE_KEY_CHOICE:
        memcpy(&number, at, sizeof number);
        (void)snprintf(out, size, "%s", key->choices[number]);
        return;
    case MAE_KEY_TEXT:
        plain_or_quoted(at, out, size);
        return;
    case MAE_KEY_SIZE_PAIR:
        (void)snprintf(out, size, "[%zu, %zu]", ((const size_t *)at)[0],
                       ((const size_t *)at)[1]);
        return;
    case MAE_KEY_REAL_PAIR:
        list_text(at, 2, out, size);
        return;
    case MAE_KEY_STATS:
        stats_text(at, out, size);
        return;
    case MAE_KEY_SIZE:
    case MAE_KEY_SEED:
    case MAE_KEY_REAL:
        number_text(cfg, key, out, size);
        return;
    }
}

bool mae_value_open(const MaeConfig *cfg, const MaeKey *key)
{
    if (!(key->flags & MAE_KEY_AUTO_FITS))
        return false;
    if (key->type == MAE_KEY_STATS)
        return ((const MaeConfStats *)field(cfg, key))->kind == MAE_CONF_STATS_AUTO;
    return number_of(cfg, key) == 0.0;
}
