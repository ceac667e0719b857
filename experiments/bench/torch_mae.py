"""What a user would run instead: the published masked autoencoder in PyTorch.

Plain nn modules with the architecture, loss and optimiser of He et al. 2021
(arXiv:2111.06377): pre-norm ViT encoder over the visible patches, light decoder over all of
them, mean squared error on hidden patches, AdamW. Input is one random batch in memory, so
only computing is measured. Prints one JSON line.

    python3 torch_mae.py --model vit_base --precision bf16 [key=value ...]

By default the newest that this PyTorch offers is used: fused attention (2.0), fused AdamW on
the processor (2.4).
"""

import argparse
import contextlib
import inspect
import json
import os
import statistics
import time

import torch
from torch import nn
from torch.nn import functional

import models


def vm_kb(field):
    """A field of /proc/self/status in kB, e.g. VmHWM."""
    with open("/proc/self/status", encoding="ascii") as status:
        return next(int(line.split()[1]) for line in status if line.startswith(field + ":"))


IMPORTED_KB = vm_kb("VmHWM")


class Attention(nn.Module):
    def __init__(self, width, heads, fused):
        super().__init__()
        self.heads, self.fused = heads, fused
        self.qkv = nn.Linear(width, 3 * width)
        self.proj = nn.Linear(width, width)

    def forward(self, x):
        batch, tokens, width = x.shape
        qkv = self.qkv(x).reshape(batch, tokens, 3, self.heads, width // self.heads)
        query, key, value = qkv.permute(2, 0, 3, 1, 4).unbind(0)
        if self.fused:
            mixed = functional.scaled_dot_product_attention(query, key, value)
        else:
            scores = (query @ key.transpose(-2, -1)) * query.shape[-1] ** -0.5
            mixed = scores.softmax(dim=-1) @ value
        return self.proj(mixed.transpose(1, 2).reshape(batch, tokens, width))


class Block(nn.Module):
    def __init__(self, width, heads, mlp_ratio, fused):
        super().__init__()
        hidden = int(width * mlp_ratio)
        self.norm1 = nn.LayerNorm(width, eps=1e-6)
        self.attn = Attention(width, heads, fused)
        self.norm2 = nn.LayerNorm(width, eps=1e-6)
        self.mlp = nn.Sequential(nn.Linear(width, hidden), nn.GELU(), nn.Linear(hidden, width))

    def forward(self, x):
        x = x + self.attn(self.norm1(x))
        return x + self.mlp(self.norm2(x))


def blocks_of(cfg, prefix, fused):
    width = cfg[f"model.{prefix}embed_dim"]
    return nn.ModuleList(
        Block(width, cfg[f"model.{prefix}num_heads"], cfg["model.mlp_ratio"], fused)
        for _ in range(cfg[f"model.{prefix}depth"]))


class MaskedAutoencoder(nn.Module):
    """Positions are fixed numbers; random ones cost the same as sines."""

    def __init__(self, cfg, fused):
        super().__init__()
        width, narrow = cfg["model.embed_dim"], cfg["model.decoder_embed_dim"]
        self.patch, self.channels = cfg["model.patch_size"], cfg["model.in_chans"]
        self.count, self.visible = models.patches(cfg)
        self.norm_pix = cfg["model.norm_pix_loss"] == "true"
        self.patch_embed = nn.Conv2d(self.channels, width, self.patch, self.patch)
        self.cls_token = nn.Parameter(0.02 * torch.randn(1, 1, width))
        self.register_buffer("positions", torch.randn(1, 1 + self.count, width))
        self.blocks = blocks_of(cfg, "", fused)
        self.norm = nn.LayerNorm(width, eps=1e-6)
        self.decoder_embed = nn.Linear(width, narrow)
        self.mask_token = nn.Parameter(0.02 * torch.randn(1, 1, narrow))
        self.register_buffer("decoder_positions", torch.randn(1, 1 + self.count, narrow))
        self.decoder_blocks = blocks_of(cfg, "decoder_", fused)
        self.decoder_norm = nn.LayerNorm(narrow, eps=1e-6)
        self.decoder_pred = nn.Linear(narrow, models.patch_values(cfg))

    def encode(self, images, keep=None):
        """Features [B,1+V,D] of the patches keep [B,V], or of all."""
        x = self.patch_embed(images).flatten(2).transpose(1, 2) + self.positions[:, 1:]
        if keep is not None:
            x = x.gather(1, keep.unsqueeze(-1).expand(-1, -1, x.shape[-1]))
        cls = (self.cls_token + self.positions[:, :1]).expand(len(x), -1, -1)
        x = torch.cat([cls, x], dim=1)
        for block in self.blocks:
            x = block(x)
        return self.norm(x)

    def decode(self, latent, restore):
        """Prediction [B,L,P] of every patch; restore [B,L] is each patch's rank."""
        x = self.decoder_embed(latent)
        hidden = self.mask_token.expand(len(x), self.count - self.visible, -1).to(x.dtype)
        patches = torch.cat([x[:, 1:], hidden], dim=1)
        patches = patches.gather(1, restore.unsqueeze(-1).expand(-1, -1, x.shape[-1]))
        x = torch.cat([x[:, :1], patches], dim=1) + self.decoder_positions
        for block in self.decoder_blocks:
            x = block(x)
        return self.decoder_pred(self.decoder_norm(x))[:, 1:]

    def target(self, images):
        """Pixels [B,L,P] of every patch, normalised on request."""
        side = images.shape[-1] // self.patch
        x = images.reshape(len(images), self.channels, side, self.patch, side, self.patch)
        x = x.permute(0, 2, 4, 3, 5, 1).reshape(len(images), self.count, -1)
        if self.norm_pix:
            x = (x - x.mean(-1, keepdim=True)) / (x.var(-1, keepdim=True) + 1e-6).sqrt()
        return x

    def forward(self, images):
        """The loss with a fresh random mask."""
        shuffled = torch.rand(len(images), self.count).argsort(dim=1)
        restore = shuffled.argsort(dim=1)
        latent = self.encode(images, shuffled[:, :self.visible])
        error = (self.decode(latent, restore) - self.target(images)) ** 2
        hidden = (restore >= self.visible).to(error.dtype)
        return (error.mean(dim=-1) * hidden).sum() / hidden.sum()


def adamw(net, fused):
    """Decay for tensors with two or more dimensions."""
    trained = [p for p in net.parameters() if p.requires_grad]
    groups = [{"params": [p for p in trained if p.ndim >= 2], "weight_decay": 0.05},
              {"params": [p for p in trained if p.ndim < 2], "weight_decay": 0.0}]
    options = {"fused": True} if fused else {}
    return torch.optim.AdamW(groups, lr=1.5e-4, betas=(0.9, 0.95), **options)


def trainer(net, args, images):
    """A function that does one training step."""
    optimiser = adamw(net, args.adamw == "fused")
    run = torch.compile(net) if args.compile else net

    def step():
        with precision(args):
            loss = run(images)
        loss.backward()
        optimiser.step()
        optimiser.zero_grad(set_to_none=True)

    return step


def embedder(net, args, images):
    """A function that computes the features of one batch."""
    net.eval()
    encode = torch.compile(net.encode) if args.compile else net.encode

    def embed():
        with torch.no_grad(), precision(args):
            encode(images)

    return embed


def precision(args):
    if args.precision == "bf16":
        return torch.autocast("cpu", dtype=torch.bfloat16)
    return contextlib.nullcontext()


def measure(work, warmup, steps):
    """Seconds of each of `steps` calls, after `warmup` others."""
    seconds = []
    for _ in range(warmup + steps):
        started = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - started)
    return seconds[warmup:]


