#!/bin/sh
# folder.sh TOOLS MPI: the run folder, which rank 0 alone sees, is taken, full, read-only or
# goes away: the other ranks do not wait for it, and one message says why. TAP on stdout.
set -eu
self=$(realpath "$0") tools=$(realpath "$1")
# shellcheck source=lib.sh
. "$(dirname "$(realpath "$0")")/lib.sh"
own_mounts "$self" "$tools" "$2"

# failed NAME CODE PATTERN COMMAND...: as check, and told once.
failed()
{
    name=$1 ends=$2 pattern=$3
    shift 3
    check "$name" "$ends" "$pattern" "$@"
    report "$name: told once" \
        "$(grep -v -e warning -e '%' out | grep -e "$pattern" | tail -n +2)"
}

# long RANKS FOLDER [KEY=VALUE...]: a run that does not end by itself.
long()
{
    train "$@" train.epochs=1000000 train.checkpoint_every=none train.log_every=10 \
        eval.every=1000000
}

# begin FOLDER [KEY=VALUE...]: the same in the background, under way.
begin()
{
    folder=$1
    shift
    start 2 "$folder" train.epochs=1000000 train.checkpoint_every=none \
        train.log_every=10 eval.every=1000000 "$@"
    until_step 1 "$folder" "$pid"
}

# ended: how it did, and what it said.
ended()
{
    code=0
    wait "$pid" || code=$?
    cat told
    return "$code"
}

# stop: ask it to.
stop()
{
    kill -USR1 "$pid" || true
    ended
}

# Another run in the folder.
begin run
failed 'taken' 2 'rank 0: run: another run (process [0-9]* on .* is using' long 2 run
failed 'taken, to one process' 2 'run: another run (process' long 0 run
check 'the first one goes on' 75 'everything is saved in run' stop
check 'and after it the next' 75 'going on from run' long 2 run train.stop_after=1e-9
"$tools/mae-pretrain" run.yaml -o run train.epochs=1000000 train.checkpoint_every=none \
    train.log_every=10 eval.every=1000000 >told0 2>&1 &
single=$!
until grep -q 'going on' told0 || ! kill -0 "$single" 2>/dev/null; do
    sleep 0.01
done
failed 'taken by one process' 2 'rank 0: run: another run (process' long 2 run
kill -USR1 "$single"
wait "$single" || true
mkdir filled
echo >filled/something
failed 'something else' 2 'rank 0: .*filled is not empty and holds no run' long 2 filled

# Another configuration, a damaged checkpoint.
failed 'another configuration' 2 'rank 0: run/last.h5 belongs to another .*optim.lr' \
    long 2 run optim.lr=2e-3
failed 'another task' 2 'belongs to another' long 2 run model.depth=2
for file in run/last.h5 run/previous.h5; do
    printf 'x' | dd of="$file" bs=1 seek=9000 conv=notrunc 2>/dev/null
done
failed 'damaged' 3 'rank 0: run: no checkpoint can be read (run/previous.h5: damaged' \
    long 2 run

# A folder that cannot be written.
mkdir fixed
mount --bind fixed fixed
mount -o remount,ro,bind fixed
failed 'read-only' 1 'rank 0: fixed/new.*Read-only file system' long 2 fixed/new
check 'and nothing is there' 0 '^absent$' absent fixed/new
umount fixed

# A folder that goes away, or that the disk has no place for any more.
begin gone
mv gone away
failed 'renamed, then stopped' 1 'gone/.*No such file.*the state is not saved' stop
begin gone train.save_minutes=0.002
rm -r gone
failed 'removed' 1 'saving failed 3 times in a row' ended
mkdir disk
mount -t tmpfs -o size=2m tmpfs disk
fill()
{
    head -c 9000000 /dev/zero >disk/filler 2>/dev/null || true
}
begin disk/run train.save_minutes=0.002
until [ -e disk/run/last.h5 ] || ! kill -0 "$pid" 2>/dev/null; do
    sleep 0.01
done
fill
failed 'full for long' 1 'No space left on device (saving failed 3 times' ended
report 'the last checkpoint is whole' "$(damage disk/run; leftovers disk/run)"
fill
failed 'still full' 1 'No space left on device' long 2 disk/run train.save_minutes=0.002
rm disk/filler
check 'free again' 75 'going on from disk/run/last.h5' \
    long 2 disk/run train.stop_after=1e-9
rm -r disk/*
fill
failed 'full before the first step' 1 'rank 0: .*No space left on device' \
    long 2 disk/run train.preflight=false
truncate -s -9000 disk/filler
failed 'seen before anything is done' 1 'rank 0: .*the disk has 0.0 MB left' \
    long 2 disk/new
umount disk
echo "1..$count"
