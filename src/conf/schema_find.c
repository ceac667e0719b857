#include "conf/schema.h"

#include <stdint.h>
#include <string.h>

const MaeKey *mae_schema_key(size_t index, const MaeSection **section)
{
    size_t count;
    const MaeSection *sections = mae_schema_sections(&count);

    for (size_t s = 0; s < count; index -= sections[s++].count) {
        if (index >= sections[s].count)
            continue;
        if (section != NULL)
            *section = &sections[s];
        return &sections[s].keys[index];
    }
    return NULL;
}

/* Compare the first n bytes of a with the whole of b; '-' and '_' are alike. */
static bool same_name(const char *a, size_t n, const char *b)
{
    if (strlen(b) != n)
        return false;
    for (size_t i = 0; i < n; i++) {
        if (a[i] != b[i] && !(a[i] == '-' && b[i] == '_'))
            return false;
    }
    return true;
}

static size_t find(const char *section, size_t n, const char *key)
{
    size_t first = 0, count;
    const MaeSection *sections = mae_schema_sections(&count);

    for (size_t s = 0; s < count; first += sections[s++].count) {
        if (!same_name(section, n, sections[s].name))
            continue;
        for (size_t k = 0; k < sections[s].count; k++) {
            if (same_name(key, strlen(key), sections[s].keys[k].name))
                return first + k;
        }
    }
    return SIZE_MAX;
}

size_t mae_schema_find_section(const char *name)
{
    size_t s = 0, count;
    const MaeSection *sections = mae_schema_sections(&count);

    while (s < count && !same_name(name, strlen(name), sections[s].name))
        s++;
    return s;
}

size_t mae_schema_find(const char *section, const char *key)
{
    return find(section, strlen(section), key);
}

size_t mae_schema_find_path(const char *path)
{
    const char *dot = strchr(path, '.');

    return dot == NULL ? SIZE_MAX : find(path, (size_t)(dot - path), dot + 1);
}
