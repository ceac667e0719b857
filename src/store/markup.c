#include "store/markup.h"

#include <stdint.h>

#include "base/text.h"

static const char *reference(uint32_t code)
{
    switch (code) {
    case '&':
        return "&amp;";
    case '<':
        return "&lt;";
    case '>':
        return "&gt;";
    case '"':
        return "&quot;";
    case '\'':
        return "&#39;";
    default:
        return NULL;
    }
}

/* Newline and tab are shown as spaces; other controls, DEL and C1 have no picture. */
static int is_control(uint32_t code)
{
    return (code < 0x20 && code != '\n' && code != '\t') || (code >= 0x7f && code < 0xa0);
}

void mae_markup_text(FILE *out, const char *text)
{
    while (text != NULL && *text != '\0') {
        uint32_t code = 0;
        const size_t size = mae_text_utf8(text, &code);

        if (size == 0 || is_control(code))
            fputs("\xef\xbf\xbd", out);
        else if (reference(code) != NULL)
            fputs(reference(code), out);
        else
            fwrite(text, 1, size, out);
        text += size > 0 ? size : 1;
    }
}

void mae_markup_base64(FILE *out, const void *bytes, size_t size)
{
    static const char letters[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const unsigned char *in = bytes;

    for (size_t i = 0; i < size; i += 3) {
        const uint32_t three = (uint32_t)in[i] << 16 |
                               (uint32_t)(i + 1 < size ? in[i + 1] : 0) << 8 |
                               (uint32_t)(i + 2 < size ? in[i + 2] : 0);

        fputc(letters[three >> 18], out);
        fputc(letters[three >> 12 & 63], out);
        fputc(i + 1 < size ? letters[three >> 6 & 63] : '=', out);
        fputc(i + 2 < size ? letters[three & 63] : '=', out);
    }
}
