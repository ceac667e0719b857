#!/bin/sh
# Does bf16 train as well as f32? Pretrains (8 epochs) and fine-tunes (6,000 labels) in both and
# compares: training loss of each epoch from the second on within 0.5 %, accuracy within 0.3
# points. About 25 minutes on two cores; folders that hold finished runs are not run again.
#
#   experiments/fashion_mnist/precision.sh [FOLDER]      default: runs/precision
set -eu
here=$(cd "$(dirname "$0")" && pwd)
bin=${MAE_BIN:-$here/../../build/tools}
out=${1:-runs/precision}

# value KEY FILE: KEY of every line of a log, one a line.
value()
{
    sed -n "s/.*\"$1\": \([-+.0-9e]*\).*/\1/p" "$2"
}

for precision in f32 bf16; do
    "$bin/mae-pretrain" "$here/pretrain.yaml" train.precision=$precision \
        train.output_dir="$out/pretrain-$precision"
    "$bin/mae-finetune" "$here/finetune.yaml" train.precision=$precision \
        finetune.checkpoint="$out/pretrain-$precision/last.h5" data.first_n=6000 \
        train.epochs=15 eval.every=15 train.output_dir="$out/finetune-$precision"
done

value train_loss "$out/pretrain-f32/log.txt" >"$out/f32"
value train_loss "$out/pretrain-bf16/log.txt" >"$out/bf16"
paste "$out/f32" "$out/bf16" | awk '
    { off = 100 * ($2 / $1 - 1); printf "epoch %d: f32 %.4f, bf16 %.4f: %+.2f %%\n", NR, $1, $2, off
      if (NR > 1 && (off > 0.5 || off < -0.5)) bad = 1 }
    END { exit bad || NR != 8 }' || {
    echo 'precision.sh: losses differ by more than 0.5 %'
    exit 1
}
f32=$(value test_acc1 "$out/finetune-f32/log.txt" | tail -n 1)
bf16=$(value test_acc1 "$out/finetune-bf16/log.txt" | tail -n 1)
awk -v f32="$f32" -v bf16="$bf16" 'BEGIN {
    printf "top-1: f32 %.2f %%, bf16 %.2f %%: %+.2f points\n", f32, bf16, bf16 - f32
    exit bf16 < f32 - 0.3 }' || {
    echo 'precision.sh: bf16 is more than 0.3 points worse'
    exit 1
}
echo 'precision.sh: bf16 trains as well as f32'
