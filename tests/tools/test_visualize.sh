#!/bin/sh
# test_visualize.sh MAE_VISUALIZE MAE_CONVERT MAE_FINETUNE GOLDEN: pictures of models as a
# user gets them. TAP on stdout.
set -eu

tool=$(realpath "$1") convert=$(realpath "$2") finetune=$(realpath "$3")
golden=$(realpath "$4")
. "$(dirname "$(realpath "$0")")/check.sh"

mkdir -p set/cat set/dog
for i in 1 2 3; do
    png >set/cat/$i.png
    png >set/dog/$i.png
done
echo text >text.png
"$convert" "$golden/mae_timm_names.safetensors" m.h5 model.num_heads=4 \
    model.decoder_num_heads=2 data.mean=imagenet data.std=imagenet >/dev/null 2>&1
"$convert" "$golden/mae_timm_names.safetensors" other.h5 model.num_heads=2 \
    model.decoder_num_heads=2 data.mean=imagenet data.std=imagenet >/dev/null 2>&1
printf 'finetune:\n  checkpoint: m.h5\ndata:\n  train: set\n' >c.yaml
"$finetune" c.yaml train.epochs=1 train.batch_size=2 train.output_dir=run -q >/dev/null 2>&1

check 'help lists the views' 0 'kernels (.*positions (.*' "$tool" --help
check 'no checkpoint' 2 'none.h5' "$tool" none.h5
check 'a checkpoint that is text' 3 'text.png' "$tool" text.png
check 'unknown view' 2 'unknown view "atention"; did you mean attention?' \
    "$tool" m.h5 atention
check 'a view without images' 2 'features: needs images: --image FILE' \
    "$tool" m.h5 features
check 'no image' 2 'none.png: does not exist' "$tool" m.h5 -i none.png
check 'an image that is text' 3 'text.png' "$tool" m.h5 --image set/cat/1.png text.png
check 'no data' 2 'none' "$tool" m.h5 --data none
check 'layer out of range' 2 'm.h5: layer: expected 1 to [0-9]*, got 99' \
    "$tool" m.h5 --layer 99
check 'mask ratio' 2 'mask-ratio: expected 0 to below 1, got 1' \
    "$tool" m.h5 --data set --mask-ratio 1
check 'OUT inside the data' 2 'lies inside set' "$tool" m.h5 --data set --out set/figures
check 'OUT is a file' 1 'text.png: exists and is no folder' "$tool" m.h5 -o text.png
check 'nothing was written' 0 '^absent$' absent figures set/figures

check 'without images' 0 '^a/b/positions.png: Similarity' "$tool" m.h5 -o a/b
check 'no others' 0 '^absent$' absent a/b/attention.png a/b/features.png
echo mine >a/b/mine.txt
check 'images' 0 '^a/b/attention.png: Attention of block' \
    "$tool" m.h5 -i set/cat/1.png set/dog/2.png -o a/b
check 'all files' 0 '^8$' sh -c 'ls a/b | grep -c .'
check 'foreign files stay' 0 '^mine$' cat a/b/mine.txt
check 'JSON' 0 '"images": \["set/cat/1.png", "set/dog/2.png"\], "figures": \[{"view": "attention", "file": "attention.png", "title": "[^"]*", "caption": "[^"]*", "width"' \
    "$tool" m.h5 attention --json -i set/cat/1.png --image=set/dog/2.png -o a/b
check 'random weights beside' 0 'Right: random weights' \
    "$tool" m.h5 --data set --compare random --json -o random
check 'another model beside' 0 'Left: m.h5. Right: other.h5' \
    "$tool" m.h5 --data set --compare other.h5 --json -o other
check 'a classifier' 0 'averaged over all that ask' \
    "$tool" run/last.h5 --data set --json -o classifier
check 'its class token' 0 'the class token gives' \
    "$tool" run/last.h5 --data set --json -o classifier --query cls --layer 1
"$tool" m.h5 --data set -c random --threads 1 -q -o one >/dev/null
check 'the same bits from one thread' 0 '^same$' sh -c 'diff -r one random && echo same'
cp m.h5 one/kernels.png
check 'a figure that is the checkpoint' 2 'one/kernels.png: is an input too' \
    "$tool" one/kernels.png kernels -o one
check 'which stays' 0 '^same$' sh -c 'cmp m.h5 one/kernels.png && echo same'

check 'a map needs data' 2 'map: needs' "$tool" m.h5 map -i set/cat/1.png
check 'too few images on a map' 2 'map-images: expected 4 to 10000, got 3' \
    "$tool" m.h5 map --data set --map-images 3
check 'a map' 0 '^maps/map.svg: Maps' \
    "$tool" m.h5 map --data set --thumbnails -c random -o maps
check 'is strict XML with all images' 0 '^24 6$' python3 -c "
import xml.etree.ElementTree as x
names = [e.tag.split('}')[1] for e in x.parse('maps/map.svg').iter()]
print(names.count('use'), names.count('image'))"
mkdir few && cp -r set/cat few/ && rm few/cat/3.png
check 'too few data for a map' 0 'map: left out' "$tool" m.h5 --data few -o few-figures
mkdir flat && cp set/cat/1.png flat/a.png
for i in b c d e; do cp flat/a.png flat/$i.png; done
check 'unlabelled data' 0 'map.svg' "$tool" m.h5 map --data flat -o unlabelled
echo "1..$count"
