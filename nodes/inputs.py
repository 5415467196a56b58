"""Inputs that several nodes share: our socket types, and widgets made from `aligner.settings`."""

from typing import Any

from comfy_api.latest import io

from ..aligner import settings
from ..aligner.settings import Setting
from ..aligner.tensors.precision import DTYPES

CATEGORY = "Seeing & Hearing"

#: A binder: a ManagedModel, or any module that meets the protocol `aligner.binders.base.Binder`.
BinderType = io.Custom("SEEING_HEARING_BINDER")
#: A generator of the stream "audio", such as AudioLDM: a ManagedModel or a bare module.
AudioGeneratorType = io.Custom("SEEING_HEARING_AUDIO_GENERATOR")
#: A generator of the stream "video", such as AnimateDiff: a ManagedModel or a bare module.
VideoGeneratorType = io.Custom("SEEING_HEARING_VIDEO_GENERATOR")
#: A list of `aligner.conditions.condition.Condition`.
ConditionsType = io.Custom("SEEING_HEARING_CONDITIONS")
#: A rule: any object that meets the protocol of `aligner.guidance.rule.Rule`.
GuidanceType = io.Custom("SEEING_HEARING_GUIDANCE")
LorasType = io.Custom("SEEING_HEARING_LORAS")
CaptionerType = io.Custom("SEEING_HEARING_CAPTIONER")
TunedPromptType = io.Custom("SEEING_HEARING_TUNED_PROMPT")


def widget(setting: Setting, **changes: Any) -> io.Input:
    """The widget of a setting: its name, default, range and description.

    changes: other values for this place, such as optional=True.
    """
    common = {"default": setting.default, "tooltip": setting.description}
    number = {"min": setting.low, "max": setting.high, "step": setting.step}
    if setting.choices:
        return io.Combo.Input(setting.name, options=list(setting.choices), **common | changes)
    if isinstance(setting.default, bool):
        return io.Boolean.Input(setting.name, **common | changes)
    if isinstance(setting.default, str):
        return io.String.Input(setting.name, multiline=setting.lines, **common | changes)
    if isinstance(setting.default, int):
        return io.Int.Input(setting.name, **common | number | changes)
    return io.Float.Input(setting.name, round=False, **common | number | changes)


def widgets(*chosen: Setting) -> list[io.Input]:
    """The widgets of several settings, in this order."""
    return [widget(setting) for setting in chosen]


def seed_input() -> io.Int.Input:
    """The seed, with ComfyUI's control of what happens to it after a run."""
    return widget(settings.SEED, control_after_generate=True)


def precision_input() -> io.Combo.Input:
    """The precision of loaders."""
    return io.Combo.Input(
        "precision",
        options=["auto", *DTYPES],
        default="auto",
        tooltip="auto follows ComfyUI's own choice: fp16 or bf16 on most GPUs, fp32 on the CPU.",
    )


def guiding_sockets() -> list[io.Input]:
    """What steers a sampler: binder, conditions and the rule."""
    return [
        BinderType.Input(
            "binder", optional=True, tooltip="From Load ImageBind. Needed to compare results with conditions."
        ),
        ConditionsType.Input("conditions", optional=True, tooltip="What the result follows, from Encode Condition."),
        GuidanceType.Input(
            "guidance",
            optional=True,
            tooltip="From Search Settings or Gradient Settings. Unconnected: the search with its defaults.",
        ),
    ]


def guided_input() -> io.Boolean.Input:
    """Guidance on or off, to compare."""
    return io.Boolean.Input(
        "guided",
        default=True,
        tooltip="Off samples without guidance and only scores the result, to compare with the same seed.",
    )


def tuned_prompt_socket() -> io.Input:
    """A prompt embedding to start from."""
    return TunedPromptType.Input(
        "tuned_prompt",
        optional=True,
        tooltip="A prompt embedding to start from instead of the prompt's own, from another run or Load Tuned Prompt.",
    )


def starting_sockets() -> list[io.Input]:
    """What a video starts from: a latent or frames."""
    return [
        io.Latent.Input(
            "latent",
            optional=True,
            tooltip="A latent to refine or change, from this node or VAE Encode: set denoise below 1, or give it a "
            "mask of what is made anew. Its frames and size replace the widgets.",
        ),
        io.Image.Input(
            "init_frames",
            optional=True,
            tooltip="Frames to change, instead of a latent: set denoise below 1. Their number and size replace the "
            "widgets.",
        ),
    ]


def video_size_widgets() -> list[io.Input]:
    """Number, size and rate of frames."""
    return widgets(settings.FRAMES, settings.WIDTH, settings.HEIGHT, settings.FPS)
