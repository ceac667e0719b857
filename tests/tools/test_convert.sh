#!/bin/sh
# test_convert.sh MAE_CONVERT MAE_INSPECT GOLDEN: the programs as a user runs them, with
# their exit codes. TAP on stdout.
set -eu

# The programs' paths are relative to where the script starts.
convert=$(realpath "$1") inspect=$(realpath "$2") golden=$3
timm=$golden/mae_timm_names.safetensors
hf=$golden/mae_hf_names.safetensors
. "$(dirname "$(realpath "$0")")/check.sh"
mkdir a b c d e

heads='model.num_heads=3 model.decoder_num_heads=4'
statistics='data.mean=imagenet data.std=imagenet'

check 'help' 0 'model.num_heads' "$convert" --help
check 'heads are unknown' 2 'add model.num_heads=N' "$convert" "$timm" a/x.h5
check 'half of the heads' 2 'model.decoder_num_heads=N' \
    "$convert" "$timm" a/x.h5 model.num_heads=3
# shellcheck disable=SC2086 # words
check 'unknown key' 2 'expected one of the keys' "$convert" "$timm" a/x.h5 $heads optim.lr=1
check 'unknown format' 2 'format' "$convert" "$timm" a/x.h5 --format=onnx
check 'nothing was written' 0 'absent' absent a/x.h5 a/x.h5.mae-tmp
# shellcheck disable=SC2086 # words
check 'timm to checkpoint' 0 'wrote a/x.h5' "$convert" "$timm" a/x.h5 $heads $statistics
check 'checkpoint to hf' 0 'preprocessor_config.json' \
    "$convert" a/x.h5 b/model.safetensors --format hf
check 'hf to checkpoint without more' 0 'wrote b/x.h5' \
    "$convert" --threads 2 --seed 1 b/model.safetensors b/x.h5
check 'checkpoint to timm' 0 'wrote c/' "$convert" b/x.h5 c/model.safetensors
check 'the same bytes as in the beginning' 0 '^same$' \
    sh -c "cmp '$timm' c/model.safetensors && echo same"
cp "$hf" d/model.safetensors
cp "$golden/mae_hf_config.json" d/config.json
check 'hf with its config.json' 0 'mean or std unknown' \
    "$convert" d/model.safetensors d/x.h5
check 'another config.json is left alone' 2 'describes another model' \
    "$convert" b/x.h5 d/new.safetensors
check 'and then there are no tensors' 0 'absent' absent d/new.safetensors
check 'unless asked' 0 'wrote d/new' "$convert" b/x.h5 d/new.safetensors --overwrite

printf 'PK\003\004zip' >e/model.pth
check 'pickle' 3 'torch.load' "$convert" e/model.pth e/x.h5
head -c 1000 "$timm" >e/short.safetensors
check 'truncated safetensors' 3 'short' "$convert" e/short.safetensors e/x.h5
head -c 2000 a/x.h5 >e/short.h5
check 'truncated checkpoint' 3 'short' "$convert" e/short.h5 e/x.safetensors
check 'missing file' 2 'none' "$convert" e/none e/x.h5
# shellcheck disable=SC2086 # words
check 'folder for the output is missing' 2 'none' "$convert" "$timm" none/x.h5 $heads
check 'no output of any of them' 0 'absent' absent e/x.h5 e/x.safetensors e/config.json

check 'inspect' 0 'width 48, depth 2, 3 heads' "$inspect" a/x.h5
check 'JSON' 0 '"in_kind": "checkpoint", "out": "json.safetensors", "out_kind"' \
    "$convert" a/x.h5 json.safetensors --overwrite --json -q

check 'inspect: parameters' 0 '92896: 87696 trainable, 5200 fixed' "$inspect" a/x.h5
check 'inspect: tensors' 0 'blocks.0.attn.qkv.weight *\[144, 48\]' "$inspect" -t a/x.h5
check 'inspect: configuration' 0 '^  num_heads: 3$' "$inspect" --config a/x.h5
check 'inspect: JSON' 0 '"trainable": 87696' "$inspect" --json a/x.h5
check 'inspect: one thing at a time' 2 'config and --tensors exclude each other' \
    "$inspect" --config --tensors a/x.h5
check 'inspect: JSON of tensors' 0 '"name": "mask_token"' "$inspect" --json --tensors a/x.h5
check 'inspect: damage' 3 'short.h5' "$inspect" e/short.h5
check 'inspect: no checkpoint' 3 'model.safetensors' "$inspect" b/model.safetensors
check 'inspect: usage' 2 'CHECKPOINT' "$inspect"
check 'inspect: missing file' 2 'none' "$inspect" none
echo "1..$count"
