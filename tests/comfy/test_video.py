"""The guided video sampler in a real ComfyUI, and its frames and latents in core nodes."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from aligner.demo.family import load_demo_animatediff
from aligner.media import probe_video, read_audio, read_image

from .client import Prompt, PromptFailed, PromptRefused
from .interrupting import interrupted_and_run_again
from .prompts import (
    EXAMPLE_VIDEO,
    NO_MOTION,
    STEERED,
    animatediff,
    condition,
    cosines,
    gradient,
    node,
    shown,
    sound_to_video,
    video_sampler,
    without,
)
from .server import Server

STRONG = gradient(video_rate=0.1, video_prompt_rate=0.02, inner_steps=2)


def test_every_pair_rises_above_the_unguided_run(comfyui: Server, random_models: Prompt) -> None:
    pairs = {
        "seen": condition(text="a ball bounces", conditions=["condition", 0]),
        "score": node(
            "SeeingHearingAlignmentScore",
            binder=["binder", 0],
            conditions=["seen", 0],
            image=["sampler", 0],
            fps=["sampler", 2],
            compare="mean",
            clips="seconds",
        ),
    }

    def run(**inputs) -> dict[str, float]:
        prompt = sound_to_video(steps=12, **STEERED, **inputs)
        outputs = comfyui.client.run(prompt | random_models | STRONG | pairs)
        return cosines(outputs["score"]["text"][0])

    guided, unguided = run(guided=True), run(guided=False)
    assert list(guided) == ["video ~ audio", "video ~ text"]
    for pair in guided:
        assert guided[pair] > unguided[pair] + 0.01, pair


def test_the_papers_rule_differentiates_the_network_in_the_server(comfyui: Server, random_models: Prompt) -> None:
    """The gradient passes through weights that ComfyUI moved and tensors of inference mode."""
    rule = gradient(rule="paper", video_rate=30.0, start=0.0)

    def score(**inputs) -> float:
        prompt = sound_to_video(steps=4, **STEERED, **inputs)
        outputs = comfyui.client.run(prompt | random_models | rule | shown("sampler", 4))
        return float(outputs["shown"]["text"][0])

    assert score(guided=True) > score(guided=False)


def test_interrupt_ends_the_run_within_a_step_and_the_next_run_works(comfyui: Server) -> None:
    interrupted_and_run_again(comfyui.client, lambda **inputs: sound_to_video(**inputs, **STEERED) | gradient())


def test_frames_and_fps_chain_into_core_nodes(comfyui: Server) -> None:
    prompt = sound_to_video(fps=5.0, guided=False) | {
        "scaled": node(
            "ImageScale", image=["sampler", 0], upscale_method="bicubic", width=48, height=64, crop="disabled"
        ),
        "cut": node("TrimAudioDuration", audio=["sound", 0], start_index=0.0, duration=0.8),
        "video": node("CreateVideo", images=["scaled", 0], audio=["cut", 0], fps=["sampler", 2]),
        "save": node("SaveVideo", video=["video", 0], filename_prefix="scaled", format="auto", codec="auto"),
    }
    (file,) = saved(comfyui, comfyui.client.run(prompt))
    info, (waveform, rate) = probe_video(file), read_audio(file)
    assert (info.width, info.height, info.duration) == (48, 64, pytest.approx(4 / 5))
    assert abs(waveform.shape[1] / rate - 4 / 5) <= 1024 / rate


def test_a_latent_goes_through_core_nodes_and_back_in(comfyui: Server) -> None:
    client = comfyui.client
    first, *_ = saved(
        comfyui,
        client.run(
            sound_to_video(guided=False)
            | {"keep": node("SaveLatent", samples=["sampler", 5], filename_prefix="latents/clip")}
        ),
    )
    (written,) = (comfyui.folder / "output" / "latents").glob("clip_*.latent")
    with torch.no_grad():  # a VAE takes ComfyUI's latents as they are
        decoded = load_demo_animatediff().vae.decode(load_file(written)["latent_tensor"][:1]).sample[0] / 2 + 0.5
    assert (decoded.clamp(0, 1) - read_image(first)).abs().max() < 1.5 / 255
    shutil.copy(written, comfyui.folder / "input" / "clip.latent")
    again = sound_to_video(latent=["bigger", 0], denoise=0.5, frames=1, width=512, height=512, guided=False) | {
        "loaded": node("LoadLatent", latent="clip.latent"),
        "part": node("LatentFromBatch", samples=["loaded", 0], batch_index=0, length=2),
        "longer": node("RepeatLatentBatch", samples=["part", 0], amount=3),
        "bigger": node(
            "LatentUpscale", samples=["longer", 0], upscale_method="bilinear", width=80, height=64, crop="disabled"
        ),
    }
    files = saved(comfyui, client.run(again))
    assert len(files) == 6
    assert all(read_image(file).shape == (3, 64, 80) for file in files)


def test_a_refined_latent_keeps_what_denoise_leaves(comfyui: Server) -> None:
    """Latents of the wrong scale would lose most of the first video."""
    prompt = sound_to_video(guided=False, steps=20) | {
        "refined": video_sampler(latent=["sampler", 5], denoise=0.05, steps=20, seed=4, guided=False),
        "save 2": node("SaveImage", images=["refined", 0], filename_prefix="refined"),
        "other": video_sampler(steps=20, seed=4, guided=False),
        "save 3": node("SaveImage", images=["other", 0], filename_prefix="other"),
    }
    outputs = comfyui.client.run(prompt)
    first, refined, other = (
        read_image(saved(comfyui, {name: outputs[name]})[0]) for name in ("save", "save 2", "save 3")
    )
    assert (refined - first).abs().mean() < 0.5 * (other - first).abs().mean()


def test_frames_that_denoise_1_would_lose_are_an_error(comfyui: Server) -> None:
    with pytest.raises(PromptFailed, match="denoise 1 keeps nothing of them"):
        comfyui.client.run(sound_to_video(init_frames=["scaled", 0], guided=False) | clip(2, 32, 32))


def test_frames_decide_count_and_size(comfyui: Server) -> None:
    prompt = sound_to_video(init_frames=["scaled", 0], denoise=0.5, guided=False) | clip(5, 40, 24)
    files = saved(comfyui, comfyui.client.run(prompt))
    assert len(files) == 5
    assert read_image(files[0]).shape == (3, 24, 40)


def clip(frames: int, width: int, height: int) -> dict:
    """The first frames of the example clip, at a size."""
    return {
        "video": node("LoadVideo", file=EXAMPLE_VIDEO),
        "parts": node("GetVideoComponents", video=["video", 0]),
        "cut": node("ImageFromBatch", image=["parts", 0], batch_index=0, length=frames),
        "scaled": node(
            "ImageScale", image=["cut", 0], upscale_method="area", width=width, height=height, crop="center"
        ),
    }


def test_a_picture_without_motion_module_for_a_sound_shorter_than_a_clip(comfyui: Server) -> None:
    prompt = (
        sound_to_video(frames=1, decoding="half", **STEERED)
        | gradient()
        | animatediff(motion=NO_MOTION)
        | {
            "click": node("TrimAudioDuration", audio=["sound", 0], start_index=0.4, duration=0.2),
            "condition": condition(audio=["click", 0]),
        }
    )
    (picture,) = saved(comfyui, comfyui.client.run(prompt))
    assert read_image(picture).std() > 0.01


def test_without_a_binder_it_is_plain_animatediff(comfyui: Server) -> None:
    plain = without(video_sampler(frames=2), "binder", "conditions")
    outputs = comfyui.client.run(animatediff() | {"sampler": plain, **shown("sampler", 4)})
    assert outputs["shown"]["text"] == ["nan"]


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"sampler": video_sampler(width=60)}, "The width must be a multiple of 8, not 60"),
        (
            {"sampler": video_sampler(init_frames=["scaled", 0], denoise=0.5), **clip(2, 32, 30)},
            "The height must be a multiple of 8, not 30",
        ),
        ({**animatediff(motion=NO_MOTION)}, "Without a motion module only single pictures"),
        ({"sampler": video_sampler(denoise=0.5)}, "nothing is connected to start from"),
        (
            {
                "sampler": video_sampler(latent=["empty", 0], init_frames=["scaled", 0], denoise=0.5),
                **clip(2, 32, 32),
                "empty": node("EmptyLatentImage", width=32, height=32, batch_size=2),
            },
            "Both latent and init_frames",
        ),
        (
            {
                "sampler": video_sampler(latent=["empty", 0]),
                "empty": node("EmptySD3LatentImage", width=32, height=32, batch_size=2),
            },
            "has shape",
        ),
        (
            {
                "sampler": video_sampler(latent=["masked", 0]),
                "mask": node("SolidMask", value=0.0, width=32, height=32),
                "empty": node("EmptyLatentImage", width=32, height=32, batch_size=2),
                "masked": node("SetLatentNoiseMask", samples=["empty", 0], mask=["mask", 0]),
            },
            "mask of this latent is empty",
        ),
        ({"condition": condition(text="rain", streams="audio")}, "steers audio, but video is generated"),
        (
            {"sampler": video_sampler(**STEERED), **gradient(video_rate=0.0, video_prompt_rate=0.0)},
            "moves nothing",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_bad_input_is_an_error_that_names_it(comfyui: Server, changes: dict, message: str) -> None:
    with pytest.raises(PromptFailed, match=message):
        comfyui.client.run(sound_to_video() | changes)


def test_no_frames_at_all_are_refused_by_the_server(comfyui: Server) -> None:
    with pytest.raises(PromptRefused):
        comfyui.client.run(sound_to_video(frames=0))


def saved(server: Server, outputs: dict) -> list[Path]:
    return [
        server.folder / image["type"] / image["subfolder"] / image["filename"]
        for output in outputs.values()
        for image in output.get("images", ())
    ]
