/**
 * @file text.h
 * Text from outside: characters that may be shown, and names that may be misspelt;
 * numbers as text, the same in every locale.
 *
 * Source   Damerau, "A technique for computer detection and correction of spelling
 *          errors", CACM 1964 (the restricted form: no letter is edited twice).
 * Memory   Never allocates, beyond what the C library may.
 * Errors   Cannot fail.
 * Threads  Reentrant.
 */
#ifndef MAE_BASE_TEXT_H
#define MAE_BASE_TEXT_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "base/status.h"

/** Longest word whose distance is computed, bytes. */
#define MAE_TEXT_WORD 64

/** True if @p text ends in @p end. */
bool mae_text_ends(const char *text, const char *end);

/**
 * Replace control characters, those of ASCII and U+0080 to U+009F, byte by byte with '?':
 * one line, and no terminal is steered. Bytes that are no UTF-8 are taken for Latin-1.
 */
void mae_text_tame(char *text);

/**
 * Read a decimal number, all of @p text: [+-] digits [. digits] [e [+-] digits], at most
 * 63 bytes, with a point whatever the program's locale writes.
 * @param[out] x untouched on failure; infinite if it is too large.
 */
bool mae_text_real(const char *text, double *x);

/**
 * vsnprintf, snprintf and fprintf that write numbers with a point whatever the program's
 * locale writes. All that the library writes to files goes through these.
 */
int mae_text_vformat(char *out, size_t size, const char *fmt, va_list args);
int mae_text_format(char *out, size_t size, const char *fmt, ...) MAE_PRINTF(3, 4);
int mae_text_print(FILE *out, const char *fmt, ...) MAE_PRINTF(2, 3);

/**
 * First character of a UTF-8 text; reads no further than its final NUL.
 * @param[out] code its code point; may be NULL.
 * @return its bytes, 1 to 4 (1 for the NUL); 0 for bytes that are no UTF-8: overlong
 *         forms, surrogates and code points above U+10FFFF included.
 */
size_t mae_text_utf8(const char *text, uint32_t *code);

/**
 * How many letters to insert, delete, replace or swap with their neighbour to turn
 * @p a [na] into @p b [nb]. Case does not count, '-' equals '_'.
 * @return SIZE_MAX if one has more than MAE_TEXT_WORD bytes.
 */
size_t mae_text_distance(const char *a, size_t na, const char *b, size_t nb);

#endif /* MAE_BASE_TEXT_H */
