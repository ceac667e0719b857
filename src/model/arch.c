#include "model/arch.h"

#include <stdint.h>

/*
 * Generous: ViT-22B has width 6144 and depth 48. A batch of 2^16 images still has fewer
 * than 2^60 activations in any buffer, and matrix products count to 2^31.
 */
#define MAX_WIDTH 65536
#define MAX_DEPTH 1024
#define MAX_RATIO 64
#define MAX_PATCHES ((size_t)1 << 20)
#define MAX_VALUES ((size_t)INT32_MAX)
#define MAX_ROWS ((size_t)INT32_MAX)

static MaeStatus check_grid(const MaePatchGrid *grid, MaeError *err)
{
    MAE_TRY(mae_patch_grid_check(grid, err));
    if (mae_patch_count(grid) > MAX_PATCHES)
        MAE_FAIL(
            err, MAE_ERR_SHAPE,
            "image of %zux%zu in patches of %zu: expected at most %zu patches, got %zu",
            grid->height, grid->width, grid->patch, MAX_PATCHES, mae_patch_count(grid));
    if (mae_patch_values(grid) > MAX_VALUES / mae_patch_count(grid))
        MAE_FAIL(err, MAE_ERR_SHAPE,
                 "image of %zux%zu with %zu channels: expected at most %zu values",
                 grid->height, grid->width, grid->channels, MAX_VALUES);
    return MAE_OK;
}

/* Width 0: nobody needs an MLP. */
static MaeStatus check_hidden(const MaeArch *arch, const char *what, size_t width,
                              MaeError *err)
{
    if (width > 0 && mae_arch_hidden(arch, width) == 0)
        MAE_FAIL(err, MAE_ERR_SHAPE,
                 "mlp_ratio: %g leaves the %s of width %zu no hidden units",
                 arch->mlp_ratio, what, width);
    return MAE_OK;
}

static MaeStatus check_trunk(const char *what, size_t width, size_t depth, size_t heads,
                             MaeError *err)
{
    if (width == 0 || width > MAX_WIDTH || depth > MAX_DEPTH)
        MAE_FAIL(
            err, MAE_ERR_SHAPE,
            "%s: expected a width of 1 to %d and a depth of at most %d, got %zu and %zu",
            what, MAX_WIDTH, MAX_DEPTH, width, depth);
    if (heads == 0 || width % heads != 0)
        MAE_FAIL(err, MAE_ERR_SHAPE, "%s: width %zu is not divisible by %zu heads", what,
                 width, heads);
    if (width % 4 != 0)
        MAE_FAIL(err, MAE_ERR_SHAPE,
                 "%s: width %zu is not divisible by 4 (2-D sine-cosine positions)", what,
                 width);
    return MAE_OK;
}

size_t mae_arch_hidden(const MaeArch *arch, size_t width)
{
    return (size_t)((double)width * arch->mlp_ratio);
}

MaeStatus mae_arch_check_batch(const MaeArch *arch, size_t batch, MaeError *err)
{
    const size_t tokens = 1 + mae_patch_count(&arch->grid);

    if (batch == 0 || batch > MAX_ROWS / tokens)
        MAE_FAIL(err, MAE_ERR_SHAPE,
                 "batch: expected 1 to %zu images of %zu tokens, got %zu",
                 MAX_ROWS / tokens, tokens, batch);
    return MAE_OK;
}

MaeStatus mae_arch_check(const MaeArch *arch, MaeError *err)
{
    const bool decoder = arch->classes == 0;

    MAE_TRY(check_grid(&arch->grid, err));
    MAE_TRY(check_trunk("encoder", arch->embed_dim, arch->depth, arch->heads, err));
    if (decoder)
        MAE_TRY(check_trunk("decoder", arch->decoder_dim, arch->decoder_depth,
                            arch->decoder_heads, err));
    if (!(arch->mlp_ratio > 0.0 && arch->mlp_ratio <= MAX_RATIO))
        MAE_FAIL(err, MAE_ERR_SHAPE, "mlp_ratio: expected above 0 and at most %d, got %g",
                 MAX_RATIO, arch->mlp_ratio);
    MAE_TRY(check_hidden(arch, "encoder", arch->depth > 0 ? arch->embed_dim : 0, err));
    return check_hidden(arch, "decoder",
                        decoder && arch->decoder_depth > 0 ? arch->decoder_dim : 0, err);
}

const char *mae_arch_head_name(MaeHead head)
{
    return head == MAE_HEAD_BATCHNORM ? "batchnorm" : "linear";
}
