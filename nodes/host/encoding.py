"""Recordings, pictures and texts from sockets as conditions."""

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
from ...aligner.errors import AlignerError
from ...aligner.parts import listening
from .convert import exact_rate, frames_of, pixels, video_file
from .managed_model import ManagedModel, load_on_device
from .memory import with_one_more_try
from .progress import Parts

#: Room for the activations of a binder over the clips that it takes together.
BINDER_BYTES = 2**30


def encode(binder: ManagedModel, *, text: str, fps: float, weight: float, clips: str, **given) -> list[Condition]:
    """A condition for each connected image, video and audio, and for a text that is not empty.

    given: the connected ones of image, video, audio and mask. The mask belongs to image and video.
    Raises AlignerError for a mask without either.
    """
    mask = given.get("mask")
    if mask is not None and "image" not in given and "video" not in given:
        raise AlignerError(
            "A mask belongs to an image or a video, but neither is connected. Connect one of them, or disconnect the "
            "mask."
        )
    with listening(Parts()):
        return with_one_more_try(lambda: _encoded(binder, text, fps, weight, clips, mask, given))


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
