#include "train/products.h"

#include <math.h>

#include "base/clock.h"
#include "base/rng.h"
#include "kernel/rows.h"

/* A block: qkv, proj, fc1, fc2. */
static MaeProductGroup block_group(const char *name, const MaeTrunk *trunk, size_t count,
                                   size_t tokens)
{
    const size_t width = trunk->width, hidden = trunk->hidden;

    return (MaeProductGroup){
        .name = name,
        .layers = {{.in = width, .out = 3 * width},
                   {.in = width, .out = width},
                   {.in = width, .out = hidden},
                   {.in = hidden, .out = width}},
        .layer_count = 4,
        .count = count,
        .tokens = tokens,
        .tile = tokens,
    };
}

static MaeProductGroup layer_group(const char *name, const MaeLinear *layer,
                                   size_t tokens)
{
    return (MaeProductGroup){
        .name = name,
        .layers = {{.in = layer->in, .out = layer->out}},
        .layer_count = 1,
        .count = 1,
        .tokens = tokens,
        .tile = tokens,
    };
}

/* The encoder's. @return how many. */
static size_t list_encoder(MaeProductGroup *groups, const MaeAutoencoder *model,
                           size_t visible)
{
    const MaeTrunk *trunk = &model->encoder.trunk;

    groups[0] = layer_group("patch embedding", &model->encoder.patch, visible);
    if (trunk->depth == 0)
        return 1;
    groups[1] = block_group("encoder blocks", trunk, trunk->depth, visible + 1);
    return 2;
}

/* The decoder's, whose last MLP and prediction have rows of hidden patches only. */
static size_t list_decoder(MaeProductGroup *groups, const MaeAutoencoder *model,
                           size_t visible)
{
    const MaeTrunk *trunk = &model->decoder;
    const size_t all = model->patches + 1, hidden = model->patches - visible;
    size_t count = 0;

    groups[count++] =
        layer_group("decoder embedding", &model->decoder_embed, visible + 1);
    if (trunk->depth > 1)
        groups[count++] = block_group("decoder blocks", trunk, trunk->depth - 1, all);
    if (trunk->depth > 0) {
        MaeProductGroup last = block_group("last attention", trunk, 1, all);
        MaeProductGroup mlp = block_group("last MLP", trunk, 1, hidden);

        last.layer_count = mlp.layer_count = 2;
        mlp.layers[0] = last.layers[2];
        mlp.layers[1] = last.layers[3];
        mlp.tile = all;
        groups[count++] = last;
        groups[count++] = mlp;
    }
    groups[count] =
        layer_group("prediction", &model->decoder_pred, trunk->depth > 0 ? hidden : all);
    groups[count].tile = all;
    return count + 1;
}

/* All of a step. @return how many. */
static size_t list_groups(MaeProductGroup groups[MAE_PRODUCT_GROUPS],
                          const MaeAutoencoder *model, size_t visible)
{
    const size_t count = list_encoder(groups, model, visible);

    return count + list_decoder(groups + count, model, visible);
}

/* One kind of product over all layers of a group, for one image. */
static double group_flops(const MaeProductGroup *group)
{
    double weights = 0.0;

    for (size_t i = 0; i < group->layer_count; i++)
        weights += (double)group->layers[i].in * (double)group->layers[i].out;
    return 2.0 * (double)group->count * (double)group->tokens * weights;
}

/* Scores and weighted sums, forward, for one image. */
static double attention_flops(const MaeTrunk *trunk, size_t tokens)
{
    return 4.0 * (double)trunk->depth * (double)trunk->width * (double)tokens *
           (double)tokens;
}

double mae_products_step_flops(const MaeAutoencoder *model, size_t visible)
{
    MaeProductGroup groups[MAE_PRODUCT_GROUPS] = {{0}};
    double sum = attention_flops(&model->encoder.trunk, visible + 1) +
                 attention_flops(&model->decoder, model->patches + 1);
    const size_t count = list_groups(groups, model, visible);

    for (size_t i = 0; i < count; i++)
        sum += group_flops(&groups[i]);
    return 3.0 * sum;
}

