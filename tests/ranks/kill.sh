#!/bin/sh
# kill.sh TOOLS MPI [COUNT]: kill -9 of one rank, or of mpirun, at random moments, in turn
# while the run trains, evaluates and saves: no rank is left, no checkpoint is damaged, and
# the same command ends where it would have. Ranks that stand still are noticed by the
# others. TAP on stdout.
set -eu
# shellcheck source=lib.sh
. "$(dirname "$(realpath "$0")")/lib.sh"
kills=$(repetitions 6 60 "${3:-}")
echo "# seed $seed, $kills kills"
setting='train.epochs=12 train.checkpoint_every=none dist.timeout=60'

# survivors: ranks that have not ended.
survivors()
{
    for file in pid.*; do
        # shellcheck disable=SC2015 # nothing is there of a process that ended
        [ -s "/proc/$(cat "$file")/cmdline" ] && echo "$file" || true
    done 2>/dev/null
}

# gone: no rank is there any more; those that nobody stops stop by themselves.
gone()
{
    tries=0
    while [ -n "$(survivors)" ] && [ "$tries" -lt 600 ]; do
        tries=$((tries + 1))
        sleep 0.1
    done
    survivors
}

# within_save PID: wait until a checkpoint is being written, or the process ends.
within_save()
{
    while kill -0 "$1" 2>/dev/null; do
        for temp in run/*.h5.mae-tmp; do
            [ ! -e "$temp" ] || return 0
        done
    done
}

# begin NUMBER: a run that has come to where it is to be killed.
begin()
{
    draw 1 50
    step=${random%.*}
    [ $(($1 % 3)) != 1 ] || step=$((5 * (step / 5 + 1))) # the last one of an epoch
    # shellcheck disable=SC2086 # words
    start 2 run $setting $shared "train.save_minutes=$([ $(($1 % 3)) = 2 ] && echo 1e-7 || echo 0)"
    until_step "$step" run "$pid"
    [ $(($1 % 3)) != 2 ] || within_save "$pid"
}

# victim NUMBER: who is killed.
victim()
{
    case $(($1 % 5)) in
    0 | 3) cat pid.0 ;;
    4) echo "$pid" ;;
    *) cat pid.1 ;;
    esac
}

# ended: the run is over; it is the undisturbed one.
ended()
{
    finished=$((finished + 1))
    differences "straight$shared" run >>wrong
    leftovers run >>wrong
    rm -r run
}

# kill_many FIRST LAST: kills of this run, and then its end.
kill_many()
{
    # shellcheck disable=SC2086 # words
    quietly 2 "straight$shared" $setting $shared
    killed=$1
    while [ "$killed" -lt "$2" ]; do
        begin "$killed"
        kill -9 "$(victim "$killed")" 2>/dev/null || true
        began=$(date +%s)
        code=0
        wait "$pid" 2>/dev/null || code=$?
        if [ "$code" = 0 ]; then
            ended
            continue
        fi
        killed=$((killed + 1))
        [ $(($(date +%s) - began)) -lt 180 ] || echo 'mpirun took long to end' >>left
        gone >>left
        [ -z "$(leftovers run 2>/dev/null)" ] || torn=$((torn + 1))
        damage run >>damaged
    done
    # shellcheck disable=SC2086
    quietly 2 run $setting $shared
    ended
}

finished=0 torn=0
: >damaged
: >left
: >wrong
shared=''
kill_many 0 $((kills / 2))
shared=dist.shard_optimizer=true
kill_many $((kills / 2)) "$kills"
echo "# $killed kills, $torn left a half-written file; $finished runs came to their end"
report 'no rank is left' "$(cat left)"
report 'no checkpoint is damaged' "$(cat damaged)"
report 'runs that were killed end as the one that was not' "$(cat wrong)"

# halt RANK KEY=VALUE: it stands still after a few updates; how the run ended, and in time.
halt()
{
    start 2 halted train.epochs=1000 train.checkpoint_every=none dist.timeout=2 "$2"
    until_step 10 halted "$pid"
    began=$(date +%s) code=0
    kill -STOP "$(cat "pid.$1")"
    wait "$pid" || code=$?
    cat told
    [ $(($(date +%s) - began)) -lt 90 ] || code=99
    return "$code"
}
for rank in 0 1; do
    shared=dist.shard_optimizer=$([ "$rank" = 0 ] && echo false || echo true)
    rm -rf halted
    check "rank $rank stands still" 1 \
        "^mae-pretrain: rank $((1 - rank)) of 2: nothing came .* for 2 s" \
        halt "$rank" "$shared"
    report "and no rank is left" "$(gone)"
    check 'the run goes on' 75 'everything is saved in' train 2 halted train.epochs=1000 \
        train.checkpoint_every=none train.stop_after=1e-9
done
echo "1..$count"
