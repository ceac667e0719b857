#!/bin/sh
# signals.sh TOOLS [COUNT]: SIGTERM, SIGINT and SIGUSR1 at random moments of a run: it saves,
# ends with 75, and the same command goes on as if nothing had been. TAP on stdout.
set -eu
# shellcheck source=lib.sh
. "$(dirname "$(realpath "$0")")/lib.sh"
command -v h5diff >/dev/null || skip_all 'no h5diff'
signals=$(repetitions 6 50 "${2:-}")
echo "# seed $seed, $signals signals"

data set 24 8
data val 7 8
config run.yaml
# launch FOLDER: 6 000 updates, about a second; the process is $!.
launch()
{
    "$tools/mae-pretrain" run.yaml -o "$1" data.val=val train.epochs=1000 \
        train.checkpoint_every=none eval.every=10 >told 2>&1 &
}

launch straight
wait $!
stopped=0 early=0 finished=0
: >wrong
# ended: the run is over; it is the undisturbed one.
ended()
{
    finished=$((finished + 1))
    differences straight run >>wrong
    leftovers run >>wrong
    rm -r run
}

# stopped_well: it said so, and there is a checkpoint if a step was made.
stopped_well()
{
    stopped=$((stopped + 1))
    grep -q 'run the same command again' told || cat told
    if [ -e run ]; then
        damage run
        leftovers run
        [ -e run/last.h5 ] || echo "no last.h5 in $(ls run)"
    else
        early=$((early + 1))
    fi >>wrong
}

while [ "$stopped" -lt "$signals" ]; do
    draw 0.02 0.6
    launch run
    pid=$!
    sleep "$random"
    case $((stopped % 3)) in
    0) kill -TERM "$pid" ;;
    1) kill -INT "$pid" ;;
    2) kill -USR1 "$pid" ;;
    esac 2>/dev/null || true
    code=0
    wait "$pid" || code=$?
    case $code in
    75) stopped_well ;;
    0) ended ;;
    138 | 143) # before it could look: nothing is there yet
        [ ! -s told ] || echo "exit code $code" | cat - told >>wrong
        ;;
    *) echo "exit code $code" | cat - told >>wrong ;;
    esac
done
launch run
wait $! || cat told >>wrong
ended
echo "# $stopped signals, $early of them before the first step;" \
    "$finished runs came to their end"
report 'runs that were stopped end as the one that was not' "$(cat wrong)"

# A step takes a moment here: signals before the first one, and two in one.
data large 64 32
cat >slow.yaml <<'END'
model: {img_size: 32, patch_size: 2, embed_dim: 384, depth: 8, num_heads: 6}
data: {train: large, workers: 1}
train: {epochs: 9, batch_size: 64, threads: 1, precision: f32, output_dir: slow}
END
# interrupt PATTERN [PATTERN]: start it and send SIGINT once its messages match, then again.
interrupt()
{
    : >told # not in the background: nobody is to read what it said last time
    "$tools/mae-pretrain" slow.yaml >told 2>&1 &
    pid=$!
    for pattern in "$1" ${2:+"$2"}; do
        until_told "$pattern" "$pid"
        kill -INT "$pid"
    done
    started=$(date +%s)
    code=0
    wait "$pid" || code=$?
    cat told
    most=30 # steps take less than a second
    sanitized "$tools/mae-pretrain" && most=120
    [ $(($(date +%s) - started)) -lt "$most" ] || code=99
    return "$code"
}
check 'while it loads or measures' 75 'before the first step: run the same command again' \
    interrupt 'precision'
check 'it leaves nothing' 0 '^absent$' absent slow
check 'while it measures' 75 'before the first step: run the same command again' \
    interrupt 'effective batch'
check 'it leaves nothing' 0 '^absent$' absent slow
check 'the second one ends it' 130 'Ctrl-C again leaves at once' \
    interrupt 'effective batch' 'Ctrl-C again'
check 'and it can begin again' 75 'before the first step' interrupt 'effective batch'
echo "1..$count"
