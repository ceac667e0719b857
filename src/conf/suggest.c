#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "conf/schema.h"

/* The closest candidate so far. */
typedef struct Best {
    size_t score;
    char text[2 * MAE_TEXT_WORD];
} Best;

/* Distance of @p key to one of the comma-separated names, SIZE_MAX if none is close; a
 * name that it begins counts as close. */
static size_t closest(const char *key, const char *names)
{
    const size_t n = strlen(key);
    size_t best = SIZE_MAX;

    while (names != NULL && *names != '\0') {
        const size_t m = strcspn(names, ",");
        const size_t shorter = n < m ? n : m, allowed = shorter < 6 ? 1 : shorter / 3;
        const bool begun = n >= 3 && n < m && strncmp(key, names, n) == 0;
        const size_t d = begun ? 1 : mae_text_distance(key, n, names, m);

        if (d <= allowed && d < shorter && d < best)
            best = d;
        names += m + (names[m] == ',');
    }
    return best;
}

/* Names of the project win over those of other programs, the same section over others. */
static void consider(Best *best, const char *key, const char *name, const char *aka,
                     size_t penalty, const char *section)
{
    size_t own = closest(key, name), other = closest(key, aka);

    own = own == SIZE_MAX ? own : 4 * own;
    other = other == SIZE_MAX ? other : 4 * other + 1;
    if (other < own)
        own = other;
    if (own == SIZE_MAX || own + penalty >= best->score)
        return;
    best->score = own + penalty;
    (void)snprintf(best->text, sizeof best->text, "%s%s%s", section,
                   *section == '\0' ? "" : ".", name);
}

/* Section whose name, or a name for it elsewhere, is closest; NULL if none is close. */
static const MaeSection *nearest_section(const char *name)
{
    size_t count;
    const MaeSection *sections = mae_schema_sections(&count), *nearest = NULL;
    Best best = {.score = SIZE_MAX};

    for (size_t s = 0; s < count; s++) {
        const size_t before = best.score;

        consider(&best, name, sections[s].name, sections[s].aka, 0, "");
        if (best.score < before)
            nearest = &sections[s];
    }
    return nearest;
}

void mae_schema_suggest_path(const char *section, const char *key, char *text,
                             size_t size)
{
    const MaeSection *nearest = nearest_section(section);

    mae_schema_suggest(nearest != NULL ? nearest->name : section, key, text, size);
    if (text[0] == '\0' && nearest != NULL)
        (void)snprintf(text, size, "; did you mean %s?", nearest->name);
}

void mae_schema_suggest(const char *section, const char *key, char *text, size_t size)
{
    size_t count;
    const MaeSection *sections = mae_schema_sections(&count);
    Best best = {.score = SIZE_MAX};

    for (size_t s = 0; s < count; s++) {
        const bool here = section != NULL && strcmp(section, sections[s].name) == 0;

        if (section == NULL)
            consider(&best, key, sections[s].name, sections[s].aka, 0, "");
        for (size_t k = 0; k < sections[s].count; k++)
            consider(&best, key, sections[s].keys[k].name, sections[s].keys[k].aka,
                     here ? 0 : 2, sections[s].name);
    }
    if (best.score == SIZE_MAX)
        text[0] = '\0';
    else
        (void)snprintf(text, size, "; did you mean %s?", best.text);
}
