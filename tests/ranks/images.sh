#!/bin/sh
# images.sh TOOLS MPI MAKE_HOSTILE: an image whose numbers are not finite, damaged ones, too
# many of these: whichever rank has them, the run is that of one process. TAP on stdout.
set -eu
make=$(realpath "$3")
# shellcheck source=lib.sh
. "$(dirname "$(realpath "$0")")/lib.sh"
command -v h5import >/dev/null || skip_all 'no h5import'

# 62 images; one of them is finite, but not after normalisation.
awk 'BEGIN {
    srand(7)
    for (i = 0; i < 62 * 64; i++)
        print int(i / 64) == 30 ? 3e38 : rand()
}' >numbers
cat >stack <<'END'
PATH images
INPUT-CLASS TEXTFP
RANK 3
DIMENSION-SIZES 62 8 8
END
h5import numbers -c stack -o large.h5 >/dev/null

# large RANKS FOLDER HOW [KEY=VALUE...]: a run that meets it in every epoch.
large()
{
    world=$1 folder=$2 how=$3
    shift 3
    train "$world" "$folder" data.train=large.h5 data.val= data.mean=0.5 data.std=0.01 \
        "train.on_nonfinite=$how" "$@"
}

# told_of FOLDER: what is said of it, step by step.
told_of()
{
    for file in "$1"/nonfinite-*.json; do
        echo "${file##*/}"
        grep -e '"step"' -e '"epoch"' -e '"then"' -e '"kind"' -e '"name"' -e '"index"' \
            -e '"value"' "$file"
    done
}

# alike NAME A B: they were told the same.
alike()
{
    told_of "$2" >expected
    told_of "$3" >found
    check "$1" 0 '"name": "large.h5\[30\]"' sh -c 'cmp expected found && cat found'
}

for how in skip rollback stop; do
    ends=0
    [ "$how" != stop ] || ends=4
    check "$how, alone" "$ends" 'step 5 .*: pixel of large.h5\[30\]\[0\] is inf' \
        large 0 "$how" "$how" train.epochs=3
    for world in 2 4; do
        check "$how, $world ranks" "$ends" 'step 5 .*: pixel of large.h5\[30\]\[0\] is inf' \
            large "$world" "$how$world" "$how" train.epochs=3
        report "$how, $world ranks: told once" \
            "$(grep 'step 5 .* is inf' out | tail -n +2)"
        alike "$how, $world ranks: told of the image" "$how" "$how$world"
        follows "$how, $world ranks: learnt the same" "$how" "$how$world" 1e-5
    done
done
check 'rollback, the optimiser shared' 0 'step 5 .*: pixel of large.h5\[30\]\[0\] is inf' \
    large 2 shared rollback train.epochs=3 dist.shard_optimizer=true
alike 'told of the image' rollback shared
follows 'learnt the same' rollback shared 1e-5
check 'what stopped 2 ranks is left out by 4' 0 'going on from stop2/last.h5: .* 4 steps' \
    large 4 stop2 skip train.epochs=3
follows 'as if it always had been' skip stop2 1e-5

# Photographs, a few damaged.
sed -e '/^model:/s/img_size: 8/img_size: 8, in_chans: 3/' run.yaml >photos.yaml
mv photos.yaml run.yaml
mkdir all good damaged none
"$make" all >made
ln all/good-*.jpg good
ln all/good-*.jpg all/cut.png all/cut.jpg damaged
# photos RANKS FOLDER SET [KEY=VALUE...]
photos()
{
    world=$1 folder=$2 set=$3
    shift 3
    train "$world" "$folder" "data.train=$set" data.val=good data.mean=0.5 data.std=0.2 \
        data.max_bad_fraction=0.05 eval.probe=none "$@"
}
check 'damaged images' 0 'bad image left out: .*cut.png' photos 0 photos damaged
for world in 2 3; do
    check "damaged images, $world ranks" 0 'bad image left out: .*cut.png' \
        photos "$world" "photos$world" damaged
    follows "damaged images, $world ranks: learnt the same" photos "photos$world" 1e-5
done
check 'in data.val' 0 'bad image left out: .*cut.png' photos 0 heldout good data.val=damaged
check 'in data.val, 2 ranks' 0 'bad image left out: .*cut.png' \
    photos 2 heldout2 good data.val=damaged
follows 'in data.val, 2 ranks: learnt the same' heldout heldout2 1e-5

# once NAME PATTERN COMMAND...: all ranks end with 3 and one message.
once()
{
    name=$1 pattern=$2
    shift 2
    check "$name" 3 "$pattern" "$@"
    report "$name: told once" "$(grep -e 'images are bad' out | tail -n +2)"
}
once 'too many' 'rank [01]: .* images are bad, limit 5 %' photos 2 many all
once 'too many, 4 ranks' 'rank [0-3]: .* images are bad, limit 5 %' photos 4 many4 all
once 'too many in data.val' 'rank [01]: .* images are bad, limit 5 %' \
    photos 2 many-val good data.val=all
ln all/cut.png none/a.png
ln all/gif.jpg none/b.jpg
check 'none at all in data.val' 3 'none of the images could be read' \
    photos 2 none-val good data.val=none data.max_bad_fraction=1
echo "1..$count"
