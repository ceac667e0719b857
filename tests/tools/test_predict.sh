#!/bin/sh
# test_predict.sh MAE_PREDICT MAE_FINETUNE MAE_PRETRAIN MAE_EVAL MAE_DATA: predictions and
# pseudo-labels as a user gets them. TAP on stdout.
set -eu

predict=$(realpath "$1") finetune=$(realpath "$2") pretrain=$(realpath "$3")
eval=$(realpath "$4") data=$(realpath "$5")
. "$(dirname "$(realpath "$0")")/check.sh"

# Stripes of two directions, in many colours: images that a tiny model learns to tell apart,
# each one different from all others. Names of the test images do not say their class's order.
python3 - <<'END'
import os, random, struct, zlib

def png(path, height, width, pixel):
    rows = b''.join(b'\0' + bytes(v for x in range(width) for v in pixel(y, x))
                    for y in range(height))
    def chunk(kind, body):
        return (struct.pack('>I', len(body)) + kind + body +
                struct.pack('>I', zlib.crc32(kind + body)))
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, 'wb') as file:
        file.write(b'\x89PNG\r\n\x1a\n' +
                   chunk(b'IHDR', struct.pack('>IIBBBBB', width, height, 8, 2, 0, 0, 0)) +
                   chunk(b'IDAT', zlib.compress(rows)) + chunk(b'IEND', b''))

rng = random.Random(1)
def stripes(path, kind, height=8, width=8):
    dark = [rng.randrange(0, 60) for c in range(3)]
    light = [rng.randrange(160, 256) for c in range(3)]
    def pixel(y, x):
        on = (y if kind == 0 else x) // max(1, (height if kind == 0 else width) // 8) % 2
        return [min(255, max(0, (light if on else dark)[c] + rng.randrange(-9, 10)))
                for c in range(3)]
    png(path, height, width, pixel)

for i in range(24):
    stripes('train/across/%d.png' % i, 0)
    stripes('train/down "x"/%d.png' % i, 1)
for i in range(20):
    stripes('test/across/%d.png' % i, 0)
    stripes('test/down "x"/%d.png' % i, 1)
    stripes('more/deep/%02d.png' % i, i % 2)
stripes('odd/large.png', 1, 24, 40)
stripes('odd/a\x1b[31mred\n.png', 0)
os.makedirs('bad', exist_ok=True)
for i in range(3):
    stripes('bad/%d.png' % i, i % 2)
END
cp test/across/3.png odd/really-a-png.jpg
echo text >bad/wrong.png
mkdir empty
cat >c.yaml <<'END'
model: {img_size: 8, patch_size: 4, embed_dim: 16, depth: 1, num_heads: 2,
        decoder_embed_dim: 16, decoder_depth: 1, decoder_num_heads: 2}
data: {train: train, mean: 0.5, std: 0.3, augment: none, workers: 1}
finetune: {init: random, label_smoothing: 0}
optim: {lr: 1.0e-2, layer_decay: 1}
train: {epochs: 40, batch_size: 8, preview_every: none, output_dir: run, threads: 1,
        preflight: false, checkpoint_every: none}
END
"$finetune" c.yaml >log 2>&1 || sed 's/^/# /' log
"$pretrain" c.yaml train.epochs=1 train.output_dir=pre >log 2>&1 || sed 's/^/# /' log
set -- run/last.h5

# Number of lines that images get.
lines()
{
    "$predict" run/last.h5 "$@" -q >lines.txt && wc -l <lines.txt
}

check 'help' 0 'pseudo-label' "$predict" --help
check 'no images' 2 'IMAGES' "$predict" "$@"
check 'no checkpoint' 2 'none.h5: does not exist' "$predict" none.h5 test
check 'a pretrained encoder: what to do' 2 \
    'expected a classifier.*mae-finetune CONFIG.yaml finetune.checkpoint=pre/last.h5' \
    "$predict" pre/last.h5 test
limit='pixels are over the limit of 959 pixels (max_pixels)'
check 'a limit on pixels, a file' 3 "large.png: PNG: 40 x 24 $limit" \
    "$predict" "$@" odd/large.png --max-pixels 959
