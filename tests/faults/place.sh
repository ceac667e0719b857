#!/bin/sh
# place.sh TOOLS: run folders that are taken, cannot be written or go away. TAP on stdout.
set -eu
self=$(realpath "$0") tools=$(realpath "$1")
# shellcheck source=lib.sh
. "$(dirname "$self")/lib.sh"
own_mounts "$self" "$tools"

data set 24 8
config run.yaml
sed -e 's/epochs: 4/epochs: 100000/' -e 's/log_every: 1,/log_every: 1000,/' \
    -e 's/checkpoint_every: 1,/checkpoint_every: none,/' run.yaml >long.yaml
# train FOLDER [KEY=VALUE...]: a run that takes minutes unless it is told otherwise.
train()
{
    folder=$1
    shift
    "$tools/mae-pretrain" long.yaml -o "$folder" "$@"
}

# start FOLDER [KEY=VALUE...]: in the background, under way; the process is in pid.
start()
{
    folder=$1
    shift
    : >told # not in the background: nobody is to read what was said last time
    "$tools/mae-pretrain" long.yaml -o "$folder" "$@" >told 2>&1 &
    pid=$!
    until_told yardsticks "$pid"
    until [ -s "$folder/steps.jsonl" ] || ! kill -0 "$pid" 2>/dev/null; do
        sleep 0.01
    done
}

# stop SIGNAL: how it ended and what it said.
stop()
{
    kill "-$1" "$pid" || true
    ended
}

ended()
{
    code=0
    wait "$pid" || code=$?
    cat told
    return "$code"
}

# Two runs in one folder.
start run
check 'a second run' 2 "run: another run (process $pid on $(hostname)) is using" train run
check 'by another path' 2 "another run (process $pid on" train "$work/./run"
check 'to replace it' 2 "another run (process $pid on" train run train.overwrite=true
check 'the first one goes on' 75 'everything is saved in run' stop TERM
start run
kill -9 "$pid"
check 'a dead one' 137 '' ended
check 'left its lock' 0 "process $pid on" cat run/.lock
check 'and is followed at once' 0 '1 epochs, 6 steps' train other train.epochs=1
check 'also in its folder' 75 'going on from' train run train.stop_after=1e-7

# A folder that cannot be written.
mkdir fixed
train fixed/run train.stop_after=1e-7 >told 2>&1 || true
mount --bind fixed fixed
mount -o remount,ro,bind fixed
check 'read-only, a run in it' 1 'fixed/run.*Read-only file system' train fixed/run
check 'read-only, a new run' 1 'fixed/new.*Read-only file system' train fixed/new
check 'read-only, nothing in it is changed' 0 '^absent$' absent fixed/run/.lock
umount fixed
if setpriv --reuid=65534 --regid=65534 --clear-groups true 2>/dev/null; then
    chmod 755 "$work"
    check "another's folder" 1 'fixed/run/.lock: cannot create: Permission denied' \
        setpriv --reuid=65534 --regid=65534 --clear-groups \
        "$tools/mae-pretrain" long.yaml -o fixed/run
    check "a folder in another's" 1 'fixed/new.*Permission denied' \
        setpriv --reuid=65534 --regid=65534 --clear-groups \
        "$tools/mae-pretrain" long.yaml -o fixed/new
else
    skip "another's folder" 'only root becomes somebody else'
fi

# A folder that goes away under a run.
start gone
mv gone away
check 'renamed, then stopped' 1 'gone/.*No such file.*the state is not saved' stop TERM
check 'nothing is made up in its place' 0 '^absent$' absent gone
start gone train.save_minutes=0.002
until rm -rf gone 2>/dev/null; do :; done # while files are saved there
check 'removed, training goes on for a while' 1 'saving failed 3 times in a row' ended
check 'and it was told' 0 'gone/.*No such file or directory.*training goes on' cat told
check 'the end of the run counts' 0 '^absent$' absent gone
start late
mkdir moved
mount --bind late late
mount -o remount,ro,bind late
check 'read-only under a run' 1 'Read-only file system.*the state is not saved' stop TERM
umount late
echo "1..$count"
