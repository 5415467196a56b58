"""Prompts for ComfyUI's server, made of our nodes and core nodes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from run import ROOT

from .client import Prompt, workflow_to_prompt
from .server import Server

WORKFLOWS = sorted((ROOT / "workflows").glob("*.json"))
DEMO = "demo (built in)"
SAMPLER = {"prompt": "", "negative_prompt": "", "seed": 3, "steps": 6, "cfg": 2.5, "length": "seconds", "seconds": 1.0,
           "variations": 1, "denoise": 1.0, "text_weight": 1.0, "guided": True}
CONDITION = {"imagebind": ["imagebind", 0], "text": "", "fps": 24.0, "weight": 1.0, "clips": "released"}
GUIDANCE = {"rule": "released", "learning_rate": 0.1, "prompt_rate": 0.0, "inner_steps": 1, "start": 0.2, "end": 1.0,
            "compare": "mean", "clips": "released", "checkpointing": False}


def node(class_type: str, **inputs: Any) -> dict[str, Any]:
    return {"class_type": class_type, "inputs": inputs}


def loaders(imagebind: str = DEMO, audioldm: str = DEMO) -> Prompt:
    return {"imagebind": node("SeeingHearingLoadImageBind", model=imagebind, precision="auto"),
            "audioldm": node("SeeingHearingLoadAudioLDM", model=audioldm, precision="auto")}


def condition(**inputs: Any) -> dict[str, Any]:
    return node("SeeingHearingEncodeCondition", **CONDITION | inputs)


def sampler(**inputs: Any) -> dict[str, Any]:
    wires = {"audioldm": ["audioldm", 0], "imagebind": ["imagebind", 0], "conditions": ["condition", 0]}
    return node("SeeingHearingGuidedAudioLDMSampler", **wires | SAMPLER | inputs)


def guidance(**inputs: Any) -> dict[str, Any]:
    return node("SeeingHearingGuidanceSettings", **GUIDANCE | inputs)


def scored(sound: str = "sampler") -> Prompt:
    """An output node that tells how the sound aligns with the condition."""
    return {"score": node("SeeingHearingAlignmentScore", imagebind=["imagebind", 0], conditions=["condition", 0],
                          audio=[sound, 0], fps=24.0, compare="mean", clips="released")}


def text_to_sound(**inputs: Any) -> Prompt:
    """The smallest guided prompt: a text as condition, the score as output."""
    return {**loaders(), "condition": condition(text="a dog barks"), "sampler": sampler(**inputs), **scored()}


def cosine(outputs: dict[str, Any]) -> float:
    """The figure that Alignment Score shows: 'audio ~ text: +0.123'."""
    (report,) = outputs["score"]["text"]
    return float(report.rsplit(":", 1)[1])


def workflow_prompt(server: Server, path: Path) -> Prompt:
    return workflow_to_prompt(json.loads(path.read_text(encoding="utf-8")), server.client.object_info())
