/* mae-inspect: what a checkpoint holds. */
#include <stdlib.h>
#include <string.h>

#include "common/inspect_report.h"
#include "common/tool.h"
#include "model/describe.h"

typedef struct Values {
    bool config, tensors;
} Values;

static const Values DEFAULTS = {.config = false};

static const MaeToolOperand OPERANDS[] = {
    {"CHECKPOINT", "written by any of these tools", false, false},
    {.name = NULL},
};

#define FIELD(name) .offset = offsetof(Values, name)
static const MaeOption OPTIONS[] = {
    {"config", 'c', MAE_OPTION_FLAG, FIELD(config),
     .help = "print the run's configuration (YAML) only"},
    {"tensors", 't', MAE_OPTION_FLAG, FIELD(tensors),
     .help = "list name, shape, mean, standard deviation, smallest and largest element "
             "of every tensor too"},
    {.name = NULL},
};

static const MaeCommand COMMAND = {
    .name = "mae-inspect",
    .summary = "Shows what a checkpoint holds: model, normalisation, classes, progress "
               "and configuration. The file is checked completely first.",
    .operands = OPERANDS,
    .options = OPTIONS,
    .defaults = &DEFAULTS,
    .values_size = sizeof(Values),
    .notes =
        "The last line of the history and texts are as the training tool wrote them. "
        "--json with --config prints {\"config\": text}.",
    .example = "mae-inspect run/last.h5 --tensors",
};

/** Everything open while the tool works. */
typedef struct Session {
    const char *path;
    MaeCkptReader *reader;
    MaeSnapshot snapshot;
    MaeSnapshotModel model;
    MaeJson *tensors; /* NULL unless wanted */
} Session;

static MaeStatus describe_tensors(Session *s, MaeError *err)
{
    const MaeParamTable *table = mae_snapshot_model_table(&s->model);
    float *weights = mae_snapshot_alloc(table);
    MaeStatus status;

    if (weights == NULL)
        MAE_FAIL(err, MAE_ERR_NOMEM, "%s: out of memory for %zu weights", s->path,
                 table->total);
    status = mae_ckpt_get_table(s->reader, "params", table, weights, err);
    if (status == MAE_OK)
        s->tensors = mae_describe_tensors(table, weights);
    free(weights);
    return status;
}

static MaeStatus report_json(Session *s, const Values *values, MaeError *err)
{
    MaeJson *root =
        values->config
            ? mae_json_object()
            : mae_describe_snapshot(&s->snapshot, mae_snapshot_model_table(&s->model));

    if (!values->config)
        mae_json_set_text(root, "file", s->path);
    if (s->tensors != NULL) {
        mae_json_set(root, "tensors", s->tensors);
        s->tensors = NULL; /* taken */
    }
    mae_json_set_text(root, "config", s->snapshot.config);
    return mae_tool_print_json(root, 2, err);
}

static void report_text(const Session *s, const Values *values)
{
    if (values->config) {
        inspect_report_text(stdout, s->snapshot.config);
        return;
    }
    inspect_report_summary(stdout, s->path, &s->snapshot,
                           mae_snapshot_model_table(&s->model));
    if (s->tensors != NULL) {
        (void)putchar('\n');
        inspect_report_tensors(stdout, s->tensors);
    }
}

static MaeStatus inspect(Session *s, const Values *values, bool json, MaeError *err)
{
    if (values->tensors)
        MAE_TRY(describe_tensors(s, err));
    if (json)
        return report_json(s, values, err);
    report_text(s, values);
    return MAE_OK;
}

static MaeStatus run(const MaeTool *tool, const Values *values, MaeError *err)
{
    Session s;
    MaeStatus status;

    memset(&s, 0, sizeof s);
    s.path = tool->args.operands[0];
    if (values->config && values->tensors)
        MAE_FAIL(err, MAE_ERR_ARG, "--config and --tensors exclude each other");
    MAE_TRY(mae_tool_expect(s.path, err));
    MAE_TRY(mae_snapshot_open(&s.reader, &s.snapshot, s.path, err));
    status = mae_snapshot_model_open(&s.model, s.snapshot.kind, &s.snapshot.arch, err);
    if (status == MAE_OK) {
        status = inspect(&s, values, tool->args.json, err);
        mae_snapshot_model_close(&s.model);
    }
    mae_json_free(s.tensors);
    mae_snapshot_done(&s.snapshot);
    mae_ckpt_close(s.reader);
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