def report(args, cfg, net, seconds):
    batch, median = cfg["train.batch_size"], statistics.median(seconds)
    per_image = (models.step_flops(cfg, all_rows=True) if args.mode == "step"
                 else models.embed_flops(cfg))
    trained = sum(p.numel() for p in net.parameters())
    state = trained * (16 if args.mode == "step" else 4)  # weights; gradients, two moments
    peak_mb = vm_kb("VmHWM") * 1024 / 1e6
    return {
        "benchmark": args.mode, "model": args.model, "torch": torch.__version__,
        "attention": args.attention, "adamw": args.adamw, "compile": args.compile,
        "precision": args.precision, "threads": torch.get_num_threads(), "batch": batch,
        "parameters": trained, "steps": len(seconds),
        "seconds": {"median": median, "min": min(seconds), "max": max(seconds)},
        "images_per_second": batch / median,
        "gflop_per_image": per_image / 1e9, "gflops": per_image * batch / median / 1e9,
        "peak_mb": peak_mb, "peak_without_state_mb": peak_mb - state / 1e6,
        "import_mb": IMPORTED_KB * 1024 / 1e6,
    }


def arguments():
    has_fused_adamw = "fused" in inspect.signature(torch.optim.AdamW).parameters and \
        tuple(map(int, torch.__version__.split(".")[:2])) >= (2, 4)
    has_fused_attention = hasattr(functional, "scaled_dot_product_attention")
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--model", choices=models.MODELS, default="tiny32p4")
    parser.add_argument("--mode", choices=["step", "embed"], default="step")
    parser.add_argument("--precision", choices=["f32", "bf16"], default="f32")
    parser.add_argument("--attention", choices=["plain", "fused"],
                        default="fused" if has_fused_attention else "plain")
    parser.add_argument("--adamw", choices=["plain", "fused"],
                        default="fused" if has_fused_adamw else "plain")
    parser.add_argument("--compile", action="store_true", help="torch.compile (2.0 or newer)")
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--steps", type=int, default=10, help="measured (default: 10)")
    parser.add_argument("--warmup", type=int, default=2, help="not measured (default: 2)")
    parser.add_argument("overrides", nargs="*", metavar="key=value",
                        help="of the model, e.g. train.batch_size=16")
    return parser.parse_args()


def main():
    args = arguments()
    cfg = models.with_overrides(models.MODELS[args.model], args.overrides)
    torch.set_num_threads(args.threads)
    torch.manual_seed(0)
    net = MaskedAutoencoder(cfg, args.attention == "fused")
    size = cfg["model.img_size"]
    images = torch.randn(cfg["train.batch_size"], cfg["model.in_chans"], size, size)
    work = (trainer if args.mode == "step" else embedder)(net, args, images)
    seconds = measure(work, args.warmup, args.steps)
    print(json.dumps(report(args, cfg, net, seconds)))


if __name__ == "__main__":
    main()
