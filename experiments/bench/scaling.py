"""How cost grows: images/s and memory against threads, batch, image size and model size.

    python3 experiments/bench/scaling.py --model vit_small [--torch debian=/usr/bin/python3]

One axis is changed at a time, the rest stays as in the model. Records go to
results/scaling-DATE.jsonl, which plot.py draws.
"""

import argparse
import copy
import sys

import models
import runs

THREADS = (1, 2)
BATCHES = (0.25, 0.5, 1, 2, 4)  # of the model's
IMAGES = (0.5, 1, 1.5, 2)       # of the model's side
WIDTHS = (0.5, 1, 2)            # of the encoder; heads follow


def variants(cfg, args):
    """(axis, x, configuration, threads) of every measurement."""
    for threads in THREADS:
        yield "threads", threads, cfg, threads
    for factor in BATCHES:
        batch = max(1, int(cfg["train.batch_size"] * factor))
        yield "batch", batch, {**cfg, "train.batch_size": batch}, args.threads
    for factor in IMAGES:
        patch = cfg["model.patch_size"]
        side = int(cfg["model.img_size"] * factor) // patch * patch
        yield "image", side, {**cfg, "model.img_size": side}, args.threads
    for factor in WIDTHS:
        width, heads = (int(cfg[key] * factor) for key in ("model.embed_dim",
                                                          "model.num_heads"))
        if heads >= 1 and width % heads == 0:
            yield "width", width, {**cfg, "model.embed_dim": width,
                                   "model.num_heads": heads}, args.threads


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--model", choices=models.MODELS, default="vit_small")
    parser.add_argument("--precision", choices=["f32", "bf16"], default="f32")
    runs.add_arguments(parser)
    args = parser.parse_args()
    path = runs.output_path(args, "scaling")
    contestants = [runs.Contestant(runs.OURS, [args.bench]), *args.torch]
    for axis, value, cfg, threads in variants(models.MODELS[args.model], args):
        at = copy.copy(args)
        at.threads = threads
        for who in contestants:
            record = runs.run(who, "step", args.model, cfg, args.precision, at)
            runs.append(path, {**record, "axis": axis, "x": value})
            said = record.get("error") or \
                f"{record['result']['images_per_second']:.1f} images/s, " \
                f"{record['result']['peak_mb']:.0f} MB"
            print(f"{axis} {value} {who.label}: {said}", file=sys.stderr)
    print(path)


if __name__ == "__main__":
    main()
