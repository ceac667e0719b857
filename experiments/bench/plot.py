"""Draw records of ab.py and scaling.py as SVG, without any library.

    python3 experiments/bench/plot.py results/ab-step-*.jsonl --output speed.svg
    python3 experiments/bench/plot.py results/scaling-*.jsonl --output scaling.svg

Records with an axis become curves, the others bars of GFLOP/s beside PyTorch's, with a mark
where the products alone would be.
"""

import argparse
import math
import pathlib
import statistics
import sys

import runs

sys.path.append(str(pathlib.Path(__file__).resolve().parent.parent))
from chart import COLOURS, Panel, picture

AXES = {"threads": "threads", "batch": "images in a batch", "image": "side of an image (pixels)",
        "width": "width of the encoder"}


def unique(values):
    return list(dict.fromkeys(values))


def contestants(records):
    """Labels with their colours; libmae is the first."""
    labels = sorted(unique(r["who"] for r in records), key=lambda who: who != runs.OURS)
    return [(who, COLOURS[i % len(COLOURS)]) for i, who in enumerate(labels)]


def middle(records, field):
    """Median of a field of the results, or of a path like ceiling.gflops; None if absent."""
    values = []
    for record in records:
        value = record["result"]
        for key in field.split("."):
            value = value.get(key) if isinstance(value, dict) else None
        values += [value] if value is not None else []
    return statistics.median(values) if values else None


def bars(records, precision, column):
    """GFLOP/s of every contestant, model by model."""
    labels = contestants(records)
    chosen = [r for r in records if r["precision"] == precision]
    models = unique(r["model"] for r in chosen)
    largest = max([r["result"]["gflops"] for r in chosen]
                  + [r["result"].get("ceiling", {}).get("gflops", 0.0) for r in chosen])
    panel = Panel(column, 0, precision, "GFLOP/s; mark: products alone", largest)
    for i, model in enumerate(models):
        of_model = [r for r in chosen if r["model"] == model]
        thick = 0.84 / len(models) / len(labels)
        first = (i + 0.08) / len(models)
        for k, (who, colour) in enumerate(labels):
            value = middle([r for r in of_model if r["who"] == who], "gflops")
            if value is not None:
                panel.bar(first + k * thick, first + (k + 0.9) * thick, value, colour)
        ceiling = middle(of_model, "ceiling.gflops")
        if ceiling is not None:
            panel.line(first, ceiling, first + thick * 0.9, ceiling, "#000000", 2)
        panel.below((i + 0.5) / len(models), model)
    return panel


def curves(records, axis, field, y_label, place):
    """A field against an axis, a curve for every contestant; x is logarithmic."""
    chosen = [r for r in records if r["axis"] == axis]
    xs = sorted(unique(r["x"] for r in chosen))
    low, high = math.log(xs[0]), math.log(xs[-1])

    def share(x):
        return 0.05 + 0.9 * ((math.log(x) - low) / (high - low) if high > low else 0.5)

    panel = Panel(*place, f"{chosen[0]['model']}, {chosen[0]['precision']}", y_label,
                  max(r["result"][field] for r in chosen))
    for who, colour in contestants(records):
        points = [(share(x), middle([r for r in chosen if r["x"] == x and r["who"] == who],
                                    field)) for x in xs]
        panel.curve([point for point in points if point[1] is not None], colour)
    for x in xs:
        panel.below(share(x), x)
    panel.below(0.5, AXES[axis], 2)
    return panel


def draw(records):
    scaling = [r for r in records if "axis" in r]
    if not scaling:
        precisions = unique(r["precision"] for r in records)
        panels = [bars(records, precision, i) for i, precision in enumerate(precisions)]
        return picture(panels, contestants(records), len(panels))
    wanted = [(axis, "images_per_second", "images/s") for axis in AXES]
    wanted += [("batch", "peak_mb", "peak memory (MB)")]
    wanted = [item for item in wanted if any(r["axis"] == item[0] for r in scaling)]
    panels = [curves(scaling, *item, (i % 2, i // 2)) for i, item in enumerate(wanted)]
    return picture(panels, contestants(scaling), 2)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("records", nargs="+", metavar="FILE.jsonl")
    parser.add_argument("--output", required=True, metavar="FILE.svg")
    args = parser.parse_args()
    records = runs.load(args.records)
    if not records:
        raise SystemExit("no results in these files")
    with open(args.output, "w", encoding="utf-8") as file:
        file.write(draw(records))


if __name__ == "__main__":
    main()
