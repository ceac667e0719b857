#include "common/options.h"

#include <stdlib.h>
#include <string.h>

#include "support/test.h"

/** The struct of a tool that has one option of each kind. */
typedef struct Values {
    bool flag, query;
    int level, choice;
    size_t count;
    uint64_t big;
    double ratio;
    const char *out;
} Values;

static const char *const FORMATS[] = {"timm", "hf", NULL};
static const MaeOption OPTIONS[] = {
    {"print-config", 'p', MAE_OPTION_FLAG, .offset = offsetof(Values, flag),
     .help = "show every value"},
    {"help-config", 0, MAE_OPTION_QUERY, .offset = offsetof(Values, query),
     .help = "list all keys"},
    {"more", 'm', MAE_OPTION_MORE, .offset = offsetof(Values, level), .help = "more"},
    {"count", 'n', MAE_OPTION_SIZE, .offset = offsetof(Values, count), .value = "N",
     .min = 1, .max = 100, .help = "number of images"},
    {"big", 0, MAE_OPTION_U64, .offset = offsetof(Values, big), .value = "N",
     .help = "a large number"},
    {"mask-ratio", 0, MAE_OPTION_REAL, .offset = offsetof(Values, ratio),
     .value = "RATIO", .min = -1, .max = 1,
     .help = "share of the patches that is hidden, which takes more than a line to tell"},
    {"out", 'o', MAE_OPTION_TEXT, .offset = offsetof(Values, out), .value = "FILE",
     .help = "output"},
    {"format", 0, MAE_OPTION_CHOICE, .offset = offsetof(Values, choice),
     .choices = FORMATS, .help = "names of the tensors"},
    {"order", 0, MAE_OPTION_CHOICE, .offset = offsetof(Values, choice),
     .choices = FORMATS, .help = "of the files", .needs = "out"},
    {"resume", 'r', MAE_OPTION_KEY, .key = "train.resume", .value = "WHERE",
     .help = "where to go on"},
    {"overwrite", 0, MAE_OPTION_KEY, .key = "train.overwrite", .help = "start anew"},
    {.name = NULL},
};
static const MaeToolOperand OPERANDS[] = {
    {"CONFIG.yaml", "the run", false, false},
    {"IMAGE", "images", true, true},
    {.name = NULL},
};
static const Values DEFAULTS = {.count = 8, .ratio = 0.75, .out = "out.png"};
static const MaeCommand COMMAND = {
    .name = "mae-test",
    .summary = "Tests the parser.",
    .operands = OPERANDS,
    .options = OPTIONS,
    .defaults = &DEFAULTS,
    .values_size = sizeof DEFAULTS,
    .overrides = true,
    .train_keys = true,
    .interruptible = true,
    .notes = "A note.",
    .example = "mae-test run.yaml train.epochs=3",
};
static const MaeToolOperand ONE[] = {{"IN", "input", false, false}, {.name = NULL}};
static const MaeCommand PLAIN = {.name = "mae-plain",
                                 .summary = "Has no options of its own.",
                                 .operands = ONE,
                                 .example = "mae-plain x"};

static MaeArgs args;
static Values values;
static MaeError err;

static void teardown(void)
{
    mae_args_done(&args);
}

/* Parse a NULL-terminated list of arguments. */
static MaeStatus parse(const MaeCommand *command, const char *const *words)
{
    char *argv[32] = {0};
    int argc = 1;

    argv[0] = (char *)(uintptr_t)command->name;
    for (; *words != NULL; words++)
        argv[argc++] = (char *)(uintptr_t)*words;
    return mae_options_parse(&args, &values, command, argc, argv, &err);
}

#define PARSE(...) parse(&COMMAND, (const char *const[]){__VA_ARGS__, NULL})
#define PARSE_PLAIN(...) parse(&PLAIN, (const char *const[]){__VA_ARGS__, NULL})

START_TEST(defaults_hold)
{
    ck_assert_ok(PARSE("run.yaml"));
    ck_assert_uint_eq(args.operand_count, 1);
    ck_assert_str_eq(args.operands[0], "run.yaml");
    ck_assert_uint_eq(args.override_count, 0);
    ck_assert_uint_eq(values.count, 8);
    ck_assert_double_eq(values.ratio, 0.75);
    ck_assert_str_eq(values.out, "out.png");
    ck_assert(!values.flag && !args.json && !args.has_seed && !args.has_threads);
    ck_assert_int_eq(args.verbosity, 0);
}
END_TEST

