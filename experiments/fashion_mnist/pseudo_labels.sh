#!/bin/sh
# Do pseudo-labels help? A teacher learns from 600 labels; what it is sure of among the other
# 59,400 training images becomes the labels of a student, which starts from the same pretrained
# encoder. Both see the same number of images. A few minutes on two cores; folders that hold
# finished runs are not run again.
# Measured: 33,953 pseudo-labels; teacher 79.8 %, student 79.7 %: no gain. A student that sees
# everything once is as good as a teacher that saw 600 images 60 times, and no better.
#
#   experiments/fashion_mnist/pseudo_labels.sh [CHECKPOINT [FOLDER]]
#   default: runs/fashion_mnist/pretrain/last.h5 runs/pseudo_labels
set -eu
here=$(cd "$(dirname "$0")" && pwd)
bin=${MAE_BIN:-$here/../../build/tools}
encoder=${1:-runs/fashion_mnist/pretrain/last.h5}
out=${2:-runs/pseudo_labels}
data=${MAE_DATA:-/usr/share/datasets/fashion-mnist}
labels=600
seen=36000 # images that each run trains on, labelled ones again and again

# finetune NAME EPOCHS [key=value...]
finetune()
{
    name=$1 epochs=$2
    shift 2
    "$bin/mae-finetune" "$here/finetune.yaml" data.train="$data" data.val="$data:test" \
        data.first_n=$labels finetune.checkpoint="$encoder" train.epochs="$epochs" \
        eval.every="$epochs" train.output_dir="$out/$name" "$@"
}

# accuracy NAME: top-1 on the test set after the last epoch.
accuracy()
{
    sed -n 's/.*"test_acc1": \([.0-9]*\).*/\1/p' "$out/$1/log.txt" | tail -n 1
}

finetune teacher $((seen / labels))
"$bin/mae-predict" "$out/teacher/last.h5" "$data" --pseudo-label "$out/all.csv" \
    --min-confidence 0.9
# The first images have true labels.
awk -F, -v first=$labels '/^#/ || /^sample/ || $1 >= first' "$out/all.csv" >"$out/pseudo.csv"
chosen=$(grep -c '^[0-9]' "$out/pseudo.csv")
finetune student $(((seen + (labels + chosen) / 2) / (labels + chosen))) data.unlabelled="$data" \
    data.pseudo_labels="$out/pseudo.csv"

echo "pseudo_labels.sh: $chosen pseudo-labels beside $labels labels;" \
    "top-1: teacher $(accuracy teacher) %, student $(accuracy student) %"
