"""A step whose length does not depend on the gradient's."""

from __future__ import annotations

from collections.abc import Iterable

import torch


class UnitSteps(torch.optim.Optimizer):
    """x <- x - lr * g / rms(g), for each sample of a batch by itself: the step's entries have a root mean square of lr.

    The direction is the gradient's own. Adam's first step has the same length, but is its sign: it moves every entry as
    far, the hundreds that hardly matter too, which is what adversarial examples are made by (arXiv 1412.6572).
    """

    def __init__(self, parameters: Iterable, lr: float = 0.0):
        super().__init__(parameters, {"lr": lr})

    @torch.no_grad()
    def step(self, closure: None = None) -> None:
        for group in self.param_groups:
            for leaf in group["params"]:
                if leaf.grad is not None:
                    size = leaf.grad.flatten(1).square().mean(dim=1).sqrt()
                    # A sample whose gradient vanishes stays where it is.
                    scale = torch.where(size > 0, group["lr"] / size, 0.0)
                    leaf.sub_(leaf.grad * scale.view(-1, *[1] * (leaf.ndim - 1)))
