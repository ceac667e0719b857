#include "common/options.h"

#include <string.h>

#include "common/options_table.h"

enum { COLUMNS = 79, INDENT = 26 };

/*
 * Print words from column @p at on, wrapped to COLUMNS; further lines begin at @p indent.
 * A newline in the text breaks the line. Ends the last line.
 */
static void wrap(FILE *out, const char *text, size_t at, size_t indent)
{
    bool fresh = true; /* no word in this line yet */

    while (*text != '\0') {
        const size_t word = strcspn(text, " \n");

        if (!fresh && at + 1 + word > COLUMNS) {
            fprintf(out, "\n%*s", (int)indent, "");
            at = indent;
            fresh = true;
        }
        fprintf(out, "%s%.*s", fresh ? "" : " ", (int)word, text);
        at += word + (fresh ? 0 : 1);
        fresh = false;
        text += word;
        if (*text == '\n') {
            fprintf(out, "\n%*s", text[1] == '\n' ? 0 : (int)indent, "");
            at = indent;
            fresh = true;
        }
        text += *text != '\0';
    }
    fputc('\n', out);
}

/* "  name" padded to INDENT, or on a line of its own if it is too long. */
static void entry(FILE *out, const char *name, const char *help)
{
    const int used = fprintf(out, "  %s", name);

    if (used > INDENT - 2)
        fprintf(out, "\n%*s", INDENT, "");
    else
        fprintf(out, "%*s", INDENT - used, "");
    wrap(out, help, INDENT, INDENT);
}

/* " (default: x)" for an option whose default means something; else "". */
static void describe_default(char *text, size_t size, const MaeOption *o,
                             const void *defaults)
{
    const void *field = (const char *)defaults + o->offset;
    const char *word;

    text[0] = '\0';
    switch (o->kind) {
    case MAE_OPTION_FLAG:
    case MAE_OPTION_QUERY:
    case MAE_OPTION_MORE:
    case MAE_OPTION_LESS:
    case MAE_OPTION_KEY:
        break;
    case MAE_OPTION_SIZE:
        (void)snprintf(text, size, " (default: %zu)", *(const size_t *)field);
        break;
    case MAE_OPTION_U64:
        (void)snprintf(text, size, " (default: %llu)",
                       (unsigned long long)*(const uint64_t *)field);
        break;
    case MAE_OPTION_REAL:
        (void)snprintf(text, size, " (default: %g)", *(const double *)field);
        break;
    case MAE_OPTION_TEXT:
        word = *(const char *const *)field;
        if (word != NULL)
            (void)snprintf(text, size, " (default: %s)", word);
        break;
    case MAE_OPTION_CHOICE:
        (void)snprintf(text, size, " (default: %s)", o->choices[*(const int *)field]);
        break;
    }
}

/* "-n, --name VALUE"; the choices stand for the value if there are any. */
static void describe_name(char *text, size_t size, const MaeOption *o)
{
    size_t used = o->letter != 0 ? (size_t)snprintf(text, size, "-%c, ", o->letter) : 0;

    used += (size_t)snprintf(text + used, size - used, "--%s", o->name);
    if (o->kind == MAE_OPTION_CHOICE)
        for (size_t i = 0; o->choices[i] != NULL && used < size; i++)
            used += (size_t)snprintf(text + used, size - used, "%c%s", i > 0 ? '|' : ' ',
                                     o->choices[i]);
    else if (o->value != NULL && used < size)
        (void)snprintf(text + used, size - used, " %s", o->value);
}

static void list_options(FILE *out, const MaeOption *o, const void *defaults)
{
    for (; o != NULL && o->name != NULL; o++) {
        char name[256], help[1024], initial[256] = "";

        describe_name(name, sizeof name, o);
        if (defaults != NULL)
            describe_default(initial, sizeof initial, o, defaults);
        (void)snprintf(help, sizeof help, "%s%s%s%s", o->help,
                       o->needs != NULL ? "; needs --" : "",
                       o->needs != NULL ? o->needs : "", initial);
        entry(out, name, help);
    }
}

static void list_operands(FILE *out, const MaeCommand *command)
{
    if (command->operands == NULL && !command->overrides)
        return;
    fputs("\nArguments:\n", out);
    for (const MaeToolOperand *a = command->operands; a != NULL && a->name != NULL; a++)
        entry(out, a->name, a->help);
    if (command->overrides)
        entry(out, "key.path=value", "sets a key of the configuration; may be repeated");
}

static void print_usage(FILE *out, const MaeCommand *command)
{
    fprintf(out, "Usage: %s [options]", command->name);
    for (const MaeToolOperand *a = command->operands; a != NULL && a->name != NULL; a++)
        fprintf(out, a->optional ? " [%s%s]" : " %s%s", a->name,
                a->repeats ? " ..." : "");
    fputs(command->overrides ? " [key.path=value ...]\n\n" : "\n\n", out);
}

void mae_options_help(FILE *out, const MaeCommand *command)
{
    print_usage(out, command);
    wrap(out, command->summary, 0, 0);
    list_operands(out, command);
    fputs("\nOptions:\n", out);
    list_options(out, command->options, command->defaults);
    list_options(out, mae_options_common, NULL);
    if (command->notes != NULL) {
        fputc('\n', out);
        wrap(out, command->notes, 0, 0);
    }
    fputs("\nExit codes:\n"
          "  0 ok, 1 run-time failure, 2 wrong usage or configuration, or an input that\n"
          "  does not exist, 3 bad data, 4 non-finite numbers",
          out);
    if (command->interruptible)
        fputs(
            ",\n  75 stopped by a signal or time budget with everything saved (run again "
            "to go\n  on), 130 second interrupt",
            out);
    fprintf(out, "\n\nExample:\n  %s\n", command->example);
}
