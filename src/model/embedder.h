/**
 * @file embedder.h
 * Features of whole images: the encoder over all patches, without a mask and without
 * anything that backward would need.
 *
 *   tokens = output of block `layer`: [class token, patches in order], [1+L,D]
 *   cls    feature = norm(token 0)
 *   mean   feature = mean over the L patches of norm(token)
 *
 * `norm` belongs to the last block and can be left out; earlier layers are pooled as they
 * are. Layer 0 is what enters the first block. A classifier that pools by the mean has no
 * `norm` on tokens but `fc_norm` on what was pooled: its features are what its head sees.
 * One pass gives as many features of an image as are asked for.
 *
 * Work is cut into tiles of whole images, and only a tile's activations exist: each
 * thread has memory for one, which stays in its cache from layer to layer and does not
 * grow with the batch. A tile's products always have their full size; an incomplete one
 * is filled with rows that nobody reads. So the bits of an image's features depend on
 * that image alone: not on the batch, its neighbours, or the number of threads.
 *
 * A tile has the trunk's size (mae_work_tile_images: about 192 rows), which is the best
 * for inference, too. Measured in f32 and bf16 on a Zen 4 with 1 MB of level-2 cache a
 * core: at width 192, 65 rows are 14 % slower than 195 (products waited for the weights
 * to be packed, which oneDNN and ours are spared now), 455 rows 2 to 4 % and 845 rows 8 %
 * (activations leave the cache); at width 384, 197 rows are as fast as 394 to 985.
 * Batches are best multiples of the tile.
 *
 * Source   He et al. 2021, arXiv:2111.06377; facebookresearch/mae models_vit.py
 *          (forward_features).
 * Shapes   B images [C,H,W], L patches, N = 1 + L tokens, D width of the encoder, F
 *          features of an image.
 * Types    f32 or bf16 operands as the products were opened for; features are f32.
 * Memory   Opening plans and allocates everything, in bf16 a copy of the encoder's
 *          weights included; running never allocates. The built-in products get that copy
 *          in their own order (mae_gemm_pack), oneDNN keeps another (mae_gemm_hold). The
 *          products outlive the embedder.
 * Errors   Opening can fail (SHAPE, NOMEM); running cannot.
 * Threads  An object belongs to one thread, which drives the pool.
 */
#ifndef MAE_MODEL_EMBEDDER_H
#define MAE_MODEL_EMBEDDER_H

#include "model/autoencoder.h"
#include "model/classifier.h"

/** Features of an image in one pass, at most: both poolings of vit_huge's layers fit. */
#define MAE_EMBED_FEATURES 128

/** Where the norm after the last block is applied. */
typedef enum MaeEmbedNorm {
    MAE_EMBED_NORM_TOKENS, /* "norm": each token, then pooling */
    MAE_EMBED_NORM_POOLED, /* "fc_norm": pooling, then the norm */
    MAE_EMBED_NORM_NONE,
} MaeEmbedNorm;

/** One feature of an image. */
typedef struct MaeEmbedFeature {
    size_t layer; /* blocks that run before, 0 to depth */
    MaePooling pooling;
    MaeEmbedNorm norm; /* without effect on other layers than the last */
} MaeEmbedFeature;

/** What to compute. The pointers go into a model, which must outlive its users. */
typedef struct MaeEmbedSpec {
    const MaeEncoder *encoder;
    const MaeLayerNorm *norm;
    MaeEmbedFeature features[MAE_EMBED_FEATURES]; /* layers do not fall */
    size_t count;                                 /* F, from 1 on */
} MaeEmbedSpec;

/** One feature of a pretrained model: after its last block, normalised. */
MaeEmbedSpec mae_embed_spec_autoencoder(const MaeAutoencoder *model, MaePooling pooling);

/** What the head of a classifier sees; other features can be set. */
MaeEmbedSpec mae_embed_spec_classifier(const MaeClassifier *model);

/** One thread's memory for a tile. */
typedef struct MaeEmbedCache {
    MaeEncoderCache encoder;
    MaeLayerNormCache norm; /* of one image */
} MaeEmbedCache;

/** Zero-initialised is closed. */
typedef struct MaeEmbedder {
    MaeEmbedSpec spec;
    MaeEncoder encoder; /* the blocks up to the last layer; owns nothing */
    size_t patches;     /* L */
    size_t tile_images; /* mae_work_tile_images */
    MaeWork work;
    MaeEmbedCache *caches; /* [threads] */
    MaeOperand operands;   /* weights of the encoder; no data in an f32 run */
    MaeWeights w;
    MaeArena arena;
} MaeEmbedder;

/**
 * Plan, allocate, convert the weights and prepare the products.
 * @param w weights of the spec's model [table.total], borrowed; reopen if they change.
 * @param compute borrowed pool and products.
 */
MaeStatus mae_embedder_open(MaeEmbedder *embedder, const MaeEmbedSpec *spec,
                            const float *w, const MaeCompute *compute, MaeError *err);

/** Accepts NULL and a zeroed or half-built object. */
void mae_embedder_close(MaeEmbedder *embedder);

/** Bytes of the weights' copy; 0 in an f32 run. The rest of the arena is activations. */
size_t mae_embedder_weight_bytes(const MaeEmbedder *embedder);

/**
 * @param[out] out [B,F,D].  @param images [B,C,H,W] normalised, B = @p batch; any number,
 *             0 included.
 */
void mae_embedder_run(const MaeEmbedder *embedder, float *out, const float *images,
                      size_t batch);

#endif /* MAE_MODEL_EMBEDDER_H */
