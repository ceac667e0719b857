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

BUCKET = 1 << 20  # elements of gradients that travel together (src/comm)
MESSAGE = 1e-6    # seconds a message costs its sender, assumed
BACKWARD = 2 / 3  # of the products of a step

PRESETS = {
    "vit_micro": (models.model(32, 4, (128, 4, 4), (64, 2, 4), 0), 0.906e6),
    "vit_small": (models.model(224, 16, (384, 12, 6), (192, 4, 3), 0), 23.7e6),
    "vit_base": (models.model(224, 16, (768, 12, 12), (512, 8, 16), 0), 111.7e6),
    "vit_large": (models.model(224, 16, (1024, 24, 16), (512, 8, 16), 0), 329.2e6),
    "vit_huge": (models.model(224, 14, (1280, 32, 16), (512, 8, 16), 0), 657.0e6),
}

# A node assumed for the table: two ranks, one a socket; the network is shared by them.
NODE = {"ranks": 2, "gflops": 2000.0, "bits": 100e9, "latency": 5e-6}


def step(flops, parameters, ranks, rate, bits, latency, wire):
    """Seconds: (compute, communication, what of it is not hidden behind backward).
    flops of a rank's share, rate FLOP/s and bits/s of a rank."""
    compute = flops / rate
    buckets = -(-parameters // BUCKET)
    payload = 2 * (ranks - 1) / ranks * parameters * (2 if wire == "bf16" else 4)
    rounds = 2 * buckets * (latency + (ranks - 1) * MESSAGE)
    communication = 8 * payload / bits + rounds if ranks > 1 else 0.0
    exposed = max(communication - BACKWARD * compute, communication / buckets)
    return compute, communication, exposed


def one(name, ranks, batch, gflops, gbits, latency_ms, wire="f32"):
    cfg, parameters = PRESETS[name]
    times = step(int(batch) * models.step_flops(cfg), parameters, int(ranks),
                 float(gflops) * 1e9, float(gbits) * 1e9, float(latency_ms) / 1e3, wire)
    print("compute %.4f s, communication %.4f s, exposed %.4f s" % times)
    print("step %.4f s" % (times[0] + times[2]))


def scale():
    nodes = [1, 4, 16, 64, 256, 1024]
    print("| model, images a rank, wire | " + " | ".join(map(str, nodes)) + " |")
    print("|---|" + "---|" * len(nodes))
    for name, batch in [("vit_base", 64), ("vit_base", 2), ("vit_large", 64),
                        ("vit_large", 2), ("vit_huge", 64), ("vit_huge", 2)]:
        cfg, parameters = PRESETS[name]
        for wire in ("f32", "bf16"):
            cells = []
            for n in nodes:
                compute, _, exposed = step(
                    batch * models.step_flops(cfg), parameters, n * NODE["ranks"],
                    NODE["gflops"] * 1e9, NODE["bits"] / NODE["ranks"], NODE["latency"],
                    wire)
                cells.append("%.0f %%" % (100 * compute / (compute + exposed)))
            print(f"| {name}, {batch}, {wire} | " + " | ".join(cells) + " |")


if __name__ == "__main__":
    if len(sys.argv) in (7, 8) and sys.argv[1] in PRESETS:
        one(*sys.argv[1:])
    elif len(sys.argv) == 1:
        scale()
    else:
        sys.exit(__doc__)
