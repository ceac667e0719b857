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

# Width and height of a PNG.
size()
{
    python3 -c "import struct, sys; print(struct.unpack('>II', open(sys.argv[1], 'rb').read(24)[16:]))" "$1"
}

# Names of a page's sections.
sections()
{
    grep -o '<section id="[a-z]*' "$1" | cut -d'"' -f2 | tr '\n' ' '
}

check 'help lists the views' 0 'kernels (.*positions (.*' "$tool" --help
check 'no checkpoint' 2 'none.h5' "$tool" none.h5
check 'a checkpoint that is text' 3 'text.png' "$tool" text.png
check 'unknown view' 2 'atention: no view and no image; did you mean attention?' \
    "$tool" m.h5 atention
check 'a view without images' 2 'features: needs images: IMAGE files or --data' \
    "$tool" m.h5 features
check 'a count without data' 2 'count needs --data' \
    "$tool" m.h5 set/cat/1.png --count 2
check 'no image' 2 'none.png: no view and no image' "$tool" m.h5 none.png
check 'an image that is text' 3 'text.png' "$tool" m.h5 set/cat/1.png text.png
check 'no data' 2 'none' "$tool" m.h5 --data none
check 'layer out of range' 2 'm.h5: layer: expected 1 to [0-9]*, got 99' \
    "$tool" m.h5 --layer 99
check 'mask ratio' 2 'mask-ratio: expected 0 to below 1, got 1' \
    "$tool" m.h5 --data set --mask-ratio 1
check 'OUT inside the data' 2 'lies inside set' "$tool" m.h5 --data set --out set/figures
check 'OUT is a file' 2 'text.png: exists and is no folder' "$tool" m.h5 -o text.png
mkdir large
png_pair >large/1.png
limit='large/1.png: PNG: 2 x 1 pixels are over the limit of 1 pixels (max_pixels)'
check 'a limit on pixels' 3 "$limit" "$tool" m.h5 large/1.png --max-pixels 1
check 'a limit on pixels of the data' 3 '1.png: PNG: 2 x 1 pixels are over the limit' \
    "$tool" m.h5 --data large --max-pixels 1
check 'nothing was written' 0 '^absent$' absent figures set/figures

check 'without images' 0 '^a/b/positions.png: Similarity' "$tool" m.h5 -o a/b
check 'no others' 0 '^absent$' absent a/b/attention.png a/b/features.png
echo mine >a/b/mine.txt
check 'at the limit, also beside neighbours' 0 'Nearest neighbours' \
    "$tool" m.h5 neighbours large/1.png --data set --max-pixels 2 -o neighbours
check 'images' 0 '^a/b/attention.png: Attention of block' \
    "$tool" m.h5 set/cat/1.png set/dog/2.png -o a/b
check 'an image before a view' 0 '"images": \["set/cat/1.png"\], "figures": \[{"view": "attention"' \
    "$tool" m.h5 set/cat/1.png attention --json -o a/b
check 'a view and nothing to look at' 2 'attention: needs images' "$tool" m.h5 attention
check 'all files' 0 '^8$' sh -c 'ls a/b | grep -c .'
check 'foreign files stay' 0 '^mine$' cat a/b/mine.txt
check 'JSON' 0 '"images": \["set/cat/1.png", "set/dog/2.png"\], "figures": \[{"view": "attention", "file": "attention.png", "title": "[^"]*", "caption": "[^"]*", "width"' \
    "$tool" m.h5 attention --json set/cat/1.png set/dog/2.png -o a/b
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

check 'a map needs data' 2 'map: needs' "$tool" m.h5 map set/cat/1.png
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

check 'neighbours need data' 2 'neighbours: needs a data set: --data' \
    "$tool" m.h5 neighbours set/cat/1.png
check 'too small a sample' 2 'sample: expected 3 to' \
    "$tool" m.h5 neighbours --data set --sample 2
check 'neighbours beside those of others' 0 'those of 6 images.*Right: random weights' \
    "$tool" m.h5 neighbours --data set -c random --json -o near
check 'a row an image, six columns, twice' 0 '^(1600, 666)$' size near/neighbours.png
check 'neighbours of a file' 0 'those of 3 images' \
    "$tool" m.h5 neighbours --data set --sample 3 set/cat/1.png --json -o near-file
check 'of unlabelled data' 0 'neighbours.png' "$tool" m.h5 neighbours --data flat -o near-flat
check 'of a classifier' 0 'neighbours.png' \
    "$tool" run/last.h5 neighbours --data set -o near-run

check 'no page unless it is wanted' 0 '^absent$' absent near/report.html
check 'a page' 0 '^page/report.html: all of it' \
    "$tool" m.h5 --data set --report --map-images 6 -o page
check 'has its sections' 0 \
    '^model retrieval reconstructions kernels positions attention features map neighbours $' \
    sections page/report.html
"$tool" m.h5 kernels --data set --report --json -o page >scores.json
check 'scores of the model and of random weights' 0 '^2 4 4 4 True True$' python3 -c "
import json
s = json.load(open('scores.json'))
s, report = s['scores'], s['report']
one, two = s['models']
inside = all(0 <= m[k] <= 1 for m in (one, two) for k in ('precision', 'knn_accuracy'))
print(s['queries'], s['memory'], s['retrieved'], s['k'], inside and report == 'report.html',
      (one['features_of'], two['features_of']) == ('m.h5', 'random weights'))"
"$tool" m.h5 kernels --data set -c random --report --json -o page-random >random.json
check 'which are scored once' 0 '^same$' python3 -c "
import json
a, b = (json.load(open(f))['scores'] for f in ('scores.json', 'random.json'))
print('same' if a == b else (a, b))"
check 'with another model: three' 0 '"features_of": "other.h5".*"random weights"' \
    "$tool" m.h5 kernels --data set -c other.h5 --report --json -o page-other
check 'reconstructions of both' 0 'id="ratios-compared"' cat page-other/report.html
"$tool" run/last.h5 kernels --data set --report -q -o page-run >/dev/null
"$tool" m.h5 kernels --report -q -o page-none >/dev/null
"$tool" m.h5 kernels --data flat --report -q -o page-flat >/dev/null
check 'of a classifier there are none' 0 '^model retrieval kernels $' sections page-run/report.html
check 'without data there is no retrieval' 0 '^model kernels $' sections page-none/report.html
check 'nor without labels' 0 '^model reconstructions kernels $' sections page-flat/report.html
cp m.h5 page/report.html
check 'a page that is the checkpoint' 2 'page/report.html: is an input too' \
    "$tool" page/report.html kernels --report -o page
check 'which stays, too' 0 '^same$' sh -c 'cmp m.h5 page/report.html && echo same'
echo "1..$count"