double mae_products_embed_flops(const MaeAutoencoder *model)
{
    MaeProductGroup groups[MAE_PRODUCT_GROUPS] = {{0}};
    const size_t count = list_encoder(groups, model, model->patches);
    double sum = attention_flops(&model->encoder.trunk, model->patches + 1);

    for (size_t i = 0; i < count; i++)
        sum += group_flops(&groups[i]);
    return sum;
}

static void choose(MaeProducts *p, const MaeAutoencoder *model, MaeProductUse use,
                   size_t visible)
{
    const bool step = use == MAE_PRODUCTS_STEP;
    const size_t seen = step ? visible : model->patches;

    p->group_count =
        step ? list_groups(p->groups, model, seen) : list_encoder(p->groups, model, seen);
    p->kinds = step ? 3 : 1;
    p->stage_count = p->group_count * p->kinds;
    p->tile_images = mae_work_tile_images(seen + 1);
}

static void plan(MaeProducts *p)
{
    for (size_t g = 0; g < p->group_count; g++) {
        MaeProductGroup *group = &p->groups[g];
        const double flops = (double)p->batch * group_flops(group);

        p->rows = p->batch * group->tokens > p->rows ? p->batch * group->tokens : p->rows;
        for (size_t i = 0; i < group->layer_count; i++) {
            MaeProductLayer *layer = &group->layers[i];

            layer->off = p->weights;
            p->weights += layer->in * layer->out;
            p->widest = layer->in > p->widest ? layer->in : p->widest;
            p->widest = layer->out > p->widest ? layer->out : p->widest;
        }
        for (size_t kind = 0; kind < p->kinds; kind++)
            p->stages[p->kinds * g + kind] =
                (MaeProductStage){group, (MaeProductKind)kind, flops, (double)INFINITY};
        p->flops += (double)p->kinds * flops;
    }
}

static void reserve(MaeProducts *p, MaeArena *arena)
{
    const MaeDtype type = mae_gemm_operand(p->compute.gemm);

    p->w = mae_operand_carve(arena, type, p->weights);
    p->dw = mae_arena_floats(arena, p->weights);
    p->x = mae_operand_carve(arena, type, p->rows * p->widest);
    p->dy = mae_operand_carve(arena, type, p->rows * p->widest);
    p->y = mae_operand_carve(arena, type, p->rows * p->widest);
}

/* Zeros would draw less power than numbers do, and so run faster. */
static void fill(MaeOperand v, size_t n, uint64_t seed, uint64_t stream)
{
    MaeRng rng;

    mae_rng_init(&rng, seed, 0, stream, MAE_RNG_TEST);
    for (size_t i = 0; i < n; i++) {
        const float x = mae_rng_float(&rng) - 0.5f;

        mae_rows_enter(mae_operand_at(v, i), NULL, &x, NULL, 1, 1, 1);
    }
}

MaeStatus mae_products_open(MaeProducts *products, const MaeAutoencoder *model,
                            MaeProductUse use, size_t batch, size_t visible,
                            const MaeCompute *compute, uint64_t seed, MaeError *err)
{
    MaeArena measure = mae_arena_measure();

    *products = (MaeProducts){.compute = {.pool = compute->pool, .gemm = compute->gemm},
                              .batch = batch};
    choose(products, model, use, visible);
    plan(products);
    reserve(products, &measure);
    MAE_TRY(mae_arena_open(&products->arena, &measure, "operands of products", err));
    reserve(products, &products->arena);
    MAE_TRY(mae_arena_check(&products->arena, "operands of products", err));
    fill(products->w, products->weights, seed, 0);
    fill(products->x, products->rows * products->widest, seed, 1);
    fill(products->dy, products->rows * products->widest, seed, 2);
    return MAE_OK;
}

