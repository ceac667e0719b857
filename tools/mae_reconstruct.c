/* mae-reconstruct: what a masked autoencoder sees. */
#include "common/reconstruct_modes.h"
#include "eval/frames.h"

typedef ReconstructValues Values;

static const Values DEFAULTS = {.count = 8,
                                .frame_count = 60,
                                .masks = 4,
                                .batch = 64,
                                .workers = 2,
                                .limits = MAE_TOOL_LIMITS,
                                .mask_ratio = RECONSTRUCT_RATIO_TRAINED};

static const MaeToolOperand OPERANDS[] = {
    {"CHECKPOINT", "of an autoencoder, written by mae-pretrain or mae-convert", false,
     false},
    {"IMAGE", "JPEG or PNG files; without any, --data or --replay", true, true},
    {.name = NULL},
};

#define FIELD(name) .offset = offsetof(Values, name)
static const MaeOption OPTIONS[] = {
    {"data", 'd', MAE_OPTION_TEXT, FIELD(data), .value = "PATH",
     .help = "dataset to take images from, spread evenly: a folder, an IDX or an HDF5 "
             "file"},
    {"count", 'n', MAE_OPTION_SIZE, FIELD(count), .value = "N", .min = 1,
     .max = MAE_GALLERY_MAX,
     .help = "images to take from --data; of a ranking, how many "
             "of the worst and of the best to draw",
     .needs = "data"},
    {"mask-ratio", 'm', MAE_OPTION_REAL, FIELD(mask_ratio), .value = "R", .min = -1,
     .max = 1, .help = "share of patches to hide, below 1; -1 = as in training"},
    {"mask-strategy", 0, MAE_OPTION_CHOICE, FIELD(strategy),
     .choices = reconstruct_strategies, .help = "which patches are hidden"},
    {"mask", 0, MAE_OPTION_TEXT, FIELD(mask), .value = "MASK.png",
     .help = "hide what is white in this picture, as large as the model's images or as "
             "their grid of patches; a patch of which half is white is hidden"},
    {"sweep", 0, MAE_OPTION_TEXT, FIELD(sweep), .value = "R,R,...",
     .help = "each image at these mask ratios, rising; a higher one hides all that a "
             "lower one hides"},
    {"complementary", 0, MAE_OPTION_FLAG, FIELD(complementary),
     .help = "whole images from predictions of hidden patches only: as few masks as hide "
             "every patch evenly, mean where several do"},
    {"uncertainty", 0, MAE_OPTION_SIZE, FIELD(uncertainty), .value = "N", .max = 65536,
     .help = "mean and standard deviation of the predictions of each patch while N "
             "random masks hide it, as maps; 0 = not"},
    {"frames", 0, MAE_OPTION_TEXT, FIELD(frames), .value = "FOLDER",
     .help = "write frame-000.png, ... there: patches appear one after the other"},
    {"frame-count", 0, MAE_OPTION_SIZE, FIELD(frame_count), .value = "N", .min = 2,
     .max = MAE_FRAMES_MAX, .help = "frames; no more than there are patches",
     .needs = "frames"},
    {"rank", 0, MAE_OPTION_TEXT, FIELD(rank), .value = "FILE",
     .help = "write all images of --data with their errors, worst first, as .csv or "
             ".json, and draw the worst and the best"},
    {"masks", 0, MAE_OPTION_SIZE, FIELD(masks), .value = "M", .min = 1, .max = 65536,
     .help = "masks of each image that --rank averages over", .needs = "rank"},
    {"batch-size", 'b', MAE_OPTION_SIZE, FIELD(batch), .value = "N", .min = 1,
     .max = 65536, .help = "images that --rank holds at a time", .needs = "rank"},
    {"workers", 'w', MAE_OPTION_SIZE, FIELD(workers), .value = "N", .max = 256,
     .help = "threads that decode images for --rank", .needs = "rank"},
    MAE_TOOL_LIMITS_OPTION(offsetof(Values, limits)),
    {"out", 'o', MAE_OPTION_TEXT, FIELD(out), .value = "FILE.png",
     .help = "picture to write; if not given, reconstruction.png, sweep.png, "
             "complementary.png, uncertainty.png or rank.png"},
    {"oracle", 0, MAE_OPTION_FLAG, FIELD(oracle),
     .help = "give the reconstruction the true brightness and contrast of the hidden "
             "patches (norm_pix_loss only); it then shows what the network was not told, "
             "and its file is called ...-oracle.png"},
    {"replay", 0, MAE_OPTION_TEXT, FIELD(replay), .value = "IN.h5",
     .help = "run `images` [B,C,H,W] (normalised) with mask `noise` [B,L] or "
             "[steps,B,L] (step 0) instead, to compare with another framework",
     .needs = "dump"},
    {"dump", 0, MAE_OPTION_TEXT, FIELD(dump), .value = "OUT.h5",
     .help = "where --replay writes latent, mask, ids_restore, target (plain), pred and "
             "loss",
     .needs = "replay"},
    {"grads", 0, MAE_OPTION_FLAG, FIELD(grads),
     .help = "write the gradients of the loss too, as grads/<name>", .needs = "replay"},
    {.name = NULL},
};

static const MaeCommand COMMAND = {
    .name = "mae-reconstruct",
    .summary =
        "Hides patches of images, predicts them and writes one PNG with a row per "
        "image: masked, reconstruction, reconstruction + visible, original. Prints "
        "PSNR and SSIM over hidden pixels. Sweeps mask ratios, maps uncertainty, writes "
        "animations and ranks data sets by error.",
    .operands = OPERANDS,
    .options = OPTIONS,
    .defaults = &DEFAULTS,
    .values_size = sizeof(Values),
    .notes =
        "With norm_pix_loss patches are predicted without brightness and contrast. "
        "These are estimated from visible patches; --oracle takes the true ones.\n\n"
        "--mask, --sweep, --complementary, --uncertainty, --frames, --rank and --replay "
        "exclude each other. Masks depend on --seed and the image's place only: among "
        "the images drawn, with --rank in the data set.",
    .example = "mae-reconstruct run/last.h5 --data photos --count 8 --out panels.png",
};

int main(int argc, char **argv)
{
    MaeTool tool;
    Values values = DEFAULTS;
    ReconstructSession s = {.tool = &tool, .values = &values};
    MaeError err = {0};
    MaeStatus status;

    if (!mae_tool_open(&tool, &COMMAND, &values, argc, argv))
        return tool.exit_code;
    status = reconstruct_run(&s, &err);
    reconstruct_close(&s);
    return mae_tool_close(&tool, status, &err);
}
