#include "train/encoder_pictures.h"

#include "eval/report_figures.h"

static MaeStatus draw(MaeFigures *figures, const MaeVisualInput *input, MaeError *err)
{
    const MaeVisualModel *model = &input->models[0];
    const bool images = model->gallery != NULL && model->gallery->count > 0;

    MAE_TRY(mae_visual_kernels.draw(figures, input, err));
    return images && model->encoder->trunk.depth > 0
               ? mae_visual_attention.draw(figures, input, err)
               : MAE_OK;
}

MaeStatus mae_encoder_pictures(MaeReport *report, const MaeVisualModel *model,
                               const MaeCompute *run, MaeError *err)
{
    MaeGemmOptions options = mae_gemm_options(run->gemm);
    MaeCompute compute = {.pool = run->pool};
    MaeVisualInput input = {.models = {*model}, .model_count = 1, .compute = &compute};
    MaeFigures figures = {0};
    MaeGemm *gemm = NULL;
    MaeStatus status;

    options.operand = MAE_F32;
    if (options.backend == MAE_GEMM_BUILTIN) /* has no f32 */
        options.backend = MAE_GEMM_AUTO;
    MAE_TRY(mae_gemm_open(&gemm, &options, err));
    compute.gemm = gemm;
    status = draw(&figures, &input, err);
    mae_report_figures(report, &figures);
    mae_figures_done(&figures);
    mae_gemm_close(gemm);
    return status;
}
