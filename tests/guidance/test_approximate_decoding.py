"""The cosine between the gradients of exact and approximate decoding, against cases whose answer is known."""

from fractions import Fraction

import pytest
import torch

from aligner.errors import AlignerError
from aligner.generators.signals import LatentFrames
from aligner.guidance.approximate_decoding import gradient_cosine


def _frames(decode_approximately, seeded):
    return LatentFrames(
        torch.randn(2, 4, 3, 8, 8, generator=seeded), Fraction(8), lambda latents: latents, decode_approximately
    )


def _loss(frames):
    """Looks at two frames of three, and weighs what it sees by its place."""
    seen = frames.decode_approximately(frames.latents[:, :, :2])
    return (seen * torch.linspace(1, 2, seen[0].numel()).view(seen[0].shape)).flatten(1).sum(1)


def test_the_same_decoder_has_the_same_gradient(seeded):
    cosine = gradient_cosine(_frames(lambda latents: 3 * latents, seeded), _loss)
    torch.testing.assert_close(cosine, torch.ones(2, dtype=torch.float64))


def test_each_sample_has_its_own_cosine(seeded):
    turned = torch.tensor([1.0, -1.0]).view(2, 1, 1, 1, 1)
    cosine = gradient_cosine(_frames(lambda latents: latents * turned, seeded), _loss)
    torch.testing.assert_close(cosine, torch.tensor([1.0, -1.0], dtype=torch.float64))


def test_gradients_too_small_to_square_still_have_a_direction(seeded):
    cosine = gradient_cosine(_frames(lambda latents: 1e-30 * latents, seeded), _loss)
    torch.testing.assert_close(cosine, torch.ones(2, dtype=torch.float64))


@pytest.mark.parametrize("factor", [0.0, float("nan")])
def test_without_a_direction_there_is_nothing_to_compare(seeded, factor):
    with pytest.raises(AlignerError, match="zero or not finite"):
        gradient_cosine(_frames(lambda latents: factor * latents, seeded), _loss)