void mae_products_close(MaeProducts *products)
{
    if (products != NULL)
        mae_arena_close(&products->arena);
}

/* Forward or input gradient of a layer on @p rows that begin at row @p row0. */
static void multiply(const MaeProducts *p, const MaeProductLayer *layer,
                     MaeProductKind kind, size_t row0, size_t rows, size_t thread)
{
    const MaeGemm *gemm = mae_gemm_thread(p->compute.gemm, thread);
    const size_t at = row0 * p->widest, in = layer->in, out = layer->out;
    const MaeOperand y = mae_operand_at(p->y, at), w = mae_operand_at(p->w, layer->off);

    if (kind == MAE_PRODUCT_FORWARD)
        mae_gemm_nt(gemm, y, out, mae_operand_at(p->x, at).data, in, w.data, in, rows,
                    out, in, NULL, NULL);
    else
        mae_gemm_nn(gemm, y, in, mae_operand_at(p->dy, at).data, out, w.data, in, rows,
                    in, out, NULL, NULL);
}

typedef struct TileCall {
    const MaeProducts *products;
    const MaeProductStage *stage;
} TileCall;

/* A tile runs through all layers without meeting another, as in a step. */
static void run_tile(void *ctx, size_t index, size_t thread)
{
    const TileCall *call = ctx;
    const MaeProducts *p = call->products;
    const MaeProductGroup *group = call->stage->group;
    const MaeWork work = {.plan = {.tile_images = p->tile_images}};
    const MaeTile tile = mae_work_tile(&work, p->batch, group->tile, index);

    for (size_t n = 0; n < group->count * mae_tile_parts(tile); n++) {
        const MaeTile part = mae_tile_part(tile, n % mae_tile_parts(tile));

        for (size_t i = 0; i < group->layer_count; i++)
            multiply(p, &group->layers[i], call->stage->kind, part.image * group->tokens,
                     part.images * group->tokens, thread);
    }
}

/* As in a step: the layers of one block share a grid. */
static void run_weight_grads(const MaeProducts *p, const MaeProductGroup *group)
{
    MaeWeightGrad jobs[MAE_PRODUCT_LAYERS];

    for (size_t i = 0; i < group->layer_count; i++)
        jobs[i] = (MaeWeightGrad){.off = group->layers[i].off,
                                  .in = group->layers[i].in,
                                  .out = group->layers[i].out,
                                  .dy = p->dy.data,
                                  .x = p->x.data,
                                  .rows = p->batch * group->tokens};
    for (size_t n = 0; n < group->count; n++)
        mae_weight_grad_run(jobs, group->layer_count, &p->compute, p->dw, MAE_GRAD_SET);
}

double mae_products_pass(MaeProducts *products)
{
    const MaeWork work = {.plan = {.tile_images = products->tile_images}};
    const size_t tiles = mae_work_tiles(&work, products->batch);
    double sum = 0.0;

    for (size_t i = 0; i < products->stage_count; i++) {
        MaeProductStage *stage = &products->stages[i];
        TileCall call = {products, stage};
        const double start = mae_clock_now();
        double seconds;

        if (stage->kind == MAE_PRODUCT_WEIGHT)
            run_weight_grads(products, stage->group);
        else
            mae_pool_run(products->compute.pool, tiles, run_tile, &call);
        seconds = mae_clock_now() - start;
        stage->seconds = fmin(stage->seconds, seconds);
        sum += seconds;
    }
    return sum;
}

double mae_products_best(const MaeProducts *products)
{
    double best = 0.0;

    for (size_t i = 0; i < products->stage_count; i++)
        best = fmax(best, products->stages[i].flops / products->stages[i].seconds);
    return best;
}

const char *mae_product_kind_name(MaeProductKind kind)
{
    static const char *const NAMES[] = {"forward", "input gradient", "weight gradient"};

    return NAMES[kind];
}
