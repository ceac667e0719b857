#include "model/import_shapes.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define DEPTH_LIMIT 1024
#define MLP_RATIO 4.0 /* of a model without blocks */

/* The tensor of our name, or NULL. */
static const MaeTensorInfo *find(const MaeImportFile *file, const char *own)
{
    char name[MAE_PARAM_NAME];
    size_t count, index;
    const MaeTensorInfo *list = mae_safetensors_list(file->tensors, &count);

    if (!mae_names_translate(name, sizeof name, own, file->naming))
        return NULL;
    index = mae_safetensors_find(file->tensors, name);
    return index < count ? &list[index] : NULL;
}

/* A tensor that must be there. @param ndim its dimensions. */
static MaeStatus need(const MaeImportFile *file, const char *own, size_t ndim,
                      const MaeTensorInfo **info, MaeError *err)
{
    char name[MAE_PARAM_NAME], shape[128];

    *info = find(file, own);
    if (*info == NULL) {
        (void)mae_names_translate(name, sizeof name, own, file->naming);
        MAE_FAIL(err, MAE_ERR_FORMAT, "%s: %s is missing", file->path, name);
    }
    if ((*info)->ndim != ndim) {
        mae_param_shape_text(shape, sizeof shape, (*info)->shape, (*info)->ndim);
        MAE_FAIL(err, MAE_ERR_FORMAT, "%s: %s: expected %zu dimensions, got %s",
                 file->path, (*info)->name, ndim, shape);
    }
    return MAE_OK;
}

MaeStatus mae_import_naming(MaeImportFile *file, MaeError *err)
{
    size_t count;
    const MaeTensorInfo *list = mae_safetensors_list(file->tensors, &count);

    file->naming = MAE_NAMES_TIMM;
    if (find(file, "cls_token") != NULL)
        return MAE_OK;
    file->naming = MAE_NAMES_HF;
    if (find(file, "cls_token") != NULL)
        return MAE_OK;
    MAE_FAIL(err, MAE_ERR_FORMAT,
             "%s: expected the names of MAE and timm (cls_token, ...) or of Hugging Face "
             "(vit.embeddings.cls_token, ...), found %s%s",
             file->path, count > 0 ? list[0].name : "no tensors",
             count > 1 ? ", ..." : "");
}

/* Consecutive blocks "<stack>.0", "<stack>.1", ... */
static size_t count_blocks(const MaeImportFile *file, const char *stack)
{
    char name[MAE_PARAM_NAME];
    size_t depth = 0;

    do {
        (void)snprintf(name, sizeof name, "%s.%zu.norm1.weight", stack, depth);
    } while (find(file, name) != NULL && depth++ < DEPTH_LIMIT);
    return depth;
}

/* The ratio from which mae_arch_hidden() gets exactly @p hidden. */
static double ratio_of(size_t hidden, size_t width)
{
    double ratio = (double)hidden / (double)width;

    while ((size_t)((double)width * ratio) < hidden)
        ratio = nextafter(ratio, (double)INFINITY);
    return ratio;
}

static MaeStatus read_encoder(const MaeImportFile *file, MaeArch *arch, MaeError *err)
{
    const MaeTensorInfo *info;

    MAE_TRY(need(file, "patch_embed.proj.weight", 4, &info, err));
    if (info->shape[2] != info->shape[3])
        MAE_FAIL(err, MAE_ERR_FORMAT, "%s: %s: expected square patches, got %zu x %zu",
                 file->path, info->name, info->shape[2], info->shape[3]);
    arch->embed_dim = info->shape[0];
    arch->grid.channels = info->shape[1];
    arch->grid.patch = info->shape[2];
    arch->depth = count_blocks(file, "blocks");
    arch->mlp_ratio = MLP_RATIO;
    if (arch->depth == 0 || arch->embed_dim == 0)
        return MAE_OK;
    MAE_TRY(need(file, "blocks.0.mlp.fc1.weight", 2, &info, err));
    if (info->shape[0] / 64 <= arch->embed_dim) /* else refused: a ratio above 64 */
        arch->mlp_ratio = ratio_of(info->shape[0], arch->embed_dim);
    return MAE_OK;
}

static MaeStatus read_head(const MaeImportFile *file, MaeSnapshotKind *kind,
                           MaeArch *arch, MaeError *err)
{
    const MaeTensorInfo *info;

    if (find(file, "decoder_embed.weight") != NULL) {
        MAE_TRY(need(file, "decoder_embed.weight", 2, &info, err));
        *kind = MAE_SNAPSHOT_AUTOENCODER;
        arch->decoder_dim = info->shape[0];
        arch->decoder_depth = count_blocks(file, "decoder_blocks");
        return MAE_OK;
    }
    if (find(file, "head.weight") == NULL)
        MAE_FAIL(err, MAE_ERR_FORMAT,
                 "%s: neither a decoder nor a head: an encoder alone is no model here",
                 file->path);
    MAE_TRY(need(file, "head.weight", 2, &info, err));
    *kind = MAE_SNAPSHOT_CLASSIFIER;
    arch->classes = info->shape[0];
    arch->pooling = find(file, "fc_norm.weight") != NULL ? MAE_POOL_MEAN : MAE_POOL_CLS;
    return MAE_OK;
}

