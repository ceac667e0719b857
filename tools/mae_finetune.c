/* mae-finetune: a classifier on a pretrained encoder. */
#include "common/training.h"
#include "train/finetune.h"

static const MaeCommand COMMAND = {
    .name = "mae-finetune",
    .summary = "Attaches a classifier head to a pretrained encoder and trains both on "
               "labelled images, or goes on with the run in train.output_dir.",
    .operands = mae_training_operands,
    .options = mae_training_options,
    .defaults = &mae_training_defaults,
    .values_size = sizeof(MaeTrainingValues),
    .overrides = true,
    .train_keys = true,
    .ranks = true,
    .interruptible = true,
    .notes = "finetune.init=random optim.layer_decay=1 trains the same network from "
             "random weights, the baseline that shows what pretraining is worth.",
    .example = "mae-finetune experiments/fashion_mnist/finetune.yaml data.first_n=6000 "
               "train.epochs=15",
};

int main(int argc, char **argv)
{
    return mae_training_main(&COMMAND, MAE_CONF_FINETUNE, mae_finetune, argc, argv);
}
