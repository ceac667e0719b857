#!/bin/sh
# net.sh TOOLS MPI: two machines, which are network namespaces, joined by a link of 1 Gbit/s
# and 1 ms: what training sends over it, and what happens when it is cut. TAP on stdout; skipped unless
# MPI is 1 and the user is root and may make namespaces. It leaves none behind.
set -eu
here=$(dirname "$(realpath "$0")")
# shellcheck source=../faults/lib.sh
. "$here/../faults/lib.sh"
# shellcheck source=mpi.sh
. "$here/mpi.sh"
needs_mpi "$2"
if sanitized "$tools/mae-pretrain"; then skip_all 'a sanitizer has no part in what is sent'; fi
for command in ip tc unshare pgrep h5diff; do
    command -v "$command" >/dev/null || skip_all "no $command"
done
[ "$(id -u)" = 0 ] || skip_all 'not root'
a=mae-$$-a b=mae-$$-b

# Nobody else lives in the namespaces.
clean()
{
    for name in "$a" "$b"; do
        for pid in $(ip netns pids "$name" 2>/dev/null); do
            kill -KILL "$pid" 2>/dev/null || true
        done
        ip netns del "$name" 2>/dev/null || true
    done
    [ -z "$cable" ] || kill "$cable" 2>/dev/null || true
    rm -rf "$work"
}
cable=
trap clean EXIT
trap 'exit 1' INT TERM HUP

# machine NAME ADDRESS: its end of the link; a rate limit and a queue as of a network card.
machine()
{
    ip -n "$1" addr add "$2/24" dev link0
    ip -n "$1" link set lo up
    ip -n "$1" link set link0 up
    ip netns exec "$1" tc qdisc add dev link0 root tbf rate 1gbit burst 128kb latency 200ms
}

# A cable takes a millisecond; where there are no such devices, none.
lay()
{
    if [ -c /dev/net/tun ]; then
        python3 "$here/link.py" "$a" "$b" 1 >laid 2>&1 &
        cable=$!
        until grep -q ready laid; do
            kill -0 "$cable" 2>/dev/null || return 1
            sleep 0.1
        done
    else
        ip link add link0 netns "$a" type veth peer name link0 netns "$b"
    fi
}

connect()
{
    ip netns add "$a" && ip netns add "$b" && lay &&
        machine "$a" 10.77.0.1 && machine "$b" 10.77.0.2
}
connect >told 2>&1 || skip_all "no namespaces and links here: $(head -n 1 told)"

# In place of ssh: AGENT HOST COMMAND...
cat >agent <<END
#!/bin/sh
shift
exec ip netns exec $b unshare --uts sh -c 'hostname $b; exec sh -c "\$*"' sh "\$@"
END
# One rank: its process is in pid.RANK.
cat >rank <<'END'
#!/bin/sh
echo $$ >"pid.$OMPI_COMM_WORLD_RANK"
exec "$@"
END
# mpirun on the first machine.
cat >launch <<END
#!/bin/sh
exec ip netns exec $a unshare --uts sh -c 'hostname $a; exec "\$@"' sh \
    $(command -v mpirun) --mca plm_rsh_agent "$work/agent" --wd "$work" \
    --host 10.77.0.1:1,10.77.0.2:1 -np 2 -x OPENBLAS_NUM_THREADS \
    --mca btl self,tcp --mca btl_tcp_if_include link0 --mca oob_tcp_if_include link0 \
    ./rank "\$@"
END
chmod +x agent rank launch

# 6 updates an epoch of 3 million parameters; a save after each.
data set 24 8
config run.yaml
sed -i -e 's/embed_dim: 16, depth: 1/embed_dim: 256, depth: 4/' \
    -e 's/epochs: 4/epochs: 8, precision: f32, save_minutes: 1e-4/' \
    -e 's/checkpoint_every: 1/checkpoint_every: none/' run.yaml

# train FOLDER [KEY=VALUE...]
train()
{
    folder=$1
    shift
    ./launch "$tools/mae-pretrain" run.yaml -o "$folder" "$@"
}

