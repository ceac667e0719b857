#include "train/nonfinite.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store/file.h"
#include "store/json.h"

#define SAMPLES_TOLD 4 /* in a message; the file has all */

/* An element of a flat buffer, if there is one. */
static bool take(MaeNonfinite *found, MaeNonfinitePlace place, const char *what,
                 MaeParamElement element)
{
    if (element.name == NULL)
        return false;
    *found =
        (MaeNonfinite){.place = place, .index = element.index, .value = element.value};
    (void)snprintf(found->what, sizeof found->what, "%s", what);
    (void)snprintf(found->name, sizeof found->name, "%s", element.name);
    return true;
}

static bool in_state(MaeNonfinite *found, const MaeTrainer *trainer, const char *what,
                     const float *flat)
{
    return take(found, MAE_NONFINITE_STATE, what,
                mae_param_beyond(trainer->task.table, MAE_PARAM_ALL, flat, FLT_MAX));
}

bool mae_nonfinite_state(MaeNonfinite *found, const MaeTrainer *trainer)
{
    const MaeOptim *optim = &trainer->optim;

    if (in_state(found, trainer, "weight", trainer->w))
        return true;
    for (size_t s = 0; s < optim->driver->state_slots; s++) {
        if (take(found, MAE_NONFINITE_STATE, optim->driver->slots[s],
                 mae_optim_spoilt(optim, s)))
            return true;
    }
    return optim->average != NULL && in_state(found, trainer, "average", optim->average);
}

static bool in_losses(MaeNonfinite *found, const MaeTrainer *trainer)
{
    for (size_t i = 0; i < trainer->cfg->train.accum_iter; i++) {
        if (isfinite(trainer->losses[i]))
            continue;
        *found = (MaeNonfinite){.place = MAE_NONFINITE_LOSS,
                                .what = "loss",
                                .index = i,
                                .value = trainer->losses[i]};
        return true;
    }
    return false;
}

/* One that is not finite or, as the norm is too large, has more than its even share. */
static void in_gradients(MaeNonfinite *found, const MaeTrainer *trainer)
{
    const MaeParamTable *table = trainer->task.table;
    const double share = trainer->norm / sqrt((double)table->total);
    const float limits[] = {FLT_MAX, (float)fmin(share, (double)FLT_MAX)};

    for (size_t i = 0; i < 2; i++) {
        if (take(found, MAE_NONFINITE_GRADIENT, "gradient",
                 mae_param_beyond(table, MAE_PARAM_CHANGED, trainer->dw, limits[i])))
            return;
    }
    *found = (MaeNonfinite){.place = MAE_NONFINITE_NORM,
                            .what = "gradient",
                            .name = "all",
                            .value = trainer->norm};
}

MaeStatus mae_nonfinite_find(MaeNonfinite *found, const MaeTrainer *trainer,
                             MaeError *err)
{
    MaeComm *comm = trainer->hooks->comm;
    size_t teller;

    if (!mae_nonfinite_state(found, trainer) && !in_losses(found, trainer))
        in_gradients(found, trainer);
    MAE_TRY(mae_comm_first(comm, (uint64_t)found->place, &teller, err));
    MAE_TRY(mae_comm_broadcast(comm, found, sizeof *found, teller, err));
    found->rank = teller;
    return MAE_OK;
}

/* Was the loss of these images bad because of them? Their data may be finite and too
 * large for normalisation. */
static void look_at_images(MaeNonfinite *found, const MaeTrainer *trainer,
                           const MaeBatch *batch)
{
    const MaeConfModel *model = &trainer->cfg->model;
    const size_t pixels = model->in_chans * model->img_size[0] * model->img_size[1];

    for (size_t i = 0; i < batch->size * pixels; i++) {
        if (isfinite(batch->images[i]))
            continue;
        found->place = MAE_NONFINITE_PIXEL;
        (void)snprintf(found->what, sizeof found->what, "pixel");
        found->index = i % pixels;
        found->value = (double)batch->images[i];
        mae_dataset_name(trainer->task.images, batch->samples[i / pixels], found->name,
                         sizeof found->name);
        return;
    }
}

static void tell_samples(MaeNonfinite *found, const MaeBatch *batch)
{
    size_t used = 0;

    for (size_t i = 0; i < batch->size && i < SAMPLES_TOLD; i++)
        used += (size_t)snprintf(found->samples + used, sizeof found->samples - used,
                                 i == 0 ? "%zu" : ", %zu", batch->samples[i]);
    if (batch->size > SAMPLES_TOLD)
        (void)snprintf(found->samples + used, sizeof found->samples - used, ", ...");
}

/* A NaN has a sign for printf, and JSON no number for it. */
static const char *number_text(char *text, size_t size, double value)
{
    (void)snprintf(text, size, "%g", isnan(value) ? fabs(value) : value);
    return text;
}

static void set_number(MaeJson *object, const char *key, double value)
{
    char text[32];

    if (isfinite(value))
        mae_json_set_real(object, key, value);
    else
        mae_json_set_text(object, key, number_text(text, sizeof text, value));
}

static MaeJson *describe_batch(const MaeTrainer *trainer, const MaeBatch *batch,
                               double loss)
{
    MaeJson *object = mae_json_object();
    MaeJson *samples = mae_json_array(), *files = mae_json_array();
    char name[1024];

    for (size_t i = 0; i < batch->size; i++) {
        mae_dataset_name(trainer->task.images, batch->samples[i], name, sizeof name);
        mae_json_append(samples, mae_json_int((int64_t)batch->samples[i]));
        mae_json_append(files, mae_json_text(name));
    }
    mae_json_set_int(object, "batch", (int64_t)batch->index + 1);
    set_number(object, "loss", loss);
    mae_json_set(object, "samples", samples);
    mae_json_set(object, "files", files);
    return object;
}

