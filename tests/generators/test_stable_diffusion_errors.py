"""Error messages for base models and motion modules."""

from __future__ import annotations

import json
import os
import shutil

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from aligner.errors import CheckpointError
from aligner.generators.stable_diffusion import (
    load_stable_diffusion,
    save_motion_module,
)

from .conftest import motion_adapter

CONV_IN = "model.diffusion_model.input_blocks.0.0.weight"
UP_NORM = "up_blocks.1.motion_modules.2.temporal_transformer.transformer_blocks.0.ff_norm.weight"
POSITIONS = "mid_block.motion_modules.0.temporal_transformer.transformer_blocks.0.attention_blocks.1.pos_encoder.pe"
MOTION_LORA = (
    "down_blocks.0.motion_modules.0.temporal_transformer.transformer_blocks.0.attention_blocks.0."
    "processor.to_q_lora.down.weight"
)


def refused(base, message, motion=None):
    with pytest.raises(CheckpointError, match=message) as caught:
        load_stable_diffusion(base, motion)
    assert len(str(caught.value)) < 3000


def rewrite(source, target, change):
    """A copy of a safetensors file, metadata included, with some tensors changed."""
    with safe_open(source, framework="pt") as file:
        metadata = file.metadata()
    save_file(change(load_file(source)), target, metadata=metadata)
    return target


def names_only(path, *names, shape=(2, 2)):
    save_file({name: torch.zeros(shape) for name in names}, path)
    return path


@pytest.mark.parametrize(
    "name, kind",
    [
        ("conditioner.embedders.0.transformer.text_model.x", "an SDXL checkpoint"),
        ("model.diffusion_model.label_emb.0.0.weight", "an SDXL checkpoint"),
        ("cond_stage_model.model.transformer.resblocks.0.x", "a Stable Diffusion 2 checkpoint"),
        (UP_NORM, "a motion module"),
        (f"module.{UP_NORM}", "a motion module"),
        (MOTION_LORA, "a motion LoRA"),
        ("lora_unet_down_blocks_0_attentions_0_proj_in.lora_down.weight", "a LoRA"),
        ("unet.conv_in.lora_A.weight", "a LoRA"),
        ("diffusion_model.out.0.diff", "a LoRA"),
        ("v_pred", "a checkpoint for v-prediction"),
    ],
)
def test_other_files_given_as_base(tmp_path, name, kind):
    refused(
        names_only(tmp_path / "x.safetensors", name),
        f"x.safetensors is {kind}, not a Stable Diffusion 1 checkpoint. Choose a full checkpoint",
    )


@pytest.mark.parametrize("channels, kind", [(9, "an inpainting checkpoint"), (8, "an InstructPix2Pix checkpoint")])
def test_models_that_take_a_picture(tmp_path, base_file, channels, kind):
    kernel = torch.zeros(16, channels, 3, 3)
    path = rewrite(base_file, tmp_path / "x.safetensors", lambda state: {**state, CONV_IN: kernel})
    refused(path, f"is {kind}, not a Stable Diffusion 1 checkpoint")


@pytest.mark.parametrize(
    "name, kind",
    [
        ("conditioner.embedders.0.transformer.text_model.x", "an SDXL checkpoint"),
        (CONV_IN, "a Stable Diffusion 1 checkpoint"),
        ("first_stage_model.decoder.conv_in.weight", "a Stable Diffusion 1 checkpoint"),
        (MOTION_LORA, "a motion LoRA"),
        ("lora_te_text_model_encoder_layers_0_mlp_fc1.alpha", "a LoRA"),
    ],
)
def test_other_files_given_as_motion_module(tmp_path, base_file, name, kind):
    path = names_only(tmp_path / "x.safetensors", name)
    refused(base_file, f"x.safetensors is {kind}, not a motion module. Choose a motion module .*mm_sd_v15_v2", path)


def test_unknown_files_say_what_they_hold(tmp_path, base_file):
    path = names_only(tmp_path / "x.safetensors", *(f"layer.{k}" for k in range(20)))
    refused(path, r"holds no U-Net\. Choose a full checkpoint")
    refused(base_file, r"is not a motion module\. It holds: layer.0.* and 10 more", path)


@pytest.mark.parametrize(
    "prefix, part", [("model.", "U-Net"), ("first_stage_model.", "VAE"), ("cond_stage_model.", "text encoder")]
)
def test_incomplete_checkpoints(tmp_path, base_file, prefix, part):
    path = rewrite(
        base_file,
        tmp_path / "x.safetensors",
        lambda state: {name: tensor for name, tensor in state.items() if not name.startswith(prefix)},
    )
    refused(path, f"x.safetensors holds no {part}")


