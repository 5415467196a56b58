"""Initial weights depend on a seed alone."""

from __future__ import annotations

import torch
from torch import nn

from aligner.demo.judge import Judge
from laboratory.training.initialise import initialised


def same(one: nn.Module, other: nn.Module) -> bool:
    return all(torch.equal(a, b) for a, b in zip(one.parameters(), other.parameters(), strict=True))


def test_weights_depend_on_the_seed_and_not_on_the_global_generator():
    torch.manual_seed(1)
    first = initialised(Judge, 5)
    torch.manual_seed(2)
    assert same(first, initialised(Judge, 5))
    assert not same(first, initialised(Judge, 6))


def test_the_global_generator_keeps_its_state():
    before = torch.get_rng_state()
    initialised(lambda: nn.Linear(4, 4), 5)
    assert torch.equal(torch.get_rng_state(), before)


def test_empty_parameters_are_drawn_from_a_normal_distribution():
    directions = initialised(Judge, 5).directions
    assert directions.isfinite().all() and 0.8 < directions.std() < 1.2


def test_all_parameters_require_a_gradient():
    frozen = initialised(lambda: nn.Linear(4, 4).requires_grad_(False), 5)
    assert all(parameter.requires_grad for parameter in frozen.parameters())
