"""Prompts for ComfyUI's server, made of our nodes and core nodes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from run import ROOT

from .client import Prompt, workflow_to_prompt
from .server import Server

WORKFLOWS = sorted((ROOT / "workflows").glob("*.json"))
DEMO, NONE, NO_MOTION = "demo (built in)", "none", "none (pictures only)"
EXAMPLE_VIDEO, EXAMPLE_SOUND = "seeing_and_hearing_example.mp4", "seeing_and_hearing_example.wav"
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
    "text_weight": 1.0,
    "guided": True,
}
VIDEO_SAMPLER = {
    "prompt": "a ball bounces",
    "negative_prompt": "",
    "seed": 3,
    "steps": 6,
    "cfg": 7.5,
    "frame_count": 4,
    "width": 32,
    "height": 32,
    "fps": 8.0,
    "denoise": 1.0,
    "text_weight": 1.0,
    "decoding": "exact",
    "guided": True,
}
JOINT_SAMPLER = VIDEO_SAMPLER | {
    "audio_prompt": "",
    "audio_negative_prompt": "",
    "audio_steps": 6,
    "audio_cfg": 2.5,
    "pair_weight": 1.0,
}
CONDITION = {"imagebind": ["imagebind", 0], "text": "", "fps": 24.0, "weight": 1.0, "clips": "released"}
GUIDANCE = {
    "rule": "released",
    "learning_rate": 0.1,
    "prompt_rate": 0.0,
    "inner_steps": 1,
    "start": 0.2,
    "end": 1.0,
    "compare": "mean",
    "clips": "released",
    "checkpointing": False,
}


def node(class_type: str, **inputs: Any) -> dict[str, Any]:
    return {"class_type": class_type, "inputs": inputs}


def loaders(imagebind: str = DEMO, audioldm: str = DEMO) -> Prompt:
    return {
        "imagebind": node("SeeingHearingLoadImageBind", model=imagebind, precision="auto"),
        "audioldm": node("SeeingHearingLoadAudioLDM", model=audioldm, precision="auto"),
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
    return {"animatediff": node("SeeingHearingLoadAnimateDiff", **chosen | inputs)}


def condition(**inputs: Any) -> dict[str, Any]:
    return node("SeeingHearingEncodeCondition", **CONDITION | inputs)


def sampler(**inputs: Any) -> dict[str, Any]:
    wires = {"audioldm": ["audioldm", 0], "imagebind": ["imagebind", 0], "conditions": ["condition", 0]}
    return node("SeeingHearingGuidedAudioLDMSampler", **wires | SAMPLER | inputs)


def guidance(**inputs: Any) -> dict[str, Any]:
    return node("SeeingHearingGuidanceSettings", **GUIDANCE | inputs)


def scored(sound: str = "sampler") -> Prompt:
    """An output node that tells how the sound aligns with the condition."""
    return {
        "score": node(
            "SeeingHearingAlignmentScore",
            imagebind=["imagebind", 0],
            conditions=["condition", 0],
            audio=[sound, 0],
            fps=24.0,
            compare="mean",
            clips="released",
        )
    }


def video_sampler(**inputs: Any) -> dict[str, Any]:
    wires = {"animatediff": ["animatediff", 0], "imagebind": ["imagebind", 0], "conditions": ["condition", 0]}
    return node("SeeingHearingGuidedAnimateDiffSampler", **wires | VIDEO_SAMPLER | inputs)


def joint_sampler(**inputs: Any) -> dict[str, Any]:
    wires = {name: [name, 0] for name in ("animatediff", "audioldm", "imagebind")}
    return node("SeeingHearingJointSampler", **wires | JOINT_SAMPLER | inputs)


def shown(what: str, output: int) -> Prompt:
    """An output node that tells what an output of another node is, as text."""
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
    return {**loaders(), **animatediff(), "sampler": joint_sampler(**inputs), **shown("sampler", 5)}


def opening_values(server: Server, name: str) -> dict[str, Any]:
    """The values of a new node's widgets."""
    inputs = server.client.object_info()[name]["input"]
    return {
        input_name: options["default"]
        for group in ("required", "optional")
        for input_name, (_, options, *_) in inputs.get(group, {}).items()
        if "default" in options
    }


def cosines(text: str) -> dict[str, float]:
    """A report, a line for each pair: 'video ~ text: +0.123'."""
    return {pair: float(value) for pair, value in (line.rsplit(":", 1) for line in text.splitlines())}


def cosine(outputs: dict[str, Any]) -> float:
    """The one figure that Alignment Score shows."""
    (report,) = outputs["score"]["text"]
    (value,) = cosines(report).values()
    return value


def workflow_prompt(server: Server, path: Path) -> Prompt:
    return workflow_to_prompt(json.loads(path.read_text(encoding="utf-8")), server.client.object_info())
