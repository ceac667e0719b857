#!/bin/sh
# test_hostile.sh TOOLS MAKE_HOSTILE: a data set full of hostile pictures, seen by programs:
# what they say, that they train the same on every rerun, and that memory stays small.
# TAP on stdout.
set -eu

tools=$(realpath "$1")
make=$(realpath "$2")
. "$(dirname "$(realpath "$0")")/check.sh"

cat >run.yaml <<'END'
model: {img_size: 8, patch_size: 4, in_chans: 3, embed_dim: 16, depth: 1, num_heads: 2,
        decoder_embed_dim: 16, decoder_depth: 1, decoder_num_heads: 2}
data: {train: all, workers: 1}
train: {epochs: 1, batch_size: 9, threads: 1, log_every: 1, output_dir: run}
END

# extra WITH WITHOUT: the peaks in these outputs differ by less than 64 MB.
extra()
{
    with=$(sed -n 's/^peak \(.*\) MB$/\1/p' "$1")
    without=$(sed -n 's/^peak \(.*\) MB$/\1/p' "$2")
    if [ $((with - without)) -lt 64 ] || sanitized "$tools/mae-data"; then
        echo "small: $with MB with, $without MB without"
    else
        echo "large: $with MB with, $without MB without"
    fi
}

# pretrain FOLDER [OVERRIDE...]: a run, its losses in FOLDER.losses.
pretrain()
{
    into=$1
    shift
    code=0
    "$make" --peak "$tools/mae-pretrain" run.yaml -o "$into" "$@" || code=$?
    if [ -f "$into/steps.jsonl" ]; then
        grep -o '"loss": *[0-9.e+-]*' "$into/steps.jsonl" >"$into.losses" || :
    fi
    return $code
}

mkdir all good large nine
"$make" all >made
mv all/large.png large # sound, and tried by itself
bad=$(($(sed 's/.* \([0-9]*\) bad$/\1/' made) - 1))
images=$(($(sed 's/ images.*//' made) - 1))
for file in all/good-*; do
    ln "$file" good
done

check 'good: check' 0 '^64 images read, 0 bad$' \
    "$make" --peak "$tools/mae-data" check good --threads 1
cp out good.out
check 'check: how many' 3 "^$images images read, $bad bad$" \
    "$make" --peak "$tools/mae-data" check all --threads 1
cp out all.out
check 'check: memory' 0 '^small' extra all.out good.out
check 'check: one line each' 0 "^$bad$" sh -c 'grep -c "^[a-z0-9-]*\.[jp][pn]g: " all.out'
check 'check: by reason' 0 '^ *[0-9]*  JPEG: too many scans' cat all.out
check 'check: other formats' 0 '^ *2  image: neither JPEG nor PNG: a TIFF of' cat all.out
check 'check: JSON' 3 '"reasons": \[' "$tools/mae-data" check all --json -q
check 'stats' 0 "images *$images, " "$tools/mae-data" stats all

check 'pretrain: above 1 %' 3 'images are bad, limit 1 %: format [0-9]*; [a-z0-9-]*\.jpg (' \
    pretrain above
check 'pretrain: good' 0 '^peak' pretrain clean data.train=good data.workers=1
cp out good.out
check 'pretrain: below the threshold' 0 'bad image left out: ' \
    pretrain first data.max_bad_fraction=0.5 data.workers=1
cp out all.out
check 'pretrain: memory' 0 '^small' extra all.out good.out
check 'pretrain: again' 0 '^peak' pretrain second data.max_bad_fraction=0.5 data.workers=3
check 'pretrain: the same replacements' 0 '^same$' \
    sh -c 'test -s first.losses && cmp first.losses second.losses && echo same'

# Larger than the default allows: alone and among eight. Training with it takes long, so
# train/inputs raises a limit that is lower.
ln large/large.png all/good-0[0-7].jpg nine
over='13378 x 13378 pixels are over the limit of 178956970 pixels (max_pixels)'
check 'large: check' 3 "$over" "$tools/mae-data" check large
check 'large: raised' 0 '^1 images read, 0 bad$' \
    "$tools/mae-data" check large --max-pixels 178970884
check 'large: pretrain' 3 "large.png (PNG: $over" pretrain small data.train=nine
check 'good: pretrain, lowered' 3 'limit of 479 pixels (max_pixels)' \
    pretrain lowered data.train=good data.max_pixels=479
echo "1..$count"
