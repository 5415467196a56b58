"""Our workflow files in a real ComfyUI: they open without a missing node and run as they are."""

from __future__ import annotations

import json
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import pytest

from aligner.media import probe_video, read_audio, read_image

from .prompts import WORKFLOWS, workflow_prompt
from .server import Server


@dataclass(frozen=True)
class Expected:
    """What a workflow makes: a denoising progress of so many steps, a file with frames, sound or both."""

    steps: int
    size: tuple[int, int] | None = None  # (height, width)
    frames: int = 0  # 0 where a file is no video
    seconds: Fraction | None = None  # of the sound


EXPECTED = {
    "audio_to_image": Expected(25, size=(64, 64)),
    "audio_to_video": Expected(25, size=(64, 64), frames=16, seconds=Fraction(2)),
    "image_to_audio": Expected(30, seconds=Fraction(2)),
    "joint_video_audio": Expected(25, size=(64, 64), frames=16, seconds=Fraction(2)),
    "sound_inpainting": Expected(30, seconds=Fraction(2)),
    "timeline_long_sound": Expected(20, seconds=Fraction(6)),
    "video_to_audio": Expected(30, size=(256, 256), frames=16, seconds=Fraction(2)),
    "video_to_audio_auto_caption": Expected(30, size=(256, 256), frames=16, seconds=Fraction(2)),
    # Of the video's 25 steps denoise leaves 20; the sound takes all of its 25.
    "video_to_video_with_sound": Expected(25, size=(64, 64), frames=16, seconds=Fraction(2)),
}


def test_every_workflow_is_expected() -> None:
    assert [path.stem for path in WORKFLOWS] == sorted(EXPECTED)
    assert all(path.with_suffix(".jpg").is_file() for path in WORKFLOWS)


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: path.stem)
def test_workflow_runs_as_it_is(comfyui: Server, workflow: Path) -> None:
    client, expected = comfyui.client, EXPECTED[workflow.stem]
    prompt_id = client.queue(workflow_prompt(comfyui, workflow))
    entry = client.wait(prompt_id, timeout=600)
    assert entry["status"]["status_str"] == "success", entry["status"]["messages"][-1]
    progress = [event.data["value"] for event in client.events_of(prompt_id, "progress")]
    assert progress == sorted(progress) and progress[-1] == expected.steps
    previews = client.events_of(prompt_id, "preview")
    assert len(previews) > 5 and all(event.image[:2] == b"\xff\xd8" for event in previews)  # JPEG
    (file,) = _saved(comfyui, entry["outputs"])
    _check(file, expected)


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: path.stem)
def test_workflow_knows_every_node_and_input(comfyui: Server, workflow: Path) -> None:
    info = comfyui.client.object_info()
    graph = json.loads(workflow.read_text(encoding="utf-8"))
    for node in graph["nodes"]:
        if node["type"] == "MarkdownNote":
            continue
        known = info[node["type"]]["input"]
        names = {**known.get("required", {}), **known.get("optional", {})}
        assert {socket["name"] for socket in node["inputs"]} <= set(names), node["type"]


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: path.stem)
def test_workflow_names_where_its_nodes_come_from(workflow: Path) -> None:
    graph = json.loads(workflow.read_text(encoding="utf-8"))
    assert graph["version"] == 0.4
    ours = [node for node in graph["nodes"] if node["type"].startswith("SeeingHearing")]
    assert len(ours) >= 4
    for node in ours:
        assert node["properties"]["cnr_id"] == "seeing-and-hearing"
        assert node["properties"]["Node name for S&R"] == node["type"]


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: path.stem)
def test_workflow_says_how_to_get_real_models(workflow: Path) -> None:
    """In a note, and in entries from which ComfyUI offers them to whoever is sent the graph without having them."""
    graph = json.loads(workflow.read_text(encoding="utf-8"))
    (note,) = (node["widgets_values"][0] for node in graph["nodes"] if node["type"] == "MarkdownNote")
    assert "*Download Model*" in note
    offered = [model for node in graph["nodes"] for model in node["properties"].get("models", ())]
    assert {"name": "imagebind_huge.pth", "directory": "imagebind"}.items() <= offered[0].items()
    for model in offered:
        assert model["url"].startswith("https://") and model["url"].endswith("/" + model["name"])
        assert f"`models/{model['directory']}`" in note


def _saved(server: Server, outputs: dict) -> list[Path]:
    """The results' files. Pictures that are only shown, such as curves, are temporary."""
    videos = [image for output in outputs.values() for image in output.get("images", ()) if image["type"] == "output"]
    sounds = [audio for output in outputs.values() for audio in output.get("audio", ())]
    return [server.folder / item["type"] / item["subfolder"] / item["filename"] for item in videos + sounds]


def _check(file: Path, expected: Expected) -> None:
    """It can be read, has the right size and length, is not blank, not silent and not clipped."""
    if expected.frames:
        info = probe_video(file)
        assert (info.height, info.width, len(info.frame_times)) == (*expected.size, expected.frames)
        # ComfyUI writes frame rates in thousandths.
        assert float(info.duration) == pytest.approx(float(expected.seconds), abs=1e-3)
    elif expected.size:
        pixels = read_image(file)
        assert pixels.shape == (3, *expected.size) and pixels.std() > 0.01
    if expected.seconds:
        waveform, rate = read_audio(file)
        assert abs(waveform.shape[1] / rate - float(expected.seconds)) <= 1024 / rate  # a frame of AAC
        assert waveform.std() > 1e-3 and waveform.abs().max() < 1.0
