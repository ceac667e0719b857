/**
 * @file card.h
 * What a file of tensors does not tell about its model: the files beside it and what the
 * user says.
 *
 *   config.json              Hugging Face's field or our key: num_attention_heads or
 *                            num_heads, image_size or img_size, ...; norm_pix_loss,
 *                            mask_ratio, mean, std, class_names or id2label
 *   preprocessor_config.json image_mean, image_std
 *   key=value                model.{img_size,patch_size,in_chans,embed_dim,depth,
 *                            num_heads,decoder_embed_dim,decoder_depth,
 *                            decoder_num_heads,norm_pix_loss}, mask.ratio,
 *                            data.{mean,std}
 *
 * Later sources win. Sizes that tensors do tell are claims, to be compared with them.
 *
 * Errors   Files: IO, FORMAT with the path. key=value: ARG.
 * Threads  One thread at a time per object.
 */
#ifndef MAE_MODEL_CARD_H
#define MAE_MODEL_CARD_H

#include "base/log.h"
#include "model/arch.h"
#include "model/names.h"
#include "model/snapshot.h"
#include "store/json.h"

/** Numbers, one per channel. */
typedef struct MaeCardList {
    double *values; /* [count] owned; NULL: not said */
    size_t count;
} MaeCardList;

typedef struct MaeCard {
    MaeArch arch; /* sizes 0: not said; mlp_ratio, classes and pooling are not used */
    bool has_norm_pix_loss;
    bool has_mask_ratio;
    double mask_ratio; /* 0 .. 1 */
    MaeCardList mean, std;
    char **class_names; /* [class_count] owned, one block; NULL: not said */
    size_t class_count;
} MaeCard;

/** Accepts a zeroed card. */
void mae_card_done(MaeCard *card);

/** Path of file @p name in the folder of @p path; malloc'ed, NULL if out of memory. */
char *mae_card_beside(const char *path, const char *name);

/** Take over what the files beside @p path say; missing ones are fine. */
MaeStatus mae_card_read(MaeCard *card, const char *path, const MaeLog *log,
                        MaeError *err);

/** Take over one "key=value". */
MaeStatus mae_card_override(MaeCard *card, const char *text, MaeError *err);

/** A size of the architecture and its two names. */
typedef struct MaeCardSize {
    const char *own;  /* key of section model */
    const char *hf;   /* field of Hugging Face's configurations */
    size_t offset;    /* of a size_t in MaeArch */
    bool autoencoder; /* a decoder's */
} MaeCardSize;

/** Every size but that of the image; ends with a row whose `own` is NULL. */
extern const MaeCardSize mae_card_sizes[];

/**
 * The content of config.json beside exported tensors, with Hugging Face's fields or ours.
 * @return malloc'ed text, or NULL if out of memory.
 */
char *mae_card_config(const MaeSnapshot *snapshot, MaeNaming naming);

/** The content of preprocessor_config.json; malloc'ed, or NULL if out of memory. */
char *mae_card_preprocessor(const MaeSnapshot *snapshot);

/**
 * The sections model, mask and data as a run's configuration has them; data only if
 * @p statistics. @return malloc'ed text, or NULL if out of memory.
 */
char *mae_card_yaml(const MaeSnapshot *snapshot, bool statistics);

#endif /* MAE_MODEL_CARD_H */