check 'a limit on pixels, a folder' 3 "large.png: PNG: 40 x 24 $limit" \
    "$predict" "$@" odd --max-pixels 959
check 'at the limit' 0 'large.png' "$predict" "$@" odd/large.png --max-pixels 960
check 'missing file, before any work' 2 'none.png: does not exist' \
    "$predict" none.h5 test none.png
check 'missing data set' 2 "dataset 'none': No such file" "$predict" "$@" none:test
check 'empty folder' 3 'empty.*found none' "$predict" "$@" empty
check 'text that is no data set' 3 'c.yaml' "$predict" "$@" c.yaml
check 'both files' 2 'expected without --pseudo-label, got both' \
    "$predict" "$@" test --csv a.csv --pseudo-label b.csv
check 'OUT inside the set' 2 'lies inside test' "$predict" "$@" test --csv test/a.csv
check 'confidence alone' 2 'min-confidence needs --pseudo-label' \
    "$predict" "$@" test --min-confidence 0.5
check 'confidence above 1' 2 'min-confidence' "$predict" "$@" test --min-confidence 1.5
check 'nothing was written' 0 '^absent$' absent a.csv b.csv test/a.csv

check 'text' 0 '^ *[0-9.]* %  [ad][a-z "]*  *[0-9.]* %  [ad].*  test/across/7.png$' \
    "$predict" "$@" test -q
check 'a line an image' 0 '^40$' lines test
check 'one class' 0 '^ *[0-9.]* %  across  *test/across/7.png$' "$predict" "$@" test -q -n 1
check 'a large image and a PNG named .jpg' 0 '  odd/really-a-png.jpg$' "$predict" "$@" odd -q
check 'control characters' 0 '  odd/a?\[31mred?.png$' "$predict" "$@" odd -q
check 'control characters in JSON' 0 '"odd/a\\u001[bB]\[31mred\\n.png"' \
    "$predict" "$@" odd -q --json
check 'files and folders' 0 '^44$' lines odd/large.png test/across/1.png more test/across \
    bad/1.png odd/really-a-png.jpg
check 'bad image: named' 3 'bad image left out: wrong.png' "$predict" "$@" bad
check 'bad image: how many' 3 '1 of 4 images could not be read' "$predict" "$@" bad
check 'bad image: the others' 3 '  bad/2.png$' "$predict" "$@" bad
check 'bad file: named' 3 'left out: bad/wrong.png' "$predict" "$@" test bad/wrong.png
check 'bad images: no file' 3 '1 of 4' "$predict" "$@" bad --csv a.csv
check 'of it is there' 0 '^absent$' absent a.csv a.csv.mae-tmp
mkdir many
for i in 0 1 2 3 4; do
    for file in more/deep/*; do
        cp "$file" "many/$i-${file##*/}"
    done
done
echo text >many/z.png
check 'one bad of many' 0 '100 images, 1 left out, ' "$predict" "$@" many -n 1

# What is said of an image belongs to it: alone, or among others in any batch.
"$predict" "$@" test --csv t.csv -q >/dev/null
"$predict" "$@" test --csv u.csv -q -b 7 -w 0 --threads 1 >/dev/null
check 'any batch, one thread: the same' 0 '^same$' sh -c 'cmp t.csv u.csv && echo same'
"$predict" "$@" test --json -q >t.json
for i in 0 9 19; do
    "$predict" "$@" "test/down \"x\"/$i.png" test/across/$i.png --json -q
done >alone.json
"$eval" "$@" --test test --json -q >eval.json
check 'rows belong to their images, sums are 1, accuracy is that of mae-eval' 0 '^fine$' \
    python3 -c '
import csv, json
rows = list(csv.DictReader(open("t.csv")))
lines = {r["path"]: r for r in map(json.loads, open("t.json"))}
alone = [json.loads(line) for line in open("alone.json")]
assert len(rows) == len(lines) == 40 and len(alone) == 6
for r in rows:
    told = lines[r["path"]]["predictions"]
    assert [r["class"], r["class_2"]] == [p["class"] for p in told]
    assert abs(float(r["probability"]) + float(r["probability_2"]) - 1) < 1e-6
    assert abs(float(r["probability"]) - told[0]["probability"]) < 1e-8
    assert r["class"] == ["across", "down \"x\""][int(r["label"])]
