#!/bin/sh
# resume.sh TOOLS MPI: a run goes on with as many ranks as it had, with more, with fewer and
# without mpirun, from the middle of an epoch too. TAP on stdout.
set -eu
# shellcheck source=lib.sh
. "$(dirname "$(realpath "$0")")/lib.sh"

# leave RANKS FOLDER [KEY=VALUE...]: one update, then it is out of time.
leave()
{
    code=0
    train "$@" train.stop_after=1e-9 >told 2>&1 || code=$?
    [ "$code" = 75 ] || report "$2 left by $1 ranks" "exit code $code
$(cat told)"
}

quietly 0 alone
quietly 2 two
for world in 2 2 2; do # three of five updates
    leave "$world" same
done
check 'saved in the middle of an epoch' 0 '^trained .* 3 batches, 3 steps' "$tools/mae-inspect" same/last.h5
quietly 2 same
report 'left by 2 ranks, finished by 2' "$(differences two same)"

for world in 2 4 1 0 3 2; do # over the end of an epoch
    leave "$world" mixed
done
for world in 4 1 0; do
    cp -r mixed "by$world"
    quietly "$world" "by$world"
    follows "left by 2 ranks, finished by $world" alone "by$world" 1e-5
done

# The whole epochs of one number of ranks are those of another.
leave 0 ahead
quietly 2 ahead
follows 'left by one process, finished by 2 ranks' alone ahead 1e-5
check 'nothing is left to do' 0 'nothing was left to do' train 2 ahead
report 'and nothing is done' "$(follows again alone ahead 1e-5 | grep '^not ok' || true)"

# What is shared is whole in the checkpoint.
for world in 2 4 0 3; do
    leave "$world" shards dist.shard_optimizer=true
done
for world in 4 1 0; do
    cp -r shards "shards$world"
    quietly "$world" "shards$world"
    follows "left by 3 ranks that share, finished by $world" alone "shards$world" 1e-5
done
quietly 2 shared dist.shard_optimizer=true
leave 2 parts dist.shard_optimizer=true
quietly 2 parts dist.shard_optimizer=true
report 'left and finished by 2 that share' "$(differences shared parts)"

# Sums of two batches an update.
quietly 2 sums train.accum_iter=2
leave 2 left train.accum_iter=2
quietly 2 left train.accum_iter=2
report 'two batches an update' "$(differences sums left)"
echo "1..$count"
