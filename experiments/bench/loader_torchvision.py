#!/usr/bin/env python3
"""What a user would run instead of the loader: Pillow and torchvision, on the same files.

    loader_torchvision.py BUILD/tests/bench/bench_loader [FOLDER] [--rounds 5]

Pillow opens each JPEG; RandomResizedCrop(224, scale 0.2..1, bicubic), flip, ToTensor and
Normalize follow, in one thread. bench_loader does the same work on the same files; the two
take turns, so that a busy moment does not hit one of them alone. Prints one JSON line:
images per second of processor time, medians over the rounds, and their ratio.
"""

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time

import PIL
import torch
import torchvision
from PIL import Image
from torchvision import transforms

PASS = 512


def pipeline():
    return transforms.Compose([
        transforms.RandomResizedCrop(224, scale=(0.2, 1.0),
                                     interpolation=transforms.InterpolationMode.BICUBIC),
        transforms.RandomHorizontalFlip(),
        transforms.ToTensor(),
        transforms.Normalize([0.485, 0.456, 0.406], [0.229, 0.224, 0.225])])


def torchvision_rate(paths, transform):
    """Images per second of processor time."""
    start = time.process_time()
    for i in range(PASS):
        with Image.open(paths[i % len(paths)]) as image:
            transform(image.convert("RGB"))
    return PASS / (time.process_time() - start)


def ours(program, folder):
    """The JSON line of one run of the benchmark."""
    done = subprocess.run([program, folder], check=True, capture_output=True, text=True)
    return json.loads(done.stdout)


def processor():
    with open("/proc/cpuinfo", encoding="ascii") as lines:
        return next((line.split(":")[1].strip() for line in lines
                     if line.startswith("model name")), platform.machine())


def commit():
    done = subprocess.run(["git", "describe", "--always", "--dirty"], check=False,
                          capture_output=True, text=True, cwd=os.path.dirname(__file__) or ".")
    return done.stdout.strip()


def measure(program, folder, rounds):
    torch.set_num_threads(1)
    torch.manual_seed(0)
    last = ours(program, folder)
    paths = sorted(os.path.join(folder, name) for name in os.listdir(folder))
    transform = pipeline()
    torchvision_rate(paths, transform)
    mine, theirs = [], []
    for _ in range(rounds):
        last = ours(program, folder)
        mine.append(last["images_per_s"]["median"])
        theirs.append(torchvision_rate(paths, transform))
    return {
        "bench": "loader_torchvision", "rounds": rounds, "images": len(paths),
        "images_per_s": round(statistics.median(mine), 1),
        "torchvision_images_per_s": round(statistics.median(theirs), 1),
        "ratio": round(statistics.median(mine) / statistics.median(theirs), 2),
        "runs": [round(x, 1) for x in mine],
        "torchvision_runs": [round(x, 1) for x in theirs],
        "read_part_ms": last["read_part_ms"]["median"],
        "transform_ms": last["transform_ms"]["median"],
        "resize": last["resize"], "commit": commit(), "processor": processor(),
        "pillow": PIL.__version__, "torchvision": torchvision.__version__,
        "torch": torch.__version__}


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("program", help="bench_loader of a release build")
    parser.add_argument("folder", nargs="?", help="images to read; default: made for the run")
    parser.add_argument("--rounds", type=int, default=5)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = args.folder or os.path.join(scratch, "photos")
        json.dump(measure(args.program, folder, args.rounds), sys.stdout)
    print()


if __name__ == "__main__":
    main()
