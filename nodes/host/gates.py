"""What arrives at a node, checked and converted before the node runs: one gate for each type of socket and widget.

Wires of other packs may carry anything, because ComfyUI compares only the names of types, and literal values may be
NaN.
"""

from collections.abc import Callable
from functools import partial, wraps
from typing import Any

from comfy_api.latest import io
from torch import nn

from ...aligner.conditions.condition import conditions_of
from ...aligner.errors import AlignerError
from ...aligner.generators.tuned_prompts import tuned_prompt_of
from ...aligner.guidance.rule import rule_of
from ...aligner.values.latents import latent
from ...aligner.values.naming import named
from ...aligner.values.numbers import number, truth, whole_number
from ...aligner.values.pictures import mask, pictures
from ...aligner.values.sounds import sound
from ...aligner.values.texts import text
from ..inputs import (
    AudioGeneratorType,
    BinderType,
    CaptionerType,
    ConditionsType,
    GuidanceType,
    JointGeneratorType,
    LorasType,
    SteeringType,
    TunedPromptType,
    VideoGeneratorType,
)
from .choices import known_choice
from .early import early_check, require_early
from .managed_binders import ManagedBinders
from .managed_model import ManagedModel
from .plain_errors import plain_errors

#: What nodes ask of models, by socket: the attributes of their protocols that every model has.
BINDER = ("identity", "fingerprint", "samplings", "parts", "mean_colour", "blocks", "activation_bytes")
AUDIO_GENERATOR = ("sample_rate", "latent_shape", "latent_samples", "encode", "denoiser")
VIDEO_GENERATOR = ("compression", "latent_channels", "latent_scale", "encode", "denoiser")
JOINT_GENERATOR = ("video_latent", "video_file_latent", "audio_latent", "denoiser")
CAPTIONER = ("of_picture", "of_sound")
#: What nodes ask of ComfyUI's own objects, and of ours that are no models.
MODEL = ("clone", "model_options", "wrappers")
VAE = ("decode", "latent_dim", "latent_channels", "first_stage_model")
VIDEO = ("get_components",)
STEERING = ("run_of",)
LORA = ("path", "strength")


def managed(attributes: tuple[str, ...], source: str, value: Any, what: str) -> ManagedModel:
    """A model under management. Raises AlignerError for an object without the attributes."""
    model = value.model if isinstance(value, ManagedModel) else value
    if not isinstance(model, nn.Module):
        raise _wrong(model, what, source)
    having(attributes, source, model, what)
    return ManagedModel.of(value)


def binder(value: Any, what: str) -> ManagedModel:
    """One binder or several under management. Raises AlignerError for anything else."""
    return value if isinstance(value, ManagedBinders) else managed(BINDER, "Load ImageBind", value, what)


def having(attributes: tuple[str, ...], source: str, value: object, what: str) -> Any:
    """The value. Raises AlignerError for a class, and for an object without the attributes."""
    if isinstance(value, type) or not all(hasattr(value, name) for name in attributes):
        raise _wrong(value, what, source)
    return value


def loras(value: object, what: str) -> list:
    """A list of LoRAs. Raises AlignerError for anything else."""
    if not isinstance(value, list | tuple):
        raise _wrong(value, what, "Add LoRA")
    return [having(LORA, "Add LoRA", each, what) for each in value]


def _wrong(value: object, what: str, source: str) -> AlignerError:
    return AlignerError(f"{what} takes what {source} gives, not {named(value)}. Connect that.")


#: By the name of a type.
GATES: dict[str, Callable[[object, str], Any]] = {
    "AUDIO": sound,
    "IMAGE": pictures,
    "MASK": mask,
    "LATENT": latent,
    "STRING": text,
    "BOOLEAN": truth,
    "VIDEO": partial(having, VIDEO, "Load Video"),
    "MODEL": partial(having, MODEL, "a loader of a MODEL"),
    "VAE": partial(having, VAE, "a loader of a VAE"),
    BinderType.io_type: binder,
    AudioGeneratorType.io_type: partial(managed, AUDIO_GENERATOR, "Load AudioLDM"),
    VideoGeneratorType.io_type: partial(managed, VIDEO_GENERATOR, "Load AnimateDiff"),
    JointGeneratorType.io_type: partial(managed, JOINT_GENERATOR, "Load MM-Diffusion"),
    CaptionerType.io_type: partial(managed, CAPTIONER, "Load Captioner"),
    ConditionsType.io_type: conditions_of,
    GuidanceType.io_type: rule_of,
    TunedPromptType.io_type: tuned_prompt_of,
    SteeringType.io_type: partial(having, STEERING, "Steer Model"),
    LorasType.io_type: loras,
}


def gated(node: type[io.ComfyNode]) -> type[io.ComfyNode]:
    """The node, whose inputs pass their gates and its own `require` before it runs.

    An optional socket that gets None is as one that is not connected. A silent video's sound is refused. Errors of ours
    become SeeingHearingError.
    """
    run = node.execute.__func__

    @wraps(run)
    def execute(cls, **given) -> io.NodeOutput:
        with plain_errors():
            given = _gated(cls.define_schema(), given)
            require_early(cls, set(given), given)
            return run(cls, **given)

    node.execute = classmethod(execute)
    if hasattr(node, "require"):
        node.validate_inputs = early_check(node, _passed)
    return node


def _gated(schema: io.Schema, given: dict[str, Any]) -> dict[str, Any]:
    passed = {}
    for each in schema.inputs:
        if each.id not in given:
            continue
        values = given[each.id] if schema.is_input_list else [given[each.id]]
        values = [_passed(each, value) for value in values if not _is_left_out(each, value)]
        if schema.is_input_list:
            passed[each.id] = values
        elif values:
            (passed[each.id],) = values
    return passed


def _is_left_out(socket: io.Input, value: object) -> bool:
    return value is None and socket.optional and socket.get_io_type() != "AUDIO"


def _passed(socket: io.Input, value: object) -> Any:
    """What a socket or a widget takes, checked and converted."""
    if isinstance(socket, io.Combo.Input):
        return known_choice(socket.id, value, socket.options)
    if isinstance(socket, io.Int.Input):
        # Nodes of other packs draw seeds of 64 bits, which are more than the page can hold.
        high = None if socket.control_after_generate else socket.max
        return whole_number(value, socket.id, socket.min, high)
    if isinstance(socket, io.Float.Input):
        return number(value, socket.id, socket.min, socket.max)
    return GATES[socket.get_io_type()](value, socket.id)
