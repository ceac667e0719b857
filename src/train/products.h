/**
 * @file products.h
 * The matrix products of a training step, or of the encoder's features, alone: the
 * ceiling that the whole is compared with.
 *
 * A pass runs the products of every linear layer with the model's shapes on all threads
 * of the pool, cut as the whole cuts them. A step has three (forward, input gradient,
 * weight gradient): rows of a tile of images for the first two, bands of dW for the
 * third. Features have the encoder's forward products over all patches. There are no
 * biases, no element-wise work and no attention. Layers of the same shape share weights
 * and activations, so a pass also finds its operands in the cache more often than a step.
 *
 *   forward            = sum over layers of 2 R I O + over blocks of 4 B N^2 D
 *   operations         = 3 forward of a step, forward of features
 *
 * a multiply-add taken as two, backward as twice forward, nothing else counted. The
 * second term, attention, is part of the operations of the whole and not of a pass. Rows
 * that a step leaves out (those of visible patches in the decoder's last MLP and in the
 * prediction) are not counted either; a ViT-B/16 that computes them has 1.3 % more.
 *
 * Shapes   R = B * N rows, I inputs, O outputs, D width.
 * Units    Seconds, floating-point operations.
 * Memory   Everything is allocated when it opens.
 * Errors   Opening: NOMEM.
 * Threads  One thread, which drives the pool.
 */
#ifndef MAE_TRAIN_PRODUCTS_H
#define MAE_TRAIN_PRODUCTS_H

#include "model/autoencoder.h"

#define MAE_PRODUCT_GROUPS 7 /* at most, as list_groups has them */
#define MAE_PRODUCT_LAYERS 4 /* most layers in a group: those of a block */
#define MAE_PRODUCT_STAGES (3 * MAE_PRODUCT_GROUPS)

/** What is made of products. */
typedef enum MaeProductUse {
    MAE_PRODUCTS_STEP,
    MAE_PRODUCTS_EMBED,
} MaeProductUse;

typedef enum MaeProductKind {
    MAE_PRODUCT_FORWARD,
    MAE_PRODUCT_INPUT,  /* gradient */
    MAE_PRODUCT_WEIGHT, /* gradient */
} MaeProductKind;

/** One linear layer. */
typedef struct MaeProductLayer {
    size_t in, out;
    size_t off; /* of its weight [out,in] */
} MaeProductLayer;

/** Layers that see the same rows. */
typedef struct MaeProductGroup {
    const char *name; /* "encoder blocks" */
    MaeProductLayer layers[MAE_PRODUCT_LAYERS];
    size_t layer_count;
    size_t count;  /* how often the model has them */
    size_t tokens; /* rows of an image */
    size_t tile;   /* rows of an image that decide how tiles are cut into parts */
} MaeProductGroup;

/** One kind of product of one group, in all passes so far. */
typedef struct MaeProductStage {
    const MaeProductGroup *group;
    MaeProductKind kind;
    double flops;   /* in a pass */
    double seconds; /* of the fastest pass; INFINITY before the first */
} MaeProductStage;

/** Zero-initialised is closed. Not copied: stages point into it. */
typedef struct MaeProducts {
    MaeCompute compute;
    size_t batch, tile_images;
    MaeProductGroup groups[MAE_PRODUCT_GROUPS];
    size_t group_count, kinds, stage_count; /* in use; kinds of each group */
    MaeProductStage stages[MAE_PRODUCT_STAGES];
    double flops;        /* in a pass */
    size_t weights;      /* elements of w and dw */
    size_t rows, widest; /* largest R of a group, largest I or O of a layer */
    MaeOperand w;        /* [weights] */
    float *dw;           /* [weights] */
    MaeOperand x, dy;    /* [rows,widest] */
    MaeOperand y;        /* [rows,widest] output of the first two kinds */
    MaeArena arena;
} MaeProducts;

/** Operations of a training step per image. @param visible patches the encoder sees. */
double mae_products_step_flops(const MaeAutoencoder *model, size_t visible);

/** Operations of the encoder's features (model/embedder.h) per image. */
double mae_products_embed_flops(const MaeAutoencoder *model);

/**
 * @param batch images.
 * @param visible patches of each that the encoder sees; of a step, ignored otherwise.
 * @param compute borrowed.  @param seed of the numbers that are multiplied.
 */
MaeStatus mae_products_open(MaeProducts *products, const MaeAutoencoder *model,
                            MaeProductUse use, size_t batch, size_t visible,
                            const MaeCompute *compute, uint64_t seed, MaeError *err);

/** Accepts NULL and a zeroed object. */
void mae_products_close(MaeProducts *products);

/** Run all stages. @return the seconds it took. */
double mae_products_pass(MaeProducts *products);

/** Operations per second of the fastest stage; 0 before the first pass. */
double mae_products_best(const MaeProducts *products);

/** "forward", "input gradient", "weight gradient". */
const char *mae_product_kind_name(MaeProductKind kind);

#endif /* MAE_TRAIN_PRODUCTS_H */
