"""The loss that the demo's MM-Diffusion is trained with."""

from types import SimpleNamespace

import pytest
import torch

from aligner.generators.mm_diffusion.schedule import alphas_cumprod
from laboratory.training.coupled_unet import VARIANCE, loss, streams
from laboratory.training.sizes import COUPLED


def network(predict):
    """A stand-in for the network. predict: (noisy stream, timesteps) -> noise."""

    class Network(SimpleNamespace):
        def __call__(self, video, audio, timesteps, shifts):
            assert shifts == [3]
            return predict(video, timesteps), predict(audio, timesteps)

    return Network(draw_shifts=lambda draw: [3])


def alpha_bar(timesteps, like):
    return alphas_cumprod().float()[timesteps].view(-1, *[1] * (like.dim() - 1))


def test_the_true_velocity_has_no_error(seeded):
    """Of a clean stream of 1 the noise is (noisy - alpha) / sigma, and the velocity alpha noise - sigma."""

    def true_velocity(noisy, timesteps):
        kept = alpha_bar(timesteps, noisy)
        noise = (noisy - kept.sqrt()) / (1 - kept).sqrt()
        return kept.sqrt() * noise - (1 - kept).sqrt()

    clean = {"video": torch.ones(16, 3, 2, 4, 4), "audio": torch.ones(16, 1, 64)}
    losses = loss(network(true_velocity), clean, seeded)
    assert losses.keys() == {"loss", "video", "audio"} and losses["loss"] < 1e-5


def test_both_streams_and_all_timesteps_count_alike():
    """Where nothing is there, a prediction of 0 misses alpha squared of the velocity's variance."""
    seen = []

    def nothing(noisy, timesteps):
        seen.append(timesteps)
        return torch.zeros_like(noisy)

    clean = {"video": torch.zeros(256, 3, 2, 8, 8), "audio": torch.zeros(256, 1, 256)}
    losses = loss(network(nothing), clean, torch.Generator().manual_seed(0))
    kept = alphas_cumprod().float()[seen[0]]
    errors = kept / (kept + (1 - kept) * VARIANCE)
    assert losses["video"].item() == pytest.approx(errors.mean().item(), rel=0.03)
    assert losses["audio"].item() == pytest.approx(errors.mean().item(), rel=0.03)
    # A large error in much noise outweighs no small one: logarithms are summed.
    assert losses["loss"].item() == pytest.approx(2 * errors.log().mean().item(), rel=0.05)


def test_clips_become_streams_of_the_network(few_clips):
    made = streams(few_clips, torch.tensor([2, 5]))
    assert made["video"].shape == (2, 3, COUPLED.frames, COUPLED.side, COUPLED.side)
    assert made["audio"].shape == (2, 1, COUPLED.samples)
    # Pixels become half as large; means stay, and time is the third axis.
    whole = 2 * few_clips.pixels(torch.tensor([2, 5])) - 1
    torch.testing.assert_close(made["video"].mean(dim=(3, 4)), whole.mean(dim=(3, 4)).transpose(1, 2))
    assert all(each.square().mean() > 1e-4 and each.abs().max() <= 1.05 for each in made.values())
