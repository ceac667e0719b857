#!/bin/sh
# same.sh TOOLS MPI: what several ranks learn is what one learns, up to the order of sums,
# and the same bits every time they do it. TAP on stdout.
set -eu
# shellcheck source=lib.sh
. "$(dirname "$(realpath "$0")")/lib.sh"

# run RANKS FOLDER [KEY=VALUE...]: 50 updates.
run()
{
    quietly "$@" train.epochs=10 train.checkpoint_every=none eval.every=3
}

run 0 alone
run 1 one
report 'one rank is none' "$(differences alone one)"
for world in 2 3 4; do
    run "$world" "$world"
    follows "$world ranks follow one" alone "$world" 1e-5
done
run 2 again
report '2 ranks, again' "$(differences 2 again)"
run 4 4again
report '4 ranks, again' "$(differences 4 4again)"
run 2 threads train.threads=2 data.workers=3
report '2 ranks of 2 threads and 3 workers' "$(differences 2 threads)"

for world in 2 3; do
    run "$world" "shares$world" dist.shard_optimizer=true
    follows "$world ranks that share the optimiser" alone "shares$world" 1e-5
done
run 3 shares dist.shard_optimizer=true
report '3 ranks that share it, again' "$(differences shares3 shares)"

run 2 wire dist.wire=bf16
follows 'with gradients as bf16' alone wire 2e-4
run 2 wire2 dist.wire=bf16
report 'gradients as bf16, again' "$(differences wire wire2)"
run 2 wire3 dist.wire=bf16 dist.shard_optimizer=true
follows 'and the optimiser shared' alone wire3 2e-4

for world in 2 4; do # three buckets; the norm that is logged is added up otherwise
    run "$world" "whole$world" model.embed_dim=160 model.depth=3
    run "$world" "shards$world" model.embed_dim=160 model.depth=3 dist.shard_optimizer=true
    report "$world ranks share the state" "$(tensors "whole$world" "shards$world")"
done
run 2 clipped optim.clip_grad=0.01
run 2 clipped-shards optim.clip_grad=0.01 dist.shard_optimizer=true
follows 'clipped by the norm of all shards' clipped clipped-shards 1e-5

run 0 sums train.accum_iter=2
run 2 sums2 train.accum_iter=2
follows 'two batches an update' sums sums2 1e-5

if "$tools/mae-pretrain" run.yaml -o trial train.precision=bf16 train.epochs=1 >told 2>&1; then
    run 0 bf16 train.precision=bf16
    run 2 bf16-2 train.precision=bf16
    follows 'products in bf16' bf16 bf16-2 1e-4
    run 2 bf16-shards train.precision=bf16 dist.shard_optimizer=true
    report 'and shards in bf16' "$(tensors bf16-2 bf16-shards)"
else # not on this processor
    report 'products in bf16 are refused' "$(grep -c bf16 told | grep -v '^1$' || true)"
fi
echo "1..$count"
