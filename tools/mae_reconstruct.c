/* mae-reconstruct: what a masked autoencoder sees. */
#include "common/reconstruct_report.h"
#include "common/tool.h"
#include "model/maskset.h"
#include "model/snapshot.h"

typedef struct Values {
    const char *data, *out, *replay, *dump;
    size_t count;
    double mask_ratio; /* -1: the checkpoint's */
    int strategy;      /* MaeMaskKind */
    bool oracle, grads;
} Values;

static const Values DEFAULTS = {
    .out = "reconstruction.png", .count = 8, .mask_ratio = -1.0};

static const char *const STRATEGIES[] = {"random", "block", "grid", NULL};

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
     .max = MAE_GALLERY_MAX, .help = "images to take from --data"},
    {"mask-ratio", 'm', MAE_OPTION_REAL, FIELD(mask_ratio), .value = "R", .min = -1,
     .max = 1, .help = "share of patches to hide, below 1; -1 = as in training"},
    {"mask-strategy", 0, MAE_OPTION_CHOICE, FIELD(strategy), .choices = STRATEGIES,
     .help = "which patches are hidden"},
    {"out", 'o', MAE_OPTION_TEXT, FIELD(out), .value = "FILE.png",
     .help = "picture to write"},
    {"oracle", 0, MAE_OPTION_FLAG, FIELD(oracle),
     .help = "give the reconstruction the true brightness and contrast of the hidden "
             "patches (norm_pix_loss only); it then shows what the network was not told"},
    {"replay", 0, MAE_OPTION_TEXT, FIELD(replay), .value = "IN.h5",
     .help = "run `images` [B,C,H,W] (normalised) with mask `noise` [B,L] or "
             "[steps,B,L] (step 0) instead, to compare with another framework"},
    {"dump", 0, MAE_OPTION_TEXT, FIELD(dump), .value = "OUT.h5",
     .help = "where --replay writes latent, mask, ids_restore, target (plain), pred and "
             "loss"},
    {"grads", 0, MAE_OPTION_FLAG, FIELD(grads),
     .help = "write the gradients of the loss too, as grads/<name>"},
    {.name = NULL},
};

static const MaeCommand COMMAND = {
    .name = "mae-reconstruct",
    .summary =
        "Hides patches of images, predicts them and writes one PNG with a row per "
        "image: masked, reconstruction, reconstruction + visible, original. Prints "
        "PSNR and SSIM over hidden pixels.",
    .operands = OPERANDS,
    .options = OPTIONS,
    .defaults = &DEFAULTS,
    .values_size = sizeof(Values),
    .notes = "With norm_pix_loss patches are predicted without brightness and contrast. "
             "These are estimated from visible patches; --oracle takes the true ones.",
    .example = "mae-reconstruct run/last.h5 --data photos --count 8 --out panels.png",
};

/** Everything open while the tool works; zero-initialise. */
typedef struct Session {
    const MaeTool *tool;
    const Values *values;
    MaeLoadedModel loaded;
    MaePool *pool;
    MaeGemm *gemm;
    MaeGallery gallery;
    MaeMaskSet masks;
    MaeAutoencoderRun run;
    ReconstructReport report;
} Session;

static MaeStatus check_usage(const MaeArgs *args, const Values *v, MaeError *err)
{
    const bool images = args->operand_count > 1;

    if ((v->replay == NULL) != (v->dump == NULL))
        MAE_FAIL(err, MAE_ERR_ARG, "--replay and --dump belong together");
    if (v->grads && v->replay == NULL)
        MAE_FAIL(err, MAE_ERR_ARG, "--grads needs --replay");
    if (images + (v->data != NULL) + (v->replay != NULL) != 1)
        MAE_FAIL(err, MAE_ERR_ARG,
                 "expected one source of images: IMAGE, --data PATH or --replay IN.h5");
    for (size_t i = 0; i < args->operand_count; i++)
        MAE_TRY(mae_tool_expect(args->operands[i], err));
    MAE_TRY(mae_tool_check_output(v->out, args->operands, args->operand_count, err));
    MAE_TRY(mae_tool_check_output(v->dump, args->operands, args->operand_count, err));
    MAE_TRY(mae_tool_check_output(v->dump, &v->replay, 1, err));
    return v->replay != NULL ? mae_tool_expect(v->replay, err) : MAE_OK;
}

