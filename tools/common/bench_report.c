#include "common/bench_report.h"

#include <stdio.h>

#include "base/machine.h"
#include "common/tool.h"

#define MEGA 1e6
#define GIGA 1e9

static double gflops(double flops, double seconds)
{
    return flops / seconds / GIGA;
}

/* Width, blocks, heads. */
static MaeJson *trunk_json(size_t width, size_t depth, size_t heads)
{
    MaeJson *array = mae_json_array();

    mae_json_append(array, mae_json_int((int64_t)width));
    mae_json_append(array, mae_json_int((int64_t)depth));
    mae_json_append(array, mae_json_int((int64_t)heads));
    return array;
}

static MaeJson *model_json(const MaeConfModel *model)
{
    MaeJson *json = mae_json_object(), *size = mae_json_array();

    mae_json_append(size, mae_json_int((int64_t)model->img_size[0]));
    mae_json_append(size, mae_json_int((int64_t)model->img_size[1]));
    mae_json_set(json, "img_size", size);
    mae_json_set_int(json, "patch_size", (int64_t)model->patch_size);
    mae_json_set(json, "encoder",
                 trunk_json(model->embed_dim, model->depth, model->num_heads));
    mae_json_set(json, "decoder",
                 trunk_json(model->decoder_embed_dim, model->decoder_depth,
                            model->decoder_num_heads));
    return json;
}

static MaeJson *times_json(const MaeBenchTimes *times)
{
    MaeJson *json = mae_json_object();

    mae_json_set_real(json, "median", times->median);
    mae_json_set_real(json, "min", times->min);
    mae_json_set_real(json, "max", times->max);
    return json;
}

static MaeJson *ceiling_json(const MaeBenchResult *r)
{
    MaeJson *json = mae_json_object();

    mae_json_set_real(json, "gflops", mae_bench_ceiling(r) / GIGA);
    mae_json_set_real(json, "best_gflops", r->best_stage / GIGA);
    mae_json_set_real(json, "share", mae_bench_flops(r) / mae_bench_ceiling(r));
    return json;
}

static MaeJson *stages_json(const MaeBenchResult *r)
{
    MaeJson *array = mae_json_array();

    for (size_t i = 0; i < r->stage_count; i++) {
        const MaeBenchStage *stage = &r->stages[i];
        MaeJson *json = mae_json_object();

        mae_json_set_text(json, "layers", stage->layers);
        mae_json_set_text(json, "product", stage->product);
        mae_json_set_real(json, "gflop", stage->flops / GIGA);
        mae_json_set_real(json, "gflops", gflops(stage->flops, stage->seconds));
        mae_json_append(array, json);
    }
    return array;
}

static void append_class(MaeJson *array, const char *name, double seconds)
{
    MaeJson *json = mae_json_object();

    mae_json_set_text(json, "class", name);
    mae_json_set_real(json, "seconds", seconds);
    mae_json_append(array, json);
}

/* Where the time of a step goes, per thread. */
static MaeJson *classes_json(const MaeBenchResult *r)
{
    static const char *const NAMES[MAE_LAP_CLASSES] = {
        [MAE_LAP_WAIT] = "waiting",
        [MAE_LAP_FORWARD] = "products forward",
        [MAE_LAP_INPUT_GRAD] = "products input gradient",
        [MAE_LAP_WEIGHT_GRAD] = "products weight gradient",
        [MAE_LAP_ATTENTION] = "attention",
        [MAE_LAP_NORM] = "layer norm",
        [MAE_LAP_GELU] = "gelu",
        [MAE_LAP_RESIDUAL] = "residual and bias gradients",
        [MAE_LAP_TOKENS] = "tokens and loss",
    };
    MaeJson *array = mae_json_array();

    for (size_t i = 0; i < MAE_LAP_CLASSES; i++)
        append_class(array, NAMES[i], r->laps[i]);
    append_class(array, "optimiser", r->optimiser);
    return array;
}

static void set_loader(MaeJson *json, const MaeBenchResult *r)
{
    const double images = (double)(r->images * r->times.count);

    mae_json_set_int(json, "workers", (int64_t)r->loader.workers);
    mae_json_set_real(json, "images_per_second_per_worker",
                      mae_bench_speed(r) / (double)r->loader.workers);
    mae_json_set_real(json, "cpu_seconds", r->loader.cpu_seconds);
    mae_json_set_real(json, "images_per_second_per_core", images / r->loader.cpu_seconds);
    mae_json_set_int(json, "bad_images", (int64_t)r->loader.bad);
}

