/* Part of session.h: ranks that train together have to be alike. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernel/rows.h"
#include "store/crc32c.h"
#include "store/file.h"
#include "train/session.h"

#define LARGEST_PROGRAM ((size_t)1 << 30)

void mae_session_hooks(MaeTrainHooks *own, const MaeTrainHooks *hooks)
{
    *own = *hooks;
    if (mae_comm_rank(hooks->comm) == 0)
        return;
    own->log = (MaeLog){.fn = NULL};
    own->progress = NULL;
}

static MaeStatus same_program(const MaeSession *session, MaeError *err)
{
    unsigned char *bytes = NULL;
    size_t size = 0;
    char text[64];

    if (mae_file_read_all("/proc/self/exe", LARGEST_PROGRAM, &bytes, &size, NULL) !=
        MAE_OK)
        size = 0; /* its version will have to do */
    (void)snprintf(text, sizeof text, "%s %08x", MAE_VERSION, mae_crc32c(0, bytes, size));
    free(bytes);
    return mae_comm_same(session->comm, "the program", text, err);
}

/* Last bits of a step depend on who computes it: weights would drift apart. */
static MaeStatus same_products(const MaeSession *session, MaeError *err)
{
    char text[320];

    (void)snprintf(text, sizeof text, "%s %s %s", mae_gemm_backend(session->gemm),
                   mae_dtype_name(mae_gemm_operand(session->gemm)), mae_rows_isa());
    return mae_comm_same(session->comm,
                         "the processor and the library for products, whose last bits "
                         "differ (choose train.precision and train.backend)",
                         text, err);
}

/* @param text of rank 0. */
static MaeStatus compare_configs(const MaeSession *session, const MaeConfig *cfg,
                                 const char *text, MaeError *err)
{
    MaeConfig first;
    char diff[300];

    if (mae_comm_rank(session->comm) == 0)
        return MAE_OK;
    /* NOLINTNEXTLINE(clang-analyzer-core.NonNullParamChecker): all ranks have one */
    MAE_TRY(mae_config_parse_text(&first, cfg->tool, "rank 0", text, strlen(text), NULL,
                                  0, err));
    if (mae_config_diff(&first, cfg, NULL, MAE_CONF_DIFF_ALL, diff, sizeof diff) > 0)
        MAE_FAIL(err, MAE_ERR_ARG,
                 "the configuration differs from rank 0's (`run` is rank 0): %s", diff);
    return MAE_OK;
}

/* Rank 0's, in memory of the caller. */
static MaeStatus fetch_config(const MaeSession *session, const MaeConfig *cfg,
                              char **text, MaeError *err)
{
    uint64_t size = 0;
    MaeStatus status = MAE_OK;

    if (mae_comm_rank(session->comm) == 0) {
        status = mae_config_text(cfg, text, err);
        size = status == MAE_OK ? strlen(*text) + 1 : 0;
    }
    MAE_TRY(mae_comm_agree(session->comm, status, err));
    MAE_TRY(mae_comm_broadcast(session->comm, &size, sizeof size, 0, err));
    if (mae_comm_rank(session->comm) != 0 && (*text = malloc((size_t)size)) == NULL)
        status = mae_error_set(err, MAE_ERR_NOMEM, __FILE__, __LINE__,
                               "out of memory for the configuration");
    MAE_TRY(mae_comm_agree(session->comm, status, err));
    return mae_comm_broadcast(session->comm, *text, (size_t)size, 0, err);
}

static MaeStatus same_config(const MaeSession *session, const MaeConfig *cfg,
                             MaeError *err)
{
    char *text = NULL;
    MaeStatus status = fetch_config(session, cfg, &text, err);

    if (status == MAE_OK)
        status =
            mae_comm_agree(session->comm, compare_configs(session, cfg, text, err), err);
    free(text);
    return status;
}

MaeStatus mae_session_alike(const MaeSession *session, const MaeConfig *cfg,
                            MaeError *err)
{
    if (mae_comm_world(session->comm) == 1)
        return MAE_OK;
    MAE_TRY(same_program(session, err));
    MAE_TRY(same_config(session, cfg, err));
    return same_products(session, err);
}

/* @param[in,out] values [channels] of rank 0, for everybody. */
static MaeStatus tell_values(const MaeSession *session, float **values, size_t channels,
                             MaeError *err)
{
    const size_t bytes = channels * sizeof **values;
    MaeStatus status = MAE_OK;

    if (*values == NULL && (*values = malloc(bytes)) == NULL)
        status = mae_error_set(err, MAE_ERR_NOMEM, __FILE__, __LINE__,
                               "out of memory for mean and deviation");
    MAE_TRY(mae_comm_agree(session->comm, status, err));
    return mae_comm_broadcast(session->comm, *values, bytes, 0, err);
}

MaeStatus mae_session_tell(MaeSession *session, MaeError *err)
{
    MaeSnapshot *snapshot = &session->snapshot;
    uint64_t known[] = {session->reader != NULL,
                        snapshot->mean != NULL ? snapshot->arch.grid.channels : 0};

    MAE_TRY(mae_comm_broadcast(session->comm, known, sizeof known, 0, err));
    session->resumes = known[0] != 0;
    if (known[1] == 0)
        return MAE_OK;
    snapshot->arch.grid.channels = (size_t)known[1];
    MAE_TRY(tell_values(session, &snapshot->mean, (size_t)known[1], err));
    return tell_values(session, &snapshot->std, (size_t)known[1], err);
}

/* Identities have seen but some of the images, and these may have failed to be read. */
static MaeStatus same_stats(const MaeSession *session, MaeError *err)
{
    const MaeInputs *inputs = &session->inputs;
    const size_t bytes = inputs->channels * sizeof(float);
    const uint32_t mean = mae_crc32c(0, inputs->mean, bytes);
    char text[16];

    (void)snprintf(text, sizeof text, "%08x", mae_crc32c(mean, inputs->std, bytes));
    return mae_comm_same(session->comm, "mean and deviation as measured on data.train",
                         text, err);
}

MaeStatus mae_session_same_images(const MaeSession *session, MaeError *err)
{
    char text[64];

    (void)snprintf(text, sizeof text, "%llu %llx",
                   (unsigned long long)session->train.count,
                   (unsigned long long)session->train.checksum);
    MAE_TRY(mae_comm_same(session->comm, "the images of data.train", text, err));
    (void)snprintf(text, sizeof text, "%llu %llx", (unsigned long long)session->val.count,
                   (unsigned long long)session->val.checksum);
    MAE_TRY(mae_comm_same(session->comm, "the images of data.val", text, err));
    return same_stats(session, err);
}
