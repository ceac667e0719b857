#include "common/reconstruct_parts.h"

#include <ctype.h>
#include <math.h>
#include <stdio.h>

const char *const reconstruct_panels[] = {"masked", "reconstruction",
                                          "reconstruction + visible", "original", NULL};

/* A name that stays on its line. */
void reconstruct_print_name(const char *name)
{
    for (; *name != '\0'; name++)
        (void)putchar(iscntrl((unsigned char)*name) ? '?' : *name);
    (void)putchar('\n');
}

/* NaN (nothing was hidden, nothing varies) is "-". */
void reconstruct_print_number(double number, int digits)
{
    if (isnan(number))
        (void)printf("%8s  ", "-");
    else
        (void)printf("%8.*f  ", digits, number);
}

void reconstruct_print_mask(const ReconstructReport *r)
{
    (void)printf("mask: %s, ratio %g (%zu of %zu patches hidden), seed %llu\n",
                 r->strategy, r->ratio, r->hidden, r->patches,
                 (unsigned long long)r->seed);
}

void reconstruct_print_denorm(const ReconstructReport *r)
{
    (void)printf("denormalisation: %s\n", mae_denorm_name(r->denorm));
}

const char *reconstruct_loss_name(const ReconstructReport *r)
{
    return r->norm_pix_loss
               ? "mean squared error of hidden patches, each normalised by its own mean "
                 "and deviation (norm_pix_loss: brightness and contrast do not count)"
               : "mean squared error of hidden patches, in normalised pixels";
}

/* "OUT: a row per image, panels a | b". */
void reconstruct_print_picture(const char *out, const char *rows,
                               const char *const *panels)
{
    (void)printf("%s: %s, panels ", out, rows);
    for (size_t i = 0; panels[i] != NULL; i++)
        (void)printf(i > 0 ? " | %s" : "%s", panels[i]);
    (void)putchar('\n');
}

/* A number where JSON's integers reach, else text. */
static void set_seed(MaeJson *object, uint64_t seed)
{
    char text[24];

    if (seed <= INT64_MAX) {
        mae_json_set_int(object, "seed", (int64_t)seed);
        return;
    }
    (void)snprintf(text, sizeof text, "%llu", (unsigned long long)seed);
    mae_json_set_text(object, "seed", text);
}

MaeJson *reconstruct_texts_json(const char *const *texts)
{
    MaeJson *array = mae_json_array();

    for (size_t i = 0; texts[i] != NULL; i++)
        mae_json_append(array, mae_json_text(texts[i]));
    return array;
}

/* Masks of one ratio. */
MaeJson *reconstruct_mask_json(const ReconstructReport *r)
{
    MaeJson *mask = mae_json_object();

    mae_json_set_text(mask, "strategy", r->strategy);
    if (r->painted != NULL)
        mae_json_set_text(mask, "picture", r->painted);
    mae_json_set_real(mask, "ratio", r->ratio);
    mae_json_set_int(mask, "patches", (int64_t)r->patches);
    mae_json_set_int(mask, "hidden", (int64_t)r->hidden);
    return mask;
}

/* What every object begins with. @param panels NULL: no picture. */
MaeJson *reconstruct_begin_json(const ReconstructReport *r, const char *const *panels)
{
    MaeJson *object = mae_json_object();

    mae_json_set_text(object, "checkpoint", r->checkpoint);
    if (panels != NULL) {
        mae_json_set_text(object, "out", r->out);
        mae_json_set(object, "panels", reconstruct_texts_json(panels));
    }
    mae_json_set_text(object, "denormalisation", mae_denorm_name(r->denorm));
    mae_json_set_bool(object, "oracle", r->denorm == MAE_DENORM_ORACLE);
    mae_json_set_text(object, "loss_is", reconstruct_loss_name(r));
    set_seed(object, r->seed);
    return object;
}
