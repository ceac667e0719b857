#!/bin/sh
# kill.sh TOOLS [COUNT]: kill -9 at random moments of a run that saves all the time, half of
# them in the middle of a save. No checkpoint is ever damaged, and the same command ends
# where it would have without them. TAP on stdout.
set -eu
# shellcheck source=lib.sh
. "$(dirname "$(realpath "$0")")/lib.sh"
command -v h5diff >/dev/null || skip_all 'no h5diff'
kills=$(repetitions 10 200 "${2:-}")
echo "# seed $seed, $kills kills"

data set 24 8
data val 7 8
config run.yaml
# launch FOLDER: 48 updates, a save after each; the process is $!.
launch()
{
    "$tools/mae-pretrain" run.yaml -o "$1" data.val=val train.epochs=8 \
        train.save_minutes=1e-7 -q >told 2>&1 &
}

# strike PID SECONDS SAVING: kill it after so long, and SAVING: once it writes a checkpoint.
strike()
{
    sleep "$2"
    while [ "$3" = yes ] && kill -0 "$1" 2>/dev/null; do
        for temp in run/*.h5.mae-tmp; do
            [ ! -e "$temp" ] || break 2
        done
    done
    kill -9 "$1" 2>/dev/null || true
}

# ended: the run is over; it is the undisturbed one.
ended()
{
    finished=$((finished + 1))
    differences straight run >>wrong
    leftovers run >>wrong
}

launch straight
wait $!
killed=0 torn=0 went_on=0 finished=0
: >damaged
: >wrong
while [ "$killed" -lt "$kills" ]; do
    had=$([ ! -e run/last.h5 ] || echo yes)
    draw 0.02 0.5
    launch run
    pid=$!
    strike "$pid" "$random" "$([ $((killed % 2)) = 1 ] && echo yes || echo no)"
    code=0
    wait "$pid" 2>/dev/null || code=$?
    case $code in
    137)
        killed=$((killed + 1))
        [ -z "$(leftovers run)" ] || torn=$((torn + 1))
        [ -z "$had" ] || went_on=$((went_on + 1))
        damage run >>damaged
        ;;
    0)
        ended
        rm -r run
        ;;
    *)
        cat told >>wrong
        ;;
    esac
done
launch run
wait $! || cat told >>wrong
ended
echo "# $killed kills: $torn left a half-written file, $went_on of a run that went on;" \
    "$finished runs came to their end"
report 'no checkpoint is damaged' "$(cat damaged)"
report 'runs that were killed end as the one that was not' "$(cat wrong)"
report 'kills hit saves' "$([ "$torn" -ge $((killed / 4)) ] || echo "$torn of $killed")"
echo "1..$count"
