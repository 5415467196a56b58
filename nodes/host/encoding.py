"""Recordings, pictures and texts from sockets as conditions."""

from collections.abc import Set
from functools import partial

import torch

from ...aligner.binders.base import Binder
from ...aligner.conditions.condition import Condition
from ...aligner.conditions.encoding import (
    audio_condition,
    frames_condition,
    image_condition,
    text_condition,
    video_condition,
)
from ...aligner.errors import AlignerError, listed
from ...aligner.guidance.rule import Rule
from ...aligner.parts import listening
from .convert import exact_rate, frames_of, pixels, video_file
from .managed_binders import weighted
from .managed_model import ManagedModel, load_on_device
from .memory import with_one_more_try
from .progress import Parts

#: Room for the activations of a binder over the clips that it takes together.
BINDER_BYTES = 2**30


def encode(binder: ManagedModel, *, text: str, fps: float, weight: float, clips: str, **given) -> list[Condition]:
    """A condition for each connected image, video and audio, and for a text that is not empty.

    given: the connected ones of image, video, audio and mask. The mask belongs to image and video.
    """
    mask = given.get("mask")
    with listening(Parts()):
        return [
            condition
            for one in weighted(binder)
            for condition in with_one_more_try(
                partial(_encoded, one, text, fps, weight, clips, mask, _share(one, binder, given))
            )
        ]


def require_binder(connected: Set[str], *sockets: str) -> None:
    """Raise AlignerError where one of a sampler's sockets steers and nothing compares."""
    steering = [name for name in sockets if name in connected]
    if steering and "binder" not in connected:
        raise AlignerError(
            f"{listed(steering)} cannot steer without a binder. Connect Load PE-AV or Load ImageBind to binder, or "
            f"disconnect {listed(steering)}."
        )


def encode_followed(binder: ManagedModel | None, rule: Rule, **given) -> list[Condition]:
    """A condition of weight 1 for each recording that is connected to a sampler, cut as the rule compares.

    given: the connected ones of image, video and audio. Raises AlignerError for frames, whose rate is unknown.
    """
    if not given:
        return []
    assert binder is not None  # see require_binder
    if "image" in given and len(given["image"]) > 1:
        raise AlignerError(
            "image takes a single picture here. Connect frames to Encode Condition, which has their fps, or as a VIDEO."
        )
    return encode(binder, text="", fps=1.0, weight=1.0, clips=rule.comparison.clips, **given)


def _share(one: ManagedModel, binder: ManagedModel, given: dict) -> dict:
    """What one of several binders embeds, and what none does, so that it says so."""
    embedded = {modality for each in weighted(binder) for modality in each.model.parts}
    return {name: value for name, value in given.items() if name in one.model.parts or name not in embedded}


def _encoded(
    managed: ManagedModel,
    text: str,
    fps: float,
    weight: float,
    clips: str,
    mask: torch.Tensor | None,
    given: dict,
) -> list[Condition]:
    binder: Binder = managed.model
    load_on_device(managed.patchers_for(*_modalities(text, given)), memory_required=BINDER_BYTES)
    encoded = []
    if "image" in given:
        encoded.append(_images(binder, given["image"], fps, weight, clips, mask))
    if "video" in given:
        encoded.append(_video(binder, given["video"], weight, clips, mask))
    if "audio" in given:
        sounds, rate = given["audio"]
        encoded += [audio_condition(binder, sound, rate, weight, clips=clips) for sound in sounds]
    if text.strip():
        encoded.append(text_condition(binder, text, weight))
    return encoded


def _modalities(text: str, given: dict) -> list[str]:
    return [modality for modality in ("image", "video", "audio") if modality in given] + ["text"] * bool(text.strip())


def _images(
    binder: Binder, images: torch.Tensor, fps: float, weight: float, clips: str, mask: torch.Tensor | None
) -> Condition:
    if len(images) == 1:  # a picture lasts no time: only a recording sets the length of a sound
        return image_condition(binder, pixels(images)[0], weight, mask=mask)
    return frames_condition(binder, images, exact_rate(fps), weight, clips=clips, mask=mask, to_pixels=pixels)


def _video(binder: Binder, video, weight: float, clips: str, mask: torch.Tensor | None) -> Condition:
    source = video_file(video)
    if source is not None:
        return video_condition(binder, source, weight, clips=clips, mask=mask)
    frames, rate = frames_of(video)
    return frames_condition(binder, frames, rate, weight, clips=clips, mask=mask, to_pixels=pixels)
