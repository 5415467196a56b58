"""Steps of a given length, whatever the gradient's."""

import pytest
import torch

from aligner.optimisers import UnitSteps

RATE = 0.3
#: A prompt embedding, a latent of sound, one of video: as many ranks as there are in a run.
SHAPES = [(3, 7), (3, 8, 5, 4), (3, 4, 6, 3, 2)]


def _moved(*gradients, rate=RATE):
    """Where a step against these gradients leads from 0."""
    leaves = [torch.zeros_like(gradient, requires_grad=True) for gradient in gradients]
    for leaf, gradient in zip(leaves, gradients):
        leaf.grad = gradient.clone()
    UnitSteps(leaves, lr=rate).step()
    return [leaf.detach() for leaf in leaves]


def _rms(x):
    return x.flatten(1).square().mean(dim=1).sqrt()


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("size", [1e-12, 1.0, 1e12])
def test_every_sample_moves_as_far_as_the_rate_says(shape, size, seeded):
    sizes = size * torch.tensor([1.0, 10.0, 100.0]).view(3, *[1] * (len(shape) - 1))
    gradient = sizes * torch.randn(shape, generator=seeded)
    moved, = _moved(gradient)
    torch.testing.assert_close(_rms(moved), torch.full((3,), RATE))


def test_the_direction_is_the_gradients_own(seeded):
    gradient = torch.randn(3, 8, 5, generator=seeded)
    moved, = _moved(gradient)
    cosines = torch.cosine_similarity(moved.flatten(1), gradient.flatten(1))
    torch.testing.assert_close(cosines, torch.full((3,), -1.0))


def test_a_sample_without_gradient_stays_and_the_others_do_not_mind(seeded):
    gradient = torch.randn(3, 8, generator=seeded)
    gradient[1] = 0
    moved, = _moved(gradient)
    assert not moved[1].any()
    torch.testing.assert_close(_rms(moved)[[0, 2]], torch.full((2,), RATE))


def test_a_sample_moves_as_it_would_alone(seeded):
    gradient = torch.randn(3, 4, 6, generator=seeded)
    together, = _moved(gradient)
    for k in range(3):
        alone, = _moved(gradient[k:k + 1])
        assert torch.equal(alone[0], together[k])


def test_tensors_of_different_ranks_take_a_step_each(seeded):
    gradients = [size * torch.randn(shape, generator=seeded) for size, shape in zip((1, 50, 1e-6), SHAPES)]
    for moved, gradient in zip(_moved(*gradients), gradients):
        alone, = _moved(gradient)
        assert torch.equal(moved, alone)


def test_every_group_has_its_rate_and_what_has_no_gradient_stays(seeded):
    near, far, still = (torch.zeros(2, 9, requires_grad=True) for _ in range(3))
    near.grad, far.grad = torch.randn(2, 9, generator=seeded), torch.randn(2, 9, generator=seeded)
    UnitSteps([{"params": [near], "lr": 0.1}, {"params": [far, still], "lr": 2.0}]).step()
    torch.testing.assert_close(_rms(near), torch.full((2,), 0.1))
    torch.testing.assert_close(_rms(far), torch.full((2,), 2.0))
    assert not still.any()


def test_without_a_rate_nothing_moves(seeded):
    moved, = _moved(torch.randn(2, 5, generator=seeded), rate=0.0)
    assert not moved.any()
