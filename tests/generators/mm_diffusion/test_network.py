"""The coupled U-Net by itself."""

from dataclasses import replace

import pytest
import torch

from aligner.errors import AlignerError
from aligner.generators.mm_diffusion import PUBLISHED, CoupledUNetConfig
from aligner.generators.mm_diffusion.cross_attention import CrossAttention
from aligner.tensors.checkpointing import checkpointed

from .conftest import SMALL, random_network


def streams(batch=1, seed=0):
    draw = torch.Generator().manual_seed(seed)
    video = torch.randn(batch, 3, SMALL.frames, SMALL.side, SMALL.side, generator=draw)
    return video, torch.randn(batch, 1, SMALL.samples, generator=draw)


def predicted(unet, video, audio, shifts):
    return unet(video, audio, torch.full((len(video),), 500), shifts)


def attention(window):
    """A cross attention in float64 whose values are its inputs."""
    torch.manual_seed(0)
    layer = CrossAttention(4, 4, window, groups=2).double()
    for parameter in layer.parameters():
        torch.nn.init.normal_(parameter, std=0.5)
    return layer


def test_a_frame_hears_only_its_window():
    """Frame i of the video follows the sounds of the frames i + shift, ..., i + shift + window - 1, in a circle."""
    layer, frames = attention(window=2), 6
    video = torch.randn(1, 4, frames, 2, 2, dtype=torch.float64)
    audio = torch.randn(1, 4, 5 * frames, dtype=torch.float64)
    # The norm of a sound spans all of it; without it what one frame changes is local.
    layer.a_norm, layer.v_norm = torch.nn.Identity(), torch.nn.Identity()
    before = layer(video, audio, shift=1)[0]
    changed = audio.clone()
    changed[..., 5 * 4 : 5 * 5] += 1  # the sound of frame 4
    after = layer(video, changed, shift=1)[0]
    moved = [bool((after[:, :, frame] != before[:, :, frame]).any()) for frame in range(frames)]
    assert moved == [False, False, True, True, False, False]


def test_a_sound_sees_only_its_window_and_the_circle_closes():
    layer, frames = attention(window=2), 6
    layer.a_norm, layer.v_norm = torch.nn.Identity(), torch.nn.Identity()
    video = torch.randn(1, 4, frames, 2, 2, dtype=torch.float64)
    audio = torch.randn(1, 4, 5 * frames, dtype=torch.float64)
    before = layer(video, audio, shift=3)[1].unflatten(2, (frames, 5))
    changed = video.clone()
    changed[:, :, 1] += 1
    after = layer(changed, audio, shift=3)[1].unflatten(2, (frames, 5))
    moved = [bool((after[:, :, frame] != before[:, :, frame]).any()) for frame in range(frames)]
    # Frames 3 and 4: 4 + 3 and 3 + 4 are 7, the second frame again.
    assert moved == [False, False, False, True, True, False]


def test_shifts_change_the_result_and_belong_to_a_generator():
    unet, (video, audio) = random_network(), streams()
    first, again = (unet.draw_shifts(torch.Generator().manual_seed(1)) for _ in range(2))
    assert first == again and len(first) == len(unet.windows) == 4
    drawn = [unet.draw_shifts(torch.Generator().manual_seed(seed)) for seed in range(200)]
    by_window = {window: {each[k] for each in drawn} for k, window in enumerate(unet.windows)}
    assert by_window == {2: set(range(7)), SMALL.frames: {0}}
    with torch.no_grad():
        results = [predicted(unet, video, audio, shifts)[0] for shifts in (first, [0] * len(first))]
    assert any(first) and not torch.allclose(*results)


def test_a_recomputed_backward_pass_has_the_same_gradient():
    """The authors' own backward pass draws other shifts, and its gradient differs by 5 % (docs/method.md)."""
    unet = random_network().requires_grad_(False)
    shifts = unet.draw_shifts(torch.Generator().manual_seed(2))

    def gradients(modules):
        leaves = [each.requires_grad_() for each in streams()]
        with checkpointed(modules):
            seen, heard = predicted(unet, *leaves, shifts)
            return torch.autograd.grad(seen.square().sum() + heard.square().sum(), leaves)

    kept, recomputed = gradients([]), gradients([*unet.middle_blocks, *(block[0] for block in unet.output_blocks)])
    for one, other in zip(kept, recomputed):
        assert one.abs().max() > 0 and torch.equal(one, other)


def test_samples_of_a_batch_do_not_mix():
    unet, (video, audio) = random_network(), streams(batch=2)
    shifts = unet.draw_shifts(torch.Generator().manual_seed(3))
    with torch.no_grad():
        together = predicted(unet, video, audio, shifts)
        alone = predicted(unet, video[1:], audio[1:], shifts)
    for both, one in zip(together, alone):
        torch.testing.assert_close(both[1:], one, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_is_close(dtype):
    unet, (video, audio) = random_network(), streams()
    shifts = unet.draw_shifts(torch.Generator().manual_seed(4))
    with torch.no_grad():
        whole = predicted(unet, video, audio, shifts)
        half = predicted(random_network().to(dtype), video, audio, shifts)
    for one, other in zip(whole, half):
        assert other.dtype == dtype and (one - other).norm() / one.norm() < 0.1


@pytest.mark.parametrize(
    "changes, fault",
    [
        ({"fps": 0}, "fps must be whole numbers of at least 1, not 0"),
        ({"heads": 2.0}, "heads must be whole numbers of at least 1, not 2.0"),
        ({"multipliers": ()}, "multipliers must be whole numbers"),
        ({"windows": (0, 1, -4, 8)}, "windows must be whole numbers of at least 0"),
        ({"side": 60}, "60 pixels cannot be halved 3 times"),
        ({"frames": 15, "samples": 24_001}, "24001 samples cannot be shared by 15 frames and quartered 3 times"),
        ({"samples": 51_200}, "16 frames at 10 a second and 51200 samples at 16000 Hz are not equally long"),
        ({"channels": 48}, "48 channels cannot be divided by 64 head_channels"),
        ({"windows": (0, 1, 4)}, "4 levels need as many windows, not 3"),
        ({"windows": (0, 1, 4, 32)}, "A window of 32 frames is longer than a clip of 16"),
    ],
)
def test_sizes_that_do_not_fit_are_refused(changes, fault):
    with pytest.raises(AlignerError, match=fault):
        replace(PUBLISHED, **changes)


def test_a_config_survives_json():
    assert CoupledUNetConfig.from_json(SMALL.to_json()) == SMALL
    for text in ("nothing", "[]", '{"width": 3}', '{"frames": "many"}'):
        with pytest.raises(AlignerError):
            CoupledUNetConfig.from_json(text)
