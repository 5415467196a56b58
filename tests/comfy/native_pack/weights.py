"""Random weights."""

from __future__ import annotations

import torch


def randomised(module: torch.nn.Module, seed: int) -> torch.nn.Module:
    """Give layers random weights that keep the scale of what passes. The global generator stays as it is."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, weight in module.named_parameters():
            part = name.rpartition(".")[2]
            if part == "gamma" or (weight.ndim == 1 and part in ("weight", "scale")):
                weight.fill_(1)  # of a norm
            elif part in ("bias", "alpha", "beta"):  # the last two are logarithms
                weight.zero_()
            elif part == "original0":  # the norm of a weight; below 1, because Oobleck adds up many layers
                weight.fill_(0.7)
            else:
                weight.normal_(0, weight[0].numel() ** -0.5, generator=generator)
        for name, buffer in module.named_buffers():
            for ending, values in LEFT_EMPTY.items():
                if name.endswith(ending):
                    buffer.copy_(values(len(buffer)))
    return module


#: The ends of names of buffers that core leaves empty for a file to fill, and what fills a length here.
LEFT_EMPTY = {
    "std-of-means": torch.ones,
    "mean-of-means": torch.zeros,
    "rotary_pos_emb.inv_freq": lambda length: torch.logspace(0, -4, length),
}
