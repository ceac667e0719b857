#include "base/text.h"

#include <ctype.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/size.h"

#define REAL_LENGTH 63 /* of a number that is read */

bool mae_text_ends(const char *text, const char *end)
{
    const size_t length = strlen(text), tail = strlen(end);

    return length >= tail && memcmp(text + length - tail, end, tail) == 0;
}

void mae_text_tame(char *text)
{
    size_t n;

    for (; *text != '\0'; text += n) {
        uint32_t code = (unsigned char)*text; /* of another encoding */

        n = mae_text_utf8(text, &code);
        n += n == 0;
        if (code < 0x20 || (code >= 0x7f && code < 0xa0))
            memset(text, '?', n);
    }
}

size_t mae_text_utf8(const char *text, uint32_t *code)
{
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    const unsigned char *c = (const unsigned char *)text;
    const size_t n = *c < 0x80 ? 1 : *c < 0xc0 ? 0 : *c < 0xe0 ? 2 : *c < 0xf0 ? 3 : 4;
    uint32_t point = n == 1 ? *c : *c & (0x7fu >> n);

    if (n == 0 || *c > 0xf4)
        return 0;
    for (size_t i = 1; i < n; i++) {
        if ((c[i] & 0xc0) != 0x80)
            return 0;
        point = point << 6 | (c[i] & 0x3fu);
    }
    if (point < least[n] || point > 0x10ffff || (point >= 0xd800 && point < 0xe000))
        return 0;
    if (code != NULL)
        *code = point;
    return n;
}

static int fold(char c)
{
    return c == '-' ? '_' : tolower((unsigned char)c);
}

size_t mae_text_distance(const char *a, size_t na, const char *b, size_t nb)
{
    size_t d[3][MAE_TEXT_WORD + 1]; /* the rows i - 2, i - 1 and i, by i mod 3 */

    if (na > MAE_TEXT_WORD || nb > MAE_TEXT_WORD)
        return SIZE_MAX;
    for (size_t j = 0; j <= nb; j++)
        d[0][j] = j;
    for (size_t i = 1; i <= na; i++) {
        const size_t *up = d[(i + 2) % 3], *up2 = d[(i + 1) % 3];
        const int x = fold(a[i - 1]);
        size_t *now = d[i % 3];

        now[0] = i;
        for (size_t j = 1; j <= nb; j++) {
            const int y = fold(b[j - 1]);

            now[j] =
                mae_smaller(mae_smaller(up[j], now[j - 1]) + 1, up[j - 1] + (x != y));
            if (i > 1 && j > 1 && x == fold(b[j - 2]) && fold(a[i - 2]) == y)
                now[j] = mae_smaller(now[j], up2[j - 2] + 1);
        }
    }
    return d[na % 3][nb];
}

/* The calling thread without a locale, and what it had before. */
typedef struct Plain {
    locale_t own, before;
} Plain;

static Plain plain_enter(void)
{
    Plain plain = {.own = newlocale(LC_ALL_MASK, "C", (locale_t)0)};

    plain.before = uselocale(plain.own); /* without one, it stays as it is */
    return plain;
}

static void plain_leave(Plain plain)
{
    (void)uselocale(plain.before);
    if (plain.own != (locale_t)0)
        freelocale(plain.own);
}

int mae_text_vformat(char *out, size_t size, const char *fmt, va_list args)
{
    const Plain plain = plain_enter();
    const int length = vsnprintf(out, size, fmt, args);

    plain_leave(plain);
    return length;
}

int mae_text_format(char *out, size_t size, const char *fmt, ...)
{
    va_list args;
    int length;

    va_start(args, fmt);
    length = mae_text_vformat(out, size, fmt, args);
    va_end(args);
    return length;
}

int mae_text_print(FILE *out, const char *fmt, ...)
{
    const Plain plain = plain_enter();
    va_list args;
    int length;

    va_start(args, fmt);
    length = vfprintf(out, fmt, args);
    va_end(args);
    plain_leave(plain);
    return length;
}

/* [+-] digits [. digits] [e [+-] digits] with at least one digit before the exponent. */
static bool is_decimal(const char *c)
{
    size_t digits, fraction = 0;

    c += *c == '+' || *c == '-';
    digits = strspn(c, "0123456789");
    c += digits;
    if (*c == '.') {
        fraction = strspn(c + 1, "0123456789");
        c += 1 + fraction;
    }
    if (digits + fraction == 0)
        return false;
    if (*c == 'e' || *c == 'E') {
        c += 1 + (c[1] == '+' || c[1] == '-');
        digits = strspn(c, "0123456789");
        if (digits == 0)
            return false;
        c += digits;
    }
    return *c == '\0';
}

bool mae_text_real(const char *text, double *x)
{
    Plain plain;

    if (strlen(text) > REAL_LENGTH || !is_decimal(text))
        return false;
    plain = plain_enter();
    *x = strtod(text, NULL) + 0.0; /* no negative zero */
    plain_leave(plain);
    return true;
}
