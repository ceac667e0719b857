#!/bin/sh
# test_modes.sh TOOLS GOLDEN: what fine-tuning trains, and that every tool takes the result.
# TOOLS is the folder of the programs. TAP on stdout.
set -eu

tools=$(realpath "$1") golden=$(realpath "$2")
. "$(dirname "$(realpath "$0")")/check.sh"

mkdir -p set/cat set/dog hf
for i in 1 2 3 4 5 6; do
    png >set/cat/$i.png
    png >set/dog/$i.png
done
"$tools/mae-convert" "$golden/mae_timm_names.safetensors" m.h5 model.num_heads=4 \
    model.decoder_num_heads=2 data.mean=imagenet data.std=imagenet >/dev/null 2>&1

set -- finetune.checkpoint=m.h5 data.train=set data.val=set train.batch_size=4 \
    train.epochs=1 train.threads=1
finetune=$tools/mae-finetune
check 'modes are documented' 0 'one of full, partial, linear' "$finetune" --help-config
check 'defaults of a mode are, too' 0 'default: 1e-3 (finetune.mode linear: 0.1)' \
    "$finetune" --help-config
check 'and printed' 0 'label_smoothing: 0  *# from mode linear' \
    "$finetune" "$@" -o probe finetune.mode=linear --print-config
check 'more blocks than there are' 2 \
    'command line: finetune.trained_blocks: 9.5 blocks, but the model has' \
    "$finetune" "$@" -o probe finetune.mode=partial finetune.trained_blocks=9.5
check 'no run came of it' 0 'absent' absent probe
check 'half a block' 0 'top-1' \
    "$finetune" "$@" -o half finetune.mode=partial finetune.trained_blocks=0.5
check 'a linear probe' 0 'top-1' "$finetune" "$@" -o probe finetune.mode=linear
check 'another mode does not go on' 2 'finetune.mode: run has linear, config says full' \
    "$finetune" "$@" -o probe
check 'its checkpoint is described' 0 'class token, batch norm (linear probe)' \
    "$tools/mae-inspect" probe/last.h5
check 'also as JSON' 0 '"head": "batchnorm"' "$tools/mae-inspect" probe/last.h5 --json
check 'its accuracy' 0 '"classifier"' "$tools/mae-eval" probe/last.h5 --test set --json
check 'its features' 0 'probe.npy' "$tools/mae-embed" probe/last.h5 set -o probe.npy
check 'its export' 0 'folded into the exported head' \
    "$tools/mae-convert" probe/last.h5 hf/model.safetensors --format hf
check 'as a start' 0 'top-1' "$finetune" "$@" -o full finetune.checkpoint=probe/last.h5
echo "1..$count"
