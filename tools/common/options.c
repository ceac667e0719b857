#include "common/options.h"

#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "common/options_table.h"

enum { MADE_EXTRA = 64 }; /* bytes of an override made from an option, less its value */

const MaeOption mae_options_common[] = {
    {"threads", 0, MAE_OPTION_SIZE, .offset = offsetof(MaeArgs, threads), .value = "N",
     .help = "number of threads, at most 256, or 4 for each processor if that is more "
             "(default: 0 = all processors)"},
    {"seed", 0, MAE_OPTION_U64, .offset = offsetof(MaeArgs, seed), .value = "N",
     .help = "seed of every random choice (default: 0)"},
    {"json", 0, MAE_OPTION_FLAG, .offset = offsetof(MaeArgs, json),
     .help = "results on stdout as JSON"},
    {"quiet", 'q', MAE_OPTION_LESS, .offset = offsetof(MaeArgs, verbosity),
     .help = "warnings and errors only, no progress; twice: errors only"},
    {"verbose", 'v', MAE_OPTION_MORE, .offset = offsetof(MaeArgs, verbosity),
     .help = "more messages; may be repeated"},
    {"help", 'h', MAE_OPTION_QUERY, .offset = offsetof(MaeArgs, help),
     .help = "this text"},
    {"version", 0, MAE_OPTION_QUERY, .offset = offsetof(MaeArgs, version),
     .help = "version of this tool and of the libraries it stands on"},
    {.name = NULL},
};

/** State of one mae_options_parse. */
typedef struct Parser {
    MaeArgs *args;
    void *values;
    const MaeCommand *command;
    int argc, next; /* next: index into argv of what comes after the current one */
    char **argv;
    char *made, *made_end; /* room for overrides made from options */
    bool ended;            /* a QUERY option was met */
    bool *given;           /* [rows of the command's table] */
    MaeError *err;
} Parser;

static bool takes_value(const MaeOption *option)
{
    if (option->kind == MAE_OPTION_KEY)
        return option->value != NULL;
    return option->kind != MAE_OPTION_FLAG && option->kind != MAE_OPTION_QUERY &&
           option->kind != MAE_OPTION_MORE && option->kind != MAE_OPTION_LESS;
}

/* Equal names up to @p size bytes of @p given, in which '_' counts as '-'. */
static bool same_name(const char *given, size_t size, const char *name)
{
    if (strlen(name) != size)
        return false;
    for (size_t i = 0; i < size; i++)
        if ((given[i] == '_' ? '-' : given[i]) != name[i])
            return false;
    return true;
}

/* First row in a table with that long name, or with that letter if @p given is NULL. */
static const MaeOption *find_in(const MaeOption *table, const char *given, size_t size,
                                char letter)
{
    for (; table != NULL && table->name != NULL; table++)
        if (given != NULL ? same_name(given, size, table->name) : table->letter == letter)
            return table;
    return NULL;
}

/* @param[out] base the struct that the row's offset refers to. */
static const MaeOption *find(const Parser *p, void **base, const char *given, size_t size,
                             char letter)
{
    const MaeOption *own = find_in(p->command->options, given, size, letter);

    *base = own != NULL ? p->values : p->args;
    return own != NULL ? own : find_in(mae_options_common, given, size, letter);
}

static MaeStatus unknown_option(const Parser *p, const char *given, size_t size)
{
    const char *names[128], *near;
    char word[64];
    size_t count = 0;
    const int length = size < 200 ? (int)size : 200;

    for (const MaeOption *o = p->command->options; o != NULL && o->name != NULL; o++)
        if (count < 120)
            names[count++] = o->name;
    for (const MaeOption *o = mae_options_common; o->name != NULL; o++)
        names[count++] = o->name;
    (void)snprintf(word, sizeof word, "%.*s", length, given);
    near = mae_options_nearest(word, names, count);
    if (near != NULL)
        MAE_FAIL(p->err, MAE_ERR_ARG, "unknown option --%.*s; did you mean --%s?", length,
                 given, near);
    MAE_FAIL(p->err, MAE_ERR_ARG, "unknown option --%.*s; --help lists the options",
             length, given);
}

static MaeStatus parse_whole(const Parser *p, const MaeOption *o, const char *text,
                             uint64_t *value)
{
    char *end = NULL;
    unsigned long long number;

    errno = 0;
    number = strtoull(text, &end, 10);
    if (!isdigit((unsigned char)text[0]) || *end != '\0')
        MAE_FAIL(p->err, MAE_ERR_ARG, "--%s: expected a whole number >= 0, got \"%s\"",
                 o->name, text);
    if (errno != 0 || (o->kind == MAE_OPTION_SIZE && number > SIZE_MAX))
        MAE_FAIL(p->err, MAE_ERR_ARG, "--%s: %s is too large", o->name, text);
    *value = number;
    return MAE_OK;
}

static MaeStatus parse_real(const Parser *p, const MaeOption *o, const char *text,
                            double *value)
{
    char *end = NULL;

    *value = strtod(text, &end);
    if (end == text || *end != '\0' || !isfinite(*value))
        MAE_FAIL(p->err, MAE_ERR_ARG, "--%s: expected a number, got \"%s\"", o->name,
                 text);
    return MAE_OK;
}

