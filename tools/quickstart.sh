#!/bin/sh
# From a fresh clone to a trained encoder that can be seen.
set -eu

usage()
{
    cat <<'END'
Usage: tools/quickstart.sh [--epochs N] [--no-install] [--help]

On a fresh Debian machine, in less than ten minutes on two cores: installs what libmae
needs, builds it, pretrains a small masked autoencoder on Fashion-MNIST without labels,
draws what it reconstructs, and fine-tunes a classifier on 600 labels, once from the
pretrained encoder and once from random weights. Everything goes to build/ and
runs/quickstart/; to stop, press Ctrl-C, to go on, run it again.

  --epochs N    epochs of pretraining (default: 5)
  --no-install  take the machine as it is

DATA=folder in the environment names another folder with the four files of Fashion-MNIST.
END
}

epochs=5
install=yes
while [ $# -gt 0 ]; do
    case $1 in
    --epochs)
        epochs=${2:?--epochs needs a number}
        shift
        ;;
    --no-install) install=no ;;
    -h | --help)
        usage
        exit 0
        ;;
    *)
        echo "quickstart.sh: unknown option $1; see --help" >&2
        exit 2
        ;;
    esac
    shift
done

cd "$(dirname "$0")/.."
data=${DATA:-/usr/share/datasets/fashion-mnist}
config=experiments/fashion_mnist
runs=runs/quickstart
labels=600

say()
{
    printf '\n== %s\n' "$*"
}

# accuracy LOG: top-1 accuracy in percent of the last epoch in a run's log.
accuracy()
{
    sed -n 's/.*"test_acc1": *\([0-9.]*\).*/\1/p' "$1" | tail -n 1 | awk '{ printf "%.1f", $1 }'
}

if [ "$install" = yes ]; then
    say 'Installing what is missing'
    if [ -n "${DATA:-}" ]; then tools/install_deps.sh; else tools/install_deps.sh --data; fi
fi
if [ ! -f "$data/train-images-idx3-ubyte.gz" ] && [ ! -f "$data/train-images-idx3-ubyte" ]; then
    echo "quickstart.sh: $data: no train-images-idx3-ubyte[.gz]; name the folder with DATA=..." >&2
    exit 3
fi

say 'Building'
if [ ! -f build/build.ninja ]; then meson setup -Dtests=false build >/dev/null; fi
ninja -C build

say "Pretraining: $epochs epochs on 60,000 images without labels"
build/tools/mae-pretrain "$config/pretrain.yaml" data.train="$data" data.val="$data:test" \
    train.epochs="$epochs" optim.warmup_epochs=0.5 train.output_dir="$runs/pretrain"

say 'Reconstructing eight images of the test set'
build/tools/mae-reconstruct "$runs/pretrain/last.h5" --data "$data:test" --count 8 \
    --out "$runs/reconstruction.png"

say 'Looking into the encoder'
build/tools/mae-visualize "$runs/pretrain/last.h5" --data "$data:test" --map-images 500 \
    --report --out "$runs/model"

# finetune FOLDER [key=value...]
finetune()
{
    folder=$1
    shift
    build/tools/mae-finetune "$config/finetune.yaml" data.train="$data" \
        data.val="$data:test" data.first_n="$labels" train.epochs=60 eval.every=20 \
        finetune.checkpoint="$runs/pretrain/last.h5" train.output_dir="$folder" "$@"
}

say "Fine-tuning on $labels labels, from the pretrained encoder"
finetune "$runs/finetune"

say "Fine-tuning on $labels labels, from random weights"
finetune "$runs/random" finetune.init=random optim.layer_decay=1

cat <<END

Accuracy on 10,000 test images after training on $labels labels
  from the pretrained encoder   $(accuracy "$runs/finetune/log.txt") %
  from random weights           $(accuracy "$runs/random/log.txt") %

Look at
  $runs/reconstruction.png       masked, reconstructed, with visible patches, original
  $runs/pretrain/reconstructions how they became better
  $runs/pretrain/report.html     the run, in a browser: curves and pictures
  $runs/model/report.html        the encoder: filters, attention, neighbours, retrieval
  $runs/*/log.txt                one line per epoch

Go on
  build/tools/mae-inspect $runs/finetune/best.h5
  build/tools/mae-predict $runs/finetune/best.h5 $data:test       # or images of your own
  build/tools/mae-pretrain $config/pretrain.yaml train.epochs=20 train.output_dir=$runs/longer
  build/tools/mae-pretrain experiments/cifar10/pretrain.yaml data.train=FOLDER data.val= \\
      data.mean=auto data.std=auto train.output_dir=runs/mine     # images of your own
  experiments/README.md says more.
END
