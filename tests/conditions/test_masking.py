"""A condition follows only the part of a picture that its mask shows."""

import pytest
import torch

from aligner.binders.imagebind.vision import MEAN
from aligner.conditions.encoding import frames_condition, image_condition
from aligner.conditions.masking import masked
from aligner.errors import AlignerError

PIXELS = torch.rand(3, 3, 8, 8, generator=torch.Generator().manual_seed(0))
LEFT = torch.cat([torch.ones(1, 4, 2), torch.zeros(1, 4, 2)], dim=2)
ALL = torch.arange(3)


def test_the_rest_has_the_mean_colour():
    seen = masked(PIXELS, LEFT, ALL, 3, MEAN)
    assert torch.equal(seen[..., :3], PIXELS[..., :3])
    assert torch.allclose(seen[..., 5:], torch.tensor(MEAN).view(3, 1, 1).expand(3, 3, 8, 3))


def test_bytes_are_as_floats():
    in_bytes = (PIXELS * 255).round().to(torch.uint8)
    seen, exact = masked(in_bytes, LEFT, ALL, 3, MEAN), masked(in_bytes / 255, LEFT, ALL, 3, MEAN)
    assert seen.dtype == torch.uint8 and torch.allclose(seen / 255, exact, atol=0.5 / 255 + 1e-6)


def test_every_frame_has_its_own_mask():
    masks = torch.stack([torch.zeros(8, 8), torch.ones(8, 8), torch.zeros(8, 8)])
    assert torch.equal(masked(PIXELS[:1], masks, torch.tensor([1]), 3, MEAN), PIXELS[:1])


def test_one_picture_needs_no_batch_of_masks():
    assert torch.equal(masked(PIXELS, LEFT[0], ALL, 3, MEAN), masked(PIXELS, LEFT, ALL, 3, MEAN))


def test_without_a_mask_it_is_as_it_was():
    assert masked(PIXELS, None, ALL, 3, MEAN) is PIXELS


@pytest.mark.parametrize(
    "mask, message",
    [
        (torch.ones(2, 8, 8), "as many as there are frames"),
        (torch.ones(4, 8, 8), "as many as there are frames"),
        (torch.ones(1, 1, 8, 8), "must be floats of shape"),
        (torch.zeros(1, 8, 8), "is empty"),
        (torch.full((1, 8, 8), float("nan")), "holds NaN"),
        (torch.full((1, 8, 8), 255.0), "A mask lies in 0..1"),
    ],
)
def test_a_mask_that_cannot_be_meant_is_an_error(mask, message):
    with pytest.raises(AlignerError, match=message):
        masked(PIXELS, mask, ALL, 3, MEAN)


def test_what_is_covered_does_not_change_a_condition(binder):
    other = PIXELS.clone()
    other[..., 6:] = 0
    for encode in (
        lambda frames, mask: image_condition(binder, frames[0], mask=mask),
        lambda frames, mask: frames_condition(binder, frames, 3, mask=mask),
    ):
        one, same, free = encode(PIXELS, LEFT), encode(other, LEFT), encode(other, None)
        assert torch.equal(one.embedding.clips, same.embedding.clips)
        assert not torch.allclose(one.embedding.clips, free.embedding.clips)


def test_the_colour_is_the_binders_own(binder):
    assert binder.mean_colour == MEAN
    grey = masked(PIXELS, LEFT, ALL, 3, (0.5, 0.5, 0.5))
    assert torch.equal(grey[..., 5:], torch.full((3, 3, 8, 3), 0.5))
