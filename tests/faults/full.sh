#!/bin/sh
# full.sh TOOLS: the disk fills up under a run and under tools that write. TAP on stdout.
set -eu
self=$(realpath "$0") tools=$(realpath "$1")
# shellcheck source=lib.sh
. "$(dirname "$self")/lib.sh"
own_mounts "$self" "$tools"
command -v h5diff >/dev/null || skip_all 'no h5diff'

mkdir disk
mount -t tmpfs -o size=2m tmpfs disk
data set 2400 8
config run.yaml
fill()
{
    head -c 9000000 /dev/zero >disk/filler 2>/dev/null || true
}

# train FOLDER [KEY=VALUE...]: 42 000 updates, a few seconds.
train()
{
    folder=$1
    shift
    "$tools/mae-pretrain" run.yaml -o "$folder" train.epochs=70 train.log_every=100 \
        train.checkpoint_every=none train.preflight=false "$@"
}

# start MINUTES: the run in the background, which saves so often, once it has saved.
start()
{
    : >told
    train disk/run "train.save_minutes=$1" >told 2>&1 &
    pid=$!
    until [ -e disk/run/last.h5 ] || ! kill -0 "$pid" 2>/dev/null; do
        sleep 0.01
    done
}

# finish: how it ended and what it said.
finish()
{
    code=0
    wait "$pid" || code=$?
    cat told
    return "$code"
}

train straight -q >told 2>&1
fill
check 'full before the first step' 1 'No space left on device' train disk/run
check 'leaves no checkpoint' 0 '^absent$' absent disk/run/last.h5 disk/run/last.h5.mae-tmp
rm -r disk/*
fill
truncate -s -9000 disk/filler
check 'seen before anything is done' 1 'the disk has 0.0 MB left' \
    train disk/run train.preflight=true
check 'leaves nothing' 0 '^absent$' absent disk/run
rm -r disk/*

start 0.002
fill
check 'full for long' 1 \
    'run/last.h5.mae-tmp: cannot write: No space left on device (saving failed 3 times' \
    finish
check 'is told at once' 0 'No space left on device.*older checkpoints are intact, training' \
    cat told
report 'the last checkpoint is whole' "$(damage disk/run; leftovers disk/run)"
check 'it is there' 0 last.h5 ls disk/run

rm -r disk/*
start 0.012
fill
until_told 'older checkpoints are intact, training goes on' "$pid"
rm disk/filler
check 'freed in time' 0 '70 epochs' finish
check 'was full' 0 'older checkpoints are intact, training goes on' cat told
report 'nothing is lost' "$(h5diff -q straight/last.h5 disk/run/last.h5 /params /params ||
    echo parameters differ; leftovers disk/run)"

fill
for name in h5 csv npy; do
    check "features as $name" 1 'No space left on device' \
        "$tools/mae-embed" straight/last.h5 set -o "disk/out.$name"
done
check 'weights' 1 'No space left on device' \
    "$tools/mae-convert" straight/last.h5 disk/out.safetensors
check 'a packed data set' 1 'No space left on device' "$tools/mae-data" pack set disk/out.h5
check 'a picture' 1 'No space left on device' \
    "$tools/mae-reconstruct" straight/last.h5 --data set -o disk/out.png
check 'nothing is left of them' 0 '^absent$' \
    absent disk/out.h5 disk/out.csv disk/out.npy disk/out.safetensors disk/out.png
report 'nor half a file' "$(leftovers disk)"
umount disk
echo "1..$count"
