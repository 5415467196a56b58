"""Steer pre-trained generators of sound and video while they sample, by conditions in the space of a binder.

>>> import aligner
>>> binder = aligner.load_imagebind("models/imagebind/imagebind_huge.pth")
>>> denoiser = aligner.load_audioldm("models/audioldm/audioldm-m-full").denoiser(seconds=5)
>>> clip = aligner.video_condition(binder, "clip.mp4")
>>> result = aligner.generate(denoiser, denoiser.prompts(["waves"]), seed=0, binder=binder, conditions=[clip])
>>> result.signals["audio"].waveform

Names are imported when they are first used: importing this package loads neither torch nor a model library.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .binders.clap import load_clap as load_clap
    from .binders.imagebind import load_imagebind as load_imagebind
    from .binders.pe_av import load_pe_av as load_pe_av
    from .binders.several import Several as Several
    from .conditions.blending import blended as blended
    from .conditions.condition import Condition as Condition
    from .conditions.encoding import audio_condition as audio_condition
    from .conditions.encoding import frames_condition as frames_condition
    from .conditions.encoding import image_condition as image_condition
    from .conditions.encoding import prompt_conditions as prompt_conditions
    from .conditions.encoding import text_condition as text_condition
    from .conditions.encoding import video_condition as video_condition
    from .conditions.saved import load_conditions as load_conditions
    from .conditions.saved import save_conditions as save_conditions
    from .conditions.timeline import Timeline as Timeline
    from .continuation import generate_long as generate_long
    from .errors import AlignerError as AlignerError
    from .generation import Generation as Generation
    from .generation import generate as generate
    from .generators.animatediff import load_animatediff as load_animatediff
    from .generators.audioldm import load_audioldm as load_audioldm
    from .generators.joint import JointDenoiser as JointDenoiser
    from .generators.mm_diffusion import load_mm_diffusion as load_mm_diffusion
    from .generators.super_resolution import load_upscaler as load_upscaler
    from .guidance.gradient import Paper as Paper
    from .guidance.gradient import Released as Released
    from .guidance.objective import Comparison as Comparison
    from .guidance.rule import Rule as Rule
    from .guidance.rule import Unguided as Unguided
    from .guidance.scoring import score as score
    from .guidance.search import Search as Search
    from .pipelines.steer import Steered as Steered
    from .pipelines.steer import steer as steer
    from .timing.curves import Curve as Curve
    from .timing.intervals import Interval as Interval

#: The public names, by the module that defines them.
_MODULES = {
    "generation": ("Generation", "generate"),
    "continuation": ("generate_long",),
    "pipelines.steer": ("Steered", "steer"),
    "guidance.search": ("Search",),
    "guidance.gradient": ("Paper", "Released"),
    "guidance.rule": ("Rule", "Unguided"),
    "guidance.objective": ("Comparison",),
    "guidance.scoring": ("score",),
    "conditions.condition": ("Condition",),
    "conditions.encoding": (
        "audio_condition",
        "frames_condition",
        "image_condition",
        "prompt_conditions",
        "text_condition",
        "video_condition",
    ),
    "conditions.blending": ("blended",),
    "conditions.saved": ("load_conditions", "save_conditions"),
    "conditions.timeline": ("Timeline",),
    "timing.curves": ("Curve",),
    "timing.intervals": ("Interval",),
    "binders.imagebind": ("load_imagebind",),
    "binders.pe_av": ("load_pe_av",),
    "binders.clap": ("load_clap",),
    "binders.several": ("Several",),
    "generators.audioldm": ("load_audioldm",),
    "generators.animatediff": ("load_animatediff",),
    "generators.joint": ("JointDenoiser",),
    "generators.mm_diffusion": ("load_mm_diffusion",),
    "generators.super_resolution": ("load_upscaler",),
    "errors": ("AlignerError",),
}
_SOURCES = {name: module for module, names in _MODULES.items() for name in names}

__all__ = sorted(_SOURCES)  # noqa: PLE0605 - the names are listed once, above


def __getattr__(name: str) -> Any:
    if name not in _SOURCES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f".{_SOURCES[name]}", __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
