"""Files of MM-Diffusion."""

import pytest
import torch

from aligner.errors import CheckpointError
from aligner.files.weights import save_weights
from aligner.generators.mm_diffusion import load_mm_diffusion, save_mm_diffusion
from aligner.generators.mm_diffusion.checkpoint import CONFIG_METADATA

from .conftest import SMALL


def test_a_saved_model_is_the_same(model, tmp_path):
    save_mm_diffusion(model, tmp_path / "small.safetensors")
    loaded = load_mm_diffusion(tmp_path / "small.safetensors")
    assert loaded.unet.config == SMALL
    for name, each in model.unet.state_dict().items():
        assert torch.equal(each, loaded.unet.state_dict()[name])
    assert load_mm_diffusion(tmp_path / "small.safetensors", dtype=torch.float16).unet.windows == model.unet.windows


def test_a_flat_file_of_torch_save_is_what_is_published(model, tmp_path):
    torch.save(model.unet.state_dict(), tmp_path / "Landscape.pt")
    assert load_mm_diffusion(tmp_path / "Landscape.pt", config=SMALL).unet.config == SMALL
    # Without metadata the sizes are the published ones, and this network is another.
    with pytest.raises(CheckpointError, match="does not hold the expected coupled U-Net"):
        load_mm_diffusion(tmp_path / "Landscape.pt")


def test_incomplete_and_overfull_files_are_refused(model, tmp_path):
    state = dict(model.unet.state_dict())
    first = next(iter(state))
    missing = {name: each for name, each in state.items() if name != first}
    for content, fault in ((missing, f"missing: {first}"), (state | {"more": torch.zeros(1)}, "unexpected: more")):
        torch.save(content, tmp_path / "weights.pt")
        with pytest.raises(CheckpointError, match=fault):
            load_mm_diffusion(tmp_path / "weights.pt", config=SMALL)


def test_a_super_resolution_network_is_named(tmp_path):
    torch.save({"input_blocks.0.0.weight": torch.zeros(192, 6, 3, 3)}, tmp_path / "Landscape_SR.pt")
    with pytest.raises(CheckpointError, match="Landscape_SR.pt holds a super-resolution network"):
        load_mm_diffusion(tmp_path / "Landscape_SR.pt")


def test_other_files_are_refused(model, tmp_path):
    with pytest.raises(CheckpointError, match="There is no weight file"):
        load_mm_diffusion(tmp_path / "none.pt")
    torch.save({"something": torch.zeros(1)}, tmp_path / "other.pt")
    with pytest.raises(CheckpointError, match="is not an MM-Diffusion checkpoint"):
        load_mm_diffusion(tmp_path / "other.pt")
    save_weights(tmp_path / "damaged.safetensors", model.unet.state_dict(), {CONFIG_METADATA: '{"frames": 3}'})
    with pytest.raises(CheckpointError, match="its metadata are damaged"):
        load_mm_diffusion(tmp_path / "damaged.safetensors")
