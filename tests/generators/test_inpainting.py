"""A part made anew, the rest kept."""

import pytest
import torch

from aligner.errors import AlignerError
from aligner.generation import generate
from aligner.generators.joint import JointDenoiser
from aligner.guidance.gradient import Paper, Released
from aligner.guidance.rule import Unguided
from aligner.guidance.search import Search

STEPS = 4


@pytest.fixture
def denoiser(audioldm):
    return audioldm.denoiser(seconds=0.6, steps=STEPS)


@pytest.fixture
def clean(denoiser):
    return {"audio": 0.5 * torch.randn(1, *denoiser.shape, generator=torch.Generator().manual_seed(9))}


@pytest.fixture
def mask(denoiser):
    """The second half of the time is made anew."""
    times = denoiser.shape[1]
    return (torch.arange(times) >= times // 2).float().view(1, 1, -1, 1)


def _run(denoiser, clean, mask=None, rule=None, **settings):
    masks = None if mask is None else {"audio": mask}
    prompts = denoiser.prompts(["a dog"])
    return generate(denoiser, prompts, seed=1, latents=clean, masks=masks, rule=rule or Unguided(), **settings)


@pytest.mark.parametrize(
    "rule",
    [
        Unguided(),
        Released(start=0.0),
        Paper(rates={"audio": 9.0}, start=0.0),
        Search(candidates={"audio": 3}),
        Search(candidates={"audio": 3}, then=Released(start=0.0)),
    ],
    ids=["unguided", "released", "paper", "search", "search then released"],
)
def test_what_is_kept_stays_to_the_bit(denoiser, binder, text_condition, clean, mask, rule):
    made = _run(denoiser, clean, mask, rule, binder=binder, conditions=[text_condition]).latents["audio"]
    half = made.shape[2] // 2
    assert torch.equal(made[:, :, :half], clean["audio"][:, :, :half])
    assert (made[:, :, half:] - clean["audio"][:, :, half:]).abs().mean() > 0.1


def test_an_open_mask_is_no_mask(denoiser, clean, mask):
    plain = _run(denoiser, clean).latents["audio"]
    assert torch.equal(_run(denoiser, clean, torch.ones_like(mask)).latents["audio"], plain)


def test_the_rest_is_made_to_fit_what_is_kept(denoiser, clean, mask):
    other = {"audio": -clean["audio"]}
    inpainted = [_run(denoiser, each, mask).latents["audio"] for each in (clean, other)]
    half = mask.shape[2] // 2
    assert not torch.equal(*(latents[:, :, half:] for latents in inpainted))


def test_half_a_mask_blends(denoiser, clean, mask):
    made, plain = (_run(denoiser, clean, each).latents["audio"] for each in (torch.full_like(mask, 0.5), None))
    assert (made - clean["audio"]).abs().mean() < (plain - clean["audio"]).abs().mean()


def test_a_denoiser_can_be_used_again(denoiser, clean, mask):
    other, half = {"audio": clean["audio"] + 1}, mask.shape[2] // 2
    first = _run(denoiser, clean, mask).latents["audio"]
    assert torch.equal(_run(denoiser, other, mask).latents["audio"][:, :, :half], other["audio"][:, :, :half])
    assert torch.equal(_run(denoiser, clean, mask).latents["audio"], first)


def test_one_of_several_streams(denoiser, animatediff, clean, mask):
    video = animatediff.denoiser(frames=3, height=64, width=64, fps=5, steps=STEPS)
    made = _run(JointDenoiser([video, denoiser]), clean, mask).latents
    half = mask.shape[2] // 2
    assert torch.equal(made["audio"][:, :, :half], clean["audio"][:, :, :half])


def test_a_mask_needs_something_to_keep(denoiser, mask):
    with pytest.raises(AlignerError, match="no audio latent is connected"):
        _run(denoiser, None, mask)
