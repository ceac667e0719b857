#include "train/test_set.h"

/* This rank's part of the test set. @param[out] sum of the losses. */
static MaeStatus test_part(const MaeTestSet *set, MaeTrainer *trainer, MaeWeights w,
                           MaeAccuracy *accuracy, double *sum, MaeError *err)
{
    const size_t total = mae_dataset_info(set->inputs->val)->count;
    const size_t classes = set->run->model->arch.classes;
    const MaeWatch watch = mae_trainer_watch(trainer, "test set");
    MaeLoader *loader = set->inputs->val_loader;

    MAE_TRY(mae_loader_seek(loader, 0, 0, err));
    for (;;) {
        const MaeBatch *batch = NULL;
        size_t done;

        MAE_TRY(mae_trainer_poll(trainer->hooks, err));
        MAE_TRY(mae_loader_next(loader, &batch, err));
        if (batch == NULL)
            return MAE_OK;
        if (batch->size > 0) {
            mae_classifier_forward(set->run, w, batch->images, NULL, batch->size);
            mae_classifier_targets(set->targets, batch->labels, 0.0, batch->size,
                                   classes);
            *sum += (double)batch->size *
                    mae_classifier_loss(set->run, set->targets, batch->size, 0.0);
            mae_accuracy_add(accuracy, set->run->logits, batch->labels, batch->size,
                             classes);
            mae_confusion_add(set->confusion, set->run->logits, batch->labels,
                              batch->size);
        }
        mae_loader_release(loader, batch);
        done = (size_t)accuracy->count * mae_comm_world(trainer->hooks->comm);
        if (watch.fn != NULL)
            watch.fn(watch.ctx, done < total ? done : total, total);
    }
}

static MaeStatus sum_accuracy(MaeAccuracy *accuracy, MaeComm *comm, MaeError *err)
{
    uint64_t counts[] = {accuracy->count, accuracy->top1, accuracy->top5};

    MAE_TRY(mae_comm_sum_counts(comm, counts, 3, err));
    *accuracy = (MaeAccuracy){counts[0], counts[1], counts[2]};
    return MAE_OK;
}

MaeStatus mae_test_set_run(const MaeTestSet *set, MaeTrainer *trainer, MaeWeights w,
                           MaeAccuracy *accuracy, double *loss, MaeError *err)
{
    MaeComm *comm = trainer->hooks->comm;
    double sum = 0.0;
    MaeStatus status;

    mae_confusion_reset(set->confusion);
    status = mae_comm_agree(comm, test_part(set, trainer, w, accuracy, &sum, err), err);
    if (status == MAE_ERR_INTERRUPTED)
        mae_confusion_reset(set->confusion); /* part of the images says nothing */
    MAE_TRY(status);
    MAE_TRY(sum_accuracy(accuracy, comm, err));
    MAE_TRY(mae_comm_sum_doubles(comm, &sum, 1, err));
    MAE_TRY(mae_confusion_sum(set->confusion, comm, err));
    *loss = sum / (double)accuracy->count;
    return MAE_OK;
}
