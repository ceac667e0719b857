#include "conf/policy.h"

#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"

#define LETTERS "abcdefghijklmnopqrstuvwxyz"

/* What a part may be. */
typedef struct Part {
    const char *name;
    bool whole;      /* digits only */
    double min, max; /* of its number */
} Part;

enum { M, N, P, MSTD, MMAX, INC, PARTS };

static const Part parts[PARTS] = {
    [M] = {"m", true, 0, 1000},       [N] = {"n", true, 1, MAE_POLICY_LAYERS},
    [P] = {"p", false, 0, 1},         [MSTD] = {"mstd", false, 0, HUGE_VAL},
    [MMAX] = {"mmax", true, 1, 1000}, [INC] = {"inc", true, 0, 1},
};

/* A part of the text: [length] bytes that begin with a word of [letters]. */
typedef struct Piece {
    const char *text;
    int length, letters;
} Piece;

/* The closest name; a single letter is close to nothing but itself. */
static const char *nearest(const Piece *piece)
{
    const char *best = NULL;
    size_t least = 3;

    for (size_t i = 0; i < PARTS; i++) {
        const size_t n = strlen(parts[i].name);
        const size_t d =
            mae_text_distance(piece->text, (size_t)piece->letters, parts[i].name, n);

        if (n > 1 && d < least && d < n) {
            least = d;
            best = parts[i].name;
        }
    }
    return best;
}

/* Index of its part, PARTS if there is none. */
static size_t find_part(const Piece *piece)
{
    size_t i = 0;

    while (i < PARTS &&
           (strlen(parts[i].name) != (size_t)piece->letters ||
            strncmp(parts[i].name, piece->text, (size_t)piece->letters) != 0))
        i++;
    return i;
}

static MaeStatus refuse(const Piece *piece, MaeError *err)
{
    const char *meant = nearest(piece);

    if (piece->text[0] == 't')
        MAE_FAIL(err, MAE_ERR_ARG,
                 "`%.*s`: sets of operations cannot be chosen, only timm's default is "
                 "there; leave this part away",
                 piece->length, piece->text);
    if (meant != NULL)
        MAE_FAIL(err, MAE_ERR_ARG, "unknown part `%.*s`; did you mean %s?", piece->length,
                 piece->text, meant);
    MAE_FAIL(err, MAE_ERR_ARG,
             "unknown part `%.*s`; expected m, n, p, mstd, mmax or inc with a number",
             piece->length, piece->text);
}

/* Digits and at most one point. */
static MaeStatus read_number(double *value, const Piece *piece, const Part *part,
                             MaeError *err)
{
    const char *text = piece->text + piece->letters;
    const int length = piece->length - piece->letters;
    const char *allowed = part->whole ? "0123456789" : "0123456789.";
    char number[64];

    (void)snprintf(number, sizeof number, "%.*s", length, text);
    if (strspn(number, allowed) != (size_t)length || !mae_text_real(number, value) ||
        !(*value >= part->min && *value <= part->max) || !isfinite(*value)) {
        if (isinf(part->max))
            MAE_FAIL(err, MAE_ERR_ARG, "`%.*s`: expected %s and a number from %g on",
                     piece->length, piece->text, part->name, part->min);
        MAE_FAIL(err, MAE_ERR_ARG, "`%.*s`: expected %s and a%s number from %g to %g",
                 piece->length, piece->text, part->name, part->whole ? " whole" : "",
                 part->min, part->max);
    }
    return MAE_OK;
}

static MaeStatus read_parts(double values[PARTS], const char *text, MaeError *err)
{
    bool seen[PARTS] = {false};

    while (*text == '-') {
        Piece piece = {.text = text + 1};
        size_t index;

        piece.length = (int)strcspn(piece.text, "-");
        piece.letters = (int)strspn(piece.text, LETTERS);
        index = find_part(&piece);
        if (index == PARTS)
            return refuse(&piece, err);
        MAE_TRY(read_number(&values[index], &piece, &parts[index], err));
        if (seen[index])
            MAE_FAIL(err, MAE_ERR_ARG, "`%.*s`: %s is there twice", piece.length,
                     piece.text, parts[index].name);
        seen[index] = true;
        text = piece.text + piece.length;
    }
    return MAE_OK;
}

MaeStatus mae_policy_parse(MaePolicy *policy, const char *text, MaeError *err)
{
    double values[PARTS] = {[M] = 10, [N] = 2, [P] = 0.5, [MMAX] = 10};
    const size_t word = strcspn(text, "-");

    if (strcmp(text, "none") == 0) {
        *policy = (MaePolicy){0};
        return MAE_OK;
    }
    if (word != 4 || strncmp(text, "rand", 4) != 0)
        MAE_FAIL(
            err, MAE_ERR_ARG,
            "`%.80s`: expected none or a policy such as rand-m9-mstd0.5-inc1%s", text,
            mae_text_distance(text, word, "rand", 4) <= 2 ? "; did you mean rand?" : "");
    MAE_TRY(read_parts(values, text + word, err));
    *policy = (MaePolicy){
        .layers = (size_t)values[N],
        .magnitude = values[M],
        .deviation = values[MSTD],
        .uniform = values[MSTD] > 100.0,
        .max_magnitude = values[MMAX],
        .probability = values[P],
        .increasing = values[INC] > 0.0,
    };
    return MAE_OK;
}
