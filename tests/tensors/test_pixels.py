"""Pixels as numbers in 0..1."""

import torch

from aligner.tensors.pixels import unit_range


def test_bytes_and_floats_mean_the_same_pixels(seeded):
    pixels = torch.randint(0, 256, (3, 30, 40), generator=seeded, dtype=torch.uint8)
    assert torch.equal(unit_range(pixels), pixels / 255)
    assert unit_range(pixels.half() / 255).dtype == torch.float32
    assert torch.equal(unit_range(pixels.double() / 255), pixels.double() / 255)
