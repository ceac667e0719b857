#!/bin/sh
# test_eval.sh MAE_EVAL MAE_CONVERT MAE_DATA MAE_FINETUNE MAE_INSPECT GOLDEN: scores as a user gets them. TAP on stdout.
set -eu

eval=$(realpath "$1") convert=$(realpath "$2") data=$(realpath "$3")
finetune=$(realpath "$4") inspect=$(realpath "$5") golden=$(realpath "$6")
. "$(dirname "$(realpath "$0")")/check.sh"

mkdir -p set/cat set/dog other/cat other/cow flat
for i in 1 2 3 4 5 6; do
    png >set/cat/$i.png
    png >set/dog/$i.png
done
png >other/cat/1.png
png >other/cow/1.png
png >flat/1.png
"$convert" "$golden/mae_timm_names.safetensors" m.h5 model.num_heads=4 \
    model.decoder_num_heads=2 data.mean=imagenet data.std=imagenet >/dev/null 2>&1

check 'help' 0 'random-weights' "$eval" --help
check 'no test set' 2 'test: expected a labelled data set, got none' "$eval" m.h5
check 'no training set' 2 'train: expected a labelled data set' "$eval" m.h5 --test set
check 'no checkpoint' 2 'none.h5' "$eval" none.h5 --train set --test set
check 'no data set' 2 'none' "$eval" m.h5 --train none --test set
check 'no labels' 3 'flat: expected labels.*found none' \
    "$eval" m.h5 --train flat --test set
check 'other classes' 2 '1 only in the first: "cow"; 1 only in the second: "dog"' \
    "$eval" m.h5 --train other --test set
check 'no such probe' 2 "some of knn,ridge,logistic,retrieval, got 'svm'" \
    "$eval" m.h5 --train set --test set --probes svm
check 'k above the memory' 2 '--k: expected at most 12, the training images, got 13' \
    "$eval" m.h5 --train set --test set --probes knn -k 13
check 'retrieved above the memory' 2 '--retrieved: expected at most 12' \
    "$eval" m.h5 --train set --test set --probes retrieval -r 13
check 'defaults shrink with the memory' 0 '^kNN: k = 12, ' \
    "$eval" m.h5 --train set --test set --probes knn
check 'with a note' 0 'info.*: --k: 12 instead of 20\|--k: 12 instead of 20' \
    "$eval" m.h5 --train set --test set --probes knn
check 'a legend for retrieval' 0 'R@10: how many of that class' \
    "$eval" m.h5 --train set --test set --probes retrieval
check 'labels that are not there' 2 'cat' \
    "$eval" m.h5 --train set --test set --labels-per-class 7

cp -R set large
png_pair >large/dog/large.png
check 'a limit on pixels' 3 'large.png (PNG: 2 x 1 pixels are over the limit of 1 pixels' \
    "$eval" m.h5 --train set --test large --probes knn --max-pixels 1
check 'at the limit' 0 '^kNN: k = 12, ' \
    "$eval" m.h5 --train set --test large --probes knn --max-pixels 2
set -- --train set --test set --probes knn,retrieval -k 3
check 'table' 0 '^[0-9]*-mean-norm  ' "$eval" m.h5 "$@" -r 3
check 'both poolings, all layers' 0 '^1-cls  ' "$eval" m.h5 "$@" -r 3 -l all -p both
check 'JSON' 0 '"knn": {"top1": 0\?.*"retrieval": {"k": 3' "$eval" m.h5 "$@" -r 3 --json
check 'how far the logistic probe came' 0 '"iterations": [0-9]*, "converged": \(true\|false\)' \
    "$eval" m.h5 --train set --test set --probes logistic --json
check 'random weights' 0 'random weights' "$eval" m.h5 "$@" -r 3 --random-weights --seed 3
check 'fewer labels' 0 '; 4 training images' \
    "$eval" m.h5 "$@" -k 2 -r 2 --labels-per-class 2
"$data" pack set set.h5 -q >/dev/null
"$eval" m.h5 "$@" -r 3 --json -q | sed 's/"t[a-z]*": "set[.h5]*", //g' >a
"$eval" m.h5 --train set.h5 --test set.h5 --probes knn,retrieval -k 3 -r 3 --json -q \
    --threads 1 -b 5 -w 0 | sed 's/"t[a-z]*": "set[.h5]*", //g' >b