static size_t largest_loss(const MaeTrainer *trainer)
{
    size_t largest = 0;

    for (size_t i = 1; i < trainer->cfg->train.accum_iter; i++) {
        if (trainer->losses[i] > trainer->losses[largest])
            largest = i;
    }
    return largest;
}

/* Read the batches of the update again; as far as they can be had. */
static MaeJson *read_batches(MaeNonfinite *found, const MaeTrainer *trainer)
{
    const bool one = found->place == MAE_NONFINITE_LOSS;
    const size_t told = one ? found->index : largest_loss(trainer);
    MaeJson *batches = mae_json_array();

    if (mae_loader_seek(trainer->loader, (uint32_t)trainer->state.epoch,
                        (size_t)trainer->state.batch, NULL) != MAE_OK)
        return batches;
    for (size_t i = 0; i < trainer->cfg->train.accum_iter; i++) {
        const MaeBatch *batch = NULL;

        if (mae_loader_next(trainer->loader, &batch, NULL) != MAE_OK)
            break;
        mae_json_append(batches, describe_batch(trainer, batch, trainer->losses[i]));
        if (i == told)
            tell_samples(found, batch);
        if (one && i == told)
            look_at_images(found, trainer, batch);
        mae_loader_release(trainer->loader, batch);
    }
    return batches;
}

static MaeJson *describe(const MaeNonfinite *found, const MaeTrainer *trainer,
                         const char *then, MaeJson *batches)
{
    MaeJson *object = mae_json_object(), *first = mae_json_object();
    const bool loss = found->place == MAE_NONFINITE_LOSS;

    mae_json_set_text(first, "kind", found->what);
    mae_json_set_text(first, "name", found->name);
    mae_json_set_int(first, "index",
                     (int64_t)(found->index + (loss ? trainer->state.batch + 1 : 0)));
    set_number(first, "value", found->value);
    mae_json_set_int(object, "step", (int64_t)trainer->state.step + 1);
    mae_json_set_int(object, "epoch", (int64_t)trainer->state.epoch + 1);
    mae_json_set_real(object, "lr", trainer->lr);
    mae_json_set_real(object, "grad_norm", trainer->norm);
    mae_json_set_text(object, "then", then);
    mae_json_set(object, "first", first);
    mae_json_set(object, "batches", batches);
    return object;
}

/* The file's content, of this rank; NULL if memory ran out. */
static char *write_text(MaeNonfinite *found, const MaeTrainer *trainer, const char *then)
{
    MaeJson *batches = read_batches(found, trainer);
    MaeJson *object = describe(found, trainer, then, batches);
    char *text = mae_json_dump(object, 2);

    mae_json_free(object);
    return text;
}

/* Every rank has what the one that tells says. */
static MaeStatus spread(MaeNonfinite *found, char **text, MaeComm *comm, MaeError *err)
{
    const size_t teller = found->rank;
    uint64_t size = *text != NULL ? strlen(*text) + 1 : 0;
    MaeStatus status = MAE_OK;

    MAE_TRY(mae_comm_broadcast(comm, found, sizeof *found, teller, err));
    MAE_TRY(mae_comm_broadcast(comm, &size, sizeof size, teller, err));
    if (*text == NULL && size > 0)
        *text = malloc((size_t)size);
    if (*text == NULL)
        status = mae_error_set(err, MAE_ERR_NOMEM, __FILE__, __LINE__,
                               "out of memory for a report on the update");
    MAE_TRY(mae_comm_agree(comm, status, err));
    return mae_comm_broadcast(comm, *text, (size_t)size, teller, err);
}

MaeStatus mae_nonfinite_report(MaeNonfinite *found, MaeTrainer *trainer, const char *then,
                               char *name, size_t size, MaeError *err)
{
    MaeComm *comm = trainer->hooks->comm;
    char path[MAE_CONFIG_PATH + 64], *text = NULL;
    MaeStatus status;

    if (mae_comm_rank(comm) == found->rank)
        text = write_text(found, trainer, then);
    status = spread(found, &text, comm, err);

    (void)snprintf(name, size, "nonfinite-%llu.json",
                   (unsigned long long)trainer->state.step + 1);
    if (status == MAE_OK && mae_trainer_leads(trainer)) {
        status = mae_run_folder_file(trainer->folder, name, path, sizeof path, err);
        if (status == MAE_OK)
            /* NOLINTNEXTLINE(clang-analyzer-core.NonNullParamChecker): spread has one */
            status = mae_file_write_atomic(path, text, strlen(text), err);
    }
    free(text);
    return status;
}

void mae_nonfinite_text(const MaeNonfinite *found, const MaeTrainer *trainer, char *text,
                        size_t size)
{
    char value[32];

    (void)number_text(value, sizeof value, found->value);
    if (found->place == MAE_NONFINITE_LOSS)
        (void)snprintf(text, size, "loss of batch %llu is %s",
                       (unsigned long long)trainer->state.batch + found->index + 1,
                       value);
    else
        (void)snprintf(text, size, "%s of %s[%zu] is %s%s", found->what, found->name,
                       found->index, value, isfinite(found->value) ? ", too large" : "");
}