@pytest.mark.parametrize(
    "name",
    [
        CONV_IN,
        "first_stage_model.decoder.mid.attn_1.q.weight",
        "cond_stage_model.transformer.text_model.encoder.layers.1.mlp.fc1.bias",
    ],
)
def test_faults_of_a_checkpoint_are_listed(tmp_path, base_file, name):
    path = tmp_path / "x.safetensors"
    rewrite(base_file, path, lambda state: {key: tensor for key, tensor in state.items() if key != name})
    refused(path, f"weights of Stable Diffusion 1.5. missing: {name}\\.")
    beside = f"{name.rpartition('.')[0]}.scale_weight"
    rewrite(base_file, path, lambda state: {**state, f"{name}.absmax": torch.zeros(1), beside: torch.zeros(1)})
    refused(path, f"unexpected: .*{name}.absmax")
    refused(path, f"unexpected: .*{beside}")
    rewrite(base_file, path, lambda state: {**state, name: torch.zeros(3, 4, 5)})
    refused(path, rf"of another shape: {name} \(3, 4, 5\) instead of \(")
    rewrite(base_file, path, lambda state: {**state, name: state[name].to(torch.int8)})
    refused(path, f"{name} holds torch.int8")
    for value in (torch.nan, torch.inf, -torch.inf):
        rewrite(
            base_file, path, lambda state: {**state, name: state[name].clone().index_fill_(0, torch.tensor(0), value)}
        )
        refused(path, f"{name} holds NaN or infinite values. Download it again")


def test_small_weights_without_their_metadata_are_no_stable_diffusion(tmp_path, base_file):
    save_file(load_file(base_file), tmp_path / "x.safetensors")
    refused(tmp_path / "x.safetensors", "missing: .* more; of another shape: .* more")


def test_faults_of_a_motion_module_are_listed(tmp_path, base_file, motion_file):
    path = tmp_path / "x.safetensors"
    for name in (UP_NORM, POSITIONS):
        rewrite(motion_file, path, lambda state: {key: tensor for key, tensor in state.items() if key != name})
        refused(base_file, f"expected motion modules. missing: {name}\\.", path)
        rewrite(motion_file, path, lambda state: {**state, f"{name}.more": torch.zeros(1)})
        refused(base_file, f"unexpected: {name}.more\\.", path)
        rewrite(motion_file, path, lambda state: {**state, name: torch.zeros(3)})
        refused(base_file, rf"of another shape: {name} \(3,\) instead of \(", path)
    rewrite(motion_file, path, lambda state: {**state, POSITIONS: state[POSITIONS] + 1})
    refused(base_file, f"{POSITIONS} differs from", path)


@pytest.mark.parametrize("metadata", ["", "[]", "{}", '{"unet": 1}', "not json", "[" * 200_000], ids=range(6))
def test_damaged_metadata(tmp_path, base_file, motion_file, metadata):
    save_file(load_file(base_file), tmp_path / "x.safetensors", metadata={"stable_diffusion_config": metadata})
    refused(tmp_path / "x.safetensors", "metadata are damaged")


def test_impossible_sizes_in_metadata(tmp_path, base_file, motion_file):
    with safe_open(base_file, framework="pt") as file:
        configs = json.loads(file.metadata()["stable_diffusion_config"])
    configs["unet"]["block_out_channels"] = [16]
    save_file(
        load_file(base_file), tmp_path / "x.safetensors", metadata={"stable_diffusion_config": json.dumps(configs)}
    )
    refused(tmp_path / "x.safetensors", "x.safetensors describes its UNet2DConditionModel by a config")
    save_file(load_file(motion_file), tmp_path / "mm.safetensors", metadata={"motion_adapter_config": '"text"'})
    refused(base_file, "metadata are damaged", tmp_path / "mm.safetensors")


@pytest.mark.parametrize("suffix", [".ckpt", ".safetensors"])
@pytest.mark.parametrize(
    "sizes, fault",
    [
        ({"block_out_channels": (16, 32, 32)}, "SDXL.*blocks have 16, 32, 32 channels, those of the base model 16, 32"),
        ({"block_out_channels": (16, 40)}, "blocks have 16, 40 channels"),
        ({"motion_layers_per_block": 1}, "blocks have 1, 1 layers, those of the base model 2, 2"),
    ],
)
def test_motion_modules_for_another_base(tmp_path, base_file, base_folder, sizes, fault, suffix):
    adapter = motion_adapter(**sizes)
    save_motion_module(tmp_path / f"mm{suffix}", adapter)
    refused(base_file, f"made for another base model.*{fault}", tmp_path / f"mm{suffix}")
    adapter.save_pretrained(tmp_path / "folder")
    refused(base_folder, f"made for another base model.*{fault}", tmp_path / "folder")


def test_pia(tmp_path, base_file):
    motion_adapter(conv_in_channels=9).save_pretrained(tmp_path / "pia")
    refused(base_file, "made for PIA", tmp_path / "pia")
    refused(base_file, "made for PIA", tmp_path / "pia" / "diffusion_pytorch_model.safetensors")


def test_missing_files(tmp_path, base_file):
    refused(tmp_path / "absent.safetensors", "no weight file .*absent.safetensors")
    refused(base_file, "no weight file .*absent.ckpt", tmp_path / "absent.ckpt")


