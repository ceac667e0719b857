#!/usr/bin/env python3
"""Draw the pictures of the top README: everything that mae-visualize, mae-reconstruct and mae-eval
show of a model, small, in a few SVG files with the PNGs inside.

    experiments/gallery/gallery.py fashion runs/fashion_mnist/pretrain/last.h5 \\
        /usr/share/datasets/fashion-mnist:test
    experiments/gallery/gallery.py cifar runs/cifar10/pretrain/last.h5 data/cifar10/test \\
        --train data/cifar10/train --classifier runs/cifar10/finetune/best.h5

Writes NAME-learned.svg, NAME-reconstructed.svg and NAME-map.svg beside this script, with --train
and --classifier also NAME-scored.svg.
"""

import argparse
import base64
import html
import pathlib
import shutil
import struct
import subprocess
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
WIDTH, HEIGHT, GAP, TITLE = 900, 210, 14, 18     # of a page, of its pictures, between, above them

LEARNED = {
    "kernels.png": "filters of the patch embedding",
    "positions.png": "similarity of positions",
    "attention.png": "attention, each head",
    "attention-rollout.png": "attention, rolled out",
    "features.png": "components of tokens, whole and masked",
    "features-norms.png": "norms of tokens",
    "neighbours.png": "nearest neighbours",
}
RECONSTRUCTED = {
    "panels.png": ("masked, prediction, + visible, original", ["--mask-ratio=0.75"]),
    "sweep.png": ("half, three quarters, nine tenths hidden", ["--sweep=0.5,0.75,0.9", "-n1"]),
    "complementary.png": ("all patches predicted", ["--complementary"]),
    "uncertainty.png": ("mean, deviation, error of 32 masks", ["--uncertainty=32"]),
    "rank.png": ("largest and smallest error of the set", ["--rank=rank.csv", "-n2", "--masks=1"]),
}
SCORED = {
    "found.png": "test images and the nearest training images",
    "confusion.png": "rows: classes; columns: predictions",
}


def size_of(png):
    return struct.unpack(">II", png[16:24])


def page(pictures):
    """Pictures [(title, PNG)] side by side at one height, in as many rows as they take."""
    parts, x, y = [], 0, 0
    for title, png in pictures:
        width, height = size_of(png)
        shown = min(WIDTH, HEIGHT * width / height)
        taken = max(shown, 6 * len(title))
        if x > 0 and x + taken > WIDTH:
            x, y = 0, y + TITLE + HEIGHT + GAP
        data = base64.b64encode(png).decode()
        parts.append(f'<text x="{x:.0f}" y="{y + 12}">{html.escape(title)}</text>\n'
                     f'<image x="{x:.0f}" y="{y + TITLE}" width="{shown:.0f}" height="{HEIGHT}" '
                     f'href="data:image/png;base64,{data}"/>')
        x += taken + GAP
    height = y + TITLE + HEIGHT
    return (f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" '
            f'width="{WIDTH}" height="{height}" font-family="sans-serif" font-size="12">\n'
            f'<rect width="{WIDTH}" height="{height}" fill="white"/>\n'
            + "\n".join(parts) + "\n</svg>\n")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n", maxsplit=1)[0])
    parser.add_argument("name")
    parser.add_argument("checkpoint", type=pathlib.Path, help="a pretrained model")
    parser.add_argument("data", help="images to look at, with labels")
    parser.add_argument("--train", help="labelled images among which neighbours are looked for")
    parser.add_argument("--classifier", type=pathlib.Path, help="one that was fine-tuned")
    parser.add_argument("--tools", type=pathlib.Path, default=HERE.parent.parent / "build/tools")
    args = parser.parse_args()
    tools = args.tools.resolve()
    data = pathlib.Path(args.data).absolute()
    with tempfile.TemporaryDirectory() as place:
        folder = pathlib.Path(place)
        shutil.copy(args.checkpoint, folder / "pretrained")

        def run(tool, *options):
            subprocess.run([str(tools / tool), "pretrained", *options, "-q"], cwd=folder,
                           check=True)

        run("mae-visualize", f"--data={data}", "-n3", "--map-images=500", "--out=.")
        for name, (_, options) in RECONSTRUCTED.items():
            run("mae-reconstruct", f"--data={data}", "-n3", f"--out={name}", *options)
        learned = [(title, (folder / name).read_bytes()) for name, title in LEARNED.items()
                   if (folder / name).exists()]
        shown = [(title, (folder / name).read_bytes())
                 for name, (title, _) in RECONSTRUCTED.items()]
        (HERE / f"{args.name}-learned.svg").write_text(page(learned))
        (HERE / f"{args.name}-reconstructed.svg").write_text(page(shown))
        shutil.copy(folder / "map.svg", HERE / f"{args.name}-map.svg")
        if args.train is None or args.classifier is None:
            return
        run("mae-eval", f"--train={pathlib.Path(args.train).absolute()}", f"--test={data}",
            "--probes=retrieval", "--queries=4", "--contact-sheet=found.png")
        shutil.copy(args.classifier, folder / "pretrained")
        run("mae-eval", f"--test={data}", "--confusion=.")
        (HERE / f"{args.name}-scored.svg").write_text(
            page([(title, (folder / name).read_bytes()) for name, title in SCORED.items()]))


if __name__ == "__main__":
    main()
