"""Which models a command runs on, and where they are while it runs."""

from argparse import Namespace
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from aligner.cli.model_files import find_models
from aligner.cli.models import LoadedModels, load_models
from aligner.errors import AlignerError, CheckpointError

ALL = ("imagebind", "audioldm", "base", "motion")
EMPTY = {**dict.fromkeys(ALL), "models": None, "lora": []}


def found(*needed: str, **given) -> dict[str, Path]:
    return dict(find_models(Namespace(**{**EMPTY, **given}), *(needed or ALL)).paths)


def make(folder: Path, *names: str) -> Path:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()
    return folder


def test_a_models_folder_as_comfyui_has_it(tmp_path):
    make(
        tmp_path,
        "imagebind/imagebind_huge.pth",
        "audioldm/audioldm-m-full/model_index.json",
        "checkpoints/realistic.safetensors",
        "checkpoints/put_checkpoints_here",
        "animatediff_models/v3_sd15_mm.ckpt",
        "checkpoints/notes.txt",
    )
    assert found(models=str(tmp_path)) == {
        "imagebind": tmp_path / "imagebind/imagebind_huge.pth",
        "audioldm": tmp_path / "audioldm/audioldm-m-full",
        "base": tmp_path / "checkpoints/realistic.safetensors",
        "motion": tmp_path / "animatediff_models/v3_sd15_mm.ckpt",
    }
    assert list(found("imagebind", "audioldm", models=str(tmp_path))) == ["imagebind", "audioldm"]


def test_folders_in_the_diffusers_layout(tmp_path):
    make(tmp_path, "diffusers/sd15/model_index.json", "animatediff_models/v3/config.json")
    assert found("base", "motion", models=str(tmp_path)) == {
        "base": tmp_path / "diffusers/sd15",
        "motion": tmp_path / "animatediff_models/v3",
    }


def test_one_of_several_has_to_be_named(tmp_path):
    make(tmp_path, "checkpoints/one.ckpt", "checkpoints/two.safetensors", "diffusers/three/model_index.json")
    with pytest.raises(CheckpointError, match=r"one\.ckpt.*two\.safetensors.*three.*Choose one with --base"):
        found("base", models=str(tmp_path))
    two = tmp_path / "checkpoints/two.safetensors"
    assert found("base", models=str(tmp_path), base=str(two)) == {"base": two}


@pytest.mark.parametrize(
    "kind, place",
    [("imagebind", "imagebind"), ("audioldm", "audioldm"), ("base", "checkpoints"), ("motion", "animatediff_models")],
)
def test_what_is_missing_says_where_it_goes(tmp_path, kind, place):
    with pytest.raises(CheckpointError, match=rf"Put one into .*{place}, or name it with --{kind}\."):
        found(kind, models=str(tmp_path))


def test_named_models_need_all_the_others(tmp_path):
    make(tmp_path, "base.ckpt", "motion.ckpt")
    with pytest.raises(CheckpointError, match="also give --imagebind and --motion, or --models"):
        found("imagebind", "base", "motion", base=str(tmp_path / "base.ckpt"))
    with pytest.raises(CheckpointError, match="--motion: there is no .*nowhere.ckpt"):
        found("motion", motion=str(tmp_path / "nowhere.ckpt"))


def test_nothing_named_means_the_built_in_models():
    files = find_models(Namespace(**EMPTY), *ALL)
    assert files.built_in and files.needed == ALL


@pytest.mark.parametrize("suffix, strength", [("", 1.0), (":0.8", 0.8), (":-1", -1.0), (":0", 0.0)])
def test_a_lora_has_a_strength(tmp_path, suffix, strength):
    make(tmp_path, "base.ckpt", "film.safetensors")
    files = find_models(
        Namespace(
            **{**EMPTY, "base": str(tmp_path / "base.ckpt"), "lora": [f"{tmp_path / 'film.safetensors'}{suffix}"]}
        ),
        "base",
    )
    assert [(lora.path, lora.strength) for lora in files.loras] == [(tmp_path / "film.safetensors", strength)]


@pytest.mark.parametrize(
    "text, path",
    [
        (r"C:\loras\film.safetensors", r"C:\loras\film.safetensors"),
        (r"C:\loras\film.safetensors:0.5", r"C:\loras\film.safetensors"),
        ("C:/loras/film.safetensors", "C:/loras/film.safetensors"),
    ],
)
def test_a_drive_is_no_name_and_a_folder_no_strength(text, path):
    with pytest.raises(CheckpointError) as error:
        find_models(Namespace(**{**EMPTY, "lora": [text]}), "base")
    assert f"there is no {path}." in str(error.value)


