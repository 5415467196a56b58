"""Splicing takes each segment of the latents from another candidate."""

import pytest
import torch

from aligner.generators.inpainting import Inpainting
from aligner.generators.joint import JointDenoiser
from aligner.guidance.rule import State
from aligner.guidance.splicing import spliced

STEPS, TAKEN, SAMPLES = 10, 4, 64


@pytest.fixture
def denoiser(audioldm):
    return audioldm.denoiser(seconds=6, steps=STEPS, window_seconds=2.0)


def _candidates(denoiser, cleans, noises):
    return [
        State(denoiser.noised({"audio": clean}, {"audio": noise}, TAKEN), {}, {"audio": clean})
        for clean, noise in zip(cleans, noises)
    ]


def _spliced(candidates, numbers, denoiser):
    chosen = [{"audio": torch.full((SAMPLES,), number)} for number in numbers]
    return spliced(candidates, chosen, denoiser, TAKEN, denoiser.segments)


@pytest.fixture
def random(denoiser):
    generator = torch.Generator().manual_seed(0)
    return [torch.randn(SAMPLES, *denoiser.shape, generator=generator) for _ in range(4)]


@pytest.fixture
def turns(denoiser):
    return [k % 2 for k in range(len(denoiser.segments))]


def test_noises_are_as_loud_where_they_meet_as_elsewhere(denoiser, random, turns):
    nothing = torch.zeros_like(random[0])
    latents = _spliced(_candidates(denoiser, [nothing, nothing], random), turns, denoiser).latents["audio"]
    level = latents.std(dim=(0, 1, 3))
    assert len(turns) > 2 and (level / level.mean() - 1).abs().max() < 0.1
    assert latents.diff(dim=2).std(dim=(0, 1, 3)).max() < 1.2 * latents.diff(dim=2).std()


def test_what_candidates_share_is_not_louder_where_they_meet(denoiser, random, turns):
    """As where denoise below 1 keeps a part of a latent."""
    shared, *noises = random
    candidates = _candidates(denoiser, [shared, shared], noises)
    state = _spliced(candidates, turns, denoiser)
    torch.testing.assert_close(state.clean["audio"], shared)
    signal = denoiser.noised({"audio": shared}, {"audio": torch.zeros_like(shared)}, TAKEN)["audio"]
    noise = state.latents["audio"] - signal
    assert (noise.std(dim=(0, 1, 3)) / noise.std() - 1).abs().max() < 0.1
    assert (noise * shared).mean().abs() < 0.01


def test_where_one_candidate_goes_on_nothing_changes(denoiser, random, turns):
    candidates = _candidates(denoiser, random[:2], random[2:])
    state = _spliced(candidates, [1 for _ in turns], denoiser)
    assert torch.equal(state.latents["audio"], candidates[1].latents["audio"])
    assert torch.equal(state.clean["audio"], candidates[1].clean["audio"])


def test_what_a_mask_keeps_stays_to_the_bit(denoiser, random, turns):
    kept, *noises = random
    mask = torch.zeros(1, 1, *denoiser.shape[1:])
    mask[:, :, : mask.shape[2] // 2] = 1
    candidates = [State({"audio": torch.lerp(kept, noise, mask)}, {}, {"audio": kept}) for noise in noises[:2]]
    inpainting = Inpainting(denoiser, {"audio": mask}, {"audio": kept}, {"audio": noises[2]})
    latents = _spliced(candidates, turns, inpainting).latents["audio"]
    assert torch.equal(latents[:, :, mask.shape[2] // 2 :], kept[:, :, mask.shape[2] // 2 :])


@pytest.mark.parametrize("steps", [(6, 4), (3, 2), (5, 5), (3, 7)])
def test_streams_that_take_turns_have_the_noise_of_their_own_steps(animatediff, audioldm, steps):
    couple = JointDenoiser(
        [
            animatediff.denoiser(frames=2, height=64, width=64, fps=2, steps=steps[0]),
            audioldm.denoiser(seconds=1, steps=steps[1]),
        ]
    )
    noise, taken = couple.start([torch.Generator().manual_seed(0)]), {"video": 0, "audio": 0}
    clean = {name: torch.ones_like(latent) for name, latent in noise.items()}
    for index in range(couple.steps + 1):
        together = couple.noised(clean, noise, index)
        for denoiser, (name,) in ((denoiser, denoiser.streams) for denoiser in couple.denoisers):
            alone = denoiser.noised({name: clean[name]}, noise, taken[name])
            assert torch.equal(together[name], alone[name])
        for name in couple.active_streams(index) if index < couple.steps else ():
            taken[name] += 1
