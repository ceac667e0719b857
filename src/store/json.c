#include "store/json.h"

#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"

#define PARSE_MAX ((size_t)4 << 20)

MaeJson *mae_json_object(void)
{
    return json_object();
}

MaeJson *mae_json_array(void)
{
    return json_array();
}

/** File names are any bytes: a copy in which each bad byte is '?'. */
static char *repaired(const char *text)
{
    char *copy = strdup(text);
    size_t n;

    for (char *p = copy; p != NULL && *p != '\0'; p += n) {
        n = mae_text_utf8(p, NULL);
        if (n == 0) {
            *p = '?';
            n = 1;
        }
    }
    return copy;
}

MaeJson *mae_json_text(const char *text)
{
    MaeJson *value = json_string(text);

    if (value == NULL) {
        char *copy = repaired(text);

        value = copy == NULL ? NULL : json_string(copy);
        free(copy);
    }
    return value;
}

MaeJson *mae_json_int(int64_t value)
{
    return json_integer(value);
}

MaeJson *mae_json_real(double value)
{
    return isfinite(value) ? json_real(value) : json_null();
}

MaeJson *mae_json_bool(bool value)
{
    return json_boolean(value);
}

void mae_json_free(MaeJson *value)
{
    json_decref(value);
}

void mae_json_set(MaeJson *object, const char *key, MaeJson *value)
{
    char *copy;

    if (json_object_set_new(object, key, json_incref(value)) != 0) {
        copy = repaired(key);
        if (copy != NULL)
            (void)json_object_set_new(object, copy, json_incref(value));
        free(copy);
    }
    json_decref(value);
}

void mae_json_set_text(MaeJson *object, const char *key, const char *text)
{
    mae_json_set(object, key, mae_json_text(text));
}

void mae_json_set_int(MaeJson *object, const char *key, int64_t value)
{
    mae_json_set(object, key, mae_json_int(value));
}

void mae_json_set_real(MaeJson *object, const char *key, double value)
{
    mae_json_set(object, key, mae_json_real(value));
}

void mae_json_set_bool(MaeJson *object, const char *key, bool value)
{
    mae_json_set(object, key, mae_json_bool(value));
}

void mae_json_append(MaeJson *array, MaeJson *value)
{
    (void)json_array_append_new(array, value);
}

char *mae_json_dump(const MaeJson *value, int indent)
{
    return value == NULL ? NULL : json_dumps(value, JSON_INDENT((size_t)indent & 0x1f));
}

MaeStatus mae_json_parse(MaeJson **value, const char *text, size_t size, const char *what,
                         MaeError *err)
{
    json_error_t error;
    MaeJson *parsed;

    if (size > PARSE_MAX)
        MAE_FAIL(err, MAE_ERR_FORMAT, "%s: %zu bytes of JSON, at most %zu are accepted",
                 what, size, PARSE_MAX);
    parsed = json_loadb(text, size, JSON_REJECT_DUPLICATES, &error);
    if (parsed == NULL)
        MAE_FAIL(err, MAE_ERR_FORMAT, "%s:%d:%d: %s", what, error.line, error.column,
                 error.text);
    *value = parsed;
    return MAE_OK;
}

const MaeJson *mae_json_get(const MaeJson *object, const char *key)
{
    return json_object_get(object, key);
}

const char *mae_json_get_text(const MaeJson *object, const char *key)
{
    return json_string_value(json_object_get(object, key));
}

bool mae_json_get_int(const MaeJson *object, const char *key, int64_t *value)
{
    const MaeJson *member = json_object_get(object, key);

    if (!json_is_integer(member))
        return false;
    *value = json_integer_value(member);
    return true;
}

bool mae_json_get_real(const MaeJson *object, const char *key, double *value)
{
    const MaeJson *member = json_object_get(object, key);

    if (!json_is_number(member))
        return false;
    *value = json_number_value(member);
    return true;
}

bool mae_json_get_bool(const MaeJson *object, const char *key, bool *value)
{
    const MaeJson *member = json_object_get(object, key);

    if (!json_is_boolean(member))
        return false;
    *value = json_is_true(member);
    return true;
}

const char *mae_json_string(const MaeJson *value)
{
    return json_string_value(value);
}

bool mae_json_number(const MaeJson *value, double *number)
{
    if (!json_is_number(value))
        return false;
    *number = json_number_value(value);
    return true;
}

size_t mae_json_size(const MaeJson *array)
{
    return json_array_size(array);
}

const MaeJson *mae_json_at(const MaeJson *array, size_t index)
{
    return json_array_get(array, index);
}
