#!/bin/sh
# test_data.sh MAE_DATA: the program as a user runs it, with its exit codes. TAP on stdout.
set -eu

data=$(realpath "$1")
. "$(dirname "$(realpath "$0")")/check.sh"

mkdir -p set/cat set/dog bad
png >set/cat/1.png
png >set/dog/1.png
png >set/dog/2.png
png >bad/good.png
echo text >bad/wrong.png

check 'help' 0 'WebDataset' "$data" --help
check 'no command' 2 'COMMAND' "$data"
check 'unknown command' 2 "'dedup': expected pack, check or stats" "$data" dedup set
check 'pack without OUT' 2 'expected DATASET and OUT' "$data" pack set
check 'check with OUT' 2 'check: expected a DATASET only' "$data" check set x.tar
check 'no data set' 2 'none' "$data" pack none x.tar
check 'another ending' 2 'ending in .h5, .hdf5 or .tar' "$data" pack set x.zip
check 'a size without pack' 2 'size needs the command pack' "$data" stats set --size 8
check 'skipping without pack' 2 'skip-bad needs the command pack' \
    "$data" check set --skip-bad
check 'a size for a tar' 2 'a size is for .h5' "$data" pack set x.tar --size 8
check 'OUT inside the set' 2 'lies inside set' "$data" pack set set/dog/x.tar
ln -s set/cat link
check 'OUT inside by a link' 2 'lies inside set' "$data" pack set link/x.h5
check 'nothing was written' 0 'absent' absent x.zip x.tar set/dog/x.tar set/cat/x.h5

check 'pack to tar' 0 'wrote x.tar: 3 images, 2 classes' "$data" pack set x.tar
check 'as tar sees it' 0 '^__classes__ 00000000.png 00000000.cls 00000001.png' \
    sh -c 'tar -tf x.tar | tr "\n" " "'
check 'files keep their bytes' 0 '^same$' \
    sh -c 'tar -xOf x.tar 00000002.png | cmp - set/dog/2.png && echo same'
check 'pack to HDF5' 0 '"images": 3' "$data" pack set x.h5 --json --threads 2
check 'pack a tar' 0 'wrote y.h5: 3 images, 2 classes' "$data" pack x.tar y.h5
check 'the same file either way' 0 '^same$' sh -c 'cmp x.h5 y.h5 && echo same'
check 'an input as OUT' 2 'is an input too' "$data" pack x.tar ./x.tar
check 'scaled' 0 'wrote z.h5: 3 images' "$data" pack set z.h5 -s 4
check 'stats: classes' 0 'classes *2: cat (1), dog (2)' "$data" stats x.h5
check 'stats: sizes' 0 'height *4 pixels' "$data" stats z.h5
check 'stats: JSON' 0 '"name": "dog", "images": 2' "$data" stats x.tar --json
check 'check' 0 '^3 images read, 0 bad$' "$data" check set

check 'check: a bad image' 3 '^wrong.png: ' "$data" check bad
check 'check: how many' 3 'bad: 1 of 2 images are bad' "$data" check bad
check 'check: by reason' 3 '^ *1  image: neither JPEG nor PNG: a text or web page' \
    "$data" check bad
check 'check: JSON' 3 '"name": "wrong.png", "reason"' "$data" check bad --json
check 'stats: how many' 0 'images *2, 1 of them bad' "$data" stats bad
check 'pack: a bad image' 3 'wrong.png: ' "$data" pack bad b.h5
check 'no output of it' 0 'absent' absent b.h5 b.h5.mae-tmp
check 'pack without it' 0 '1 images, 0 classes.*1 bad images left out' \
    "$data" pack bad b.h5 --skip-bad

mkdir larger
cp bad/good.png larger/1.png
png_pair >larger/2.png
limit='2.png: PNG: 2 x 1 pixels are over the limit of 1 pixels (max_pixels)'
check 'check: a lower limit' 3 "^$limit$" "$data" check larger --max-pixels 1
check 'check: at the limit' 0 '^2 images read, 0 bad$' "$data" check larger --max-pixels 2
check 'pack: a lower limit' 3 "$limit" "$data" pack larger l.h5 -s 4 --max-pixels 1
check 'pack without it' 0 '1 images, 0 classes.*1 bad images left out' \
    "$data" pack larger l.h5 -s 4 --max_pixels=1 --skip-bad
check 'stats: a lower limit' 0 'images *2, 1 of them bad' \
    "$data" stats larger --max-pixels 1
for value in 0 -1 2147483649 99999999999999999999999 1e6 ''; do
    check "no limit: '$value'" 2 '^mae-data: --max-pixels: ' \
        "$data" check larger --max-pixels="$value"
    cp out told
    check "one line: '$value'" 0 '^1$' grep -c . told
done

head -c 700 x.tar >short.tar
check 'truncated tar' 3 'short.tar: truncated' "$data" check short.tar
echo x | dd of=x.tar bs=1 seek=5 conv=notrunc 2>/dev/null
check 'damaged tar' 3 'wrong checksum' "$data" check x.tar
check 'OUT in a folder that is missing' 2 'none' "$data" pack set none/x.tar
echo "1..$count"