@pytest.mark.parametrize("suffix", [".safetensors", ".ckpt"])
def test_damaged_files(tmp_path, base_file, motion_file, suffix):
    for source in (base_file, motion_file):
        path = tmp_path / f"x{suffix}"
        torch.save(load_file(source), path) if suffix == ".ckpt" else shutil.copy(source, path)
        os.truncate(path, os.path.getsize(path) // 2)
        refused(*((path, "Download it again") if source == base_file else (base_file, "Download it again", path)))


class Payload:
    """Unpickling it makes a folder."""

    def __init__(self, path):
        self.path = str(path)

    def __reduce__(self):
        return os.mkdir, (self.path,)


def test_files_that_want_to_run_code(tmp_path, base_file):
    torch.save({"state_dict": {"weight": Payload(tmp_path / "trace")}}, tmp_path / "evil.ckpt")
    refused(tmp_path / "evil.ckpt", "run code")
    refused(base_file, "run code", tmp_path / "evil.ckpt")
    assert not (tmp_path / "trace").exists()


def test_one_weight_under_two_names(tmp_path, base_file, motion_file, small_is_published):
    name = "cond_stage_model.transformer.text_model.final_layer_norm.bias"
    short = name.replace("text_model.", "")
    path = rewrite(base_file, tmp_path / "x.safetensors", lambda state: {**state, short: state[name].clone()})
    refused(path, f"holds {name} twice")


def edited(folder, target, file, **changes):
    shutil.copytree(folder, target)
    content = json.loads((target / file).read_text())
    (target / file).write_text(json.dumps({**content, **changes}))
    return target


@pytest.mark.parametrize("pipeline", ["StableDiffusionInpaintPipeline", "StableDiffusionXLPipeline"])
def test_folders_of_other_pipelines(tmp_path, base_folder, pipeline):
    folder = edited(base_folder, tmp_path / "x", "model_index.json", _class_name=pipeline)
    refused(folder, f"holds a {pipeline}, not a StableDiffusionPipeline. Choose another folder")


@pytest.mark.parametrize(
    "change, fault",
    [
        ({"in_channels": 9}, "takes 9 channels .* inpainting"),
        ({"use_linear_projection": True}, "Stable Diffusion 2 model"),
        ({"block_out_channels": [16]}, "x describes its UNet2DConditionModel"),
    ],
)
def test_folders_of_other_models(tmp_path, base_folder, change, fault):
    refused(edited(base_folder, tmp_path / "x", "unet/config.json", **change), fault)


def test_incomplete_folders(tmp_path, base_folder, base_file, motion_folder):
    refused(tmp_path, "no model_index.json")
    shutil.copytree(base_folder, tmp_path / "x")
    shutil.rmtree(tmp_path / "x" / "vae")
    refused(tmp_path / "x", "incomplete: the folders vae")
    refused(base_file, "holds no motion module", tmp_path)
    shutil.copytree(motion_folder, tmp_path / "mm")
    (tmp_path / "mm" / "diffusion_pytorch_model.safetensors").unlink()
    refused(base_file, "mm cannot be loaded .*no file named diffusion_pytorch_model", tmp_path / "mm")


def test_a_tokenizer_without_its_words(tmp_path, base_folder):
    """Without the check it would load, and all prompts would have the same tokens."""
    shutil.copytree(base_folder, tmp_path / "x")
    for name in ("vocab.json", "merges.txt", "tokenizer.json"):
        (tmp_path / "x" / "tokenizer" / name).unlink(missing_ok=True)
    message = "tokenizer (has a vocabulary of . tokens, but the text encoder expects 49408|cannot be loaded)"
    refused(tmp_path / "x", message)


def test_folders_that_changed_places(base_folder, motion_folder, base_file):
    refused(motion_folder, "is a motion module, not a base model")
    refused(base_file, "is a base model, not a motion module", base_folder)
    refused(base_file, "holds a UNet2DConditionModel, not a MotionAdapter", base_folder / "unet")


@pytest.mark.parametrize("name", ["conv_in.weight", "mid_block.attentions.0.norm.bias"])
def test_faults_of_folders_are_listed(tmp_path, base_folder, name):
    shutil.copytree(base_folder, tmp_path / "x")
    path = tmp_path / "x" / "unet" / "diffusion_pytorch_model.safetensors"
    rewrite(path, path, lambda state: {key: tensor for key, tensor in state.items() if key != name})
    refused(tmp_path / "x", f"1 missing keys: {name}")
    shutil.rmtree(tmp_path / "x")
    shutil.copytree(base_folder, tmp_path / "x")
    rewrite(path, path, lambda state: {**state, f"{name}.absmax": torch.zeros(1)})
    refused(tmp_path / "x", f"1 unexpected keys: {name}.absmax")
    rewrite(path, path, lambda state: {**load_file(base_folder / "unet" / path.name), name: state[name] * torch.nan})
    refused(tmp_path / "x", f"unet: {name} holds NaN or infinite values")
