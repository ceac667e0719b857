#include "common/training.h"

#include <math.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "common/signals.h"
#include "train/finetune.h"

const MaeTrainingValues mae_training_defaults = {.print_config = false};

const MaeToolOperand mae_training_operands[] = {
    {"CONFIG.yaml", "configuration; without one every key has its default", true, false},
    {.name = NULL},
};

#define FIELD(name) .offset = offsetof(MaeTrainingValues, name)
const MaeOption mae_training_options[] = {
    {"print-config", 0, MAE_OPTION_FLAG, FIELD(print_config),
     .help =
         "write the resolved configuration, each value with where it came from, and end"},
    {"help-config", 0, MAE_OPTION_QUERY, FIELD(help_config),
     .help = "document every key: type, range, default, unit; and end"},
    {"output-dir", 'o', MAE_OPTION_KEY, .key = "train.output_dir", .value = "FOLDER",
     .help = "run folder"},
    {"resume", 0, MAE_OPTION_KEY, .key = "train.resume", .value = "auto|none|FILE",
     .help = "go on with the run in the folder, start anew, or go on from a checkpoint "
             "(default: auto)"},
    {"overwrite", 0, MAE_OPTION_KEY, .key = "train.overwrite",
     .help = "replace the run in the folder"},
    {.name = NULL},
};

static void on_progress(void *ctx, const MaeTrainProgress *p)
{
    MaeTerminal *terminal = ctx;
    char label[48];
    const MaeProgress progress = {
        .label = label,
        .done = p->step,
        .total = p->steps,
        .images_per_second = p->images_per_second,
        .loss = p->loss,
        .seconds_left = p->seconds_left,
    };

    (void)snprintf(label, sizeof label, "epoch %zu/%zu%s%.24s", p->epoch, p->epochs,
                   p->evaluated != NULL ? ", " : "",
                   p->evaluated != NULL ? p->evaluated : "");
    if (p->epoch_done)
        mae_terminal_mark(terminal, &progress);
    else
        mae_terminal_progress(terminal, &progress);
}

static bool stopped(void *ctx)
{
    (void)ctx;
    return atomic_load(mae_signals_stop()) != 0;
}

static MaeStatus print_json(const MaeConfig *cfg, const MaeTrainResult *result,
                            MaeError *err)
{
    MaeJson *json = mae_json_object();

    mae_json_set_text(json, "output_dir", cfg->train.output_dir);
    mae_json_set_int(json, "epochs", (int64_t)result->epochs);
    mae_json_set_int(json, "steps", (int64_t)result->steps);
    mae_json_set_real(json, "train_loss", result->train_loss);
    if (cfg->tool == MAE_CONF_FINETUNE) {
        mae_json_set_real(json, "best_acc1", 100.0 * result->score);
        mae_json_set_real(json, "last_acc1", 100.0 * result->last_score);
    } else {
        mae_json_set_real(json, "best_val_loss", -result->score);
        mae_json_set_real(json, "last_val_loss", -result->last_score);
    }
    mae_json_set_real(json, "images_per_second", result->images_per_second);
    mae_json_set_real(json, "data_wait_share", result->waited);
    mae_json_set_real(json, "rank_wait_share", result->met);
    mae_json_set_real(json, "seconds", result->seconds);
    return mae_tool_print_json(json, 0, err);
}

/* The best score and the last one, as far as they are known. */
static void print_scores(const char *what, double best, double last, int digits,
                         const char *unit)
{
    if (!isfinite(best))
        return;
    printf("%s: best %.*f%s", what, digits, best, unit);
    if (isfinite(last))
        printf(", last %.*f%s", digits, last, unit);
    printf("\n");
}

/* The best one, if scores told which it is. */
static void print_classifier(const char *folder, const char *val)
{
    char best[4096];
    const bool scored =
        snprintf(best, sizeof best, "%s/best.h5", folder) < (int)sizeof best &&
        access(best, R_OK) == 0;
    const char *name = scored ? "best.h5" : "last.h5";

    printf("classifier: %s/%s\nnext: mae-predict %s/%s IMAGE...\n", folder, name, folder,
           name);
    if (val[0] != '\0')
        printf("      mae-eval %s/%s --test %s\n", folder, name, val);
}

static void print_text(const MaeConfig *cfg, const MaeTrainResult *r)
{
    const char *folder = cfg->train.output_dir;
    char time[32];

    mae_clock_duration(time, sizeof time, r->seconds);
    printf("%zu epochs, %zu steps done; ", r->epochs, r->steps);
    if (r->images_per_second > 0.0) {
        printf("this session %s, training at %.0f images/s, %.1f %% of it waiting for "
               "data",
               time, r->images_per_second, 100.0 * r->waited);
        if (r->met > 0.0)
            printf(", %.1f %% for other ranks", 100.0 * r->met);
        printf("\n");
    } else {
        printf("nothing was left to do\n");
    }
    if (isfinite(r->train_loss))
        printf("training loss %.4f\n", r->train_loss);
    if (isfinite(r->train_loss) && cfg->train.report) /* an epoch ended */
        printf("report: %s/report.html\n", folder);
    if (cfg->tool == MAE_CONF_FINETUNE) {
        print_scores("top-1 accuracy", 100.0 * r->score, 100.0 * r->last_score, 2, " %");
        print_classifier(folder, cfg->data.val);
        return;
    }
    print_scores("held-out loss", -r->score, -r->last_score, 4, "");
    printf("encoder and decoder: %s/last.h5", folder);
    if (cfg->train.preview_every > 0)
        printf(", pictures: %s/reconstructions", folder);
    printf("\n"
           "next: mae-reconstruct %s/last.h5 --data %s\n"
           "      mae-finetune CONFIG.yaml finetune.checkpoint=%s/last.h5\n",
           folder, cfg->data.train, folder);
}

