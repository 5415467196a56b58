"""Our workflow files: what they need and what they give."""

from __future__ import annotations

import json
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from aligner.media import probe_video, read_audio, read_image

from .prompts import WORKFLOWS
from .server import Server

#: It loads a joint model, which people must download first.
(JOINT,) = (path for path in WORKFLOWS if path.stem == "Steer LTX with Sound")
#: These load real models.
REAL = [path for path in WORKFLOWS if "Real Models" in path.stem]
(DOWNLOAD,) = (path for path in WORKFLOWS if path.stem == "Download Models")
#: These run as they open.
RUNNABLE = [path for path in WORKFLOWS if path not in (JOINT, *REAL, DOWNLOAD)]


@dataclass(frozen=True)
class Expected:
    """The result of a workflow: its number of denoising steps, and a file with frames, sound or both.

    rehearsed: the steps of all candidates that a steered MODEL plays before.
    """

    steps: int
    size: tuple[int, int] | None = None  # (height, width)
    frames: int = 0  # 0 for a sound or a picture
    seconds: Fraction | None = None  # of the sound
    rehearsed: int = 0


EXPECTED = {
    "Sound to Picture": Expected(25, size=(64, 64)),
    "Sound to Video": Expected(25, size=(64, 64), frames=16, seconds=Fraction(2)),
    "Picture to Sound": Expected(30, seconds=Fraction(2)),
    "Video with Sound": Expected(25, size=(64, 64), frames=16, seconds=Fraction(2)),
    "Sound Inpainting": Expected(30, seconds=Fraction(2)),
    "Steer Any Audio Model": Expected(20, seconds=Fraction(2), rehearsed=16 * 8),
    "Steer Any Image Model": Expected(20, size=(64, 64), rehearsed=8 * 8),
    # On a random model, see stand_ins.py.
    "Steer LTX with Sound": Expected(8, size=(64, 64), frames=17, seconds=Fraction(17, 25), rehearsed=16 * 2),
    "Long Sound on a Timeline": Expected(20, seconds=Fraction(6)),
    "Video to Sound": Expected(30, size=(256, 256), frames=16, seconds=Fraction(2)),
    "Video to Sound with a Caption": Expected(30, size=(256, 256), frames=16, seconds=Fraction(2)),
    "Video to Sound without Music or Voice": Expected(30, size=(256, 256), frames=16, seconds=Fraction(2)),
    # 20 evaluations, up to three in a step of DPM-Solver, are 7 steps.
    "Video with Sound by MM-Diffusion": Expected(7, size=(32, 32), frames=16, seconds=Fraction(2)),
    # denoise leaves 20 of the 25 steps of the video. The sound takes all of its 25.
    "New Look with Sound": Expected(25, size=(64, 64), frames=16, seconds=Fraction(2)),
}


def every_node(workflow: Path) -> list[dict[str, Any]]:
    """The nodes of a workflow with those in its subgraphs."""
    graph = json.loads(workflow.read_text(encoding="utf-8"))
    inner = [node for each in graph.get("definitions", {}).get("subgraphs", ()) for node in each["nodes"]]
    return graph["nodes"] + inner


def offered_models(workflow: Path) -> list[dict[str, str]]:
    """The models that the page offers to people who lack them."""
    return [model for node in every_node(workflow) for model in node["properties"].get("models", ())]


def needed_version(workflow: Path) -> str:
    """The first version of ComfyUI that has all core nodes of a workflow, as its file says."""
    properties = [node["properties"] for node in every_node(workflow)]
    return max(("0", *(own["ver"] for own in properties if own.get("cnr_id") == "comfy-core")), key=numbers)


def is_too_old(server: Server, workflow: Path) -> bool:
    """Whether the server's ComfyUI lacks nodes of a workflow."""
    return numbers(server.comfyui.version) < numbers(needed_version(workflow))


def require_version(server: Server, workflow: Path) -> None:
    """Skip a test of a workflow that needs a newer ComfyUI."""
    if is_too_old(server, workflow):
        pytest.skip(f"{workflow.stem} needs ComfyUI {needed_version(workflow)} or newer")


def numbers(version: str) -> tuple[int, ...]:
    return tuple(map(int, version.split(".")))


def bars(values: list[int]) -> list[int]:
    """Where progress bars end: one that begins again has a smaller value than before."""
    return [value for value, following in zip(values, [*values[1:], 0]) if following < value]


def saved_files(server: Server, outputs: dict) -> list[Path]:
    """The files of the results. Previews, such as overviews, are temporary files and left out."""
    videos = [image for output in outputs.values() for image in output.get("images", ()) if image["type"] == "output"]
    sounds = [audio for output in outputs.values() for audio in output.get("audio", ())]
    return [server.folder / item["type"] / item["subfolder"] / item["filename"] for item in videos + sounds]


def check_file(file: Path, expected: Expected) -> None:
    """Assert that a file can be read, has its size and length, and is neither blank nor silent."""
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
        assert waveform.std() > 1e-3


def is_clipped(file: Path) -> bool:
    """Whether a sound, or the sound of a video, reaches full scale."""
    return bool(read_audio(file)[0].abs().max() >= 1.0)
