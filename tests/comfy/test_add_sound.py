"""Add Sound to Video in a real ComfyUI."""

from __future__ import annotations

import math
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
import torch

from aligner.media import probe_video, read_audio, read_frames, write_audio, write_video
from aligner.media.container import opened

from .client import Prompt, PromptFailed
from .prompts import node
from .server import Server

RATE, FPS = 48000, Fraction(24)
CLIP, SILENT, BEEP = "add_sound_clip.mp4", "add_sound_silent.mp4", "add_sound_beep.wav"


def tone(hertz: float, seconds: float) -> torch.Tensor:
    return 0.2 * torch.sin(2 * math.pi * hertz * torch.arange(round(seconds * RATE)) / RATE)[None]


@pytest.fixture(scope="module", autouse=True)
def files(comfyui: Server) -> None:
    """A clip of 2 s that hums, the same without its sound, and a beep of 1 s."""
    folder = comfyui.folder / "input"
    frames = torch.randint(0, 255, (48, 32, 32, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    write_video(folder / CLIP, frames, FPS, tone(200, 2).expand(2, -1), RATE)
    write_video(folder / SILENT, frames, FPS)
    write_audio(folder / BEEP, tone(800, 1), RATE)


def added(clip: str = CLIP, video: list[Any] | None = None, **mixing: Any) -> Prompt:
    mixing = {"original": "replace", "gain": 0.0, "original_gain": 0.0} | mixing
    return {
        "clip": node("LoadVideo", file=clip),
        "beep": node("LoadAudio", audio=BEEP),
        "add": node("SeeingHearingAddSound", video=video or ["clip", 0], audio=["beep", 0], **mixing),
        "save": node("SaveVideo", video=["add", 0], filename_prefix="added", format="auto", codec="auto"),
    }


def result(server: Server, prompt: Prompt) -> Path:
    (saved,) = server.client.run(prompt)["save"]["images"]
    return server.folder / saved["type"] / saved["subfolder"] / saved["filename"]


def level(file: Path, hertz: float, begin: float, end: float) -> float:
    """The amplitude of a tone between two seconds, in dB of full scale."""
    waveform, rate = read_audio(file)
    part = waveform.mean(dim=0)[round(begin * rate) : round(end * rate)]
    turns = torch.exp(-2j * math.pi * hertz * torch.arange(len(part)) / rate)
    return 20 * math.log10(2 * (part * turns).mean().abs().item() + 1e-6)


def packets(file: Path) -> list[bytes]:
    with opened(file) as container:
        return [bytes(packet) for packet in container.demux(video=0) if packet.size]


TONE = 20 * math.log10(0.2)


@pytest.mark.parametrize("clip", [CLIP, SILENT])
def test_the_sound_is_replaced_and_the_pictures_are_copied(comfyui: Server, clip: str) -> None:
    file = result(comfyui, added(clip))
    assert packets(file) == packets(comfyui.folder / "input" / clip)
    assert level(file, 800, 0.2, 0.8) == pytest.approx(TONE, abs=0.5)
    assert level(file, 200, 0.2, 0.8) < -50
    waveform, rate = read_audio(file)
    assert waveform.shape[1] / rate == pytest.approx(2, abs=0.03)
    assert waveform[:, round(1.2 * rate) :].abs().max() < 1e-3


@pytest.mark.parametrize("original, lower", [("mix", 0), ("duck", 8)])
def test_the_original_stays_under_the_new_sound(comfyui: Server, original: str, lower: float) -> None:
    file = result(comfyui, added(original=original, gain=6.0, original_gain=-6.0))
    assert packets(file) == packets(comfyui.folder / "input" / CLIP)
    assert level(file, 800, 0.2, 0.8) == pytest.approx(TONE + 6, abs=0.5)
    assert level(file, 200, 0.5, 0.9) < TONE - 6 - lower + 0.5
    assert level(file, 200, 1.6, 1.9) == pytest.approx(TONE - 6, abs=0.7)
    assert probe_video(file).audio_channels == 2


def test_frames_without_a_file_get_a_sound_of_their_length(comfyui: Server) -> None:
    parts = node("GetVideoComponents", video=["clip", 0])
    made = node("CreateVideo", images=["parts", 0], audio=["parts", 1], fps=24.0)
    file = result(comfyui, added(video=["made", 0], original="mix") | {"parts": parts, "made": made})
    assert level(file, 800, 0.2, 0.8) == pytest.approx(TONE, abs=0.5)
    assert level(file, 200, 0.2, 1.8) == pytest.approx(TONE, abs=0.5)
    assert len(probe_video(file).frame_times) == 48


def test_a_trimmed_video_keeps_its_part_of_the_original(comfyui: Server) -> None:
    if "Video Slice" not in comfyui.client.object_info():
        pytest.skip("this ComfyUI cannot trim videos")
    part = node("Video Slice", video=["clip", 0], start_time=0.5, duration=0.5, strict_duration=False)
    file = result(comfyui, added(video=["part", 0], original="mix") | {"part": part})
    info = probe_video(file)
    assert float(info.duration) == pytest.approx(0.5, abs=0.05)
    assert level(file, 800, 0.1, 0.4) == pytest.approx(TONE, abs=0.5)
    assert level(file, 200, 0.1, 0.4) == pytest.approx(TONE, abs=0.7)
    whole = read_frames(comfyui.folder / "input" / CLIP, [13]).float()
    assert (read_frames(file, [1]).float() - whole).abs().mean() < 40


def test_the_sound_of_a_silent_clip_is_refused_in_a_sentence(comfyui: Server) -> None:
    prompt = added() | {
        "silent": node("LoadVideo", file=SILENT),
        "parts": node("GetVideoComponents", video=["silent", 0]),
    }
    prompt["add"]["inputs"]["audio"] = ["parts", 1]
    with pytest.raises(PromptFailed, match="The AUDIO input is empty: the video that it comes from has no sound"):
        comfyui.client.run(prompt)