static MaeStatus load_images(Session *s, MaeError *err)
{
    const MaeArgs *args = &s->tool->args;
    const MaePatchGrid *grid = &s->loaded.model.as.autoencoder.arch.grid;
    MaeTransform transform = mae_transform_default(grid->channels, grid->height,
                                                   grid->width, MAE_AUGMENT_EVAL);

    transform.mean = s->loaded.snapshot.mean;
    transform.std = s->loaded.snapshot.std;
    if (s->values->data == NULL)
        return mae_gallery_files(&s->gallery, &transform, args->operands + 1,
                                 args->operand_count - 1, err);
    return mae_gallery_dataset(&s->gallery, &transform, s->values->data, s->values->count,
                               &s->tool->log, err);
}

/* Images, masks, pictures, report. */
static MaeStatus reconstruct(Session *s, double ratio, MaeError *err)
{
    const MaeAutoencoder *model = &s->loaded.model.as.autoencoder;
    const MaeCompute compute = {.pool = s->pool, .gemm = s->gemm};
    const MaeGallery *g = &s->gallery;
    MaePreviewSpec spec = {.mean = s->loaded.snapshot.mean,
                           .std = s->loaded.snapshot.std,
                           .oracle = s->values->oracle};

    if (spec.oracle && !model->arch.norm_pix_loss)
        mae_log(&s->tool->log, MAE_LOG_WARN,
                "--oracle changes nothing: the model predicts pixels themselves");
    MAE_TRY(load_images(s, err));
    MAE_TRY(mae_maskset_open(&s->masks, (MaeMaskKind)s->values->strategy,
                             &model->arch.grid, ratio, g->count, s->pool, err));
    mae_maskset_draw(&s->masks, s->tool->args.seed, 0, NULL, g->count);
    MAE_TRY(mae_autoencoder_run_open(&s->run, model, &compute,
                                     g->count < 16 ? g->count : 16, s->masks.mask.visible,
                                     MAE_KEEP_NOTHING, err));
    spec.low = g->low;
    spec.high = g->high;
    s->report = (ReconstructReport){
        .checkpoint = s->tool->args.operands[0],
        .out = s->values->out,
        .strategy = STRATEGIES[s->values->strategy],
        .ratio = ratio,
        .seed = s->tool->args.seed,
        .mask = &s->masks.mask,
        .denorm = mae_preview_denorm(model, spec.oracle),
        .gallery = g,
    };
    MAE_TRY(mae_preview_write(s->values->out, s->report.scores, &s->run,
                              mae_weights_f32(s->loaded.weights), g->images,
                              &s->masks.mask, g->count, &spec, err));
    return reconstruct_report_print(&s->report, s->tool->args.json, err);
}

static MaeStatus replay(Session *s, double ratio, MaeError *err)
{
    const MaeCompute compute = {.pool = s->pool, .gemm = s->gemm};
    const MaeReplaySpec spec = {s->values->replay, s->values->dump, ratio,
                                s->values->grads};
    MaeReplayResult result;

    MAE_TRY(mae_replay(&result, &spec, &s->loaded.model.as.autoencoder, s->loaded.weights,
                       &compute, err));
    return reconstruct_report_replay(&spec, &result, s->tool->args.operands[0],
                                     s->tool->args.json, err);
}

static MaeStatus run(Session *s, MaeError *err)
{
    const MaeArgs *args = &s->tool->args;
    double ratio = s->values->mask_ratio;

    MAE_TRY(check_usage(args, s->values, err));
    MAE_TRY(mae_loaded_autoencoder_open(&s->loaded, args->operands[0], err));
    if (ratio == DEFAULTS.mask_ratio)
        ratio = s->loaded.snapshot.mask_ratio;
    MAE_TRY(mae_pool_open(&s->pool, args->threads, err));
    MAE_TRY(mae_gemm_open(&s->gemm, &(MaeGemmOptions){.threads = args->threads}, err));
    return s->values->replay != NULL ? replay(s, ratio, err) : reconstruct(s, ratio, err);
}

int main(int argc, char **argv)
{
    MaeTool tool;
    Values values = DEFAULTS;
    Session s = {.tool = &tool, .values = &values};
    MaeError err = {0};
    MaeStatus status;

    if (!mae_tool_open(&tool, &COMMAND, &values, argc, argv))
        return tool.exit_code;
    status = run(&s, &err);
    mae_autoencoder_run_close(&s.run);
    mae_maskset_close(&s.masks);
    mae_gallery_close(&s.gallery);
    mae_gemm_close(s.gemm);
    mae_pool_close(s.pool);
    mae_loaded_model_close(&s.loaded);
    return mae_tool_close(&tool, status, &err);
}
