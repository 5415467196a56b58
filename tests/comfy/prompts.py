"""Prompts for ComfyUI's server, made of our nodes and core nodes."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from aligner import settings
from aligner.settings import Setting
from run import ROOT

from .client import Prompt, workflow_to_prompt
from .server import Server

WORKFLOWS = sorted((ROOT / "workflows").glob("*.json"))
DEMO, NONE, NO_MOTION = "demo (built in)", "none", "none (pictures only)"
EXAMPLE_VIDEO, EXAMPLE_SOUND = "seeing_and_hearing_example.mp4", "seeing_and_hearing_example.wav"
#: A short sound of few steps.
SAMPLER = {
    "prompt": "",
    "negative_prompt": "",
    "seed": 3,
    "steps": 6,
    "cfg": 2.5,
    "length": "seconds",
    "seconds": 1.0,
    "variations": 1,
    "denoise": 1.0,
    "window_seconds": 0.0,
    "guided": True,
}
#: A short, small video of few steps.
VIDEO_SAMPLER = {
    "prompt": "a ball bounces",
    "negative_prompt": "",
    "seed": 3,
    "steps": 6,
    "cfg": 7.5,
    "frames": 4,
    "width": 32,
    "height": 32,
    "fps": 8.0,
    "denoise": 1.0,
    "window_frames": 0,
    "decoding": "exact",
    "guided": True,
}
JOINT_SAMPLER = VIDEO_SAMPLER | {
    "audio_prompt": "",
    "audio_negative_prompt": "",
    "audio_steps": 6,
    "audio_cfg": 2.5,
    "pair_weight": 1.0,
    "window_seconds": 0.0,
}
CONDITION = {
    "binder": ["binder", 0],
    "text": "",
    "fps": 24.0,
    "weight": 1.0,
    "clips": "short",
    "streams": "all",
}
#: The input of a sampler that connects it with a settings node of this name.
STEERED: dict[str, Any] = {"guidance": ["guidance", 0]}


def node(class_type: str, **inputs: Any) -> dict[str, Any]:
    return {"class_type": class_type, "inputs": inputs}


def loaders(imagebind: str = DEMO, audioldm: str = DEMO) -> Prompt:
    return {
        "binder": node("SeeingHearingLoadImageBind", model=imagebind, precision="auto"),
        "audio_generator": node("SeeingHearingLoadAudioLDM", model=audioldm, precision="auto"),
    }


def animatediff(**inputs: Any) -> Prompt:
    chosen = {
        "base": DEMO,
        "motion": DEMO,
        "lora": NONE,
        "lora_strength": 1.0,
        "motion_lora": NONE,
        "motion_lora_strength": 1.0,
        "precision": "auto",
        "taesd": NONE,
    }
    return {"video_generator": node("SeeingHearingLoadAnimateDiff", **chosen | inputs)}


def condition(**inputs: Any) -> dict[str, Any]:
    return node("SeeingHearingEncodeCondition", **CONDITION | inputs)


def sampler(**inputs: Any) -> dict[str, Any]:
    wires = {name: [name, 0] for name in ("audio_generator", "binder")} | {"conditions": ["condition", 0]}
    return node("SeeingHearingAudioSampler", **wires | SAMPLER | inputs)


def search(**inputs: Any) -> Prompt:
    """Search Settings as a new node, with other values for some widgets."""
    return {"guidance": node("SeeingHearingSearchSettings", **defaults(settings.SEARCH) | inputs)}


def gradient(**inputs: Any) -> Prompt:
    """Gradient Settings as a new node, with other values for some widgets."""
    return {"guidance": node("SeeingHearingGradientSettings", **defaults(settings.GRADIENT) | inputs)}


def defaults(chosen: Iterable[Setting]) -> dict[str, Any]:
    return {setting.name: setting.default for setting in chosen}


def scored(result: str = "sampler", socket: str = "audio") -> Prompt:
    """An output node that shows how a result aligns with the condition. socket: image, video or audio."""
    return {
        "score": node(
            "SeeingHearingAlignmentScore",
            binder=["binder", 0],
            conditions=["condition", 0],
            fps=24.0,
            compare="mean",
            clips="seconds",
            **{socket: [result, 0]},
        )
    }


def video_sampler(**inputs: Any) -> dict[str, Any]:
    wires = {name: [name, 0] for name in ("video_generator", "binder")} | {"conditions": ["condition", 0]}
    return node("SeeingHearingVideoSampler", **wires | VIDEO_SAMPLER | inputs)


def joint_sampler(**inputs: Any) -> dict[str, Any]:
    wires = {name: [name, 0] for name in ("video_generator", "audio_generator", "binder")}
    return node("SeeingHearingJointSampler", **wires | JOINT_SAMPLER | inputs)


def without(node: dict[str, Any], *inputs: str) -> dict[str, Any]:
    """A node with some of its inputs left out."""
    kept = {name: value for name, value in node["inputs"].items() if name not in inputs}
    return {"class_type": node["class_type"], "inputs": kept}


def shown(what: str, output: int) -> Prompt:
    """An output node that shows an output of another node as text."""
    return {"shown": node("PreviewAny", source=[what, output])}


def text_to_sound(**inputs: Any) -> Prompt:
    """The smallest guided prompt: a text as condition, the score as output."""
    return {**loaders(), "condition": condition(text="a dog barks"), "sampler": sampler(**inputs), **scored()}


def sound_to_video(**inputs: Any) -> Prompt:
    """A guided video for the example sound; its frames as output."""
    return {
        **loaders(),
        **animatediff(),
        "sound": node("LoadAudio", audio=EXAMPLE_SOUND),
        "condition": condition(audio=["sound", 0]),
        "sampler": video_sampler(**inputs),
        "save": node("SaveImage", images=["sampler", 0], filename_prefix="frames"),
    }


def joint(**inputs: Any) -> Prompt:
    """A video with sound from words; every pair's score as output."""
    return {**loaders(), **animatediff(), "sampler": joint_sampler(**inputs), **shown("sampler", 6)}


def opening_values(server: Server, name: str) -> dict[str, Any]:
    """The values of a new node's widgets."""
    inputs = server.client.object_info()[name]["input"]
    return {
        input_name: options["default"]
        for group in ("required", "optional")
        for input_name, (_, options, *_) in inputs.get(group, {}).items()
        if "default" in options
    }


def choices(server: Server, name: str, input_name: str) -> list[str]:
    """The options of a node's list."""
    kind, options = server.client.object_info()[name]["input"]["required"][input_name]
    return kind if isinstance(kind, list) else options["options"]


def cosines(text: str) -> dict[str, float]:
    """A report, a line for each pair: 'video ~ text: +0.123'."""
    lines = (line.rsplit(":", 1) for line in text.splitlines())
    return {pair: float(value) for pair, value in lines if not pair.endswith(", in sync")}


def cosine(outputs: dict[str, Any]) -> float:
    """The one figure that Alignment Score shows."""
    (report,) = outputs["score"]["text"]
    (value,) = cosines(report).values()
    return value


def workflow_prompt(server: Server, path: Path) -> Prompt:
    return workflow_to_prompt(json.loads(path.read_text(encoding="utf-8")), server.client.object_info())