START_TEST(every_kind_is_stored)
{
    ck_assert_ok(PARSE("--print-config", "--count=5", "--big", "18446744073709551615",
                       "--mask-ratio", "-0.5", "--out=a=b", "--format=hf", "-m", "--more",
                       "run.yaml", "--json"));
    ck_assert(values.flag && args.json);
    ck_assert_uint_eq(values.count, 5);
    ck_assert(values.big == UINT64_MAX);
    ck_assert_double_eq(values.ratio, -0.5);
    ck_assert_str_eq(values.out, "a=b");
    ck_assert_int_eq(values.choice, 1);
    ck_assert_int_eq(values.level, 2);
}
END_TEST

START_TEST(underscore_is_hyphen)
{
    ck_assert_ok(PARSE("run.yaml", "--mask_ratio=0.5", "--print_config"));
    ck_assert_double_eq(values.ratio, 0.5);
    ck_assert(values.flag);
}
END_TEST

START_TEST(short_options)
{
    ck_assert_ok(PARSE("-vvq", "-pn3", "-o", "x.png", "run.yaml", "-v"));
    ck_assert_int_eq(args.verbosity, 2);
    ck_assert(values.flag);
    ck_assert_uint_eq(values.count, 3);
    ck_assert_str_eq(values.out, "x.png");
}
END_TEST

START_TEST(overrides_are_collected_apart)
{
    ck_assert_ok(PARSE("train.epochs=3", "run.yaml", "--seed", "7", "data.train=/a=b",
                       "--threads=2", "./a=b.png", "--", "x.y=1", "--json"));
    ck_assert_uint_eq(args.override_count, 4);
    ck_assert_str_eq(args.overrides[0], "train.epochs=3");
    ck_assert_str_eq(args.overrides[1], "train.seed=7");
    ck_assert_str_eq(args.overrides[2], "data.train=/a=b");
    ck_assert_str_eq(args.overrides[3], "train.threads=2");
    ck_assert_uint_eq(args.operand_count, 4);
    ck_assert_str_eq(args.operands[1], "./a=b.png");
    ck_assert_str_eq(args.operands[2], "x.y=1");
    ck_assert_str_eq(args.operands[3], "--json");
    ck_assert(args.seed == 7 && args.threads == 2 && args.has_seed && args.has_threads);
    ck_assert(!args.json);
}
END_TEST

START_TEST(options_that_are_keys)
{
    char where[3000], expected[3100];

    memset(where, 'x', sizeof where - 1);
    where[sizeof where - 1] = '\0';
    (void)snprintf(expected, sizeof expected, "train.resume=%s", where);
    ck_assert_ok(PARSE("c", "--resume", where, "--overwrite", "-rnone", "--threads=0"));
    ck_assert_uint_eq(args.override_count, 4);
    ck_assert_str_eq(args.overrides[0], expected);
    ck_assert_str_eq(args.overrides[1], "train.overwrite=true");
    ck_assert_str_eq(args.overrides[2], "train.resume=none");
    ck_assert_str_eq(args.overrides[3], "train.threads=all");
}
END_TEST

START_TEST(keys_may_have_dashes)
{
    ck_assert_ok(PARSE("c", "optim.weight-decay=0.1", "-"));
    ck_assert_uint_eq(args.override_count, 1);
    ck_assert_str_eq(args.overrides[0], "optim.weight-decay=0.1");
    ck_assert_uint_eq(args.operand_count, 2);
}
END_TEST

/* As mae-convert: its keys are those of a model, not of a run. */
START_TEST(overrides_without_train_keys)
{
    static const char *const GIVEN[] = {"c", "--seed=1", "a.b=c", "--threads", "2", NULL};
    MaeCommand command = COMMAND;

    command.train_keys = false;
    ck_assert_ok(parse(&command, GIVEN));
    ck_assert_uint_eq(args.override_count, 1);
    ck_assert_str_eq(args.overrides[0], "a.b=c");
    ck_assert(args.has_seed && args.has_threads && args.threads == 2);
}
END_TEST

