#!/bin/sh
# Sourced by the scripts here, whose arguments are the folder of the tools and 1 if they were
# built with MPI: small runs of several ranks, and questions about them.
here=$(dirname "$(realpath "$0")")

# shellcheck source=../faults/lib.sh
. "$here/../faults/lib.sh"
# shellcheck source=mpi.sh
. "$here/mpi.sh"
needs_mpi "$2"
command -v h5diff >/dev/null || skip_all 'no h5diff'
# mpirun 4.1 garbles its own messages now and then, or dies of them.
export OMPI_MCA_orte_execute_quiet=1

# 5 updates an epoch; a batch is divided by 1, 2, 3 and 4 ranks, data.val by none of them.
data set 62 8
data val 7 8
config run.yaml
sed -i -e 's/batch_size: 4/batch_size: 12, precision: f32/' \
    -e 's/train: set/train: set, val: val/' run.yaml
cat >>run.yaml <<'END'
optim: {lr: 1e-3, warmup_epochs: 1}
dist: {timeout: 120}
END

# One rank: its process is in pid.RANK.
cat >rank <<'END'
#!/bin/sh
echo $$ >"pid.$OMPI_COMM_WORLD_RANK"
exec "$@"
END
chmod +x rank

# train RANKS FOLDER [KEY=VALUE...]: a run or the rest of one; 0 ranks: without mpirun.
train()
{
    world=$1 folder=$2
    shift 2
    if [ "$world" = 0 ]; then
        "$tools/mae-pretrain" run.yaml -o "$folder" "$@"
    else
        mpirun -np "$world" ./rank "$tools/mae-pretrain" run.yaml -o "$folder" "$@"
    fi
}

# quietly RANKS FOLDER [KEY=VALUE...]: a run that must end well.
quietly()
{
    code=0
    train "$@" >told 2>&1 || code=$?
    if [ "$code" != 0 ]; then
        report "$2 of $1 ranks" "exit code $code
$(cat told)"
    fi
}

# start RANKS FOLDER [KEY=VALUE...]: a run in the background, all of whose ranks listen to
# signals; mpirun is pid.
start()
{
    world=$1 folder=$2
    shift 2
    : >told # not in the background: nobody is to read what was said last time
    rm -f pid.*
    mpirun -np "$world" ./rank "$tools/mae-pretrain" run.yaml -o "$folder" "$@" \
        >told 2>&1 &
    pid=$!
    until_told precision "$pid"
}

# until_step N FOLDER PID: wait until the run has done so many updates, or the process ends.
until_step()
{
    while [ "$1" -gt 0 ] && kill -0 "$3" 2>/dev/null; do
        [ ! -e "$2/steps.jsonl" ] || [ "$(wc -l <"$2/steps.jsonl")" -lt "$1" ] || return 0
        sleep 0.01
    done
}

# losses FOLDER: of every step and of data.val.
losses()
{
    sed -n 's/.*"loss": \([^,}]*\).*/\1/p' "$1/steps.jsonl"
    sed -n 's/.*"val_loss": \([^,}]*\).*/\1/p' "$1/log.txt"
}

# follows NAME A B TOLERANCE: losses of B are those of A up to so much of them.
follows()
{
    losses "$2" >expected
    losses "$3" >found
    problems=$(paste expected found | awk -v most="$4" '
        { off = ($1 - $2) / $1; off = off < 0 ? -off : off }
        NF != 2 || !(off <= most) { print "line " NR ": " $1 ", " $2 }
        NF == 2 && off > worst { worst = off }
        END { if (NR == 0) print "no losses"; print worst + 0 >"off" }')
    echo "# $1: $(wc -l <expected) losses, off by $(cat off)"
    report "$1" "$problems"
}
