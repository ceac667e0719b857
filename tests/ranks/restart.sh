#!/bin/sh
# restart.sh: when experiments/cluster/restart.sh starts a command again. TAP on stdout.
set -eu
here=$(dirname "$(realpath "$0")")
# shellcheck source=../tools/check.sh
. "$here/../tools/check.sh"
command -v pgrep >/dev/null || skip_all 'no pgrep'
loop=$here/../../experiments/cluster/restart.sh
export PAUSE=0 PATIENCE=3

# In place of mpirun: ends with the next of the numbers in "codes"; at the end, with 0.
cat >mpirun <<'END'
#!/bin/sh
read -r code <codes || code=0
sed -i 1d codes
echo "$*" >>started
exit "$code"
END
# Its rank is gone after a moment; it is not before it is killed.
cat >hangs <<'END'
#!/bin/sh
trap '' TERM
echo "$$" >>started
[ "$(wc -l <started)" -lt 2 ] || exit 0
./mae-rank 2
while :; do sleep 1; done
END
# Goes on until it is told to stop; then everything is saved.
cat >stops <<'END'
#!/bin/sh
trap 'exit 75' USR1
echo "$$" >>started
[ "$(wc -l <started)" -lt "$1" ] || exit 0
while :; do sleep 0.1; done
END
chmod +x mpirun hangs stops
cp "$(command -v sleep)" mae-rank

# again CODES COMMAND...: how often the loop started the command, and its exit code.
again()
{
    # shellcheck disable=SC2086 # several codes
    printf '%s\n' $1 >codes
    shift
    : >started
    code=0
    "$loop" "$@" || code=$?
    echo "started $(wc -l <started) times"
    return "$code"
}

# told SIGNAL STARTS: send it to the loop as soon as the command runs.
told()
{
    : >started
    "$loop" ./stops "$2" &
    while [ ! -s started ]; do sleep 0.1; done
    kill -s "$1" $!
    code=0
    wait $! || code=$?
    echo "started $(wc -l <started) times"
    return "$code"
}

check 'once if it is done' 0 '^started 1 times' again 0 ./mpirun
check 'again after 75' 0 '^started 4 times' again '75 75 75 0' ./mpirun
check 'again after failures and signals' 0 '^started 6 times' \
    again '1 134 137 139 143 0' ./mpirun
check 'not after a wrong configuration' 2 '^started 2 times' again '75 2 0' ./mpirun
check 'not after broken data' 3 '^started 1 times' again '3 0' ./mpirun
check 'not if it is missing' 127 'exit code 127' again '' ./missing
export STARTS=3
check 'at most so often' 75 '^started 3 times' again '75 75 75 0' ./mpirun
check 'again if mpirun outlives its ranks' 0 '^started 2 times' again '' ./hangs
check 'SIGUSR1 is passed on: again' 0 '^started 2 times' told USR1 2
check 'SIGTERM is passed on as SIGUSR1: the end' 75 '^started 1 times' told TERM 9
check 'no command' 2 'restart.sh mpirun' "$loop"
echo "1..$count"
