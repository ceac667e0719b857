#include "kernel/versions.h"

#include <stdio.h>

#include "kernel/gemm.h"
#include "kernel/rows.h"

void mae_kernel_versions(char *text, size_t size)
{
    MaeError err = {0};
    MaeGemm *gemm = NULL;
    const MaeStatus status = mae_gemm_open(&gemm, &(MaeGemmOptions){0}, &err);

    (void)snprintf(text, size, "%s; row kernels %s; precision %s",
                   status == MAE_OK ? mae_gemm_backend(gemm) : err.msg, mae_rows_isa(),
                   mae_gemm_native(MAE_BF16) ? "f32, bf16" : "f32");
    mae_gemm_close(gemm);
}
