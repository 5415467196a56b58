"""Super-resolution, by itself and against what its authors' code made (`laboratory.parity.super_resolution`)."""

import hashlib
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from aligner.errors import AlignerError, CheckpointError
from aligner.files.weights import save_weights
from aligner.generators.mm_diffusion import CoupledUNet
from aligner.generators.super_resolution import (
    PUBLISHED,
    SuperResolutionConfig,
    SuperResolutionUNet,
    Upscaler,
    load_upscaler,
    save_upscaler,
)
from aligner.generators.super_resolution.checkpoint import CONFIG_METADATA
from laboratory.parity.super_resolution import SMALL, frames, ours, small_network

from ..mm_diffusion.conftest import SMALL as SMALL_COUPLED

REFERENCE = load_file(Path(__file__).parent / "reference.safetensors")


@pytest.fixture(scope="module")
def upscaler() -> Upscaler:
    return Upscaler(small_network().float())


def test_it_equals_the_reference():
    """A prediction, and two frames that are enlarged from one noise."""
    made = ours()
    for name, expected in REFERENCE.items():
        assert ((made[name] - expected.double()).norm() / expected.norm()).item() < 1e-6, name


def test_names_and_shapes_equal_the_published_network():
    with torch.device("meta"):
        state = SuperResolutionUNet(PUBLISHED).state_dict()
    assert len(state) == 566 and sum(each.numel() for each in state.values()) == 311_027_910
    lines = "\n".join(sorted(f"{name} {tuple(each.shape)}" for name, each in state.items()))
    # Of the authors' network with the flags of their scripts.
    digest = "773ffdc50ea07b19877a0d7218d8dc45c91a68fa996a8e0aa8b71e76fe71e4e5"
    assert hashlib.sha256(lines.encode()).hexdigest() == digest


def test_frames_of_any_number_come_back_larger(upscaler, monkeypatch):
    """A few frames at a time give the same result as all together. Every step is reported."""
    passed: list[float] = []
    whole = upscaler.enlarged(frames().float(), seed=2, steps=3, on_step=passed.append)
    assert whole.shape == (2, 3, 32, 32) and whole.min() >= 0 and whole.max() <= 1
    assert passed == pytest.approx([1 / 3, 2 / 3, 1])
    monkeypatch.setattr("aligner.generators.super_resolution.upscaler._PIXELS_AT_ONCE", 32 * 32)
    passed.clear()
    parts = upscaler.enlarged(frames().float(), seed=2, steps=3, on_step=passed.append)
    torch.testing.assert_close(parts, whole, rtol=1e-4, atol=1e-4)
    assert passed == pytest.approx([k / 6 for k in range(1, 7)])


def test_a_seed_is_repeated_and_equal_frames_stay_equal(upscaler):
    twice = frames().float()[:1].expand(2, -1, -1, -1)
    first, again, other = (upscaler.enlarged(twice, seed=seed, steps=2) for seed in (0, 0, 1))
    assert torch.equal(first, again) and not torch.equal(first, other)
    torch.testing.assert_close(first[0], first[1])


def test_work_ends_where_the_caller_ends_it(upscaler):
    def stop(passed):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        upscaler.enlarged(frames().float(), seed=0, steps=2, on_step=stop)


def test_frames_are_taken_from_inference_mode(upscaler):
    with torch.inference_mode():
        given = frames().float()
        assert upscaler.enlarged(given, seed=0, steps=1).shape == (2, 3, 32, 32)


def test_frames_that_cannot_be_halved_are_refused():
    with torch.device("meta"):
        upscaler = Upscaler(SuperResolutionUNet(PUBLISHED))
    with pytest.raises(AlignerError, match="60 x 64 pixels cannot be enlarged.*multiples of 8"):
        upscaler.enlarged(torch.zeros(1, 3, 64, 60), seed=0)
    with pytest.raises(AlignerError, match="512 x 64 pixels are too large"):
        upscaler.enlarged(torch.zeros(1, 3, 64, 512), seed=0)


def test_room_grows_with_large_frames():
    with torch.device("meta"):
        upscaler = Upscaler(SuperResolutionUNet(PUBLISHED)).half()
    # Counted for four frames of 256 x 256 in half precision: 1.4 GiB.
    assert upscaler.activation_bytes(64, 64) / 2**30 == pytest.approx(1.4, abs=0.1)
    assert upscaler.activation_bytes(128, 128) == upscaler.activation_bytes(64, 64)
    assert upscaler.activation_bytes(128, 256) == 2 * upscaler.activation_bytes(64, 64)


def test_a_saved_model_is_the_same(upscaler, tmp_path):
    save_upscaler(upscaler, tmp_path / "small.safetensors")
    loaded = load_upscaler(tmp_path / "small.safetensors")
    assert loaded.unet.config == SMALL
    assert torch.equal(
        loaded.enlarged(frames().float(), seed=0, steps=1), upscaler.enlarged(frames().float(), seed=0, steps=1)
    )
    torch.save(upscaler.unet.state_dict(), tmp_path / "Landscape_SR.pt")
    assert load_upscaler(tmp_path / "Landscape_SR.pt", config=SMALL).unet.config == SMALL


@pytest.mark.slow
def test_published_sizes_load_and_enlarge_a_frame(tmp_path):
    """As Landscape_SR.pt is stored: a flat state dict of torch.save."""
    with torch.device("meta"):
        shapes = {name: each.shape for name, each in SuperResolutionUNet(PUBLISHED).state_dict().items()}
    torch.save({name: 0.02 * torch.randn(shape) for name, shape in shapes.items()}, tmp_path / "Landscape_SR.pt")
    large = load_upscaler(tmp_path / "Landscape_SR.pt").enlarged(torch.rand(1, 3, 64, 64), seed=0, steps=2)
    assert large.shape == (1, 3, 256, 256) and large.isfinite().all() and large.std() > 0


def test_other_files_are_refused(upscaler, tmp_path):
    torch.save(CoupledUNet(SMALL_COUPLED).state_dict(), tmp_path / "Landscape.pt")
    with pytest.raises(CheckpointError, match="holds MM-Diffusion itself.*Choose Landscape_SR.pt"):
        load_upscaler(tmp_path / "Landscape.pt")
    torch.save(upscaler.unet.state_dict(), tmp_path / "Landscape_SR.pt")
    with pytest.raises(CheckpointError, match="does not hold the expected super-resolution U-Net"):
        load_upscaler(tmp_path / "Landscape_SR.pt")
    save_weights(tmp_path / "damaged.safetensors", upscaler.unet.state_dict(), {CONFIG_METADATA: "{}{"})
    with pytest.raises(CheckpointError, match="its metadata are damaged"):
        load_upscaler(tmp_path / "damaged.safetensors")


def test_a_config_survives_json():
    assert SuperResolutionConfig.from_json(SMALL.to_json()) == SMALL
    for text in ('{"width": 3}', '{"norm_groups": 7}', '{"multipliers": []}', '{"channels": "a"}', '{"scale": 0}'):
        with pytest.raises(AlignerError):
            SuperResolutionConfig.from_json(text)
