"""Inputs that several nodes share: our socket types, and widgets made from `aligner.settings`."""

from typing import Any

from comfy_api.latest import io

from ..aligner import settings
from ..aligner.settings import Setting
from ..aligner.tensors.precision import DTYPES


class Category:
    """Where ComfyUI's menu lists the nodes; each is a folder of our package."""

    LOADERS = "Seeing & Hearing/loaders"
    CONDITIONS = "Seeing & Hearing/conditions"
    GUIDANCE = "Seeing & Hearing/guidance"
    SAMPLERS = "Seeing & Hearing/samplers"
    LONG_FORM = "Seeing & Hearing/long form"
    UTILITIES = "Seeing & Hearing/utilities"


#: A binder: a ManagedModel, or any module that meets the protocol `aligner.binders.base.Binder`.
BinderType = io.Custom("SEEING_HEARING_BINDER")
#: A generator of the stream "audio", such as AudioLDM: a ManagedModel or a bare module.
AudioGeneratorType = io.Custom("SEEING_HEARING_AUDIO_GENERATOR")
#: A generator of the stream "video", such as AnimateDiff: a ManagedModel or a bare module.
VideoGeneratorType = io.Custom("SEEING_HEARING_VIDEO_GENERATOR")
#: A generator of both streams by one network, such as MM-Diffusion: a ManagedModel or a bare module.
JointGeneratorType = io.Custom("SEEING_HEARING_JOINT_GENERATOR")
#: A list of `aligner.conditions.condition.Condition`.
ConditionsType = io.Custom("SEEING_HEARING_CONDITIONS")
#: A rule: any object that meets the protocol of `aligner.guidance.rule.Rule`.
GuidanceType = io.Custom("SEEING_HEARING_GUIDANCE")
#: A list of `aligner.generators.stable_diffusion.Lora`.
LorasType = io.Custom("SEEING_HEARING_LORAS")
#: A ManagedModel of a captioner, see `aligner.captioning.Captioner`.
CaptionerType = io.Custom("SEEING_HEARING_CAPTIONER")
#: An `aligner.generators.tuned_prompts.TunedPrompt`.
TunedPromptType = io.Custom("SEEING_HEARING_TUNED_PROMPT")

#: A `nodes.native.steering.Steering`: what a steered MODEL tried.
SteeringType = io.Custom("SEEING_HEARING_STEERING")


def schema(**fields: Any) -> io.Schema:
    """A node's schema. What this ComfyUI does not know yet, such as search_aliases, is left out."""
    return io.Schema(**{name: value for name, value in fields.items() if name in io.Schema.__dataclass_fields__})


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


def folded(*inputs: io.Input) -> list[io.Input]:
    """Rarely used inputs: the page folds them until somebody asks for them."""
    for each in inputs:
        each.extra_dict["advanced"] = True
    return list(inputs)


def seed_input(seed: settings.Setting = settings.SEED) -> io.Int.Input:
    """The seed, with ComfyUI's control of the seed of the next run."""
    return widget(seed, control_after_generate=True)


def precision_input() -> io.Combo.Input:
    """The precision in which a loader holds weights."""
    return io.Combo.Input(
        "precision",
        options=["auto", *DTYPES],
        default="auto",
        tooltip="Precision of the weights. auto is ComfyUI's own choice: fp16 or bf16 on most GPUs, fp32 on the CPU.",
    )


def filename_prefix_input(kind: str) -> io.String.Input:
    """The beginning of the name of a saved file.

    kind: the folder of output that holds such files.
    """
    return io.String.Input(
        "filename_prefix",
        default=kind,
        tooltip=f"The beginning of the file's name in output/{kind}. A number follows it.",
    )


def kept_conditions_socket(name: str = "conditions") -> io.Input:
    """Conditions of another node that a node passes on beside its own."""
    return ConditionsType.Input(
        name, optional=True, tooltip="Conditions of another node. They are passed on as they are, beside the new ones."
    )


def conditions_output() -> io.Output:
    """Conditions for a sampler, or for one more node of conditions."""
    return ConditionsType.Output(
        display_name="conditions", tooltip="For a guided sampler, or for one more node of conditions."
    )


def score_output() -> io.Output:
    """The score of a sampler's result."""
    return io.Float.Output(
        display_name="score",
        tooltip="Mean cosine similarity of all pairs, -1 to 1, weighted as in guidance. NaN where nothing is compared.",
    )


def report_output() -> io.Output:
    """Every pair with its score, as text."""
    return io.String.Output(
        display_name="report", tooltip="Every pair with its cosine similarity. Preview Any shows it."
    )


def guiding_sockets(*kinds: str) -> list[io.Input]:
    """The sockets of guidance: binder, what is followed, conditions and rule.

    kinds: see `followed_sockets`.
    """
    return [
        BinderType.Input(
            "binder",
            optional=True,
            tooltip="From Load ImageBind or Load PE-AV. It compares the result with what it follows.",
        ),
        *followed_sockets(*kinds),
        ConditionsType.Input(
            "conditions",
            optional=True,
            tooltip="From Encode Condition: more to follow or to avoid, each with its weight, seconds and region.",
        ),
        GuidanceType.Input(
            "guidance",
            optional=True,
            tooltip="From Search Settings or Gradient Settings. Unconnected: the search with its defaults.",
        ),
    ]


def followed_sockets(*kinds: str) -> list[io.Input]:
    """Sockets for what the result follows, without a node between. kinds: of "video", "image" and "audio"."""
    sockets = {
        "video": io.Video.Input(
            "video", optional=True, tooltip="A clip that the result follows, as by Encode Condition with weight 1."
        ),
        "image": io.Image.Input(
            "image", optional=True, tooltip="A picture that the result follows, as by Encode Condition with weight 1."
        ),
        "audio": io.Audio.Input(
            "audio", optional=True, tooltip="A sound that the result follows, as by Encode Condition with weight 1."
        ),
    }
    return [sockets[kind] for kind in kinds]


def tuned_prompt_socket() -> io.Input:
    """A prompt embedding to start from."""
    return TunedPromptType.Input(
        "tuned_prompt",
        optional=True,
        tooltip="A prompt embedding from another run or Load Tuned Prompt. It replaces the embedding of the prompt.",
    )


def starting_sockets() -> list[io.Input]:
    """The start of a video: a latent or frames."""
    return [
        io.Latent.Input(
            "latent",
            optional=True,
            tooltip="A latent to change, from this node or VAE Encode. Set denoise below 1, or give the latent a mask "
            "of the part that is made anew. Its frames and size replace the widgets.",
        ),
        io.Image.Input(
            "init_frames",
            optional=True,
            tooltip="Frames to change, in place of a latent. Set denoise below 1. Their number and size replace the "
            "widgets.",
        ),
    ]


def video_size_widgets() -> list[io.Input]:
    """Number, size and rate of frames."""
    return widgets(settings.FRAMES, settings.WIDTH, settings.HEIGHT, settings.FPS)
