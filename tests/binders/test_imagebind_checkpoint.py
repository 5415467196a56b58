"""Weight files: round trips, strictness, memory, and everything that can be wrong with a file."""

from __future__ import annotations

import os
import pickle
from dataclasses import replace

import pytest
import torch
from safetensors.torch import load_file, save_file

from aligner.binders.imagebind import (
    HUGE,
    ImageBindConfig,
    TowerConfig,
    load_imagebind,
    save_imagebind,
)
from aligner.binders.imagebind.official_names import (
    OTHER_MODALITIES,
    official_state_dict,
)
from aligner.errors import AlignerError, CheckpointError
from laboratory.random_imagebind import random_imagebind
from tests.live_bytes import LiveBytes

NORM = "modality_heads.audio.0.weight"


@pytest.fixture
def state(model):
    return official_state_dict(model)


@pytest.fixture
def saved(model, tmp_path):
    path = tmp_path / "model.safetensors"
    save_imagebind(model, path)
    return path


def assert_same(loaded, model):
    assert loaded.config == model.config
    assert loaded.state_dict().keys() == model.state_dict().keys()
    for name, weight in model.state_dict().items():
        assert torch.equal(loaded.state_dict()[name], weight), name


def test_a_saved_model_loads_bit_for_bit(saved, model):
    loaded = load_imagebind(saved)
    assert_same(loaded, model)
    assert not loaded.training and not any(weight.requires_grad for weight in loaded.parameters())
    assert set(load_file(saved)) == set(official_state_dict(model))
    assert [entry.name for entry in saved.parent.iterdir()] == [saved.name]


@pytest.mark.parametrize("zipped", [True, False])
def test_the_published_layout_loads_and_other_modalities_are_skipped(tmp_path, model, state, zipped):
    path = tmp_path / "imagebind.pth"
    others = {f"{prefix}0.weight": torch.zeros(2) for prefix in OTHER_MODALITIES}
    torch.save({**state, **others}, path, _use_new_zipfile_serialization=zipped)
    assert_same(load_imagebind(path, config=model.config), model)


def test_the_reference_model_loads(tmp_path, model, reference_model, normal, relative_error):
    path = tmp_path / "imagebind.pth"
    torch.save(reference_model.state_dict(), path)
    loaded = load_imagebind(path, config=model.config)
    mel = normal(1, 1, 128, 204)
    assert relative_error(loaded.audio(mel), reference_model({"audio": mel})["audio"]) < 1e-5


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_weights_are_cast(saved, model, dtype):
    loaded = load_imagebind(saved, dtype=dtype)
    for name, weight in model.state_dict().items():
        assert torch.equal(loaded.state_dict()[name], weight.to(dtype))


def test_half_precision_files_are_saved_and_loaded_as_they_are(saved, tmp_path):
    half = load_imagebind(saved, dtype=torch.float16)
    path = tmp_path / "half.safetensors"
    save_imagebind(half, path)
    assert os.path.getsize(path) < 0.6 * os.path.getsize(saved)
    assert_same(load_imagebind(path, dtype=torch.float16), half)


def test_weights_loaded_in_inference_mode_can_be_differentiated_through(saved):
    with torch.inference_mode():
        loaded = load_imagebind(saved)
    mel = torch.zeros(1, 1, 128, 204, requires_grad=True)
    loaded.audio(mel)[0, 0].backward()
    assert mel.grad.any()


def test_the_model_outlives_its_file(saved, model):
    loaded = load_imagebind(saved)
    with open(saved, "r+b") as file:
        file.write(b"\xff" * os.path.getsize(saved))
    assert_same(loaded, model)


@pytest.mark.parametrize("kind", ["safetensors", "zip", "legacy"])
def test_loading_holds_one_model_and_one_tensor(tmp_path, kind):
    many_small_tensors = ImageBindConfig(
        vision=TowerConfig(64, 8, 1), text=TowerConfig(4, 1, 1), audio=TowerConfig(64, 8, 1), embed_dim=8
    )
    state = official_state_dict(random_imagebind(many_small_tensors, seed=0))
    path = tmp_path / ("x.safetensors" if kind == "safetensors" else "x.pth")
    if kind == "safetensors":
        save_file(state, path)
    else:
        torch.save(state, path, _use_new_zipfile_serialization=kind == "zip")
    sizes = [tensor.nbytes for tensor in state.values()]
    assert max(sizes) < sum(sizes) / 4
    with LiveBytes() as live:
        load_imagebind(path, config=many_small_tensors)
    assert sum(sizes) * 0.99 < live.peak < sum(sizes) + 1.1 * max(sizes)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(CheckpointError, match="no weight file .*absent.pth"):
        load_imagebind(tmp_path / "absent.pth")
    with pytest.raises(CheckpointError, match="no weight file"):
        load_imagebind(tmp_path)


@pytest.mark.parametrize("suffix, zipped", [(".pth", True), (".pth", False), (".safetensors", None)])
@pytest.mark.parametrize("kept", [0, 7, 0.5, 0.999])
def test_truncated_files_are_refused(tmp_path, state, suffix, zipped, kept):
    path = tmp_path / f"cut{suffix}"
    if suffix == ".safetensors":
        save_file(state, path)
    else:
        torch.save(state, path, _use_new_zipfile_serialization=zipped)
    size = os.path.getsize(path)
    os.truncate(path, kept if isinstance(kept, int) else int(kept * size))
    with pytest.raises(CheckpointError, match="not a complete .*Download it again"):
        load_imagebind(path)


