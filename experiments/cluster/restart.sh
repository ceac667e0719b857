#!/bin/sh
# restart.sh COMMAND...: start the command, mpirun with a training tool, until it is done.
#
#   restart.sh mpirun --hostfile hosts -np 8 ... mae-pretrain run.yaml
#
# It is started again if it ended with 75 (stopped, everything saved), with 1 (a rank or the
# network was lost) or by a signal: the same command goes on where the last checkpoint was.
# Anything else is its end and the exit code here: 0 done, 2 a wrong configuration, 3 data.
#
#   STARTS    how often at most                                      (default 20)
#   PAUSE     seconds before a start after a failure                 (default 30)
#   PATIENCE  seconds that mpirun may outlive the ranks on its own machine (default 60);
#             cut off from another machine, Open MPI's waits for its daemon there
#
# SIGUSR1 goes to the ranks, which save, and they are started again. SIGINT and SIGTERM go
# to them as SIGUSR1, and that is the end: 75.
set -u

starts=${STARTS:-20} pause=${PAUSE:-30} patience=${PATIENCE:-60}
[ $# -gt 0 ] || {
    sed -n '2,/^set/s/^# \{0,1\}//p' "$0" >&2
    exit 2
}

say()
{
    echo "restart.sh: $*" >&2
}

ending=''
trap 'kill -USR1 "$pid" 2>/dev/null' USR1
trap 'ending=yes; kill -USR1 "$pid" 2>/dev/null' INT TERM

# Is there a rank among the children of mpirun?
ranks_here()
{
    pgrep -P "$pid" '^mae-' >/dev/null
}

# Wait for mpirun, whose ranks may be gone before it.
watch()
{
    seen='' alone=0
    while kill -0 "$pid" 2>/dev/null; do
        sleep 1
        if ranks_here; then
            seen=yes alone=0
        elif [ -n "$seen" ]; then
            alone=$((alone + 1))
        fi
        if [ "$alone" -ge "$patience" ]; then
            say "the ranks are gone, $1 is not: killed"
            kill -KILL "$pid"
            alone=0
        fi
    done
    wait "$pid"
}

n=0 code=75 pid=''
while [ "$n" -lt "$starts" ] && [ -z "$ending" ]; do
    n=$((n + 1))
    setsid "$@" & # Ctrl-C of a terminal is for this script, which passes on SIGUSR1
    pid=$!
    watch "$1"
    code=$?
    say "start $n of at most $starts: exit code $code"
    case $code in
    75) ;;
    1 | 12[89] | 1[3-9]?)
        [ -n "$ending" ] || [ "$n" -eq "$starts" ] || sleep "$pause"
        ;;
    *) exit "$code" ;;
    esac
done
exit "$code"
