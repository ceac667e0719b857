"""The models that are measured, and how many operations they take.

A model is a dictionary of configuration keys, the same that mae-bench takes as
`key=value`, so both sides are given the same numbers. `python3 models.py` prints sizes.
"""

COMMON = {"model.mlp_ratio": 4, "model.in_chans": 3, "mask.ratio": 0.75,
          "model.norm_pix_loss": "true"}


def model(image, patch, encoder, decoder, batch):
    """encoder and decoder: (width, blocks, heads)."""
    return {**COMMON, "model.img_size": image, "model.patch_size": patch,
            "model.embed_dim": encoder[0], "model.depth": encoder[1],
            "model.num_heads": encoder[2], "model.decoder_embed_dim": decoder[0],
            "model.decoder_depth": decoder[1], "model.decoder_num_heads": decoder[2],
            "train.batch_size": batch}


MODELS = {
    "tiny32p4": model(32, 4, (192, 6, 3), (128, 2, 4), 128),
    "tiny32p2": model(32, 2, (192, 12, 3), (192, 4, 3), 32),
    "vit_small": model(224, 16, (384, 12, 6), (192, 4, 3), 16),
    "vit_base": model(224, 16, (768, 12, 12), (512, 8, 16), 8),
}


def patches(cfg):
    """All patches of an image, and the visible ones."""
    count = (cfg["model.img_size"] // cfg["model.patch_size"]) ** 2
    return count, int(count * (1.0 - cfg["mask.ratio"]))


def patch_values(cfg):
    return cfg["model.in_chans"] * cfg["model.patch_size"] ** 2


def blocks_flops(tokens, width, depth, mlp_ratio):
    """Products of `depth` blocks: qkv, proj and MLP, then scores and weighted sums."""
    linear = 2 * tokens * width * (4 * width + 2 * int(width * mlp_ratio))
    return depth * (linear + 2 * 2 * tokens * tokens * width)


def encoder_flops(cfg, seen):
    """Forward pass of the encoder over `seen` patches of one image."""
    width = cfg["model.embed_dim"]
    return 2 * seen * patch_values(cfg) * width + blocks_flops(
        1 + seen, width, cfg["model.depth"], cfg["model.mlp_ratio"])


def step_flops(cfg, all_rows=False):
    """A training step per image: multiply-adds of products as two, backward twice
    forward, nothing else; patches that are hidden cost the encoder nothing, and those
    that are not cost the decoder's last MLP and the prediction nothing, unless
    `all_rows` are computed, as PyTorch does."""
    count, seen = patches(cfg)
    width, narrow = cfg["model.embed_dim"], cfg["model.decoder_embed_dim"]
    unread = 0 if all_rows or cfg["model.decoder_depth"] == 0 else 1 + seen
    decoder = 2 * (1 + seen) * width * narrow
    decoder += 2 * (1 + count - unread) * narrow * patch_values(cfg)
    decoder += blocks_flops(1 + count, narrow, cfg["model.decoder_depth"],
                            cfg["model.mlp_ratio"])
    decoder -= 2 * unread * narrow * 2 * int(narrow * cfg["model.mlp_ratio"])
    return 3 * (encoder_flops(cfg, seen) + decoder)


def embed_flops(cfg):
    """Inference of the encoder without a mask, per image."""
    return encoder_flops(cfg, patches(cfg)[0])


def with_overrides(cfg, overrides):
    """`key=value` texts on top of a model; only its own keys are known."""
    changed = dict(cfg)
    for text in overrides:
        key, _, value = text.partition("=")
        if key not in cfg:
            raise SystemExit(f"{key}: expected one of {', '.join(sorted(cfg))}")
        changed[key] = type(cfg[key])(value)
    return changed


def as_overrides(cfg):
    return [f"{key}={value}" for key, value in cfg.items()]


if __name__ == "__main__":
    for name, cfg in MODELS.items():
        print(f"{name:10} {step_flops(cfg) / 1e9:8.3f} GFLOP a step and image, "
              f"{embed_flops(cfg) / 1e9:7.3f} to embed one")
