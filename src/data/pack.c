#include "data/pack.h"

#include <stdlib.h>

#include "base/text.h"
#include "data/pack_parts.h"

void mae_pack_tell(const MaePack *pack, size_t done)
{
    if (pack->opt->watch.fn != NULL)
        pack->opt->watch.fn(pack->opt->watch.ctx, done, pack->count);
}

MaeStatus mae_pack_blame(const MaePack *pack, size_t sample, const MaeError *why,
                         MaeError *err)
{
    char name[128];

    mae_dataset_name(pack->ds, sample, name, sizeof name);
    MAE_FAIL(err, why->status, "%s: %s", name, why->msg);
}

/* The samples that can be read. @param[out] samples [*count], malloc'ed. */
static MaeStatus find_good(const MaeDataset *ds, const MaePackOptions *opt,
                           size_t *samples, size_t *count, MaeError *err)
{
    MaeSurvey survey = {.count = 0};

    *count = mae_dataset_info(ds)->count;
    for (size_t i = 0; i < *count; i++)
        samples[i] = i;
    if (!opt->skip_bad)
        return MAE_OK;
    MAE_TRY(mae_survey_run(&survey, ds, MAE_SURVEY_WHOLE, opt->pool, opt->watch, err));
    *count = 0;
    for (size_t i = 0; i < survey.count; i++) {
        if (survey.items[i].status == MAE_OK)
            samples[(*count)++] = i;
    }
    mae_survey_done(&survey);
    if (*count == 0)
        MAE_FAIL(err, MAE_ERR_FORMAT, "none of %zu images can be read",
                 mae_dataset_info(ds)->count);
    return MAE_OK;
}

static MaeStatus write_pack(MaePack *pack, size_t *samples, bool tar, MaeError *err)
{
    MAE_TRY(find_good(pack->ds, pack->opt, samples, &pack->count, err));
    pack->samples = samples;
    return tar ? mae_pack_tar(pack, err) : mae_pack_h5(pack, err);
}

MaeStatus mae_pack(const MaeDataset *ds, const char *path, const MaePackOptions *opt,
                   MaePackResult *result, MaeError *err)
{
    const size_t count = mae_dataset_info(ds)->count;
    const bool tar = mae_text_ends(path, ".tar");
    MaePack pack = {.ds = ds, .path = path, .opt = opt};
    size_t *samples;
    MaeStatus status;

    if (!tar && !mae_text_ends(path, ".h5") && !mae_text_ends(path, ".hdf5"))
        MAE_FAIL(err, MAE_ERR_ARG, "%s: expected a name ending in .h5, .hdf5 or .tar",
                 path);
    if (tar && opt->size > 0)
        MAE_FAIL(err, MAE_ERR_ARG,
                 "%s: a tar keeps images as they are; a size is for .h5", path);
    samples = malloc(count * sizeof *samples);
    if (samples == NULL)
        MAE_FAIL(err, MAE_ERR_NOMEM, "%s: out of memory for %zu images", path, count);
    status = write_pack(&pack, samples, tar, err);
    free(samples);
    if (status == MAE_OK)
        *result = (MaePackResult){pack.count, count - pack.count};
    return status;
}
