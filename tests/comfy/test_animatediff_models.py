"""Checkpoints, motion modules and LoRA from a real ComfyUI's model folders, through the loader's dropdowns."""

from __future__ import annotations

import shutil

import pytest
import torch
from diffusers import AutoencoderTiny
from safetensors.torch import save_file

from aligner.generators.stable_diffusion import (
    save_motion_module,
    save_single_file,
    save_taesd,
)
from laboratory.random_models import random_stable_diffusion, write_random_animatediff

from .client import PromptFailed
from .prompts import (
    DEMO,
    NO_MOTION,
    NONE,
    STEERED,
    animatediff,
    choices,
    gradient,
    loaders,
    node,
    shown,
    video_sampler,
    without,
)
from .server import Server

LOADER, ADD_LORA = "SeeingHearingLoadAnimateDiff", "SeeingHearingLora"
BASE, MOTION, LORA, MOTION_LORA = (f"{name}.safetensors" for name in ("base", "motion", "style", "zoom"))
TAESD = "taesd_decoder.safetensors"
LAYER = "down_blocks.0.{}.0.transformer_blocks.0.attn1.to_q"


@pytest.fixture(scope="module")
def models(comfyui: Server, tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = comfyui.folder / "models"
    for name in ("checkpoints", "animatediff_models", "animatediff_motion_lora", "loras", "diffusers"):
        (folder / name).mkdir(exist_ok=True)
    networks, adapter = random_stable_diffusion(seed=5)
    save_single_file(folder / "checkpoints" / BASE, **networks)
    save_motion_module(folder / "animatediff_models" / MOTION, adapter)
    shutil.copy(folder / "animatediff_models" / MOTION, folder / "checkpoints" / MOTION)
    save_file({"conditioner.embedders.0.weight": torch.zeros(1)}, folder / "checkpoints" / "sdxl.safetensors")
    (folder / "checkpoints" / "readme.txt").write_text("no weights")

    base, motion = write_random_animatediff(tmp_path_factory.mktemp("folders"), seed=5)
    shutil.copytree(base, folder / "diffusers" / "small-sd")
    shutil.copytree(motion, folder / "animatediff_models" / "small-motion")

    (folder / "vae_approx").mkdir(exist_ok=True)
    with torch.random.fork_rng():
        save_taesd(folder / "vae_approx" / TAESD, AutoencoderTiny().decoder)
    shutil.copy(folder / "vae_approx" / TAESD, folder / "vae_approx" / "taesd_encoder.safetensors")

    spatial, temporal = (LAYER.format(kind) for kind in ("attentions", "motion_modules"))
    save_file(lora(f"lora_unet_{spatial.replace('.', '_')}"), folder / "loras" / LORA)
    save_file(lora("lora_unet_down_blocks_0_attentions_0_proj_in", 48), folder / "loras" / "sdxl.safetensors")
    save_file(lora(f"unet.{temporal}"), folder / "animatediff_motion_lora" / MOTION_LORA)


def lora(address: str, width: int = 32, rank: int = 2) -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    return {
        f"{address}.lora_down.weight": torch.randn(rank, width, generator=generator),
        f"{address}.lora_up.weight": torch.randn(width, rank, generator=generator),
    }


def score(server: Server, changes: dict | None = None, **chosen) -> float:
    """The score of an unguided video and its prompt: it differs as soon as any weight does."""
    prompt = {
        **loaders(),
        **animatediff(**{"base": BASE, "motion": MOTION} | chosen),
        "sampler": without(video_sampler(guided=False, frames=2, steps=3, **STEERED), "conditions"),
        **gradient(),  # its comparison includes the prompt
        **shown("sampler", 4),
    }
    return float(server.client.run(prompt | (changes or {}))["shown"]["text"][0])


@pytest.mark.usefixtures("models")
def test_lists_hold_what_can_be_loaded(comfyui: Server) -> None:
    assert choices(comfyui, LOADER, "base") == [DEMO, BASE, MOTION, "sdxl.safetensors", "small-sd"]
    assert choices(comfyui, LOADER, "motion") == [DEMO, NO_MOTION, MOTION, "small-motion"]
    assert choices(comfyui, LOADER, "lora") == [NONE, "sdxl.safetensors", LORA]
    assert choices(comfyui, LOADER, "motion_lora") == [NONE, MOTION_LORA, "sdxl.safetensors", LORA]
    assert choices(comfyui, LOADER, "taesd") == [NONE, TAESD]


@pytest.mark.usefixtures("models")
def test_files_and_folders_of_the_same_weights_make_the_same_video(comfyui: Server) -> None:
    assert (
        score(comfyui)
        == score(comfyui, base="small-sd", motion="small-motion")
        != score(comfyui, base=DEMO, motion=DEMO)
    )


@pytest.mark.usefixtures("models")
def test_lora_of_both_kinds_change_the_video(comfyui: Server) -> None:
    plain, styled, zoomed = score(comfyui), score(comfyui, lora=LORA), score(comfyui, motion_lora=MOTION_LORA)
    assert len({plain, styled, zoomed}) == 3
    assert score(comfyui, lora=LORA, lora_strength=0.0) == plain


@pytest.mark.usefixtures("models")
def test_a_chain_of_lora_adds_up(comfyui: Server) -> None:
    chain = {
        "first": node(ADD_LORA, lora=LORA, strength=0.5),
        "second": node(ADD_LORA, lora=MOTION_LORA, strength=1.0, loras=["first", 0]),
        "last": node(ADD_LORA, lora=NONE, strength=1.0, loras=["second", 0]),
    }
    both = score(comfyui, lora=LORA, lora_strength=0.5, motion_lora=MOTION_LORA)
    assert score(comfyui, animatediff(base=BASE, motion=MOTION, loras=["last", 0]) | chain) == both


@pytest.mark.usefixtures("models")
def test_guidance_decodes_with_taesd(comfyui: Server) -> None:
    def guided(decoding: str, taesd: str = TAESD) -> float:
        sampler = without(video_sampler(frames=2, steps=3, decoding=decoding, **STEERED), "conditions")
        return score(comfyui, {"sampler": sampler}, taesd=taesd)

    assert guided("taesd") != guided("exact")
    with pytest.raises(PromptFailed, match="needs TAESD's decoder"):
        guided("taesd", NONE)


@pytest.mark.usefixtures("models")
@pytest.mark.parametrize(
    "chosen, message",
    [
        ({"base": "sdxl.safetensors"}, "sdxl.safetensors is an SDXL checkpoint"),
        ({"base": MOTION}, "motion.safetensors is a motion module, not"),
        ({"lora": "sdxl.safetensors"}, "made for another model, for example SDXL"),
        ({"motion": NO_MOTION, "motion_lora": MOTION_LORA}, "is a motion LoRA, but there is no motion module"),
        ({"base": DEMO}, "do not fit together"),
        ({"motion": DEMO}, "do not fit together"),
        ({"base": DEMO, "motion": DEMO, "lora": LORA}, "no LoRA for the built-in demo model"),
        ({"base": DEMO, "motion": DEMO, "taesd": TAESD}, "not the built-in demo model"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_mistaken_choice_is_an_error_that_names_it(comfyui: Server, chosen: dict, message: str) -> None:
    with pytest.raises(PromptFailed, match=message):
        score(comfyui, **chosen)
