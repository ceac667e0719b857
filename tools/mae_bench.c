/* mae-bench: how fast this machine computes a model, next to what it could do. */
#include <stdlib.h>

#include "common/bench_report.h"
#include "common/tool.h"

typedef struct Values {
    size_t steps, warmup;
    bool no_ceiling;
} Values;

static const Values DEFAULTS = {.steps = 10, .warmup = 2};

static const MaeToolOperand OPERANDS[] = {
    {"BENCHMARK",
     "gemm: matrix products of a training step alone; step: training steps "
     "on random images in memory; embed: features of such images, without a mask; "
     "loader: reading the images of data.train",
     false, false},
    {"CONFIG.yaml",
     "configuration of mae-pretrain; without one every key has its default", true, false},
    {.name = NULL},
};

#define FIELD(name) .offset = offsetof(Values, name)
static const MaeOption OPTIONS[] = {
    {"preset", 'p', MAE_OPTION_KEY, .key = "model.preset", .value = "NAME",
     .help = "architecture: vit_micro to vit_huge (default: vit_tiny)"},
    {"steps", 'n', MAE_OPTION_SIZE, FIELD(steps), .value = "N", .min = 1, .max = 1e6,
     .help = "steps, passes or batches measured"},
    {"warmup", 'w', MAE_OPTION_SIZE, FIELD(warmup), .value = "N", .min = 1, .max = 1e6,
     .help = "as many done before and not measured"},
    {"no-ceiling", 0, MAE_OPTION_FLAG, FIELD(no_ceiling),
     .help = "step, embed: do not measure products alone in turns with them"},
    {.name = NULL},
};

static const MaeCommand COMMAND = {
    .name = "mae-bench",
    .summary = "Measures how fast this machine trains a model, computes its features or "
               "loads its images, and how fast its matrix products alone would run. "
               "Writes no files.",
    .operands = OPERANDS,
    .options = OPTIONS,
    .defaults = &DEFAULTS,
    .values_size = sizeof(Values),
    .overrides = true,
    .train_keys = true,
    .notes = "GFLOP/s counts multiply-adds of matrix products as two, backward as twice "
             "forward, and nothing else. Measure on a machine that does nothing else.",
    .example = "mae-bench step --preset vit_small train.batch_size=16 --steps 5",
};

static MaeStatus find(const MaeBench **bench, const char *name, MaeError *err)
{
    const char *names[8], *nearest;
    size_t count = 0;

    *bench = mae_bench_find(name);
    if (*bench != NULL)
        return MAE_OK;
    for (const MaeBench *b = mae_benches; b->name != NULL && count < 8; b++)
        names[count++] = b->name;
    nearest = mae_options_nearest(name, names, count);
    if (nearest != NULL)
        MAE_FAIL(err, MAE_ERR_ARG, "unknown benchmark %s; did you mean %s?", name,
                 nearest);
    MAE_FAIL(err, MAE_ERR_ARG, "unknown benchmark %s; --help lists them", name);
}

static MaeStatus measure(const MaeTool *tool, const Values *values, const MaeBench *bench,
                         MaeConfig *cfg, MaeError *err)
{
    const MaeArgs *args = &tool->args;
    const MaeBenchOptions options = {
        .steps = values->steps, .warmup = values->warmup, .ceiling = !values->no_ceiling};
    const char *path = args->operand_count > 1 ? args->operands[1] : NULL;
    MaeBenchResult result;

    if (path != NULL)
        MAE_TRY(mae_tool_expect(path, err));
    MAE_TRY(mae_config_read(cfg, MAE_CONF_PRETRAIN, path, args->overrides,
                            args->override_count, err));
    MAE_TRY(bench->run(cfg, &options, &tool->log, &result, err));
    return bench_report_print(bench, cfg, &result, MAE_VERSION, args->json, err);
}

static MaeStatus run(const MaeTool *tool, const Values *values, MaeError *err)
{
    const MaeBench *bench = NULL;
    MaeConfig *cfg = NULL;
    MaeStatus status;

    MAE_TRY(find(&bench, tool->args.operands[0], err));
    cfg = malloc(sizeof *cfg);
    if (cfg == NULL)
        MAE_FAIL(err, MAE_ERR_NOMEM, "out of memory for the configuration");
    status = measure(tool, values, bench, cfg, err);
    free(cfg);
    return status;
}

int main(int argc, char **argv)
{
    Values values = DEFAULTS;
    MaeError err = {0};
    MaeStatus status;
    MaeTool tool;

    if (!mae_tool_open(&tool, &COMMAND, &values, argc, argv))
        return tool.exit_code;
    status = run(&tool, &values, &err);
    return mae_tool_close(&tool, status, &err);
}
