#!/usr/bin/env python3
"""How many labels does a pretrained encoder save? Fine-tunes the encoder of pretrain.yaml and the
same network from random weights with 10, 60, 600 and 6,000 labels of each class: the head on
frozen features (linear), the last block too (partial), everything (full); several seeds each.

    experiments/fashion_mnist/label_efficiency.py            # pretrains first if need be
    experiments/fashion_mnist/label_efficiency.py --output DIR --seeds 3

Writes label_efficiency.svg and label_efficiency.md into the output folder. Every run is a folder
of its own there; finished ones are not run again. About half an hour on two cores.
"""

import argparse
import json
import math
import pathlib
import statistics
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.path.append(str(HERE.parent))
from chart import COLOURS, Panel, picture

CLASSES = 10
EPOCHS = {10: 100, 60: 50, 600: 12, 6000: 3}          # by labels of each class
MODES = {
    "linear": [],
    "partial": ["finetune.mode=partial", "finetune.trained_blocks=1"],
    "full": [],
}
INITS = {"pretrained": ["finetune.init=pretrained"],
         "random": ["finetune.init=random", "optim.layer_decay=1"]}


def run(command):
    print("+", " ".join(command), flush=True)
    subprocess.run(command, check=True)


def pretrain(tools, output):
    folder = output / "pretrain"
    run([str(tools / "mae-pretrain"), str(HERE / "pretrain.yaml"), "-q",
         f"train.output_dir={folder}"])
    return folder / "last.h5"


def accuracy(folder):
    """Of the last evaluation, on the 10,000 test images."""
    lines = [json.loads(line) for line in open(folder / "log.txt", encoding="utf-8")]
    return [line["test_acc1"] for line in lines if "test_acc1" in line][-1]


def finetune(tools, output, checkpoint, labels, mode, init, seed):
    folder = output / f"{mode}-{init}-{labels}-{seed}"
    config = HERE / ("linear.yaml" if mode == "linear" else "finetune.yaml")
    settings = [s for s in INITS[init] if mode != "linear" or "layer_decay" not in s]
    run([str(tools / "mae-finetune"), str(config), "-q", "train.preflight=false",
         f"finetune.checkpoint={checkpoint}", f"train.output_dir={folder}",
         f"data.labels_per_class={labels}", "data.first_n=all", f"train.seed={seed}",
         f"train.epochs={EPOCHS[labels]}", f"eval.every={EPOCHS[labels]}",
         f"train.batch_size={min(64, labels * CLASSES // 2)}", *MODES[mode], *settings])
    return accuracy(folder)


def table(results, seeds):
    lines = [f"Top-1 accuracy in percent on 10,000 test images, mean of {seeds} seeds "
             "(lowest to highest).", "",
             "| labels of each class | " + " | ".join(f"{mode}, {init}" for mode in MODES
                                                       for init in INITS) + " |",
             "|---" * (1 + len(MODES) * len(INITS)) + "|"]
    for labels in EPOCHS:
        cells = []
        for mode in MODES:
            for init in INITS:
                of = results[labels, mode, init]
                cells.append(f"{statistics.mean(of):.1f} ({min(of):.1f} to {max(of):.1f})")
        lines.append(f"| {labels:,} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def figure(results):
    """A panel for each mode; labels on a logarithmic axis."""
    largest = max(max(of) for of in results.values())
    smallest = min(min(of) for of in results.values())
    low, high = math.log(min(EPOCHS)), math.log(max(EPOCHS))
    colours = dict(zip(INITS, COLOURS))
    panels = []
    for column, mode in enumerate(MODES):
        panel = Panel(column, 0, mode, "top-1 accuracy (%), each seed and the mean", largest,
                      smallest)
        share = {labels: 0.05 + 0.9 * (math.log(labels) - low) / (high - low)
                 for labels in EPOCHS}
        for init in INITS:
            panel.curve([(share[labels], statistics.mean(results[labels, mode, init]))
                         for labels in EPOCHS], colours[init])
            for labels in EPOCHS:
                for value in results[labels, mode, init]:
                    panel.dot(share[labels], value, colours[init])
        for labels in EPOCHS:
            panel.below(share[labels], f"{labels:,}")
        panel.below(0.5, "labels of each class", 2)
        panels.append(panel)
    return picture(panels, list(colours.items()), len(MODES))


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n", maxsplit=1)[0])
    parser.add_argument("--tools", type=pathlib.Path, default=HERE.parent.parent / "build/tools",
                        help="folder of the programs (default: build/tools)")
    parser.add_argument("--output", type=pathlib.Path,
                        default=pathlib.Path("runs/label_efficiency"))
    parser.add_argument("--checkpoint", type=pathlib.Path,
                        help="pretrained encoder (default: pretrain it)")
    parser.add_argument("--seeds", type=int, default=2)
    args = parser.parse_args()
    args.output.mkdir(parents=True, exist_ok=True)
    checkpoint = args.checkpoint or pretrain(args.tools, args.output)
    results = {}
    for labels in EPOCHS:
        for mode in MODES:
            for init in INITS:
                results[labels, mode, init] = [
                    finetune(args.tools, args.output, checkpoint, labels, mode, init, seed)
                    for seed in range(args.seeds)]
    (args.output / "label_efficiency.md").write_text(table(results, args.seeds))
    (args.output / "label_efficiency.svg").write_text(figure(results))
    print(table(results, args.seeds))
    print(f"figure: {args.output / 'label_efficiency.svg'}")


if __name__ == "__main__":
    main()