/* Height and width from the number of positions, or as the card says. */
static MaeStatus read_grid(const MaeImportFile *file, const MaeCard *card,
                           MaePatchGrid *grid, MaeError *err)
{
    const MaePatchGrid *said = &card->arch.grid;
    const MaeTensorInfo *info;
    size_t patches, side;

    MAE_TRY(need(file, "pos_embed", 3, &info, err));
    patches = info->shape[1] > 0 ? info->shape[1] - 1 : 0;
    if (said->height > 0) {
        grid->height = said->height;
        grid->width = said->width;
        if (grid->patch == 0 ||
            (grid->height / grid->patch) * (grid->width / grid->patch) != patches)
            MAE_FAIL(
                err, MAE_ERR_SHAPE,
                "%s: %s has %zu patches of %zu x %zu pixels, which an image of %zu x "
                "%zu does not",
                file->path, info->name, patches, grid->patch, grid->patch, grid->height,
                grid->width);
        return MAE_OK;
    }
    side = (size_t)sqrt((double)patches);
    if (side * side != patches)
        MAE_FAIL(err, MAE_ERR_ARG,
                 "%s: %zu patches of %zu x %zu pixels are no square image: add "
                 "model.img_size=[HEIGHT,WIDTH]",
                 file->path, patches, grid->patch, grid->patch);
    grid->height = grid->width = side * grid->patch;
    return MAE_OK;
}

static MaeStatus read_heads(const MaeImportFile *file, const MaeCard *card,
                            MaeSnapshotKind kind, MaeArch *arch, MaeError *err)
{
    const bool autoencoder = kind == MAE_SNAPSHOT_AUTOENCODER;
    const bool decoder_missing = autoencoder && card->arch.decoder_heads == 0;
    char decoder[96];

    (void)snprintf(decoder, sizeof decoder, "%smodel.decoder_num_heads=N (width %zu)",
                   card->arch.heads == 0 ? " and " : "", arch->decoder_dim);
    if (card->arch.heads == 0)
        MAE_FAIL(err, MAE_ERR_ARG,
                 "%s: shapes do not tell the number of heads: put config.json beside it "
                 "or add model.num_heads=N (width %zu)%s",
                 file->path, arch->embed_dim, decoder_missing ? decoder : "");
    if (decoder_missing)
        MAE_FAIL(err, MAE_ERR_ARG,
                 "%s: shapes do not tell the decoder's number of heads: put config.json "
                 "beside it or add %s",
                 file->path, decoder);
    arch->heads = card->arch.heads;
    arch->decoder_heads = autoencoder ? card->arch.decoder_heads : 0;
    return MAE_OK;
}

/* Sizes that the card claims and the shapes tell. */
static MaeStatus compare(const MaeImportFile *file, const MaeCard *card,
                         MaeSnapshotKind kind, const MaeArch *arch, MaeError *err)
{
    for (const MaeCardSize *size = mae_card_sizes; size->own != NULL; size++) {
        const size_t said =
            *(const size_t *)(const void *)((const char *)&card->arch + size->offset);
        const size_t found =
            *(const size_t *)(const void *)((const char *)arch + size->offset);

        if (size->autoencoder && kind != MAE_SNAPSHOT_AUTOENCODER)
            continue;
        if (said != 0 && said != found)
            MAE_FAIL(err, MAE_ERR_SHAPE,
                     "%s: %s is %zu by the shapes of the tensors, but %zu by config.json "
                     "or the command line",
                     file->path, size->own, found, said);
    }
    return MAE_OK;
}

MaeStatus mae_import_arch(const MaeImportFile *file, const MaeCard *card,
                          MaeSnapshotKind *kind, MaeArch *arch, MaeError *err)
{
    MaeArch found = {0};
    MaeSnapshotKind found_kind = MAE_SNAPSHOT_AUTOENCODER;
    MaeError inner = {0};
    MaeStatus status;

    MAE_TRY(read_encoder(file, &found, err));
    MAE_TRY(read_head(file, &found_kind, &found, err));
    MAE_TRY(read_grid(file, card, &found.grid, err));
    MAE_TRY(read_heads(file, card, found_kind, &found, err));
    MAE_TRY(compare(file, card, found_kind, &found, err));
    found.norm_pix_loss = card->arch.norm_pix_loss;
    status = mae_arch_check(&found, &inner);
    if (status != MAE_OK)
        MAE_FAIL(err, status, "%s: %s", file->path, inner.msg);
    *kind = found_kind;
    *arch = found;
    return MAE_OK;
}
