"""Prompts in which Steer Model steers a native model, and readers of what Steering Report shows."""

from __future__ import annotations

from typing import Any

from .client import Prompt
from .native_prompts import AUDIO_VAE, JOINT, SAMPLED, VAE, Link
from .prompts import condition, loaders, node, search

SEED, STEPS, CANDIDATES = 5, 6, 3
#: A choice after half of the steps, of three candidates.
FEW = {"audio_candidates": CANDIDATES, "video_candidates": CANDIDATES, "at": 0.4}
#: Deterministic and stochastic samplers, those of one step and of several, and one that looks twice a step.
SAMPLER_NAMES = ["euler", "euler_ancestral", "dpmpp_2m", "dpmpp_2m_sde", "uni_pc", "lcm"]


def steering(kind: str, guidance: Prompt | None = None, **inputs: Any):
    """A Between that steers a model, and reports it."""

    def steered(prompt: Prompt, model: Link) -> Link:
        chosen = search(**FEW) if guidance is None else guidance
        vaes = {"vae": VAE} | ({"audio_vae": AUDIO_VAE} if kind in JOINT else {})
        wires = {"model": model, "binder": ["binder", 0], "conditions": ["condition", 0], "guidance": ["guidance", 0]}
        prompt |= {"binder": loaders()["binder"], "condition": condition(text="a bell rings"), **chosen}
        prompt["steer"] = node("SeeingHearingSteerModel", fps=8.0, pair_weight=1.0, **wires | vaes | inputs)
        prompt["report"] = node("SeeingHearingSteeringReport", steering=["steer", 1], latent=SAMPLED)
        prompt["words"] = node("PreviewAny", source=["report", 3])
        prompt["seed"] = node("PreviewAny", source=["report", 2])
        return ["steer", 0]

    return steered


def text_of(outputs: dict[str, Any], name: str) -> str:
    (text,) = outputs[name]["text"]
    return text


def seed_of(outputs: dict[str, Any]) -> int:
    return int(text_of(outputs, "seed"))
