#include "model/arch.h"

/* Generous: ViT-22B has width 6144, depth 48. Keeps products of sizes far from overflow.
 */
#define MAX_WIDTH 65536
#define MAX_DEPTH 1024

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

MaeStatus mae_arch_check(const MaeArch *arch, MaeError *err)
{
    MAE_TRY(mae_patch_grid_check(&arch->grid, err));
    MAE_TRY(check_trunk("encoder", arch->embed_dim, arch->depth, arch->heads, err));
    if (arch->classes == 0)
        MAE_TRY(check_trunk("decoder", arch->decoder_dim, arch->decoder_depth,
                            arch->decoder_heads, err));
    if (!(arch->mlp_ratio > 0.0 && arch->mlp_ratio <= 64.0) ||
        mae_arch_hidden(arch, arch->embed_dim) == 0)
        MAE_FAIL(err, MAE_ERR_SHAPE, "mlp_ratio: expected above 0 and at most 64, got %g",
                 arch->mlp_ratio);
    return MAE_OK;
}
