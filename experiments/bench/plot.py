"""Draw records of ab.py and scaling.py as SVG, without any library.

    python3 experiments/bench/plot.py results/ab-step-*.jsonl --output speed.svg
    python3 experiments/bench/plot.py results/scaling-*.jsonl --output scaling.svg

Records with an axis become curves, the others bars of GFLOP/s beside PyTorch's, with a mark
where the products alone would be.
"""

import argparse
import html
import math
import statistics

import runs

COLOURS = ["#1f5fa8", "#d97a1e", "#5b9a3c", "#a8384a", "#7a5aa8", "#6b6b6b"]
WIDTH, HEIGHT = 440, 300                              # of a panel
LEFT, RIGHT, TOP, BOTTOM = 62, 14, 34, 44             # margins in it
AXES = {"threads": "threads", "batch": "images in a batch", "image": "side of an image (pixels)",
        "width": "width of the encoder"}


def nice_step(largest):
    """1, 2 or 5 times a power of ten: at most six ticks."""
    raw = max(largest, 1e-9) / 5
    power = 10 ** math.floor(math.log10(raw))
    return power * next(factor for factor in (1, 2, 5, 10) if factor * power >= raw)


class Panel:
    """One set of axes at a place of the picture; y starts at 0."""

    def __init__(self, column, row, title, y_label, largest):
        self.x0, self.y0 = column * WIDTH, row * HEIGHT
        self.step = nice_step(largest)
        self.largest = self.step * math.ceil(largest / self.step - 1e-9)
        self.parts = [text(self.x0 + LEFT, self.y0 + 18, title, weight="bold")]
        self.frame(y_label)

    def x(self, share):
        return self.x0 + LEFT + share * (WIDTH - LEFT - RIGHT)

    def y(self, value):
        return self.y0 + HEIGHT - BOTTOM - value / self.largest * (HEIGHT - TOP - BOTTOM)

    def frame(self, y_label):
        for i in range(round(self.largest / self.step) + 1):
            value = i * self.step
            self.line(0, value, 1, value, "#dddddd" if i else "#444444")
            self.parts.append(text(self.x0 + LEFT - 6, self.y(value) + 4, f"{value:g}", "end"))
        self.parts.append(text(self.x0 + LEFT, self.y0 + TOP - 3, y_label, size=10))

    def line(self, share0, value0, share1, value1, colour, width=1):
        self.parts.append(f'<line x1="{self.x(share0):.1f}" y1="{self.y(value0):.1f}" '
                          f'x2="{self.x(share1):.1f}" y2="{self.y(value1):.1f}" '
                          f'stroke="{colour}" stroke-width="{width}"/>')

    def bar(self, share0, share1, value, colour):
        self.parts.append(f'<rect x="{self.x(share0):.1f}" y="{self.y(value):.1f}" '
                          f'width="{self.x(share1) - self.x(share0):.1f}" '
                          f'height="{self.y(0) - self.y(value):.1f}" fill="{colour}"/>')

    def curve(self, points, colour):
        for (share0, value0), (share1, value1) in zip(points, points[1:]):
            self.line(share0, value0, share1, value1, colour, 2)
        for share, value in points:
            self.parts.append(f'<circle cx="{self.x(share):.1f}" cy="{self.y(value):.1f}" '
                              f'r="3" fill="{colour}"/>')

    def below(self, share, label, line=1):
        self.parts.append(text(self.x(share), self.y(0) + 2 + 14 * line, label, "middle"))


def text(x, y, words, anchor="start", size=11, weight="normal"):
    return (f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}" text-anchor="{anchor}" '
            f'font-weight="{weight}">{html.escape(str(words))}</text>')


def legend(labels, y):
    parts, x = [], LEFT
    for label, colour in labels:
        parts.append(f'<rect x="{x}" y="{y - 9}" width="10" height="10" fill="{colour}"/>')
        parts.append(text(x + 15, y, label))
        x += 30 + 7 * len(label)
    return parts


def picture(panels, labels, columns):
    rows = math.ceil(len(panels) / columns)
    width, height = columns * WIDTH, rows * HEIGHT + 26
    parts = [part for panel in panels for part in panel.parts]
    parts += legend(labels, rows * HEIGHT + 12)
    return (f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
            f'viewBox="0 0 {width} {height}" font-family="sans-serif">\n'
            f'<rect width="{width}" height="{height}" fill="white"/>\n'
            + "\n".join(parts) + "\n</svg>\n")


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