check 'packed, one thread, another batch: the same' 0 '^same$' \
    sh -c 'cmp a b && echo same'

# A classifier, its weights averaged.
check 'no classifier' 2 'confusion: expected a classifier, m.h5 is none' \
    "$eval" m.h5 "$@" -r 3 --confusion deep
check 'nothing is left' 0 '^absent$' absent deep
png >set/dog/odd.png
mv set/dog 'set/a "dog", or
two'
"$finetune" data.train=set data.val=set train.output_dir=run finetune.init=random \
    model.img_size=8 model.patch_size=4 model.embed_dim=16 model.depth=1 \
    model.num_heads=2 train.epochs=2 train.batch_size=4 train.precision=f32 \
    finetune.ema_decay=0.9 finetune.mixup=0.8 optim.lr=0.01 -q >/dev/null 2>&1
score=$(tail -n 1 run/log.txt | sed 's/.*"test_macro_f1": *\([0-9.]*\).*/\1/' | cut -c 1-4)
check 'the averaged model' 0 'averaged over the steps, decay 0.9' "$inspect" run/last.h5
check 'every class' 0 '^cat  *6  ' "$eval" run/last.h5 --test set
check 'a line a class' 0 '^a "dog", or?two  *7  ' "$eval" run/last.h5 --test set
check 'what the run said' 0 "macro F1  $score" \
    "$eval" run/last.h5 --test set --precision f32
check 'classes in JSON' 0 '"balanced_accuracy": .*"per_class": \[{.*"class": "cat", "images": 6' \
    "$eval" run/last.h5 --test set --json
check 'confusion matrix' 0 'top-1' "$eval" run/last.h5 --test set --confusion deep/er
check 'in CSV' 0 '^two","cat"$' cat deep/er/confusion.csv
check 'in PNG' 0 '^PNG$' sh -c 'tail -c +2 deep/er/confusion.png | head -c 3; echo'
check 'the same as of the run' 0 '^same$' \
    sh -c 'cmp deep/er/confusion.csv run/confusion.csv && echo same'
check 'among the images' 2 'lies inside set' \
    "$eval" run/last.h5 --test set --confusion set/cat
check 'other classes than the head' 2 'classes differ: checkpoint run/last.h5 has 2' \
    "$eval" run/last.h5 --test other

mkdir sheets
check 'queries without a sheet' 2 'queries needs --contact-sheet' \
    "$eval" m.h5 "$@" --queries 3
check 'votes without training images' 2 'k needs --train' "$eval" m.h5 --test set -k 3
check 'a sheet needs training images' 2 'contact-sheet needs --train' \
    "$eval" m.h5 --test set --contact-sheet s.png
check 'a sheet is no folder' 2 'sheets: expected a file to write, found a folder' \
    "$eval" m.h5 "$@" --contact-sheet sheets
check 'a sheet lies outside the data' 2 'set/s.png: lies inside set' \
    "$eval" m.h5 "$@" --contact-sheet set/s.png
check 'a sheet has a folder' 2 'no/s.png: cannot write into no' \
    "$eval" m.h5 "$@" --contact-sheet no/s.png
check 'too many queries' 2 'queries: expected 1 to 100' \
    "$eval" m.h5 "$@" --contact-sheet s.png --queries 101
check 'nothing was written' 0 '^absent$' absent s.png set/s.png sheets/s.png
check 'a sheet' 0 '^s.png: first column test images' \
    "$eval" m.h5 "$@" --contact-sheet s.png --queries 3
check 'is a picture of its size' 0 '^000004cc00000150$' \
    sh -c "od -An -tx1 -j16 -N8 s.png | tr -d ' '"
"$eval" m.h5 "$@" --contact-sheet t.png --queries 3 --threads 1 -w 0 -q >/dev/null
check 'the same from one thread' 0 '^same$' sh -c 'cmp s.png t.png && echo same'
check 'a sheet in JSON' 0 '"contact_sheet": "s.png"' \
    "$eval" m.h5 "$@" --contact-sheet s.png --queries 99 --json
echo "1..$count"
