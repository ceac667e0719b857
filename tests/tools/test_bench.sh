#!/bin/sh
# test_bench.sh MAE_BENCH EXPERIMENTS: mae-bench as a user and the scripts of
# experiments/bench run it. TAP on stdout.
set -eu

bench=$(realpath "$1") scripts=$2
. "$(dirname "$(realpath "$0")")/check.sh"

# json EXPRESSION ARGUMENT...: run mae-bench --json with nothing but one JSON line on
# stdout and stderr, and say "true" if the Python expression over it, r, holds.
json()
{
    expression=$1
    shift
    "$bench" "$@" --json >line 2>&1
    PYTHONDONTWRITEBYTECODE=1 PYTHONPATH=$scripts python3 - "$expression" <<'PYTHON'
import json, sys
import models
(line,) = open("line", encoding="utf-8").read().splitlines()
r = json.loads(line)
s = r["seconds"]
assert 0 < s["min"] <= s["median"] <= s["max"], s
assert r["peak_mb"] > 1 and r["images_per_second"] > 0, r
for key in ("version", "processor", "backend", "precision", "threads", "model", "steps"):
    assert key in r, key
print("true" if eval(sys.argv[1]) else f"{sys.argv[1]} is false: {line}")
PYTHON
}

tiny='model.img_size=16 model.patch_size=4 model.embed_dim=16 model.depth=1
model.num_heads=2 model.decoder_embed_dim=16 model.decoder_depth=1
model.decoder_num_heads=2 train.batch_size=4 train.threads=2'
counted='(models.model(16, 4, (16, 1, 2), (16, 1, 2), 4))) < 1'
flops='abs(r["gflop_per_image"] * 1e9 - models.step_flops'$counted
embed_flops='abs(r["gflop_per_image"] * 1e9 - models.embed_flops'$counted

# shellcheck disable=SC2086 # words
{
    check 'gemm: products' 0 '^true$' \
        json 'len(r["products"]) == 18 and r["gflops"] > 0' gemm $tiny -n 3
    check 'step: times and share of the ceiling' 0 '^true$' \
        json 'r["steps"] == 3 and r["ceiling"]["share"] > 0' step $tiny -n 3
    check 'step: operations as the scripts count them' 0 '^true$' \
        json "$flops" step $tiny -n 1
    check 'step: memory' 0 '^true$' \
        json 'r["peak_mb"] > r["peak_without_state_mb"] > 0 < r["planned_mb"]["state"]' \
        step $tiny -n 1
    check 'step: without products' 0 '^true$' \
        json '"ceiling" not in r' step $tiny -n 1 --no-ceiling
    check 'embed: times and share of the ceiling' 0 '^true$' \
        json 'r["steps"] == 3 and r["ceiling"]["share"] > 0' embed $tiny -n 3
    check 'embed: operations as the scripts count them' 0 '^true$' \
        json "$embed_flops" embed $tiny -n 1
    check 'embed: activations do not grow with the batch' 0 '^true$' \
        json 'r["planned_mb"]["activations"] < 3 < r["planned_mb"]["images"]' \
        embed $tiny train.batch_size=2000 -n 1 --no-ceiling
    check 'step: text' 0 '% of products alone' "$bench" step $tiny -n 2
    check 'gemm: text' 0 'encoder blocks *weight gradient' "$bench" gemm $tiny -n 2
    check 'a model too large for the memory' 1 'MB are needed' \
        "$bench" step $tiny train.batch_size=1000000 model.embed_dim=4096
}
check 'help' 0 'GFLOP/s counts' "$bench" --help
check 'no benchmark' 2 'BENCHMARK is missing' "$bench"
check 'unknown benchmark' 2 'did you mean step' "$bench" stepp
check 'unknown key' 2 'did you mean model.depth' "$bench" step model.depht=1
check 'unknown preset' 2 'model.preset' "$bench" step --preset vit_micor
check 'no steps' 2 'expected 1 to' "$bench" step --steps 0
check 'no configuration' 2 'none.yaml' "$bench" step none.yaml
check 'no data' 2 'data.train' "$bench" loader
check 'missing data' 2 'none' "$bench" loader data.train=none
echo "1..$count"
