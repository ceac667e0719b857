#!/bin/sh
# test_ranks.sh TOOLS MPI GOLDEN: what several ranks train and embed is what one process
# does. TOOLS is the folder of the programs. TAP on stdout; skipped unless MPI is 1.
set -eu

tools=$(realpath "$1") golden=$(realpath "$3")
. "$(dirname "$(realpath "$0")")/check.sh"
. "$(dirname "$(realpath "$0")")/../ranks/mpi.sh"
needs_mpi "$2"

# idx NAME COUNT SKIP: COUNT images of 8 x 8 pixels, three classes in turn; pixels are the
# bytes of a file after the first SKIP, darker or brighter by class.
idx()
{
    printf '\0\0\10\3\0\0\0%b\0\0\0\10\0\0\0\10' "$(printf '\\0%o' "$2")" \
        >"set/$1-images-idx3-ubyte"
    tail -c +"$3" "$golden/mae_timm_names.safetensors" | head -c $((64 * $2)) \
        >>"set/$1-images-idx3-ubyte"
    printf '\0\0\10\1\0\0\0%b' "$(printf '\\0%o' "$2")" >"set/$1-labels-idx1-ubyte"
    for i in $(seq "$2"); do
        printf '%b' "\\0$((i % 3))"
    done >>"set/$1-labels-idx1-ubyte"
}

# same_losses RUN OTHER: the same steps, losses closer than 1e-5.
same_losses()
{
    for run in "$1" "$2"; do
        sed -n 's/.*"loss": \([^,}]*\).*/\1/p' "$run/steps.jsonl" >"$run.losses"
    done
    paste -d ' ' "$1.losses" "$2.losses" | awk '
        { d = $1 - $2; if (NF != 2 || d > 1e-5 * $1 || -d > 1e-5 * $1) wrong++ }
        END { print (NR == 20 && !wrong ? "same" : "other"), NR, "steps,", wrong + 0, "wrong" }'
}

# counts RUN: what is counted in evaluations.
counts()
{
    sed 's/, /\n/g' "$1/log.txt" | grep -e '_acc[15]"' -e '_macro_f1"'
}

# alike WHAT TOOL KEYS...: runs of 1, 2 and 4 ranks.
alike()
{
    what=$1 tool=$2
    shift 2
    check "$what, alone" 0 'done' "$tools/$tool" "$@" -o "$what-1"
    counts "$what-1" >"$what-1.counts"
    for world in 2 4; do
        check "$what, $world ranks" 0 'done' \
            mpirun -np $world "$tools/$tool" "$@" -o "$what-$world"
        check "$what, $world ranks: losses" 0 '^same 20' \
            same_losses "$what-1" "$what-$world"
        counts "$what-$world" >"$what-$world.counts"
        check "$what, $world ranks: counts" 0 '^same$' \
            sh -c "[ -s $what-1.counts ] && cmp $what-1.counts $what-$world.counts && echo same"
    done
}

mkdir set
idx train 64 2000
idx t10k 37 9000
set -- data.train=set data.val=set:test data.mean=0.4 data.std=0.3 model.img_size=8 \
    model.patch_size=4 model.embed_dim=24 model.depth=2 model.num_heads=2 \
    train.batch_size=16 train.epochs=5 train.threads=1 train.precision=f32 \
    train.log_every=1 train.report=false data.workers=1

alike pretrained mae-pretrain "$@" model.decoder_embed_dim=16 model.decoder_depth=1 \
    model.decoder_num_heads=2 eval.probe=30
set -- "$@" finetune.checkpoint=pretrained-1/last.h5
alike full mae-finetune "$@" finetune.mixup=0.8 finetune.cutmix=1 finetune.drop_path=0.2 \
    finetune.label_smoothing=0.1 finetune.ema_decay=0.9
alike partial mae-finetune "$@" finetune.mode=partial finetune.trained_blocks=0.5 \
    train.batch_size=8 train.accum_iter=2
alike linear mae-finetune "$@" finetune.mode=linear optim.lr=1 train.batch_size=8 \
    train.accum_iter=2

model=pretrained-1/last.h5
for end in h5 csv npy; do
    "$tools/mae-embed" $model set:test -o alone.$end -q -l all >/dev/null
    for world in 2 3; do
        check "features, .$end by $world ranks" 0 "$world.$end: 37 images" \
            mpirun -np $world "$tools/mae-embed" $model set:test -o $world.$end -l all -b 5
        check 'the same bytes' 0 '^same$' \
            sh -c "cmp alone.$end $world.$end && echo same"
    done
done

# scored NAME CHECKPOINT: by one process and by two ranks, with the same numbers.
scored()
{
    "$tools/mae-eval" "$2" --train set --test set:test --json >alone.json
    check "scores of $1" 0 '"test_images": 37' \
        mpirun -np 2 "$tools/mae-eval" "$2" --train set --test set:test --json
    grep '^{' out >ranks.json
    check 'the same numbers' 0 '^same$' \
        sh -c 'cmp alone.json ranks.json && echo same'
}

scored 'an encoder' $model
scored 'a classifier' linear-1/last.h5

mkdir -p many few
for i in $(seq 101 250); do
    png >"many/$i.png"
done
png >few/1.png
png >few/2.png
embed=$tools/mae-embed
check 'more ranks than images' 0 'few.npy: 2 images' \
    mpirun -np 4 "$embed" $model few -o few.npy
echo text >many/110.png
"$embed" $model many -o alone.h5 -q >/dev/null 2>&1
check 'a bad image, judged over all' 0 'bad image left out.*110.png' \
    mpirun -np 3 "$embed" $model many -o ranks.h5
check 'it is left out' 0 '^same$' sh -c 'cmp alone.h5 ranks.h5 && echo same'
echo text >many/190.png
rm ranks.h5
check 'two, on different ranks' 3 '2 of 150 images are bad, limit 1 %' \
    mpirun -np 3 "$embed" $model many -o ranks.h5
check 'nothing is written' 0 '^absent$' absent ranks.h5 ranks.h5.mae-tmp
check 'wrong usage' 2 '^mae-embed: rank 0: --out: expected a name in' \
    mpirun -np 2 "$embed" $model few -o few.txt
check 'different images' 2 'the images: expected that of rank 0, found another' \
    mpirun -np 1 "$embed" $model few -o x.npy : -np 1 "$embed" $model set:test -o x.npy
# refused: how often a tool that works alone says so to its two ranks; its exit code.
refused()
{
    code=0
    mpirun -np 2 "$tools/mae-predict" linear-1/last.h5 few >said 2>&1 || code=$?
    grep -c '^mae-predict: started as 2 ranks, expected one' said
    return "$code"
}
check 'one line of a tool that works alone' 2 '^1$' refused
echo "1..$count"