@pytest.mark.parametrize("content", [b"<html>404 Not Found</html>", bytes(range(256)) * 8])
@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
def test_files_that_are_no_weights_are_refused(tmp_path, content, suffix):
    path = tmp_path / f"page{suffix}"
    path.write_bytes(content)
    with pytest.raises(CheckpointError, match="Download it again"):
        load_imagebind(path)


class Payload:
    """Unpickling it makes a folder."""

    def __init__(self, path):
        self.path = str(path)

    def __reduce__(self):
        return os.mkdir, (self.path,)


@pytest.mark.parametrize(
    "save", [torch.save, lambda what, path: path.write_bytes(pickle.dumps(what, 2))], ids=["zip", "pickle"]
)
def test_a_file_that_wants_to_run_code_is_refused_and_does_not(tmp_path, save):
    path, trace = tmp_path / "evil.pth", tmp_path / "trace"
    save({"weight": Payload(trace)}, path)
    with pytest.raises(CheckpointError, match="run code"):
        load_imagebind(path)
    assert not trace.exists()


@pytest.mark.parametrize(
    "content",
    [{"networks": {"weight": torch.zeros(1)}, "epoch": 3}, [torch.zeros(1)], {"epoch": 3}, {0: torch.zeros(1)}],
)
def test_files_of_other_things_than_tensors_are_refused(tmp_path, content):
    path = tmp_path / "wrapped.pth"
    torch.save(content, path)
    with pytest.raises(CheckpointError, match="plain weights"):
        load_imagebind(path)


def test_another_models_checkpoint_is_refused(tmp_path):
    path = tmp_path / "unet.safetensors"
    save_file({f"down_blocks.{k}.weight": torch.zeros(1) for k in range(30)}, path)
    with pytest.raises(CheckpointError, match=r"not an ImageBind checkpoint.*down_blocks.0.*and 20 more"):
        load_imagebind(path)


def write(state, path, config):
    save_file(state, path, metadata={"imagebind_config": config.to_json()})


def test_missing_weights_are_listed(tmp_path, model, state):
    del state[NORM]
    write(state, tmp_path / "x.safetensors", model.config)
    with pytest.raises(CheckpointError, match=f"missing: {NORM}\\."):
        load_imagebind(tmp_path / "x.safetensors")


def test_unexpected_weights_are_listed(tmp_path, model, state):
    extra = "modality_trunks.audio.blocks.99.norm_1.bias"
    write({**state, extra: torch.zeros(3)}, tmp_path / "x.safetensors", model.config)
    with pytest.raises(CheckpointError, match=f"unexpected: {extra}\\."):
        load_imagebind(tmp_path / "x.safetensors")


def test_weights_of_another_shape_are_listed(tmp_path, model, state):
    write({**state, NORM: torch.zeros(41)}, tmp_path / "x.safetensors", model.config)
    with pytest.raises(CheckpointError, match=rf"of another shape: {NORM} \(41,\) instead of \(40,\)\."):
        load_imagebind(tmp_path / "x.safetensors")


def test_many_faults_are_abbreviated(saved):
    more = "and [0-9]+ more"
    with pytest.raises(CheckpointError, match=f"missing: .* {more}; of another shape: .* {more}") as caught:
        load_imagebind(saved, config=HUGE)
    assert len(str(caught.value)) < 3000


def test_quantised_weights_are_refused(tmp_path, model, state):
    write({**state, NORM: torch.ones(40, dtype=torch.int8)}, tmp_path / "x.safetensors", model.config)
    with pytest.raises(CheckpointError, match=f"{NORM} holds torch.int8"):
        load_imagebind(tmp_path / "x.safetensors")


@pytest.mark.parametrize("config", ["", "[]", "{}", '{"vision": 1}', "not json", '{"a":' * 100_000, "[" * 100_000])
def test_damaged_metadata_are_refused(tmp_path, state, config):
    save_file(state, tmp_path / "x.safetensors", metadata={"imagebind_config": config})
    with pytest.raises(CheckpointError, match="metadata"):
        load_imagebind(tmp_path / "x.safetensors")


def test_an_interrupted_save_leaves_the_old_file(saved, model, monkeypatch):
    before = saved.read_bytes()

    def interrupt(state, path, metadata):
        path.write_bytes(b"half")
        raise KeyboardInterrupt

    monkeypatch.setattr("safetensors.torch.save_file", interrupt)
    with pytest.raises(KeyboardInterrupt):
        save_imagebind(model, saved)
    assert saved.read_bytes() == before
    assert [entry.name for entry in saved.parent.iterdir()] == [saved.name]


def test_configurations_survive_json(small_config):
    for config in (HUGE, small_config):
        assert ImageBindConfig.from_json(config.to_json()) == config


@pytest.mark.parametrize("field, value", [("heads", 7), ("blocks", 0), ("width", -4), ("width", 3.5), ("heads", True)])
def test_impossible_configurations_are_refused(small_config, field, value):
    with pytest.raises(AlignerError):
        replace(small_config.vision, **{field: value})