assert all(lines[a["path"]] == a for a in alone)
assert len({r["probability"] for r in rows}) > 20
right = sum(r["path"].split("/")[1] == r["class"] for r in rows)
top1 = json.load(open("eval.json"))["classifier"]["top1"]
assert right / 40 == top1 and top1 > 0.8, (right, top1)
print("fine")'
"$data" pack more more.tar -q >/dev/null
check 'a tar file' 0 'more.tar:0*13.png$' "$predict" "$@" more.tar -q

# Pseudo-labels.
check 'pseudo-labels of a file' 2 'expected one data set' \
    "$predict" "$@" more/deep/01.png --pseudo-label p.csv
check 'pseudo-labels of two sets' 2 'expected one data set' \
    "$predict" "$@" more test --pseudo-label p.csv
check 'pseudo-labels of bad images' 3 '1 of 4' "$predict" "$@" bad --pseudo-label p.csv
check 'of them nothing' 0 '^absent$' absent p.csv p.csv.mae-tmp
check 'pseudo-labels' 0 'p.csv: 20 of 20 images labelled, with a confidence of 0.5 or more' \
    "$predict" "$@" more --pseudo-label p.csv --min-confidence 0.5
check 'their header' 0 '# data: "more" # images: 20 # checkpoint: "run/last.h5" sample,name,label,' \
    sh -c 'head -n 4 p.csv | tr "\n" " "'
check 'fewer that are surer' 0 '"images": 20, .*"min_confidence": 0.99[0-9]*, "labelled"' \
    "$predict" "$@" more --pseudo-label q.csv --min-confidence 0.999 --json
check 'the student' 0 'p.csv: 20 of 20 images, beside 8 of data.train' \
    "$finetune" c.yaml train.output_dir=student train.epochs=2 data.labels_per_class=4 \
    data.unlabelled=more data.pseudo_labels=p.csv
check 'what it knows of them' 0 'pseudo_checksum: [1-9]' cat student/config.yaml
check 'finished' 0 '' "$finetune" c.yaml train.output_dir=student train.epochs=2 \
    data.labels_per_class=4 data.unlabelled=more data.pseudo_labels=p.csv
sed '$d' p.csv >r.csv
check 'other labels: not the same run' 2 'pseudo_checksum: run has' \
    "$finetune" c.yaml train.output_dir=student train.epochs=2 data.labels_per_class=4 \
    data.unlabelled=more data.pseudo_labels=r.csv
check 'no labels: not the same run' 2 'pseudo_checksum: run has [0-9]*, config says none' \
    "$finetune" c.yaml train.output_dir=student train.epochs=2 data.labels_per_class=4
check 'labels without images' 2 'data.pseudo_labels: given without data.unlabelled' \
    "$finetune" c.yaml train.output_dir=s data.pseudo_labels=p.csv
check 'labels of other images' 2 'p.csv:2: labels of a data set of 20 images' \
    "$finetune" c.yaml train.output_dir=s data.unlabelled=test data.pseudo_labels=p.csv
sed 's/across/along/' p.csv >r.csv
check 'labels of another model' 2 'r.csv:[0-9]*: class 0 is .along. here' \
    "$finetune" c.yaml train.output_dir=s data.unlabelled=more data.pseudo_labels=r.csv
sed '$s/,[^,]*$/,2/' p.csv >r.csv
check 'damaged labels' 3 'r.csv:24: confidence: expected 0 to 1' \
    "$finetune" c.yaml train.output_dir=s data.unlabelled=more data.pseudo_labels=r.csv
check 'no such labels' 2 'none.csv does not exist' \
    "$finetune" c.yaml train.output_dir=s data.unlabelled=more data.pseudo_labels=none.csv
echo "1..$count"
