"""libmae against PyTorch: alternating runs of the same model on the same machine.

    python3 experiments/bench/ab.py --rounds 3 \\
        --torch debian=/usr/bin/python3 \\
        --torch "newest=/venv/bin/python" --torch "compiled=/venv/bin/python --compile"

Every round runs every contestant once, in turns, and the next round in the opposite order, so
that a machine that gets slower or busier meets all alike. A ratio is taken within a round; the
table shows the median over the rounds. Ratios above 1 mean libmae is faster; memory is
libmae's share of PyTorch's, "net" without weights, gradients and moments.
"""

import argparse
import statistics
import sys

import models
import runs


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--models", default=",".join(models.MODELS), metavar="NAME,...",
                        help="default: all")
    parser.add_argument("--precisions", default="f32,bf16", metavar="NAME,...")
    parser.add_argument("--mode", choices=["step", "embed"], default="step")
    parser.add_argument("--rounds", type=int, default=3)
    runs.add_arguments(parser)
    args = parser.parse_args()
    args.models, args.precisions = args.models.split(","), args.precisions.split(",")
    for name in args.models:
        if name not in models.MODELS:
            parser.error(f"--models: {name}: expected {', '.join(models.MODELS)}")
    return args


def measure(args, path):
    """All rounds; every record is on disk before the next run begins."""
    contestants = [runs.Contestant(runs.OURS, [args.bench]), *args.torch]
    for name in args.models:
        for precision in args.precisions:
            for turn in range(args.rounds):
                for who in contestants[::-1] if turn % 2 else contestants:
                    record = runs.run(who, args.mode, name, models.MODELS[name], precision,
                                      args)
                    record["round"] = turn
                    runs.append(path, record)
                    said = record.get("error") or \
                        f"{record['result']['images_per_second']:.1f} images/s"
                    print(f"{name} {precision} {turn + 1}/{args.rounds} {who.label}: {said}",
                          file=sys.stderr)
                    yield record


def median(values):
    values = [value for value in values if value is not None]
    return statistics.median(values) if values else None


def ratio(ours, theirs, field):
    """Median over the rounds that both finished."""
    return median([ours[turn][field] / theirs[turn][field] for turn in ours
                   if turn in theirs and field in ours[turn] and field in theirs[turn]])


def cell(value, digits, scale=1.0):
    return "-" if value is None else f"{value * scale:.{digits}f}"


def row(model, precision, label, ours, theirs):
    share = median([r.get("ceiling", {}).get("share") for r in ours.values()])
    return [model, precision, label,
            cell(median([r["images_per_second"] for r in ours.values()]), 1),
            cell(median([r["images_per_second"] for r in theirs.values()]), 1),
            cell(ratio(ours, theirs, "images_per_second"), 2),
            cell(share, 1, 100.0),
            cell(ratio(ours, theirs, "peak_mb"), 2),
            cell(ratio(ours, theirs, "peak_without_state_mb"), 2)]


def table(records):
    """Markdown, a row for each model, precision and PyTorch."""
    results = {}
    for record in records:
        if "result" in record:
            key = record["model"], record["precision"]
            runs_of = results.setdefault(key, {}).setdefault(record["who"], {})
            runs_of[record["round"]] = record["result"]
    head = ["model", "precision", "against", "libmae images/s", "PyTorch images/s", "ratio",
            "% of products", "memory", "net memory"]
    rows = [head, ["---"] * len(head)]
    for (model, precision), by in results.items():
        ours = by.pop(runs.OURS, {})
        rows += [row(model, precision, label, ours, by[label]) for label in by]
        if not by:
            rows.append(row(model, precision, "-", ours, {}))
    return "\n".join("| " + " | ".join(cells) + " |" for cells in rows)


def main():
    args = arguments()
    path = runs.output_path(args, f"ab-{args.mode}")
    print(table(list(measure(args, path))))
    print(f"\nrecords: {path}", file=sys.stderr)


if __name__ == "__main__":
    main()