# sent NAME: bytes that the machine has put on the link.
sent()
{
    ip netns exec "$1" sed -n 's/^ *link0: *//p' /proc/net/dev | awk '{ print $9 }'
}

# spent EPOCHS TYPE: what each machine sends in a run, "BYTES BYTES" in sent.EPOCHS.
spent()
{
    from_a=$(sent "$a") from_b=$(sent "$b")
    train "$2.$1" train.epochs="$1" dist.wire="$2" >told 2>&1 || cat told
    echo "$(($(sent "$a") - from_a)) $(($(sent "$b") - from_b))" >"sent.$1"
}

# wire TYPE BYTES: a machine sends 2 (2 - 1) / 2 * parameters * BYTES a step, and less than
# 10 % for headers and small messages. Start and end of a run are in two of them: subtract.
wire()
{
    problems=$(spent 1 "$1" && spent 5 "$1")
    n=$(sed -n 's/.* model: \([0-9]*\) of .*/\1/p' told)
    found=$(cat sent.1 sent.5 | awk -v all="$((n * $2))" '
        NR == 1 { a = $1; b = $2 }
        NR == 2 { printf "%.4f\n%.4f\n", ($1 - a) / 24 / all, ($2 - b) / 24 / all }')
    echo "# $1: $n parameters; sent a step, of the model:" "$found" | tr '\n' ' '
    echo
    report "bytes a step over the link, $1" "$problems$(echo "$found" |
        awk '!($1 >= 1 && $1 < 1.1) { print "sent " $1 " of the model" }')"
}

# until_step N FOLDER
until_step()
{
    until [ -e "$2/steps.jsonl" ] && [ "$(wc -l <"$2/steps.jsonl")" -ge "$1" ]; do
        kill -0 "$pid" 2>/dev/null || return 0
        sleep 0.05
    done
}

# until_gone SECONDS: the ranks have ended, or so much time has passed; tells which have not.
until_gone()
{
    waited=0
    while [ "$waited" -lt "$1" ]; do
        kill -0 "$(cat pid.0)" 2>/dev/null || kill -0 "$(cat pid.1)" 2>/dev/null || return 0
        sleep 1
        waited=$((waited + 1))
    done
    echo "ranks run $1 s after the link was cut"
}

# start COMMAND...: in the background, as pid.
start()
{
    rm -f pid.*
    "$@" >told 2>&1 &
    pid=$!
}

link()
{
    ip -n "$b" link set link0 "$1"
}

wire f32 4
wire bf16 2
train straight >told 2>&1 || report 'an undisturbed run' "$(cat told)"

timeout=10 # seconds; and 10 that MPI may take to end, and a busy machine's margin
start ./launch "$tools/mae-pretrain" run.yaml -o cut dist.timeout=$timeout
until_step 10 cut
link down
report 'the link is cut: all ranks end' "$(until_gone $((timeout + 50)))"
link up
code=0
wait "$pid" || code=$?
report 'and mpirun, not with success' "$([ "$code" != 0 ] || echo 'exit code 0')"
report 'the message says what happened' "$(grep -q \
    'nothing came from the other ranks for 10 s: one of them or the network' told ||
    cat told)"
report 'the checkpoint is whole' "$(damage cut)"
report 'the run was in the middle' "$([ "$(wc -l <cut/steps.jsonl)" -lt 48 ] || echo no)"
train cut dist.timeout=300 >told 2>&1 || cat told
report 'it goes on as if nothing had happened' "$(differences straight cut)"

# Told to abort, mpirun hangs or, now and then, crashes;
# the link is back before the next start.
export PAUSE=20 PATIENCE=5
start "$here/../../experiments/cluster/restart.sh" \
    ./launch "$tools/mae-pretrain" run.yaml -o again dist.timeout=$timeout
until_step 10 again
link down
until_told 'the ranks are gone\|start 1 of' "$pid"
link up
wait "$pid" || true
report 'restart.sh goes on by itself' "$(grep -q 'start [2-9] of .* exit code 0' told ||
    cat told)"
report 'to the same end' "$(differences straight again)"
echo "1..$count"
