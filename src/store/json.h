/**
 * @file json.h
 * JSON values: build, print, parse. A thin face for jansson, which nobody else includes.
 *
 * Errors   Building cannot fail visibly: when memory runs out a value is NULL, everything
 *          accepts NULL, and dump then returns NULL. NaN and infinities become null; text
 *          that is no UTF-8 has its bad bytes replaced by '?'.
 * Memory   mae_json_free releases a value with everything in it. set and append take over
 *          their value, also on failure.
 * Threads  One thread at a time per value.
 */
#ifndef MAE_STORE_JSON_H
#define MAE_STORE_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

typedef struct json_t MaeJson;

MaeJson *mae_json_object(void);
MaeJson *mae_json_array(void);
MaeJson *mae_json_text(const char *text);
MaeJson *mae_json_int(int64_t value);
MaeJson *mae_json_real(double value);
MaeJson *mae_json_bool(bool value);
void mae_json_free(MaeJson *value);

/** object[key] = value; the value's ownership passes. */
void mae_json_set(MaeJson *object, const char *key, MaeJson *value);
void mae_json_set_text(MaeJson *object, const char *key, const char *text);
void mae_json_set_int(MaeJson *object, const char *key, int64_t value);
void mae_json_set_real(MaeJson *object, const char *key, double value);
void mae_json_set_bool(MaeJson *object, const char *key, bool value);

/** Add to the end of an array; the value's ownership passes. */
void mae_json_append(MaeJson *array, MaeJson *value);

/** One line if @p indent is 0. @return malloc'ed text, freed by the caller; or NULL. */
char *mae_json_dump(const MaeJson *value, int indent);

/**
 * Parse an object or array of at most 4 MB. @param what names the source in the message,
 * with line and column. Duplicate keys and bad UTF-8 are FORMAT errors.
 */
MaeStatus mae_json_parse(MaeJson **value, const char *text, size_t size, const char *what,
                         MaeError *err);

/** Members; NULL or false if missing or of another kind. Borrowed from the object. */
const MaeJson *mae_json_get(const MaeJson *object, const char *key);
const char *mae_json_get_text(const MaeJson *object, const char *key);
bool mae_json_get_int(const MaeJson *object, const char *key, int64_t *value);
bool mae_json_get_real(const MaeJson *object, const char *key,
                       double *value); /* or int */
bool mae_json_get_bool(const MaeJson *object, const char *key, bool *value);

/** A value that is itself a text (borrowed) or a number; NULL or false otherwise. */
const char *mae_json_string(const MaeJson *value);
bool mae_json_number(const MaeJson *value, double *number);

/** Elements of an array (0 for anything else), and one of them or NULL. */
size_t mae_json_size(const MaeJson *array);
const MaeJson *mae_json_at(const MaeJson *array, size_t index);

#endif /* MAE_STORE_JSON_H */