def test_a_lora_without_a_base_is_an_error(tmp_path):
    make(tmp_path, "film.safetensors")
    with pytest.raises(CheckpointError, match="name it with --base"):
        find_models(Namespace(**{**EMPTY, "lora": [str(tmp_path / "film.safetensors")]}), "base")
    with pytest.raises(AlignerError, match="finite"):
        find_models(Namespace(**{**EMPTY, "lora": [f"{tmp_path / 'film.safetensors'}:inf"]}), "base")


def test_only_what_a_stage_needs_is_on_the_device(models):
    options = Namespace(**{**EMPTY, "models": str(models), "device": "cpu", "dtype": "fp32"})
    both = load_models(options, find_models(options, *ALL))
    audioldm, animatediff, binder = both.generators["audio"], both.generators["video"], both.binder
    parts = [part for model in (audioldm, animatediff, binder) for part in model.children()]
    assert {*both.text_encoders} == {binder.text, audioldm.text_encoder, animatediff.text_encoder}
    assert {*both.sampling_parts} == {*parts} - {*both.text_encoders}
    sound, video = (
        LoadedModels(both.device, both.built_in, binder, {stream: both.generators[stream]})
        for stream in ("audio", "video")
    )
    assert binder.vision not in sound.sampling_parts and animatediff.unet not in sound.sampling_parts
    assert binder.audio not in video.sampling_parts and audioldm.unet not in video.sampling_parts


def test_a_model_without_named_parts_is_on_the_device_as_a_whole(models, monkeypatch):
    options = Namespace(**{**EMPTY, "models": str(models), "device": "cpu", "dtype": "fp32"})
    binder = load_models(options, find_models(options, "imagebind")).binder
    whole, no_module = torch.nn.Linear(1, 1), object()
    loaded = LoadedModels(torch.device("cpu"), False, binder, {"audio": whole, "video": no_module})
    placed = []
    monkeypatch.setattr("aligner.cli.models.placed", lambda parts, device: placed.append(parts))
    loaded.on_device(*loaded.text_encoders)
    loaded.on_device(*loaded.sampling_parts)
    assert placed == [[binder.text, whole], [binder.audio, binder.vision, whole]]


def test_modules_without_weights_need_no_device():
    with LoadedModels(torch.device("cpu"), False, torch.nn.Module()).on_device(torch.nn.Identity()):
        pass


def test_half_precision_where_it_is_asked_for(models):
    options = Namespace(**{**EMPTY, "models": str(models), "device": "cpu", "dtype": "fp16"})
    loaded = load_models(options, find_models(options, *ALL))
    everything = (loaded.binder, *loaded.generators.values())
    assert {tensor.dtype for model in everything for tensor in model.parameters()} == {torch.float16}


@pytest.mark.parametrize(
    "name, tensors, message",
    [
        ("sdxl.safetensors", {"conditioner.embedders.0.x": (1,)}, "an SDXL checkpoint, not a Stable Diffusion 1"),
        ("inpainting.safetensors", {"model.diffusion_model.input_blocks.0.0.weight": (320, 9, 3, 3)}, "an inpainting"),
    ],
)
def test_another_kind_of_base_is_called_by_its_name(refused, models, sound, name, tensors, message):
    save_file({key: torch.zeros(shape) for key, shape in tensors.items()}, sound.with_name(name))
    assert message in refused("a2v", sound, "-o", "out.mp4", "--models", models, "--base", name)


def test_a_motion_module_for_sdxl_and_a_lora_for_sdxl_are_refused(refused, models, sound):
    prefix = "down_blocks.0.motion_modules.0.temporal_transformer"
    save_file(
        {f"{prefix}.norm.weight": torch.zeros(320), f"{prefix}.proj_in.weight": torch.zeros(320, 320)},
        sound.with_name("mm_sdxl.safetensors"),
    )
    assert "mm_sdxl.safetensors" in refused(
        "a2v", sound, "-o", "out.mp4", "--models", models, "--motion", "mm_sdxl.safetensors"
    )
    save_file(
        {
            "lora_te2_text_model_encoder_layers_0_mlp_fc1.lora_down.weight": torch.zeros(4, 8),
            "lora_te2_text_model_encoder_layers_0_mlp_fc1.lora_up.weight": torch.zeros(8, 4),
        },
        sound.with_name("xl.safetensors"),
    )
    assert "xl.safetensors" in refused(
        "a2v", sound, "-o", "out.mp4", "--models", models, "--lora", "xl.safetensors:0.5"
    )
