"""Pixels to vision input, against torchvision and a plain reading of the upstream recipes."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F
from PIL import Image
from torchvision import transforms

from aligner.binders.imagebind.vision import (
    MEAN,
    STD,
    clip_input,
    image_input,
)
from aligner.tensors.pixels import unit_range

SIZES = [(480, 640), (641, 333), (100, 37), (224, 224), (225, 224), (97, 300), (1, 7), (9, 1), (1, 1)]
normalise = transforms.Normalize(MEAN, STD)


def picture(height: int, width: int) -> torch.Tensor:
    """(3, H, W) uint8: smooth colours with an edge."""
    rows = torch.linspace(0, 1, height)[:, None].expand(height, width)
    columns = torch.linspace(0, 1, width)[None].expand(height, width)
    channels = torch.stack([rows, columns, (rows + columns > 0.9).float()])
    return (255 * channels).round().byte()


def video(height: int, width: int, frames: int = 2) -> torch.Tensor:
    """(3, T, H, W) in 0..1."""
    return torch.rand(3, frames, height, width, generator=torch.Generator().manual_seed(height))


def short_side_scaled(clip: torch.Tensor) -> torch.Tensor:
    """pytorchvideo's ShortSideScale(224): (3, T, H, W), no antialiasing."""
    height, width = clip.shape[-2:]
    size = (math.floor(height / width * 224), 224) if width < height else (224, math.floor(width / height * 224))
    return F.interpolate(clip, size=size, mode="bilinear", align_corners=False)


def normalised(clip: torch.Tensor) -> torch.Tensor:
    return normalise(clip.transpose(0, 1)).transpose(0, 1)


@pytest.mark.parametrize("size", SIZES)
def test_pictures_equal_upstream_but_for_pil_rounding(size):
    pixels = picture(*size)
    recipe = transforms.Compose(
        [
            transforms.Resize(224, interpolation=transforms.InterpolationMode.BICUBIC),
            transforms.CenterCrop(224),
            transforms.ToTensor(),
            normalise,
        ]
    )
    expected = recipe(Image.fromarray(pixels.permute(1, 2, 0).numpy()))
    actual = image_input(unit_range(pixels[None]))
    assert actual.shape == (1, 3, 1, 224, 224)
    difference = (actual[0, :, 0] - expected).abs() * torch.tensor(STD)[:, None, None] * 255
    assert difference.max() < 3 and difference.mean() < 0.5


@pytest.mark.parametrize("size", SIZES)
def test_squashed_clips_equal_the_released_recipe(size):
    clip = video(*size)
    expected = transforms.Resize((224, 224))(normalised(short_side_scaled(clip)))
    actual = clip_input(clip[None], "squash")
    assert actual.shape == (1, 1, 3, 2, 224, 224)
    torch.testing.assert_close(actual[0, 0], expected, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize(
    "size, offsets",
    [((224, 300), [(0, 0), (0, 38), (0, 76)]), ((301, 224), [(0, 0), (39, 0), (77, 0)]), ((448, 448), [(0, 0)] * 3)],
)
def test_three_crops_lie_at_start_middle_and_end_of_the_long_side(size, offsets):
    clip = video(*size)
    scaled = normalised(short_side_scaled(clip))
    expected = [scaled[..., top : top + 224, left : left + 224] for top, left in offsets]
    actual = clip_input(clip[None], "three")
    assert actual.shape == (1, 3, 3, 2, 224, 224)
    torch.testing.assert_close(actual[0], torch.stack(expected), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("crops, count", [("squash", 1), ("three", 3)])
def test_a_batch_of_clips_equals_its_clips_alone(crops, count):
    clips = torch.stack([video(60, 80), 1 - video(60, 80)])
    alone = torch.cat([clip_input(clip[None], crops) for clip in clips])
    assert alone.shape == (2, count, 3, 2, 224, 224)
    torch.testing.assert_close(clip_input(clips, crops), alone)


@pytest.mark.parametrize("size", [(1, 5000), (5000, 1)])
def test_strips_stay_small_in_memory(size):
    """Scaled up whole, this clip would take 6 GB."""
    assert clip_input(torch.rand(1, 3, 2, *size), "squash").shape == (1, 1, 3, 2, 224, 224)
    assert clip_input(torch.rand(1, 3, 2, *size), "three").shape == (1, 3, 3, 2, 224, 224)


@pytest.mark.parametrize(
    "transform",
    [image_input, lambda x: clip_input(x.unsqueeze(2), "squash"), lambda x: clip_input(x.unsqueeze(2), "three")],
    ids=["image", "squash", "three"],
)
def test_gradients_are_the_slopes(transform):
    pixels = (
        0.2 + 0.6 * torch.rand(1, 3, 5, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    ).requires_grad_()
    assert torch.autograd.gradcheck(transform, pixels, fast_mode=True)