static MaeStatus check_range(const Parser *p, const MaeOption *o, double value)
{
    if ((o->min != 0.0 || o->max != 0.0) && (value < o->min || value > o->max))
        MAE_FAIL(p->err, MAE_ERR_ARG, "--%s: expected %.15g to %.15g, got %.15g", o->name,
                 o->min, o->max, value);
    return MAE_OK;
}

static MaeStatus parse_choice(const Parser *p, const MaeOption *o, const char *text,
                              int *value)
{
    char list[256] = "";
    size_t used = 0;

    for (int i = 0; o->choices[i] != NULL; i++) {
        if (strcmp(o->choices[i], text) == 0) {
            *value = i;
            return MAE_OK;
        }
        if (used < sizeof list)
            used += (size_t)snprintf(list + used, sizeof list - used, "%s%s",
                                     i > 0 ? ", " : "", o->choices[i]);
    }
    MAE_FAIL(p->err, MAE_ERR_ARG, "--%s: expected one of %s, got \"%s\"", o->name, list,
             text);
}

/* Append the override key=text. */
static void make_override(Parser *p, const char *key, const char *text)
{
    const size_t room = (size_t)(p->made_end - p->made);
    const int size = snprintf(p->made, room, "%s=%s", key, text);

    assert(p->command->overrides && size >= 0 && (size_t)size < room);
    p->args->overrides[p->args->override_count++] = p->made;
    p->made += size + 1;
}

/* --threads and --seed, which the configuration knows too. */
static void note_common(Parser *p, const MaeOption *o, const char *text)
{
    if (o->offset == offsetof(MaeArgs, threads)) {
        p->args->has_threads = true;
        if (p->command->train_keys)
            make_override(p, "train.threads", p->args->threads > 0 ? text : "all");
    } else if (o->offset == offsetof(MaeArgs, seed)) {
        p->args->has_seed = true;
        if (p->command->train_keys)
            make_override(p, "train.seed", text);
    }
}

/* Store the option; @p text is NULL exactly if the kind takes no value. */
static MaeStatus store(Parser *p, const MaeOption *o, void *base, const char *text)
{
    void *field = (char *)base + o->offset;
    uint64_t whole = 0;
    double real = 0.0;

    switch (o->kind) {
    case MAE_OPTION_QUERY:
        p->ended = true;
        *(bool *)field = true;
        break;
    case MAE_OPTION_FLAG:
        *(bool *)field = true;
        break;
    case MAE_OPTION_MORE:
        *(int *)field += 1;
        break;
    case MAE_OPTION_LESS:
        *(int *)field -= 1;
        break;
    case MAE_OPTION_SIZE:
        MAE_TRY(parse_whole(p, o, text, &whole));
        MAE_TRY(check_range(p, o, (double)whole));
        *(size_t *)field = (size_t)whole;
        break;
    case MAE_OPTION_U64:
        MAE_TRY(parse_whole(p, o, text, &whole));
        *(uint64_t *)field = whole;
        break;
    case MAE_OPTION_REAL:
        MAE_TRY(parse_real(p, o, text, &real));
        MAE_TRY(check_range(p, o, real));
        *(double *)field = real;
        break;
    case MAE_OPTION_TEXT:
        *(const char **)field = text;
        break;
    case MAE_OPTION_CHOICE:
        MAE_TRY(parse_choice(p, o, text, (int *)field));
        break;
    case MAE_OPTION_KEY:
        make_override(p, o->key, text != NULL ? text : "true");
        break;
    }
    if (base == p->args)
        note_common(p, o, text);
    else
        p->given[o - p->command->options] = true;
    return MAE_OK;
}

/* The next argument as an option's value. */
static MaeStatus next_value(Parser *p, const MaeOption *o, const char **text)
{
    if (p->next >= p->argc || strncmp(p->argv[p->next], "--", 2) == 0)
        MAE_FAIL(p->err, MAE_ERR_ARG, "--%s: a value (%s) is missing", o->name, o->value);
    *text = p->argv[p->next++];
    return MAE_OK;
}

/* The option with a separate value. */
static MaeStatus store_next(Parser *p, const MaeOption *o, void *base)
{
    const char *text = NULL;

    MAE_TRY(next_value(p, o, &text));
    return store(p, o, base, text);
}

/* --name, --name=value, --name value */
static MaeStatus parse_long(Parser *p, const char *arg)
{
    const char *name = arg + 2, *text = strchr(name, '=');
    const size_t size = text != NULL ? (size_t)(text - name) : strlen(name);
    void *base = NULL;
    const MaeOption *o = find(p, &base, name, size, 0);

    if (o == NULL)
        return unknown_option(p, name, size);
    if (text != NULL && !takes_value(o))
        MAE_FAIL(p->err, MAE_ERR_ARG, "--%s takes no value, got \"%s\"", o->name,
                 text + 1);
    if (text == NULL && takes_value(o))
        return store_next(p, o, base);
    return store(p, o, base, text != NULL ? text + 1 : NULL);
}