/* As the run would have it; the examples name checkpoints that are yet to be made. */
static MaeStatus print_config(const MaeTool *tool, MaeConfig *cfg, MaeError *err)
{
    MaeError missing = {0};

    if (cfg->tool == MAE_CONF_FINETUNE && cfg->finetune.checkpoint[0] != '\0') {
        if (mae_tool_expect(cfg->finetune.checkpoint, &missing) == MAE_OK)
            MAE_TRY(mae_finetune_resolve(cfg, err));
        else
            mae_log(&tool->log, MAE_LOG_WARN,
                    "finetune.checkpoint: %s; it would replace the model below",
                    missing.msg);
    }
    mae_config_print(cfg, stdout);
    return MAE_OK;
}

static MaeStatus report(MaeTool *tool, const MaeConfig *cfg, const MaeTrainResult *result,
                        MaeError *err)
{
    mae_terminal_progress_end(&tool->terminal);
    if (!mae_tool_leads(tool))
        return MAE_OK;
    if (tool->args.json)
        return print_json(cfg, result, err);
    print_text(cfg, result);
    return MAE_OK;
}

/* Meet the other ranks, who are told if this one knows not what to do. */
static MaeStatus join(MaeTool *tool, const MaeConfig *cfg, MaeStatus status,
                      MaeError *err)
{
    MaeCommOptions options = {.wire = MAE_F32};

    if (status == MAE_OK)
        options = (MaeCommOptions){
            .wire = cfg->dist.wire == MAE_CONF_WIRE_BF16 ? MAE_BF16 : MAE_F32,
            .timeout = cfg->dist.timeout,
            .timeout_key = "dist.timeout",
        };
    MAE_TRY(mae_tool_join(tool, &options, err));
    return mae_comm_agree(tool->comm, status, err);
}

static MaeStatus train(MaeTool *tool, MaeConfig *cfg, MaeTrainFn fn, MaeError *err)
{
    MaeTrainHooks hooks = {.progress = on_progress,
                           .ctx = &tool->terminal,
                           .stop = stopped,
                           .tool = tool->command->name};
    MaeTrainResult result;
    MaeStatus status;

    hooks.log = tool->log;
    hooks.comm = tool->comm;
    status = fn(cfg, &hooks, &result, err);
    if (status == MAE_OK)
        status = report(tool, cfg, &result, err);
    mae_terminal_progress_end(&tool->terminal);
    return status;
}

static MaeStatus configure(MaeTool *tool, MaeConfig *cfg, MaeConfTool conf,
                           const MaeTrainingValues *values, MaeError *err)
{
    const MaeArgs *args = &tool->args;
    MaeStatus status =
        mae_config_read(cfg, conf, args->operand_count > 0 ? args->operands[0] : NULL,
                        args->overrides, args->override_count, err);

    if (status == MAE_ERR_IO) /* a configuration that cannot be read is wrong usage */
        status = err->status = MAE_ERR_ARG;
    if (status == MAE_OK && !values->print_config)
        status = mae_config_check_required(cfg, err);
    return status;
}

static MaeStatus run_tool(MaeTool *tool, const MaeTrainingValues *values,
                          MaeConfTool conf, MaeTrainFn fn, MaeError *err)
{
    MaeConfig *cfg = malloc(sizeof *cfg);
    MaeStatus status;

    if (cfg == NULL)
        MAE_FAIL(err, MAE_ERR_NOMEM, "out of memory for the configuration");
    status = configure(tool, cfg, conf, values, err);
    if (!values->print_config)
        status = join(tool, cfg, status, err);
    if (status == MAE_OK)
        status = values->print_config ? print_config(tool, cfg, err)
                                      : train(tool, cfg, fn, err);
    free(cfg);
    return status;
}

int mae_training_main(const MaeCommand *command, MaeConfTool conf, MaeTrainFn fn,
                      int argc, char **argv)
{
    MaeTrainingValues values;
    MaeError err = {0};
    MaeStatus status = MAE_OK;
    MaeTool tool;

    if (!mae_tool_open(&tool, command, &values, argc, argv))
        return tool.exit_code;
    if (values.help_config)
        mae_config_help(stdout, conf);
    else
        status = run_tool(&tool, &values, conf, fn, &err);
    return mae_tool_close(&tool, status, &err);
}
