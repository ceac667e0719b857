#!/bin/sh
# alike.sh TOOLS MPI: ranks whose configurations, programs or images differ, or that are
# called wrongly: one message, exit code 2, and nothing is written. TAP on stdout.
set -eu
# shellcheck source=lib.sh
. "$(dirname "$(realpath "$0")")/lib.sh"
tool="$tools/mae-pretrain"

# refused NAME PATTERN COMMAND...: so it is, by one message that matches.
refused()
{
    name=$1 pattern=$2
    shift 2
    check "$name" 2 "$pattern" "$@"
    report "$name: once, and nothing is written" \
        "$(grep '^mae-.*rank [0-9]*: ' out | tail -n +2
            find . -path '*/run/*')"
}

# two WHAT... : WHAT...: a run of two ranks, each with its own arguments.
two()
{
    mpirun -np 1 "$tool" run.yaml "$@"
}
second="-np 1 $tool run.yaml"

# shellcheck disable=SC2086 # words
{
    refused 'a key' 'rank 1: .*configuration.* rank 0.*: optim.lr: run has 0.001, config' \
        two : $second optim.lr=2e-3
    refused 'a key, of rank 0' 'rank 1: .*: mask.ratio: run has 0.5, config says 0.75' \
        two mask.ratio=0.5 : $second
    refused 'where images lie' 'rank 1: .*: data.train: run has val, config says set' \
        two data.train=val : $second
    refused 'precision' 'rank 1: .*: train.precision: run has f32, config says bf16' \
        two : $second train.precision=bf16
    refused 'backend' 'rank 1: .*: train.backend: run has builtin, config says auto' \
        two train.precision=bf16 train.backend=builtin : $second train.precision=bf16
    refused 'the run folder' 'rank 1: .*: train.output_dir: run has run, config says away' \
        two : $second -o away
    refused 'a typing error' 'rank 1: .*optim.lrr=1: unknown key' \
        two : $second optim.lrr=1
    cp "$tool" other
    echo >>other
    refused 'another program' 'rank 1: the program: expected that of rank 0' \
        two : -np 1 ./other run.yaml
}
refused 'everywhere a typing error' 'rank 0: .*optim.lrr=1: unknown key' \
    train 4 run optim.lrr=1
refused 'a batch that cannot be divided' \
    'expected a multiple of the 5 ranks, such as 15, got 12' train 5 run
refused 'no images anywhere' "rank 0: data.train: dataset 'none'" train 2 run data.train=none

# Each rank has a place of its own, whose names are those of the others.
data short 61 8
mkdir a b
cp -r run.yaml set val a
cp -r run.yaml set val b
# places: a run of two ranks, one in each.
places()
{
    mpirun -np 1 --wdir "$work/a" "$tool" run.yaml : -np 1 --wdir "$work/b" "$tool" run.yaml
}
# spoil FILE OFFSET: change a byte.
spoil()
{
    printf 'x' | dd of="$1" bs=1 seek="$2" conv=notrunc 2>/dev/null
}
spoil b/set/train-images-idx3-ubyte 100
refused 'other images' 'rank 1: the images of data.train: expected that of rank 0' places
mv a/set first
data a/set 600 8 # more than are looked at
rm -r b/set
cp -r a/set b/set
spoil b/set/train-images-idx3-ubyte 100
refused 'an image that only the mean has seen' \
    'rank 1: mean and deviation as measured on data.train: expected that of rank 0' places
rm -r a/set b/set
mv first a/set
cp -r short b/set
refused 'fewer images' 'rank 1: the images of data.train: expected that of rank 0' places
rm -r b/set
refused 'no images' "rank 1: data.train: dataset 'set': No such file" places
cp -r set b/set
spoil b/val/train-labels-idx1-ubyte 9
refused 'other labels' 'rank 1: the labels of data.train and data.val: expected' places
rm b/val/train-labels-idx1-ubyte
refused 'no labels' 'rank 1: the labels of data.train and data.val: expected' places
rm -r b/val
refused 'no held-out images' "rank 1: data.val: dataset 'val': No such file" places
cp -r val b/val
check 'and now they are the same' 0 '4 epochs, 20 steps done' places
check 'rank 0 alone writes' 0 '^absent$' absent b/run
spoil b/set/train-images-idx3-ubyte 100
check 'other images in a run that goes on' 2 'rank 1: the images of data.train' places
echo "1..$count"
