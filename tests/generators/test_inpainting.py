"""A part made anew, the rest kept."""

import pytest
import torch

from aligner.binders.imagebind.encode import embed_text
from aligner.conditions.condition import Condition
from aligner.errors import AlignerError
from aligner.generation import generate
from aligner.generators.inpainting import Inpainting
from aligner.generators.joint import JointDenoiser
from aligner.guidance.rule import Guidance

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


def _run(denoiser, clean, **settings):
    return generate(denoiser, denoiser.prompts(["a dog"]), seed=1, latents=clean, **settings)


@pytest.mark.parametrize(
    "settings",
    [
        None,
        {"rule": "released", "start": 0.0},
        {"rule": "paper", "rates": {"audio": 9.0}, "start": 0.0},
        {"candidates": {"audio": 3}},
    ],
    ids=["plain", "released", "paper", "search"],
)
def test_what_is_kept_stays_to_the_bit(denoiser, binder, clean, mask, settings):
    steering = (
        {}
        if settings is None
        else {
            "guidance": Guidance(**settings),
            "binder": binder,
            "conditions": [Condition(embed_text(binder, ["rain"]))],
        }
    )
    made = _run(Inpainting(denoiser, {"audio": mask}), clean, **steering).latents["audio"]
    half = made.shape[2] // 2
    assert torch.equal(made[:, :, :half], clean["audio"][:, :, :half])
    assert (made[:, :, half:] - clean["audio"][:, :, half:]).abs().mean() > 0.1


def test_an_open_mask_is_no_mask(denoiser, clean, mask):
    plain = _run(denoiser, clean).latents["audio"]
    assert torch.equal(_run(Inpainting(denoiser, {"audio": torch.ones_like(mask)}), clean).latents["audio"], plain)


def test_the_rest_is_made_to_fit_what_is_kept(denoiser, clean, mask):
    other = {"audio": -clean["audio"]}
    inpainted = [_run(Inpainting(denoiser, {"audio": mask}), each).latents["audio"] for each in (clean, other)]
    half = mask.shape[2] // 2
    assert not torch.equal(*(latents[:, :, half:] for latents in inpainted))


def test_half_a_mask_blends(denoiser, clean, mask):
    made, plain = (
        _run(each, clean).latents["audio"]
        for each in (Inpainting(denoiser, {"audio": torch.full_like(mask, 0.5)}), denoiser)
    )
    assert (made - clean["audio"]).abs().mean() < (plain - clean["audio"]).abs().mean()


def test_a_denoiser_can_be_used_again(denoiser, clean, mask):
    inpainting, other = Inpainting(denoiser, {"audio": mask}), {"audio": clean["audio"] + 1}
    _run(inpainting, clean)
    half = mask.shape[2] // 2
    assert torch.equal(_run(inpainting, other).latents["audio"][:, :, :half], other["audio"][:, :, :half])


def test_one_of_several_streams(denoiser, animatediff, clean, mask):
    video = animatediff.denoiser(frames=3, height=64, width=64, fps=5, steps=STEPS)
    made = _run(JointDenoiser([video, Inpainting(denoiser, {"audio": mask})]), clean).latents
    half = mask.shape[2] // 2
    assert torch.equal(made["audio"][:, :, :half], clean["audio"][:, :, :half])


def test_a_mask_needs_something_to_keep(denoiser, mask):
    with pytest.raises(AlignerError, match="no audio latent is connected"):
        _run(Inpainting(denoiser, {"audio": mask}), None)