static void set_memory(MaeJson *json, const MaeBenchResult *r)
{
    const double peak = (double)r->peak_bytes;
    MaeJson *planned;

    mae_json_set_real(json, "peak_mb", peak / MEGA);
    if (r->state_bytes == 0)
        return;
    mae_json_set_real(json, "peak_without_state_mb",
                      (peak - (double)r->parameter_bytes) / MEGA);
    planned = mae_json_object();
    mae_json_set_real(planned, "state", (double)r->state_bytes / MEGA);
    mae_json_set_real(planned, "activations", (double)r->activation_bytes / MEGA);
    mae_json_set_real(planned, "images", (double)r->image_bytes / MEGA);
    mae_json_set(json, "planned_mb", planned);
}

static MaeStatus print_json(const MaeBench *bench, const MaeConfig *cfg,
                            const MaeBenchResult *r, const char *version, MaeError *err)
{
    MaeJson *json = mae_json_object();
    char processor[128];

    mae_machine_processor(processor, sizeof processor);
    mae_json_set_text(json, "benchmark", bench->name);
    mae_json_set_text(json, "version", version);
    mae_json_set_text(json, "processor", processor);
    mae_json_set_text(json, "backend", r->backend);
    mae_json_set_text(json, "precision", mae_dtype_name(r->operand));
    mae_json_set_int(json, "threads", (int64_t)r->threads);
    mae_json_set(json, "model", model_json(&cfg->model));
    if (r->parameters > 0)
        mae_json_set_int(json, "parameters", (int64_t)r->parameters);
    mae_json_set_int(json, "batch", (int64_t)r->images);
    mae_json_set_int(json, "steps", (int64_t)r->times.count);
    mae_json_set(json, "seconds", times_json(&r->times));
    mae_json_set_real(json, "images_per_second", mae_bench_speed(r));
    if (r->flops > 0.0) {
        mae_json_set_real(json, "gflop_per_image", r->flops / (double)r->images / GIGA);
        mae_json_set_real(json, "gflops", mae_bench_flops(r) / GIGA);
    }
    if (r->optimiser > 0.0)
        mae_json_set(json, "time", classes_json(r));
    if (r->passes.count > 0 && r->state_bytes > 0)
        mae_json_set(json, "ceiling", ceiling_json(r));
    else if (r->passes.count > 0)
        mae_json_set(json, "products", stages_json(r));
    if (r->loader.workers > 0)
        set_loader(json, r);
    set_memory(json, r);
    return mae_tool_print_json(json, 0, err);
}

static void print_stages(const MaeBenchResult *r)
{
    for (size_t i = 0; i < r->stage_count; i++)
        printf("  %-18s %-16s %8.2f GFLOP %8.1f GFLOP/s\n", r->stages[i].layers,
               r->stages[i].product, r->stages[i].flops / GIGA,
               gflops(r->stages[i].flops, r->stages[i].seconds));
}

static void print_text(const MaeBench *bench, const MaeConfig *cfg,
                       const MaeBenchResult *r)
{
    const MaeConfModel *m = &cfg->model;

    printf("%s: image %zu x %zu, patch %zu, encoder %zu x %zu, decoder %zu x %zu, batch "
           "%zu\n%s, %s, %zu threads\n",
           bench->name, m->img_size[0], m->img_size[1], m->patch_size, m->embed_dim,
           m->depth, m->decoder_embed_dim, m->decoder_depth, r->images, r->backend,
           mae_dtype_name(r->operand), r->threads);
    printf("%.1f images/s; %zu measured: median %.4f s, %.4f to %.4f s\n",
           mae_bench_speed(r), r->times.count, r->times.median, r->times.min,
           r->times.max);
    if (r->flops > 0.0)
        printf("%.1f GFLOP/s", mae_bench_flops(r) / GIGA);
    if (r->passes.count > 0 && r->state_bytes > 0)
        printf(", %.1f %% of products alone (%.1f GFLOP/s)",
               100.0 * mae_bench_flops(r) / mae_bench_ceiling(r),
               mae_bench_ceiling(r) / GIGA);
    if (r->flops > 0.0)
        printf("\n");
    if (r->passes.count > 0 && r->state_bytes == 0)
        print_stages(r);
    if (r->loader.workers > 0)
        printf("%.1f images/s of each of %zu workers, %.1f per core of processor time, "
               "%zu bad images\n",
               mae_bench_speed(r) / (double)r->loader.workers, r->loader.workers,
               (double)(r->images * r->times.count) / r->loader.cpu_seconds,
               r->loader.bad);
    printf("memory: peak %.0f MB", (double)r->peak_bytes / MEGA);
    if (r->state_bytes > 0)
        printf("; planned: weights and optimiser %.0f, activations %.0f, images %.0f",
               (double)r->state_bytes / MEGA, (double)r->activation_bytes / MEGA,
               (double)r->image_bytes / MEGA);
    printf("\n");
}

MaeStatus bench_report_print(const MaeBench *bench, const MaeConfig *cfg,
                             const MaeBenchResult *result, const char *version, bool json,
                             MaeError *err)
{
    if (json)
        return print_json(bench, cfg, result, version, err);
    print_text(bench, cfg, result);
    return MAE_OK;
}
