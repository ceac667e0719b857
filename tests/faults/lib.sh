#!/bin/sh
# Sourced by the scripts here, whose first argument is the folder of the tools: a small data
# set, a configuration whose runs take a fraction of a second, and questions about runs.

tools=$(realpath "$1")
# shellcheck source=../tools/check.sh
. "$(dirname "$(realpath "$0")")/../tools/check.sh"
export OPENBLAS_NUM_THREADS=1

# repetitions FEW MANY [COUNT]: COUNT, or MANY with MAE_TEST_FULL, else FEW.
repetitions()
{
    if [ -n "${3:-}" ]; then
        echo "$3"
    elif [ -n "${MAE_TEST_FULL:-}" ]; then
        echo "$2"
    else
        echo "$1"
    fi
}

# skip_all REASON: end the script as skipped.
skip_all()
{
    echo "1..0 # SKIP $1"
    exit 0
}

# own_mounts SCRIPT ARGUMENT...: run the script again where it can mount what nobody else
# sees and what goes away with it; needs root.
own_mounts()
{
    [ -z "${MAE_OWN_MOUNTS:-}" ] || return 0
    unshare -m true 2>/dev/null || skip_all 'mounting is not permitted'
    cd / && rm -rf "$work" # exec runs no trap
    MAE_OWN_MOUNTS=yes exec unshare -m "$@"
}

# until_told PATTERN PID: wait until the messages in "told" match, or the process ends.
until_told()
{
    until grep -q -e "$1" told; do
        kill -0 "$2" 2>/dev/null || return 0
        sleep 0.01
    done
}

# skip NAME REASON: count a check that cannot be made here.
skip()
{
    count=$((count + 1))
    echo "ok $count - $1 # SKIP $2"
}

# report NAME PROBLEMS: one check that passes if PROBLEMS is empty.
report()
{
    count=$((count + 1))
    if [ -z "$2" ]; then
        echo "ok $count - $1"
    else
        echo "not ok $count - $1"
        printf '%s\n' "$2" | head -n 40 | sed 's/^/# /'
    fi
}

# draw FROM TO: a number with three decimals, in random; the script prints the seed.
seed=${MAE_TEST_SEED:-$(date +%s)}
drawn=0
draw()
{
    drawn=$((drawn + 1))
    awk -v s="$((seed + 7919 * drawn))" -v a="$1" -v b="$2" \
        'BEGIN { srand(s); rand(); printf "%.3f\n", a + rand() * (b - a) }' >draw
    # shellcheck disable=SC2034 # for the scripts
    read -r random <draw
}

# word N: the bytes of a 32-bit number, most significant first.
word()
{
    # shellcheck disable=SC2059 # octal escapes
    printf "\\0\\0\\$(printf '%03o' $(($1 / 256)))\\$(printf '%03o' $(($1 % 256)))"
}

# data NAME COUNT SIDE: COUNT grey images and their labels, three classes, as IDX files.
data()
{
    mkdir -p "$1"
    {
        printf '\0\0\10\3'
        word "$2"
        word "$3"
        word "$3"
        seq 200000 | gzip -n | tail -c +99 | head -c $(($2 * $3 * $3))
    } >"$1/train-images-idx3-ubyte"
    {
        printf '\0\0\10\1'
        word "$2"
        yes | head -n "$2" | awk '{ printf "%d", NR % 3 }' | tr 012 '\000\001\002'
    } >"$1/train-labels-idx1-ubyte"
}

# config NAME: a configuration of a model of a few thousand parameters.
config()
{
    cat >"$1" <<'END'
model: {img_size: 8, patch_size: 4, embed_dim: 16, depth: 1, num_heads: 2,
        decoder_embed_dim: 16, decoder_depth: 1, decoder_num_heads: 2}
data: {train: set, workers: 1}
train: {epochs: 4, batch_size: 4, log_every: 1, threads: 1, checkpoint_every: 1,
        preview_every: none, report: false, output_dir: run}
END
}

# tensors A B: which of parameters and moments differ between two finished runs.
tensors()
{
    for part in params optim; do
        h5diff -q "$1/last.h5" "$2/last.h5" "/$part" "/$part" ||
            echo "$1/last.h5 and $2/last.h5 differ in $part"
    done
}

# differences A B: what differs between two finished runs, clocks aside: parameters, moments
# and what was logged of steps and epochs. Nothing if they are the same to the last bit.
differences()
{
    tensors "$1" "$2"
    cmp "$1/steps.jsonl" "$2/steps.jsonl" 2>&1 || true
    for folder in "$1" "$2"; do
        sed 's/, "\(images_per_second\|[a-z_]*seconds\)": [^,}]*//g' \
            "$folder/log.txt" >"$folder.epochs"
    done
    cmp "$1.epochs" "$2.epochs" 2>&1 || true
}

# damage FOLDER: which checkpoints there are not whole.
damage()
{
    for file in "$1"/*.h5; do
        [ -e "$file" ] || continue
        "$tools/mae-inspect" "$file" >inspected 2>&1 || cat inspected
    done
}

# leftovers FOLDER: temporary files there.
leftovers()
{
    find "$1" -name '*.mae-tmp'
}
