#!/usr/bin/env python3
"""How long a step of several ranks takes: a model, explained in README.md beside this.

  python3 model.py                      efficiency over nodes, with the assumptions below
  python3 model.py MODEL RANKS BATCH GFLOPS GBITS LATENCY_MS [f32|bf16]
                                        one step: BATCH images a rank, GFLOP/s a rank
"""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "bench"))
import models  # noqa: E402

BUCKET = 1 << 18  # elements of gradients that travel together, at least (src/comm)
PART = 1 << 12    # of these for each rank, at least
MESSAGE = 1e-6    # seconds a message costs its sender, assumed
SHARE = 0.65      # of a link's rate that sums reach, as measured: README.md
BACKWARD = 2 / 3  # of the products of a step
BATCH = 4096      # images a step of the published recipe

PRESETS = {
    "vit_micro": (models.model(32, 4, (128, 4, 4), (64, 2, 4), 0), 911280),
    "vit_small": (models.model(224, 16, (384, 12, 6), (192, 4, 3), 0), 23592192),
    "vit_base": (models.model(224, 16, (768, 12, 12), (512, 8, 16), 0), 111655680),
    "vit_large": (models.model(224, 16, (1024, 24, 16), (512, 8, 16), 0), 329239296),
    "vit_huge": (models.model(224, 14, (1280, 32, 16), (512, 8, 16), 0), 656613964),
}

# A node assumed for the table: two ranks, one a socket; the network is shared by them.
NODE = {"ranks": 2, "gflops": 2000.0, "bits": 100e9, "latency": 5e-6}


def step(flops, parameters, ranks, rate, bits, latency, wire):
    """Seconds: (compute, communication, what of it is not hidden behind backward).
    flops of a rank's share, rate FLOP/s and bits/s of a rank."""
    compute = flops / rate
    buckets = -(-parameters // max(BUCKET, ranks * PART))
    payload = 2 * (ranks - 1) / ranks * parameters * (2 if wire == "bf16" else 4)
    rounds = 2 * buckets * (latency + (ranks - 1) * MESSAGE)
    communication = 8 * payload / (SHARE * bits) + rounds if ranks > 1 else 0.0
    exposed = max(communication - BACKWARD * compute, communication / buckets)
    return compute, communication, exposed


def one(name, ranks, batch, gflops, gbits, latency_ms, wire="f32"):
    cfg, parameters = PRESETS[name]
    times = step(int(batch) * models.step_flops(cfg), parameters, int(ranks),
                 float(gflops) * 1e9, float(gbits) * 1e9, float(latency_ms) / 1e3, wire)
    print("compute %.4f s, communication %.4f s, exposed %.4f s" % times)
    print("step %.4f s" % (times[0] + times[2]))


def on_node(name, nodes, images, wire):
    """The same on nodes as assumed; images a rank."""
    cfg, parameters = PRESETS[name]
    return step(images * models.step_flops(cfg), parameters, nodes * NODE["ranks"],
                NODE["gflops"] * 1e9, NODE["bits"] / NODE["ranks"], NODE["latency"], wire)


def efficiency(name, nodes, images, wire):
    compute, _, exposed = on_node(name, nodes, images, wire)
    return compute / (compute + exposed)


def hides(name, nodes, wire):
    """Images a rank from which communication is behind backward."""
    return next(i for i in range(1, BATCH) if on_node(name, nodes, i, wire)[1] <=
                BACKWARD * on_node(name, nodes, i, wire)[0])


def scale():
    nodes = [2 ** i for i in range(0, 11)]
    print("Efficiency over nodes, %d images a step in all; images a rank from which the sums "
          "hide behind backward on 16 and on 1024 nodes" % BATCH)
    print("| model, wire | " + " | ".join(map(str, nodes)) + " | hides: 16 | 1024 |")
    print("|---|" + "---|" * (len(nodes) + 2))
    for name in ("vit_base", "vit_large", "vit_huge"):
        for wire in ("f32", "bf16"):
            cells = ["%.0f" % (100 * efficiency(name, n, BATCH / n / NODE["ranks"], wire))
                     for n in nodes]
            cells += [str(hides(name, n, wire)) for n in (16, 1024)]
            print(f"| {name}, {wire} | " + " | ".join(cells) + " |")


if __name__ == "__main__":
    if len(sys.argv) in (7, 8) and sys.argv[1] in PRESETS:
        one(*sys.argv[1:])
    elif len(sys.argv) == 1:
        scale()
    else:
        sys.exit(__doc__)
