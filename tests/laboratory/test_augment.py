"""Augmentation of frames and sounds in training."""

from __future__ import annotations

import math

import pytest
import torch

from laboratory.training.augment import roughened_frames, roughened_sounds

TONE = 0.5 * torch.sin(2 * math.pi * 200 * torch.arange(8000) / 16000).expand(64, -1)


def test_augmented_frames_stay_in_range_and_similar(development, seeded):
    frames = torch.stack([each.frames for each in development[:8]])
    rough = roughened_frames(frames, seeded)
    assert rough.shape == frames.shape and rough.min() >= 0 and rough.max() <= 1
    changed = (rough - frames).abs().mean(dim=(1, 2, 3, 4))
    assert (changed > 0).all() and changed.max() < 0.15


def test_each_clip_of_a_batch_is_augmented_differently(seeded):
    grey = roughened_frames(torch.full((64, 2, 3, 8, 8), 0.5), seeded)
    brightness, noise = grey.mean(dim=(1, 2, 3, 4)), grey.flatten(1).std(dim=1)
    assert len(brightness.unique()) == 64
    assert 0.42 < brightness.min() < 0.45 and 0.55 < brightness.max() < 0.58
    assert 0.3 < (noise < 1e-6).float().mean() < 0.7


def test_sounds_change_their_level_within_the_range(seeded):
    decibel = 20 * (roughened_sounds(TONE, seeded).std(dim=1) / TONE.std(dim=1)).log10()
    assert -12.5 < decibel.min() < -10 and 2 < decibel.max() < 4.5


@pytest.mark.parametrize("rough, clean", [(roughened_sounds, TONE), (roughened_frames, torch.rand(3, 2, 3, 8, 8))])
def test_the_same_generator_gives_the_same_augmentation(rough, clean):
    first, again, other = (rough(clean, torch.Generator().manual_seed(seed)) for seed in (1, 1, 2))
    assert torch.equal(first, again) and not torch.equal(first, other)