/* -v, -vv, -n value, -nvalue */
static MaeStatus parse_short(Parser *p, const char *arg)
{
    for (const char *c = arg + 1; *c != '\0' && !p->ended; c++) {
        void *base = NULL;
        const MaeOption *o = find(p, &base, NULL, 0, *c);

        if (o == NULL)
            MAE_FAIL(p->err, MAE_ERR_ARG,
                     "unknown option -%c in \"%s\"; --help lists the options", *c, arg);
        if (!takes_value(o)) {
            MAE_TRY(store(p, o, base, NULL));
            continue;
        }
        return c[1] != '\0' ? store(p, o, base, c + 1) : store_next(p, o, base);
    }
    return MAE_OK;
}

/* key.path=value: letters, digits, '_', '-' and '.' before the first '='. */
static bool is_override(const char *arg)
{
    size_t i = 0;

    while (isalnum((unsigned char)arg[i]) || (arg[i] != '\0' && strchr("_-.", arg[i])))
        i++;
    return i > 0 && arg[i] == '=';
}

static MaeStatus check_operands(const Parser *p)
{
    const MaeToolOperand *operands = p->command->operands;
    const size_t given = p->args->operand_count;
    size_t i = 0;

    for (; operands != NULL && operands[i].name != NULL; i++) {
        if (i >= given && !operands[i].optional)
            MAE_FAIL(p->err, MAE_ERR_ARG, "argument %s is missing; see %s --help",
                     operands[i].name, p->command->name);
        if (operands[i].repeats)
            return MAE_OK;
    }
    if (given > i)
        MAE_FAIL(p->err, MAE_ERR_ARG, "unexpected argument \"%s\"; see %s --help",
                 p->args->operands[i], p->command->name);
    return MAE_OK;
}

/* What would change nothing was meant to. */
static MaeStatus check_needs(const Parser *p)
{
    const MaeOption *table = p->command->options;

    for (size_t i = 0; table != NULL && table[i].name != NULL; i++) {
        const char *needs = table[i].needs;

        if (p->given[i] && needs != NULL &&
            !p->given[find_in(table, needs, strlen(needs), 0) - table])
            MAE_FAIL(p->err, MAE_ERR_ARG, "--%s needs --%s", table[i].name, needs);
    }
    return MAE_OK;
}

static MaeStatus parse_all(Parser *p)
{
    bool options = true; /* no "--" yet */

    while (p->next < p->argc && !p->ended) {
        const char *arg = p->argv[p->next++];

        if (options && strcmp(arg, "--") == 0)
            options = false;
        else if (options && arg[0] == '-' && arg[1] == '-')
            MAE_TRY(parse_long(p, arg));
        else if (options && arg[0] == '-' && arg[1] != '\0')
            MAE_TRY(parse_short(p, arg));
        else if (options && p->command->overrides && is_override(arg))
            p->args->overrides[p->args->override_count++] = arg;
        else
            p->args->operands[p->args->operand_count++] = arg;
    }
    if (p->ended)
        return MAE_OK;
    MAE_TRY(check_operands(p));
    return check_needs(p);
}

static size_t count_options(const MaeOption *table)
{
    size_t count = 0;

    while (table != NULL && table[count].name != NULL)
        count++;
    return count;
}

MaeStatus mae_options_parse(MaeArgs *args, void *values, const MaeCommand *command,
                            int argc, char **argv, MaeError *err)
{
    const size_t count = argc > 0 ? (size_t)argc : 1;
    Parser p = {.args = args,
                .values = values,
                .command = command,
                .argc = argc,
                .next = 1,
                .argv = argv,
                .err = err};
    const size_t lists = 2 * count * sizeof(char *);
    size_t texts = 0;

    assert(command->options == NULL || (values != NULL && command->defaults != NULL));
    if (command->options != NULL)
        memcpy(values, command->defaults, command->values_size);
    for (int i = 1; i < argc; i++)
        texts += strlen(argv[i]) + MADE_EXTRA;
    *args = (MaeArgs){0};
    args->memory = calloc(1, lists + texts + count_options(command->options));
    if (args->memory == NULL)
        MAE_FAIL(err, MAE_ERR_NOMEM, "command line: out of memory");
    args->operands = args->memory;
    args->overrides = args->operands + count;
    p.made = (char *)args->memory + lists;
    p.made_end = p.made + texts;
    p.given = (bool *)p.made_end;
    return parse_all(&p);
}

void mae_args_done(MaeArgs *args)
{
    if (args == NULL)
        return;
    free(args->memory);
    *args = (MaeArgs){0};
}

const char *mae_options_nearest(const char *word, const char *const *names, size_t count)
{
    size_t best = strlen(word) / 3 > 1 ? strlen(word) / 3 + 1 : 2; /* first one too far */
    const char *near = NULL;

    for (size_t i = 0; i < count; i++) {
        const size_t d =
            mae_text_distance(word, strlen(word), names[i], strlen(names[i]));

        if (d < best) {
            best = d;
            near = names[i];
        }
    }
    return near;
}
