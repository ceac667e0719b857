#include "model/names.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/** A whole component, or several, at the start of what is left of a name. */
typedef struct Rename {
    const char *own, *hf;
} Rename;

/* Behind these comes ".<number>." and a name of BLOCK. */
static const Rename STACKS[] = {
    {"blocks", "vit.encoder.layer"},
    {"decoder_blocks", "decoder.decoder_layers"},
};

static const Rename BLOCK[] = {
    {"norm1", "layernorm_before"},           {"norm2", "layernorm_after"},
    {"attn.proj", "attention.output.dense"}, {"attn.qkv", "attention.attention.query"},
    {"mlp.fc1", "intermediate.dense"},       {"mlp.fc2", "output.dense"},
};

static const Rename REST[] = {
    {"cls_token", "vit.embeddings.cls_token"},
    {"pos_embed", "vit.embeddings.position_embeddings"},
    {"patch_embed.proj", "vit.embeddings.patch_embeddings.projection"},
    {"norm", "vit.layernorm"},
    {"decoder_embed", "decoder.decoder_embed"},
    {"mask_token", "decoder.mask_token"},
    {"decoder_pos_embed", "decoder.decoder_pos_embed"},
    {"decoder_norm", "decoder.decoder_norm"},
    {"decoder_pred", "decoder.decoder_pred"},
    {"head", "classifier"},
};

#define COUNT_OF(list) (sizeof(list) / sizeof(list)[0])

/* Row whose own name begins @p name up to a dot or the end; NULL if there is none. */
static const Rename *match(const Rename *rows, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++) {
        const size_t n = strlen(rows[i].own);

        if (strncmp(name, rows[i].own, n) == 0 && (name[n] == '.' || name[n] == '\0'))
            return &rows[i];
    }
    return NULL;
}

static bool fits(int written, size_t size)
{
    return written >= 0 && (size_t)written < size;
}

/* "blocks.3.norm1.bias" to "vit.encoder.layer.3.layernorm_before.bias". */
static bool translate_block(char *text, size_t size, const Rename *stack,
                            const char *name)
{
    const char *number = name + strlen(stack->own) + 1, *rest = strchr(number, '.');
    const Rename *row = rest == NULL ? NULL : match(BLOCK, COUNT_OF(BLOCK), rest + 1);

    return row != NULL &&
           fits(snprintf(text, size, "%s.%.*s.%s%s", stack->hf, (int)(rest - number),
                         number, row->hf, rest + 1 + strlen(row->own)),
                size);
}

bool mae_names_translate(char *text, size_t size, const char *own, MaeNaming naming)
{
    const Rename *row = match(STACKS, COUNT_OF(STACKS), own);

    if (naming == MAE_NAMES_TIMM)
        return fits(snprintf(text, size, "%s", own), size);
    if (row != NULL)
        return own[strlen(row->own)] == '.' && translate_block(text, size, row, own);
    row = match(REST, COUNT_OF(REST), own);
    return row != NULL &&
           fits(snprintf(text, size, "%s%s", row->hf, own + strlen(row->own)), size);
}

/* Add one tensor of the file; its elements begin at @p offset of the model's buffer. */
static void add(MaeNameMap *map, const char *name, size_t ndim, const size_t *shape,
                size_t offset)
{
    map->offsets[map->table.count] = offset;
    (void)mae_param_add_shape(&map->table, "", name, ndim, shape, 0);
}

/* The three thirds of a fused attn.qkv weight [3D,D] or bias [3D]. */
static void add_thirds(MaeNameMap *map, const MaeParamEntry *entry, const char *query)
{
    static const char *const PARTS[] = {"query", "key", "value"};
    const char *at = strstr(query, ".query.");
    size_t shape[MAE_PARAM_DIMS];
    char name[MAE_PARAM_NAME];

    memcpy(shape, entry->shape, sizeof shape);
    shape[0] /= 3;
    for (size_t i = 0; i < 3; i++) {
        (void)snprintf(name, sizeof name, "%.*s.%s.%s", (int)(at - query), query,
                       PARTS[i], at + strlen(".query."));
        add(map, name, entry->ndim, shape, entry->at.off + i * (entry->at.count / 3));
    }
}

MaeStatus mae_names_open(MaeNameMap *map, const MaeParamTable *model, MaeNaming naming,
                         MaeError *err)
{
    MaeStatus status;

    *map = (MaeNameMap){.offsets = calloc(3 * model->count + 1, sizeof *map->offsets)};
    if (map->offsets == NULL)
        MAE_FAIL(err, MAE_ERR_NOMEM, "names of %zu tensors: out of memory", model->count);
    for (size_t i = 0; i < model->count; i++) {
        const MaeParamEntry *entry = &model->entries[i];
        char name[MAE_PARAM_NAME];

        if (!mae_names_translate(name, sizeof name, entry->name, naming)) {
            mae_names_close(map);
            MAE_FAIL(err, MAE_ERR_ARG, "%s has no Hugging Face name%s", entry->name,
                     strncmp(entry->name, "fc_norm.", 8) == 0
                         ? ": their classifiers pool the class token; use the timm format"
                         : "");
        }
        if (naming == MAE_NAMES_HF && strstr(entry->name, ".attn.qkv.") != NULL)
            add_thirds(map, entry, name);
        else
            add(map, name, entry->ndim, entry->shape, entry->at.off);
    }
    status = mae_param_check(&map->table, err);
    if (status != MAE_OK)
        mae_names_close(map);
    return status;
}

void mae_names_close(MaeNameMap *map)
{
    if (map == NULL)
        return;
    mae_param_close(&map->table);
    free(map->offsets);
    *map = (MaeNameMap){0};
}
