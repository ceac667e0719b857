/**
 * @file markup.h
 * Text for HTML and SVG files: what comes from outside is escaped, bytes become base64.
 *
 * Markup itself is written with fprintf by whoever knows it; everything that is not a
 * constant or a number of the program's own goes through mae_markup_text. Usually the
 * stream is an open_memstream whose text is then written with mae_file_write_atomic.
 *
 * Source   WHATWG HTML (character references; the `data:` URL scheme is RFC 2397,
 *          base64 RFC 4648).
 * Errors   Those of the stream: the caller checks ferror().
 * Threads  One thread at a time per stream.
 */
#ifndef MAE_STORE_MARKUP_H
#define MAE_STORE_MARKUP_H

#include <stddef.h>
#include <stdio.h>

/**
 * Write @p text so that it is shown and never interpreted, between tags and in quoted
 * attributes: & < > " ' become references, control characters and bytes that are no
 * UTF-8 U+FFFD. NULL writes nothing.
 */
void mae_markup_text(FILE *out, const char *text);

/** Write @p bytes [size] in base64. */
void mae_markup_base64(FILE *out, const void *bytes, size_t size);

#endif /* MAE_STORE_MARKUP_H */
