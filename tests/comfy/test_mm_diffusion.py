"""MM-Diffusion in a real ComfyUI: from noise, for a clip, for a sound, cancelled and run again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from aligner.generators.super_resolution import (
    SuperResolutionConfig,
    SuperResolutionUNet,
    Upscaler,
    save_upscaler,
)
from aligner.media import probe_video, read_audio, read_image

from .client import Prompt, PromptFailed, PromptRefused
from .prompts import DEMO, EXAMPLE_SOUND, EXAMPLE_VIDEO, condition, loaders, node, search
from .server import Server
from .test_video import saved

SAMPLER = {
    "seed": 3,
    "steps": 4,
    "sampler": "dpm-solver-clean",
    "seconds": 0.0,
    "variations": 1,
    "overlap": 0.5,
    "reconstruction": 0.0,
    "pair_weight": 1.0,
    "guided": True,
}
#: The demo's clips: 2 s of 16 frames.
FRAMES, SECONDS = 16, 2.0
#: Runs of the test of memory, and after how many its level is taken.
RUNS, SETTLED = 10, 3
#: The frames and the sound by themselves, which are the same to the bit where a video may not be.
APART = {
    "frames": node("SaveImage", images=["sampler", 0], filename_prefix="frames"),
    "sound alone": node("SaveAudio", audio=["sampler", 1], filename_prefix="sound"),
}


def coupled(**inputs: Any) -> Prompt:
    """A sampler of few steps, a search of few noises, and Save Video."""
    wires = {"joint_generator": ["model", 0], "binder": ["binder", 0], "guidance": ["guidance", 0]}
    few = {"audio_candidates": 2, "video_candidates": 2, "at": 0.5}
    return {
        "binder": loaders()["binder"],
        "model": node("SeeingHearingLoadMMDiffusion", model=DEMO, precision="auto"),
        "sampler": node("SeeingHearingMMDiffusionSampler", **SAMPLER | wires | inputs),
        "save": node("SaveVideo", video=["sampler", 2], filename_prefix="coupled", format="auto", codec="auto"),
        **search(**few),
    }


def files(server: Server, prompt: Prompt) -> list[Path]:
    return saved(server, server.client.run(prompt))


def parts_of(server: Server, outputs: dict[str, Any]) -> tuple[torch.Tensor, torch.Tensor]:
    """The saved frames and the saved sound. Their files also hold the prompt."""

    def path(item: dict[str, str]) -> Path:
        return server.folder / item["type"] / item["subfolder"] / item["filename"]

    frames = torch.stack([read_image(path(each)) for each in outputs["frames"]["images"]])
    (sound,) = outputs["sound alone"]["audio"]
    return frames, read_audio(path(sound))[0]


def test_one_network_makes_video_and_sound_and_the_same_seed_the_same_file(comfyui: Server) -> None:
    # Another seed in between, so that ComfyUI does not answer from its cache.
    outputs = [comfyui.client.run(coupled(seed=seed) | APART) for seed in (3, 4, 3)]
    (first,) = saved(comfyui, {"save": outputs[0]["save"]})
    info, (waveform, rate) = probe_video(first), read_audio(first)
    assert len(info.frame_times) == FRAMES and waveform.shape[1] / rate == pytest.approx(SECONDS, abs=0.05)
    # ComfyUI's own encoder of video is not bound to give the same bytes again.
    one, other, again = (parts_of(comfyui, each) for each in outputs)
    assert all(map(torch.equal, one, again)) and not any(map(torch.equal, one, other)) and len(one[0]) == FRAMES


@pytest.mark.parametrize("reconstruction", [0.0, 3.0])
def test_a_clip_gets_a_sound_and_a_sound_a_clip(comfyui: Server, reconstruction: float) -> None:
    """What is given is the same for every seed, and what is made is not."""
    clip = {"clip": node("LoadVideo", file=EXAMPLE_VIDEO), "sound": node("LoadAudio", audio=EXAMPLE_SOUND)} | APART
    for given, source in (("given_video", "clip"), ("given_audio", "sound")):
        inputs = {given: [source, 0], "reconstruction": reconstruction}
        outputs = [comfyui.client.run(clip | coupled(seed=seed, **inputs)) for seed in (5, 6)]
        same = list(map(torch.equal, *(parts_of(comfyui, each) for each in outputs)))
        assert same == [given == "given_video", given == "given_audio"]
        assert all(probe_video(*saved(comfyui, {"save": each["save"]})).has_audio for each in outputs)


def test_a_text_steers_and_longer_results_and_variations_are_made(comfyui: Server) -> None:
    steered = coupled(conditions=["condition", 0], seconds=3.0, variations=2)
    steered["condition"] = condition(text="a siren wails")
    steered["report"] = node("PreviewAny", source=["sampler", 6])
    outputs = comfyui.client.run(steered)
    assert [len(probe_video(file).frame_times) for file in saved(comfyui, outputs)] == [24, 24]
    (report,) = outputs["report"]["text"]
    assert [line.partition(": ")[0] for line in report.splitlines() if "in sync" not in line] == [
        "video ~ generated audio",
        "video ~ text",
        "audio ~ text",
    ]


def test_without_a_binder_it_samples_as_published(comfyui: Server) -> None:
    plain = coupled()
    del plain["sampler"]["inputs"]["binder"]
    assert files(comfyui, plain)


def test_a_cancel_ends_the_run_within_a_step_and_the_next_run_works(comfyui: Server) -> None:
    client = comfyui.client
    prompt_id = client.queue(coupled(steps=100, sampler="ddim", seed=11))
    client.wait_for(
        lambda event: event.type == "progress" and event.prompt_id == prompt_id and event.data["value"] >= 20
    )
    client.interrupt()
    assert "execution_interrupted" in dict(client.wait(prompt_id)["status"]["messages"])
    assert client.events_of(prompt_id, "progress")[-1].data["value"] <= 24
    assert files(comfyui, coupled(seed=12))


@pytest.mark.parametrize(
    "inputs, words",
    [
        ({"given_video": ["clip", 0], "given_audio": ["sound", 0]}, "nothing is left to make"),
        ({"given_audio": ["short", 0]}, "The sound lasts 0.50 s, but this model takes clips of 2 s"),
        ({"given_audio": ["sound", 0], "seconds": 9.0}, "but the result is to last 9 s"),
        ({"seconds": 1.0}, "makes clips of 2 s and longer ones, but none of 1 s"),
        ({"seconds": 3.0, "overlap": 2.0}, "cannot overlap by 2 s"),
    ],
)
def test_what_cannot_work_is_one_sentence(comfyui: Server, inputs: dict[str, Any], words: str) -> None:
    prompt = coupled(**inputs) | {
        "clip": node("LoadVideo", file=EXAMPLE_VIDEO),
        "sound": node("LoadAudio", audio=EXAMPLE_SOUND),
        "short": node("TrimAudioDuration", audio=["sound", 0], start_index=0.0, duration=0.5),
    }
    with pytest.raises((PromptFailed, PromptRefused), match=words):
        comfyui.client.run(prompt)


@pytest.fixture
def upscaler(comfyui: Server):
    """A small super-resolution network in the models folder of the server."""
    place = comfyui.folder / "models" / "mm_diffusion"
    place.mkdir(parents=True, exist_ok=True)
    path = place / "Small_SR.safetensors"
    config = SuperResolutionConfig(
        channels=8, multipliers=(1, 1, 1), res_blocks=1, attended=(2,), heads=1, norm_groups=4
    )
    torch.manual_seed(0)
    save_upscaler(Upscaler(SuperResolutionUNet(config)), path)
    yield path.name
    path.unlink()


def test_frames_are_enlarged(comfyui: Server, upscaler: str) -> None:
    large = node("SeeingHearingMMDiffusionUpscale", model=upscaler, seed=1, steps=2, precision="auto")
    large["inputs"]["image"] = ["sampler", 0]
    prompt = coupled() | {"large": large, "frames": node("SaveImage", images=["large", 0], filename_prefix="large")}
    (first, *others) = comfyui.client.run(prompt)["frames"]["images"]
    picture = read_image(comfyui.folder / first["type"] / first["subfolder"] / first["filename"])
    assert len(others) == FRAMES - 1 and picture.shape == (3, 128, 128)


def test_each_loader_refuses_the_other_ones_file(comfyui: Server, upscaler: str) -> None:
    renamed = (comfyui.folder / "models" / "mm_diffusion" / upscaler).with_name("renamed.safetensors")
    renamed.write_bytes((comfyui.folder / "models" / "mm_diffusion" / upscaler).read_bytes())
    try:
        prompt = coupled()
        prompt["model"]["inputs"]["model"] = renamed.name
        with pytest.raises((PromptFailed, PromptRefused), match="holds a super-resolution network"):
            comfyui.client.run(prompt)
    finally:
        renamed.unlink()


def test_memory_stays_level_over_ten_runs(comfyui: Server) -> None:
    resident = []
    for seed in range(RUNS):
        comfyui.client.run(coupled(seed=100 + seed, steps=3))
        resident.append(comfyui.resident_bytes())
    assert resident[-1] < resident[SETTLED - 1] * 1.05