START_TEST(tools_without_overrides)
{
    ck_assert_ok(PARSE_PLAIN("a.b=c", "--seed=1"));
    ck_assert_str_eq(args.operands[0], "a.b=c");
    ck_assert_uint_eq(args.override_count, 0);
    ck_assert(args.has_seed);
}
END_TEST

START_TEST(hyphen_is_an_argument)
{
    ck_assert_ok(PARSE_PLAIN("-"));
    ck_assert_str_eq(args.operands[0], "-");
}
END_TEST

START_TEST(queries_end_parsing)
{
    ck_assert_ok(PARSE("--help", "--nonsense"));
    ck_assert(args.help);
    mae_args_done(&args);
    ck_assert_ok(PARSE("-vhX"));
    ck_assert(args.help);
    mae_args_done(&args);
    ck_assert_ok(PARSE("--version"));
    ck_assert(args.version && !args.help);
    mae_args_done(&args);
    ck_assert_ok(PARSE("--help_config"));
    ck_assert(values.query && !args.help);
}
END_TEST

/** A wrong command line and what the message has to contain. */
typedef struct Wrong {
    const char *words[4];
    const char *message;
} Wrong;

static const Wrong WRONG[] = {
    {{"c", "--mask-rato=0.5"}, "unknown option --mask-rato; did you mean --mask-ratio?"},
    {{"c", "--mask_raito", "0.5"}, "did you mean --mask-ratio?"},
    {{"c", "--sed=1"}, "did you mean --seed?"},
    {{"c", "--zzzzzzzz"}, "unknown option --zzzzzzzz; --help lists the options"},
    {{"c", "--mask"}, "unknown option --mask"},
    {{"c", "--=1"}, "unknown option --"},
    {{"c", "-pz"}, "unknown option -z in \"-pz\""},
    {{"c", "--count"}, "--count: a value (N) is missing"},
    {{"c", "--out", "--json"}, "--out: a value (FILE) is missing"},
    {{"c", "-n"}, "--count: a value (N) is missing"},
    {{"c", "--overwrite=1"}, "--overwrite takes no value, got \"1\""},
    {{"c", "--json=1"}, "--json takes no value, got \"1\""},
    {{"c", "--count=0"}, "--count: expected 1 to 100, got 0"},
    {{"c", "--count=ten"}, "--count: expected a whole number >= 0, got \"ten\""},
    {{"c", "--count=-1"}, "--count: expected a whole number >= 0, got \"-1\""},
    {{"c", "--count="}, "--count: expected a whole number >= 0, got \"\""},
    {{"c", "--count=3 "}, "--count: expected a whole number >= 0, got \"3 \""},
    {{"c", "--seed=18446744073709551616"}, "--seed: 18446744073709551616 is too large"},
    {{"c", "--mask-ratio=nan"}, "--mask-ratio: expected a number, got \"nan\""},
    {{"c", "--mask-ratio=0.5x"}, "--mask-ratio: expected a number, got \"0.5x\""},
    {{"c", "--mask-ratio=1.5"}, "--mask-ratio: expected -1 to 1, got 1.5"},
    {{"c", "--format=pth"}, "--format: expected one of timm, hf, got \"pth\""},
    {{"c", "--order=hf"}, "--order needs --out"},
    {{"c", "--order=hf", "--count", "3"}, "--order needs --out"},
    {{"--order=hf"}, "argument CONFIG.yaml is missing"},
    {{"--json"}, "argument CONFIG.yaml is missing; see mae-test --help"},
    {{"a.b=c"}, "argument CONFIG.yaml is missing"},
};

START_TEST(wrong_command_lines)
{
    ck_assert_fails(parse(&COMMAND, WRONG[_i].words), MAE_ERR_ARG, WRONG[_i].message);
}
END_TEST

START_TEST(too_many_arguments)
{
    ck_assert_fails(PARSE_PLAIN("a", "b"), MAE_ERR_ARG, "unexpected argument \"b\"");
}
END_TEST

