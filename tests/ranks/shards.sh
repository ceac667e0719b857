#!/bin/sh
# shards.sh TOOLS MPI: ranks that share the optimiser's state and lose their numbers end as
# those that each have all of it; same.sh and resume.sh ask whether they learn the same. TAP
# on stdout.
set -eu
# shellcheck source=lib.sh
. "$(dirname "$(realpath "$0")")/lib.sh"

# The second step has gradients that are not finite. A rank whose own part is good must
# neither go on alone nor tell another cause.
for then in stop skip rollback; do
    for shared in true false; do
        check "$then, state shared: $shared" 4 'gradient of .* is nan' \
            within 60 mpirun -np 2 ./rank "$tools/mae-pretrain" run.yaml \
            -o "$then-$shared" optim.lr=1000 optim.warmup_epochs=0 train.epochs=12 \
            train.on_nonfinite=$then dist.shard_optimizer=$shared
        cat "$then-$shared"/nonfinite-*.json >"$then-$shared.told"
    done
    report "$then: the same is told" "$(cmp "$then-true.told" "$then-false.told" 2>&1)"
done
check 'what is sent' 0 'MB of gradients and weights a step' \
    train 2 sent dist.shard_optimizer=true
quietly 2 whole
report 'begun without, finished by ranks that share' "$(
    train 2 half train.stop_after=1e-9 >told 2>&1 || true
    train 2 half dist.shard_optimizer=true >told 2>&1 || cat told
    tensors whole half
)"
echo "1..$count"
