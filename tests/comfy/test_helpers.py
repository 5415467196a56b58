"""Key Frame, Caption, Rank Variations and Download Model in a real ComfyUI."""

from __future__ import annotations

from typing import Any

import pytest

from aligner.demo.events import EVENTS
from aligner.media import probe_video

from .client import Prompt, PromptFailed
from .prompts import (
    DEMO,
    EXAMPLE_SOUND,
    EXAMPLE_VIDEO,
    condition,
    loaders,
    node,
    sampler,
    shown,
    text_to_sound,
)
from .server import Server

CAPTIONS = [event.captions[0] for event in EVENTS]
VIDEO = {"video": node("LoadVideo", file=EXAMPLE_VIDEO), "parts": node("GetVideoComponents", video=["video", 0])}
CAPTIONER = {"captioner": node("SeeingHearingLoadCaptioner", model=DEMO, precision="auto")}


def key_frame(**inputs: Any) -> Prompt:
    return VIDEO | {"key": node("SeeingHearingKeyFrame", **{"fps": 24.0} | inputs)}


def caption(**inputs: Any) -> dict[str, Any]:
    return node(
        "SeeingHearingCaption",
        **{"captioner": ["captioner", 0], "instruction": "", "before": "", "after": "", "longest": 40} | inputs,
    )


def test_a_key_frame_from_a_file_and_from_frames(comfyui: Server) -> None:
    def shown_values(prompt: Prompt) -> list[float]:
        return [float(comfyui.client.run(prompt | shown("key", output))["shown"]["text"][0]) for output in (1, 2)]

    times = probe_video(comfyui.folder / "input" / EXAMPLE_VIDEO).frame_times
    for source in ({"video": ["video", 0]}, {"image": ["parts", 0], "fps": ["parts", 2]}):
        number, seconds = shown_values(key_frame(**source))
        assert seconds == pytest.approx(float(times[int(number)]))
    outputs = comfyui.client.run(
        key_frame(video=["video", 0]) | {"save": node("SaveImage", images=["key", 0], filename_prefix="key")}
    )
    assert len(outputs["save"]["images"]) == 1


def test_the_key_frame_of_a_video_is_captioned(comfyui: Server) -> None:
    prompt = (
        key_frame(video=["video", 0])
        | CAPTIONER
        | {"caption": caption(image=["key", 0], before="the sound of", after="in a room")}
    )
    (text,) = comfyui.client.run(prompt)["caption"]["text"]
    assert text == f"the sound of {CAPTIONS[0]} in a room"  # the example shows a ball


def test_a_sound_is_captioned(comfyui: Server) -> None:
    prompt = CAPTIONER | {"sound": node("LoadAudio", audio=EXAMPLE_SOUND), "caption": caption(audio=["sound", 0])}
    assert comfyui.client.run(prompt)["caption"]["text"][0] in CAPTIONS


@pytest.mark.parametrize(
    "prompt, message",
    [
        (key_frame() | {"save": node("PreviewImage", images=["key", 0])}, "Connect either an image or a video"),
        (VIDEO | CAPTIONER | {"caption": caption()}, "Connect either an image or a sound"),
    ],
)
def test_a_missing_connection_is_an_error_that_names_it(comfyui: Server, prompt: Prompt, message: str) -> None:
    with pytest.raises(PromptFailed, match=message):
        comfyui.client.run(prompt)


def rank(**inputs: Any) -> dict[str, Any]:
    return node("SeeingHearingRankVariations", **{"audio": ["sampler", 0], "fps": 8.0} | inputs)


def test_variations_are_ranked_by_av_align_and_equals_by_the_binder(comfyui: Server) -> None:
    prompt = (
        loaders()
        | VIDEO
        | {
            "condition": condition(video=["video", 0]),
            "sampler": sampler(seconds=2.0, variations=3, guided=False),
            "rank": rank(frames=["parts", 0], fps=["parts", 2], binder=["binder", 0], conditions=["condition", 0]),
            "save": node("SaveAudio", audio=["rank", 0], filename_prefix="best"),
        }
    )
    outputs = comfyui.client.run(prompt)
    *lines, judge = outputs["rank"]["text"][0].splitlines()
    scores = [[float(part.rsplit(" ", 1)[1]) for part in line.split(": ")[1].split(", ")] for line in lines]
    assert sorted(int(line.split(":")[0]) for line in lines) == [1, 2, 3]
    assert all("AV-Align" in line and "ImageBind" in line for line in lines)
    assert scores == sorted(scores, reverse=True)
    assert judge.startswith("Where ImageBind steered, it rates its own work")
    assert len(outputs["save"]["audio"]) == 1


def test_without_a_video_the_binder_ranks(comfyui: Server) -> None:
    prompt = text_to_sound(variations=2, guided=False) | {
        "rank": rank(binder=["binder", 0], conditions=["condition", 0])
    }
    (report,) = comfyui.client.run(prompt)["rank"]["text"]
    assert "AV-Align" not in report and len(report.splitlines()) == 3
    with pytest.raises(PromptFailed, match="nothing to rank by"):
        comfyui.client.run(text_to_sound(variations=2, guided=False) | {"rank": rank()})


def test_a_download_asks_first_and_needs_the_network(comfyui: Server) -> None:
    def downloaded(accept: bool) -> Prompt:
        return {"get": node("SeeingHearingDownloadModel", model="Stable Diffusion 1.5", accept=accept)}

    with pytest.raises(PromptFailed, match="4.3 GB large and has this licence: CreativeML"):
        comfyui.client.run(downloaded(accept=False))
    with pytest.raises(PromptFailed, match="cannot be reached"):
        comfyui.client.run(downloaded(accept=True))
    folder = comfyui.folder / "models" / "checkpoints"
    folder.mkdir(exist_ok=True)
    file = folder / "v1-5-pruned-emaonly.safetensors"
    file.write_bytes(b"here already")
    assert "is there already" in comfyui.client.run(downloaded(accept=False))["get"]["text"][0]
    file.unlink()
