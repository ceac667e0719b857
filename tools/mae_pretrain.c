/* mae-pretrain: MAE pretraining from a configuration file. */
#include "common/training.h"
#include "train/pretrain.h"

static const MaeCommand COMMAND = {
    .name = "mae-pretrain",
    .summary = "Trains a masked autoencoder on images without labels, or goes on with "
               "the run in train.output_dir.",
    .operands = mae_training_operands,
    .options = mae_training_options,
    .defaults = &mae_training_defaults,
    .values_size = sizeof(MaeTrainingValues),
    .overrides = true,
    .train_keys = true,
    .ranks = true,
    .interruptible = true,
    .notes = "The run folder holds config.yaml, log.txt (a JSON line per epoch), "
             "steps.jsonl, TensorBoard events, last.h5, previous.h5, checkpoint-N.h5, "
             "best.h5 (with data.val) and reconstructions/.",
    .example = "mae-pretrain experiments/fashion_mnist/pretrain.yaml train.epochs=20",
};

int main(int argc, char **argv)
{
    return mae_training_main(&COMMAND, MAE_CONF_PRETRAIN, mae_pretrain, argc, argv);
}
