"""Whatever is connected to a node, as conditions."""

import torch

from ...aligner.binders.imagebind import ImageBind
from ...aligner.conditions.condition import Condition
from ...aligner.conditions.encoding import (
    audio_condition,
    frames_condition,
    image_condition,
    text_condition,
    video_condition,
)
from ...aligner.errors import AlignerError
from .convert import exact_rate, pixels, video_file, waveform
from .hosting import Hosted, load_on_device
from .memory import with_one_more_try

#: Room for a tower's activations over the clips that it takes together.
TOWER_BYTES = 2**30


def encode(imagebind: Hosted, *, text: str, fps: float, weight: float, clips: str, **given) -> list[Condition]:
    """A condition for each of image, video and audio that is connected, and for a text that is not empty.

    given: the connected ones of image, video, audio, and mask, which belongs to image and video. A silent video's AUDIO
    is connected but None: that is an error, as is a mask of nothing.
    """
    mask = given.get("mask")
    if mask is not None and "image" not in given and "video" not in given:
        raise AlignerError(
            "A mask belongs to an image or a video, and none is connected. Connect one, or disconnect "
            "the mask: sounds and texts are not masked."
        )
    return with_one_more_try(lambda: _encoded(imagebind, text, fps, weight, clips, mask, given))


def _encoded(
    imagebind: Hosted, text: str, fps: float, weight: float, clips: str, mask: torch.Tensor | None, given: dict
) -> list[Condition]:
    binder: ImageBind = imagebind.model
    load_on_device(imagebind.patchers(*_towers(text, given)), memory_required=TOWER_BYTES)
    encoded = []
    if "image" in given:
        encoded.append(_images(binder, given["image"], fps, weight, clips, mask))
    if "video" in given:
        encoded.append(_video(binder, given["video"], weight, clips, mask))
    if "audio" in given:
        sounds, rate = waveform(given["audio"])
        encoded += [audio_condition(binder, sound, rate, weight, clips=clips) for sound in sounds]
    if text.strip():
        encoded.append(text_condition(binder, text, weight))
    return encoded


def _towers(text: str, given: dict) -> list[str]:
    needed = {"vision": "image" in given or "video" in given, "audio": "audio" in given, "text": bool(text.strip())}
    return [tower for tower, used in needed.items() if used]


def _images(
    binder: ImageBind, images: torch.Tensor, fps: float, weight: float, clips: str, mask: torch.Tensor | None
) -> Condition:
    if len(images) == 1:  # a picture lasts no time: only a recording sets the length of a sound
        return image_condition(binder, pixels(images)[0], weight, mask=mask)
    return frames_condition(binder, images, exact_rate(fps), weight, clips=clips, mask=mask, to_pixels=pixels)


def _video(binder: ImageBind, video, weight: float, clips: str, mask: torch.Tensor | None) -> Condition:
    source = video_file(video)
    if source is not None:
        return video_condition(binder, source, weight, clips=clips, mask=mask)
    components = video.get_components()
    return frames_condition(
        binder, components.images, components.frame_rate, weight, clips=clips, mask=mask, to_pixels=pixels
    )
