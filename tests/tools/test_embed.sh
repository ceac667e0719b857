#!/bin/sh
# test_embed.sh MAE_EMBED MAE_CONVERT GOLDEN: features as a user gets them. TAP on stdout.
set -eu

embed=$(realpath "$1") convert=$(realpath "$2") golden=$(realpath "$3")
. "$(dirname "$(realpath "$0")")/check.sh"

mkdir -p 'set/a,"b"' set/dog flat bad
png >'set/a,"b"/1.png'
png >set/dog/1.png
png >set/dog/2.png
png >flat/1.png
echo text >bad/wrong.png
"$convert" "$golden/mae_timm_names.safetensors" m.h5 model.num_heads=4 \
    model.decoder_num_heads=2 data.mean=imagenet data.std=imagenet >/dev/null 2>&1

check 'help' 0 'nothing hidden' "$embed" --help
check 'no data' 2 'DATASET' "$embed" m.h5
check 'no checkpoint' 2 'none.h5' "$embed" none.h5 set
check 'no data set' 2 'none' "$embed" m.h5 none
check 'no checkpoint but text' 3 'wrong.png' "$embed" bad/wrong.png set
check 'another ending' 2 "ending\|name in .h5, .csv or .npy, got 'x.txt'" \
    "$embed" m.h5 set -o x.txt
check 'OUT inside the set' 2 'lies inside set' "$embed" m.h5 set -o set/dog/x.npy
check 'OUT is the checkpoint' 2 'is an input too' "$embed" m.h5 set -o ./m.h5
cp m.h5 y.npy.mae-tmp
check 'OUT.mae-tmp is the checkpoint' 2 'y.npy.mae-tmp: is an input too' \
    "$embed" y.npy.mae-tmp set -o y.npy
check 'and stays' 0 '^same$' sh -c 'cmp m.h5 y.npy.mae-tmp && echo same'
rm y.npy.mae-tmp
check 'no such folder, before any work' 2 'nowhere/x.h5: cannot write into nowhere/' \
    "$embed" none.h5 set -o nowhere/x.h5
check 'a limit on file sizes' 1 'File too large' \
    sh -c 'ulimit -f 1; "$@"' sh "$embed" m.h5 set -o big.h5 -l all -p both
check 'leaves nothing' 0 '^absent$' absent big.h5 big.h5.mae-tmp
check 'no such layer' 2 'layers: expected 0 to [0-9]*, got 99' \
    "$embed" m.h5 set --layers 99
check 'layers that fall' 2 'expected rising numbers, got 1 after 2' \
    "$embed" m.h5 set --layers 2,1
check 'layers that are none' 2 "expected last, all or numbers.*got '1;2'" \
    "$embed" m.h5 set --layers '1;2'
check 'nothing was written' 0 '^absent$' absent x.txt set/dog/x.npy

mkdir large
png >large/1.png
png_pair >large/2.png
check 'a limit on pixels' 3 '2.png (PNG: 2 x 1 pixels are over the limit of 1 pixels (max' \
    "$embed" m.h5 large -o x.csv --max-pixels 1
check 'at the limit' 0 'x.csv: 2 images' "$embed" m.h5 large -o x.csv --max-pixels 2
check 'HDF5' 0 'x.h5: 3 images, 1 feature of' "$embed" m.h5 set -o x.h5
check 'JSON' 0 '"images": 3, "left_out": 0, "features": \["[0-9]*-mean-norm"\]' \
    "$embed" m.h5 set -o x.h5 --json
check 'CSV' 0 'x.csv: 3 images, 2 features' "$embed" m.h5 set -o x.csv -p both -l 1
check 'CSV: header' 0 '^path,label,1-mean-0,1-mean-1,' head -n 1 x.csv
check 'CSV: quotes' 0 '^"a,""b""/1.png","a,""b""",' head -n 2 x.csv
check 'CSV: rows' 0 '^4 ' sh -c 'wc -l <x.csv | sed "s/$/ /"'
check 'NPY' 0 'x.npy: 3 images' "$embed" m.h5 set -o x.npy --layers all --norm none
check 'NPY: header' 0 "'<f4', 'fortran_order': False, 'shape': (3,[0-9]*,[0-9]*,), }" \
    head -c 190 x.npy
"$embed" m.h5 set -o y.npy -q --threads 1 -b 1 -w 0 --layers all --norm none >/dev/null
check 'the same bits from one thread and one image at a time' 0 '^same$' \
    sh -c 'cmp x.npy y.npy && echo same'
# Images of one brightness each: a row belongs to its image, whatever lies around it.
idx()
{
    printf '\0\0\10\3\0\0\0'
    printf '%b' "\\0$#"
    printf '\0\0\0\40\0\0\0\40'
    for level in "$@"; do
        head -c 1024 /dev/zero | tr '\0' "\\$level"
    done
}
idx 20 120 220 370 40 >all.idx
"$embed" m.h5 all.idx -o all.csv -b 2 -q >/dev/null
"$embed" m.h5 all.idx -o all.npy -b 3 -q >/dev/null
tail -n +2 all.csv | cut -d, -f3- >rows
for level in 20 120 220 370 40; do
    idx "$level" >one.idx
    "$embed" m.h5 one.idx -o one.csv -q >/dev/null
    "$embed" m.h5 one.idx -o one.npy -q >/dev/null
    tail -n 1 one.csv | cut -d, -f3-
    tail -c +193 one.npy >>values
done >alone
check 'CSV: each row is its image' 0 '^same$' sh -c 'cmp rows alone && echo same'
check 'CSV: five different rows' 0 '^5$' sh -c 'sort -u rows | wc -l'
check 'NPY: each row is its image' 0 '^same$' \
    sh -c 'tail -c +193 all.npy | cmp - values && echo same'
"$embed" m.h5 all.idx -o all.h5 -q >/dev/null
check 'HDF5: the values of the NPY' 0 '^same$' \
    sh -c 'h5dump -d features -b LE -o dumped all.h5 && cmp dumped values && echo same'
check 'without labels' 0 'flat.csv: 1 images' "$embed" m.h5 flat -o flat.csv
check 'CSV: no label' 0 '^"1.png",,' tail -n 1 flat.csv
check 'features are no checkpoint' 3 'all.h5: expected a checkpoint, found another kind of HDF5' \
    "$embed" all.h5 flat -o no.h5
check 'bad images' 3 'wrong.png' "$embed" m.h5 bad -o bad.h5
check 'no output of it' 0 '^absent$' absent bad.h5 bad.h5.mae-tmp
echo "1..$count"
