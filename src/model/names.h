/**
 * @file names.h
 * Names and shapes of a model's tensors in other programs' files.
 *
 * A model's own names are those of MAE and timm. Hugging Face names the same numbers
 * differently and keeps query, key and value apart: rows [0,D), [D,2D) and [2D,3D) of
 * `attn.qkv`. A name map lists what a file has to contain and where each of its tensors
 * lies in a flat buffer of weights; import and export are copies along it.
 *
 *   own                          Hugging Face (ViTMAEForPreTraining)
 *   cls_token, pos_embed         vit.embeddings.{cls_token,position_embeddings}
 *   patch_embed.proj             vit.embeddings.patch_embeddings.projection
 *   blocks.i                     vit.encoder.layer.i
 *     norm1, norm2                 layernorm_before, layernorm_after
 *     attn.qkv                     attention.attention.{query,key,value}
 *     attn.proj                    attention.output.dense
 *     mlp.fc1, mlp.fc2             intermediate.dense, output.dense
 *   norm                         vit.layernorm
 *   decoder_embed, mask_token, decoder_pos_embed, decoder_norm, decoder_pred
 *                                decoder.<the same>
 *   decoder_blocks.i             decoder.decoder_layers.i
 *   head                         classifier (ViTForImageClassification)
 *
 * `fc_norm` of a mean-pooling classifier has no counterpart there.
 *
 * Source   huggingface/transformers, convert_vit_mae_to_pytorch.py and
 *          convert_vit_timm_to_pytorch.py.
 * Threads  Read-only once open.
 */
#ifndef MAE_MODEL_NAMES_H
#define MAE_MODEL_NAMES_H

#include "base/param.h"
#include "base/status.h"

typedef enum MaeNaming {
    MAE_NAMES_TIMM, /**< as in our tables */
    MAE_NAMES_HF,   /**< Hugging Face */
} MaeNaming;

typedef struct MaeNameMap {
    MaeParamTable
        table; /* name and shape of each tensor in the file; its offsets mean nothing */
    size_t *offsets; /* [table.count] first element in the model's flat buffer; owned */
} MaeNameMap;

/**
 * @p model's tensors as a file with @p naming holds them.
 * Errors  ARG if a tensor has no name there, NOMEM. On failure nothing needs closing.
 */
MaeStatus mae_names_open(MaeNameMap *map, const MaeParamTable *model, MaeNaming naming,
                         MaeError *err);

/** Accepts a zeroed map. */
void mae_names_close(MaeNameMap *map);

/**
 * Write the file's name of the tensor called @p own; for Hugging Face's `attn.qkv` that
 * of the query.
 * @return false if there is none, or if it does not fit into @p size bytes.
 */
bool mae_names_translate(char *text, size_t size, const char *own, MaeNaming naming);

#endif /* MAE_MODEL_NAMES_H */
