#!/bin/sh
# signals.sh TOOLS MPI [COUNT]: SIGUSR1 to mpirun, which hands it on, and signals to a single
# rank, at random moments: all ranks stop, all is saved, and the same command goes on as if
# nothing had been. TAP on stdout.
set -eu
# shellcheck source=lib.sh
. "$(dirname "$(realpath "$0")")/lib.sh"
signals=$(repetitions 10 40 "${3:-}")
echo "# seed $seed, $signals signals"
setting='train.epochs=24 train.checkpoint_every=none eval.every=2'

# ended: the run is over; it is the undisturbed one.
ended()
{
    finished=$((finished + 1))
    differences "straight$shared" run >>wrong
    leftovers run >>wrong
    rm -r run
}

# stopped_well: one rank said so for all; there is a checkpoint if a step was made.
stopped_well()
{
    stopped=$((stopped + 1))
    [ "$(grep -c 'run the same command again' told)" = 1 ] || cat told
    if [ -e run/steps.jsonl ]; then
        damage run
        leftovers run
        [ -e run/last.h5 ] || echo "no last.h5 in $(ls run)"
    fi
}

# signal NUMBER: to everybody, or to one rank.
signal()
{
    case $(($1 % 5)) in
    0 | 1) kill -USR1 "$pid" ;;
    2) kill -USR1 "$(cat pid.1)" ;;
    3) kill -TERM "$(cat pid.0)" ;;
    4) kill -INT "$(cat pid.1)" ;;
    esac 2>/dev/null || true
}

# signal_many FIRST LAST: signals to this run, and then its end.
signal_many()
{
    # shellcheck disable=SC2086 # words
    quietly 2 "straight$shared" $setting $shared
    stopped=$1
    while [ "$stopped" -lt "$2" ]; do
        draw 1 100
        [ $((stopped % 5)) != 1 ] || random=0 # before the first step
        # shellcheck disable=SC2086
        start 2 run $setting $shared
        until_step "${random%.*}" run "$pid"
        signal "$stopped"
        code=0
        wait "$pid" || code=$?
        case $code in
        75) stopped_well >>wrong ;;
        0) ended ;;
        *) echo "exit code $code" | cat - told >>wrong ;;
        esac
    done
    # shellcheck disable=SC2086
    quietly 2 run $setting $shared
    ended
}

finished=0
: >wrong
shared=''
signal_many 0 $((signals / 2))
shared=dist.shard_optimizer=true
signal_many $((signals / 2)) "$signals"
echo "# $stopped signals; $finished runs came to their end"
report 'runs that were stopped end as the one that was not' "$(cat wrong)"
echo "1..$count"