START_TEST(long_and_odd_words_are_safe)
{
    char word[2000] = "--";

    memset(word + 2, 'x', sizeof word - 3);
    ck_assert_fails(PARSE("c", word), MAE_ERR_ARG, "unknown option --xxx");
    mae_args_done(&args);
    ck_assert_fails(PARSE("c", "--a\n\033b"), MAE_ERR_ARG, "unknown option --a??b");
}
END_TEST

START_TEST(nothing_at_all)
{
    char *none[] = {NULL};

    ck_assert_fails(mae_options_parse(&args, &values, &COMMAND, 0, none, &err),
                    MAE_ERR_ARG, "argument CONFIG.yaml is missing");
    mae_args_done(NULL);
}
END_TEST

START_TEST(nearest_names)
{
    static const char *const NAMES[] = {"epochs", "batch-size", "lr", "blr"};

    ck_assert_str_eq(mae_options_nearest("epohcs", NAMES, 4), "epochs");
    ck_assert_str_eq(mae_options_nearest("batchsize", NAMES, 4), "batch-size");
    ck_assert_str_eq(mae_options_nearest("bl", NAMES, 4), "blr");
    ck_assert_ptr_null(mae_options_nearest("weight", NAMES, 4));
    ck_assert_ptr_null(mae_options_nearest("", NAMES, 4));
    ck_assert_ptr_null(mae_options_nearest("epochs", NAMES, 0));
}
END_TEST

static char *help_of(const MaeCommand *command)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);

    ck_assert_ptr_nonnull(out);
    mae_options_help(out, command);
    ck_assert_int_eq(fclose(out), 0);
    return text;
}

START_TEST(help_tells_everything)
{
    static const char *const PARTS[] = {
        "Usage: mae-test [options] CONFIG.yaml [IMAGE ...] [key.path=value ...]\n",
        "\nTests the parser.\n",
        "  CONFIG.yaml             the run\n",
        "  -n, --count N           number of images (default: 8)\n",
        " more\n                          than a line to tell (default: 0.75)\n",
        "  -o, --out FILE          output (default: out.png)\n",
        "  --format timm|hf        names of the tensors (default: timm)\n",
        "  --seed N                seed of every random choice (default: 0)\n",
        "  -h, --help              this text\n",
        "\nA note.\n",
        "75 stopped by a signal",
        "\nExample:\n  mae-test run.yaml train.epochs=3\n",
    };
    char *text = help_of(&COMMAND);

    for (size_t i = 0; i < sizeof PARTS / sizeof PARTS[0]; i++)
        ck_assert_msg(strstr(text, PARTS[i]) != NULL, "help lacks \"%s\":\n%s", PARTS[i],
                      text);
    for (const char *line = text; *line != '\0'; line += strcspn(line, "\n") + 1)
        ck_assert_uint_le(strcspn(line, "\n"), 79);
    free(text);
    text = help_of(&PLAIN);
    ck_assert_ptr_null(strstr(text, "key.path"));
    ck_assert_ptr_null(strstr(text, "75"));
    free(text);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("tools options");
    TCase *tc = tcase_create("options");

    tcase_add_checked_fixture(tc, NULL, teardown);
    tcase_add_test(tc, defaults_hold);
    tcase_add_test(tc, every_kind_is_stored);
    tcase_add_test(tc, underscore_is_hyphen);
    tcase_add_test(tc, short_options);
    tcase_add_test(tc, overrides_are_collected_apart);
    tcase_add_test(tc, options_that_are_keys);
    tcase_add_test(tc, keys_may_have_dashes);
    tcase_add_test(tc, overrides_without_train_keys);
    tcase_add_test(tc, tools_without_overrides);
    tcase_add_test(tc, hyphen_is_an_argument);
    tcase_add_test(tc, queries_end_parsing);
    tcase_add_loop_test(tc, wrong_command_lines, 0, (int)(sizeof WRONG / sizeof *WRONG));
    tcase_add_test(tc, too_many_arguments);
    tcase_add_test(tc, long_and_odd_words_are_safe);
    tcase_add_test(tc, nothing_at_all);
    tcase_add_test(tc, nearest_names);
    tcase_add_test(tc, help_tells_everything);
    suite_add_tcase(suite, tc);
    return mae_test_main(suite);
}
