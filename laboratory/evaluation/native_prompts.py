"""Prompts for ComfyUI: a demo MODEL makes a picture or a sound in KSampler, with Steer Model before it or without."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from aligner import settings
from aligner.demo.family import VIDEO_CFG

from ..world import FPS
from .comfyui import Prompt
from .runs import AUDIO_CFG, STEPS

CANDIDATES = 16
_REHEARSED = round(settings.AT.default * STEPS)
#: How often the steered sampler evaluates the model: at each step of a candidate until the choice, and at each further
#: step of the chosen one.
EVALUATIONS = CANDIDATES * _REHEARSED + STEPS - _REHEARSED


@dataclass(frozen=True)
class NativeTask:
    """A task of the table.

    given: the part of a test clip that steers. makes: what is made, as the same part of a clip. kind: of Load Demo
    Model. cfg: its scale of guidance. load, decode, show: core's nodes for what is given and what is made. loaded,
    shown: the inputs of load and show.
    """

    given: str
    makes: str
    kind: str
    cfg: float
    load: str
    loaded: str
    decode: str
    show: str
    shown: str


TASKS = {
    "A2I": NativeTask(
        given="audio",
        makes="image",
        kind="picture",
        cfg=VIDEO_CFG,
        load="LoadAudio",
        loaded="audio",
        decode="VAEDecode",
        show="PreviewImage",
        shown="images",
    ),
    "I2A": NativeTask(
        given="image",
        makes="audio",
        kind="sound",
        cfg=AUDIO_CFG,
        load="LoadImage",
        loaded="image",
        decode="VAEDecodeAudio",
        show="PreviewAudio",
        shown="audio",
    ),
}


@dataclass(frozen=True)
class NativeMethod:
    """A way to sample: how many steps KSampler takes, and whether Steer Model comes before it."""

    steps: int
    steered: bool


UNGUIDED, AS_COSTLY, STEERED = "unguided", f"unguided, {EVALUATIONS} steps", "Steer Model"
METHODS = {
    UNGUIDED: NativeMethod(STEPS, steered=False),
    AS_COSTLY: NativeMethod(EVALUATIONS, steered=False),
    STEERED: NativeMethod(STEPS, steered=True),
}


def native_prompt(task: NativeTask, method: NativeMethod, caption: str, file: str, seed: int) -> Prompt:
    """The prompt of one sample, which the node `result` shows. file: what is given, by the name that ComfyUI knows."""
    if method.steered:
        return _steering(task, file) | _sampling(task, method.steps, caption, seed, model="steered")
    return _sampling(task, method.steps, caption, seed, model="demo")


def _sampling(task: NativeTask, steps: int, caption: str, seed: int, model: str) -> Prompt:
    """Load Demo Model, core's sampler and what shows the result. model: the node whose MODEL is sampled."""
    return {
        "demo": _node("SeeingHearingLoadDemoModel", kind=task.kind),
        "positive": _node("CLIPTextEncode", clip=["demo", 1], text=caption),
        "negative": _node("CLIPTextEncode", clip=["demo", 1], text=""),
        "sampler": _node(
            "KSampler",
            model=[model, 0],
            positive=["positive", 0],
            negative=["negative", 0],
            latent_image=["demo", 3],
            seed=seed,
            steps=steps,
            cfg=task.cfg,
            sampler_name="euler",
            scheduler="normal",
            denoise=1.0,
        ),
        "decoded": _node(task.decode, samples=["sampler", 0], vae=["demo", 2]),
        "result": _node(task.show, **{task.shown: ["decoded", 0]}),
    }


def _steering(task: NativeTask, file: str) -> Prompt:
    """Steer Model as the node `steered`, with its defaults but for the number of candidates."""
    return {
        "given": _node(task.load, **{task.loaded: file}),
        "binder": _node("SeeingHearingLoadImageBind", model="demo (built in)", precision="auto"),
        "condition": _node(
            "SeeingHearingEncodeCondition",
            binder=["binder", 0],
            text="",
            **_defaults(settings.CONDITION_FPS, settings.WEIGHT, settings.CLIPS, settings.STREAMS),
            **{task.loaded: ["given", 0]},
        ),
        "search": _node(
            "SeeingHearingSearchSettings",
            **_defaults(*settings.SEARCH) | {"audio_candidates": CANDIDATES, "video_candidates": CANDIDATES},
        ),
        "steered": _node(
            "SeeingHearingSteerModel",
            model=["demo", 0],
            binder=["binder", 0],
            conditions=["condition", 0],
            vae=["demo", 2],
            guidance=["search", 0],
            fps=float(FPS),
            **_defaults(settings.PAIR_WEIGHT),
        ),
    }


def _node(class_type: str, **inputs: Any) -> dict[str, Any]:
    return {"class_type": class_type, "inputs": inputs}


def _defaults(*chosen: settings.Setting) -> dict[str, Any]:
    return {setting.name: setting.default for setting in chosen}
