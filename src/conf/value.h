/**
 * @file value.h
 * One configuration value: from YAML into its field, and from the field to YAML.
 *
 * Errors   ARG "<where>: expected ..., found ...".
 * Threads  Reentrant.
 */
#ifndef MAE_CONF_VALUE_H
#define MAE_CONF_VALUE_H

#include <stdbool.h>
#include <stddef.h>

#include "conf/reader.h"
#include "conf/schema.h"

/** Room for any value as YAML text. */
#define MAE_VALUE_TEXT (2 * MAE_CONFIG_PATH + 4)

/** Check @p value against @p key and store it. @param where starts messages. */
MaeStatus mae_value_set(MaeConfig *cfg, const MaeKey *key, const MaeYamlValue *value,
                        const char *where, MaeError *err);

/** Write the field as YAML that mae_value_set reads back identically. */
void mae_value_text(const MaeConfig *cfg, const MaeKey *key, char *out, size_t size);

/** Shortest decimal text that reads back as @p x; @p size at least 32. */
void mae_value_real(double x, char *out, size_t size);

/** What kind of value the key takes, e.g. "a whole number". */
const char *mae_value_noun(const MaeKey *key);

/** The same with words and choices: "a number or auto", "one of random, block, grid". */
void mae_value_wanted(const MaeKey *key, char *out, size_t size);

/** True if 0 says the same as the key's word for it: none or all, but not auto. */
bool mae_value_zero_is_number(const MaeKey *key);

/** Limits of a number: "> 0 and <= 1000, or auto", ">= 1 and <= 4096, or 0 (all)". */
void mae_value_range(const MaeKey *key, char *out, size_t size);

/** All of it: "a number > 0 and <= 1000, or auto". */
void mae_value_expected(const MaeKey *key, char *out, size_t size);

/**
 * Bytes of the UTF-8 character that starts @p text if YAML may hold it as it is inside
 * quotes on one line; 0 for control characters, line separators, byte-order marks and
 * bytes that are not UTF-8.
 */
size_t mae_value_printable(const char *text);

/** Name of the file for messages and comments: cut to @p size, odd bytes as '?'. */
void mae_value_file(const MaeConfig *cfg, char *text, size_t size);

/** True if the field is 0 or auto and the key has MAE_KEY_AUTO_FITS. */
bool mae_value_open(const MaeConfig *cfg, const MaeKey *key);

#endif /* MAE_CONF_VALUE_H */
