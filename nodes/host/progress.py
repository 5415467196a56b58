"""Progress, preview and cancel for a generation."""

from collections.abc import Callable

import torch
from comfy import model_management
from comfy.utils import ProgressBar
from PIL import Image

from ...aligner.generators.animatediff import STREAM as VIDEO
from ...aligner.generators.audioldm import STREAM as AUDIO
from ...aligner.generators.base import AudioGenerator, VideoGenerator
from ...aligner.guidance.rule import Step
from ...aligner.media import eight_bit
from ...aligner.pictures import spectrogram

PREVIEW_SIDE = 512
#: How many steps without a rendered estimate are decoded for a preview: decoding costs about as much as a step.
PREVIEWS = 8


class Progress:
    """The callback of a generation: it shows progress and previews, and ends the run when the user cancels it.

    pictures: for each stream a function from a step to its picture. The preview stacks them.
    """

    def __init__(self, steps: int, *pictures: Callable[[Step], Image.Image]):
        self.steps, self.pictures = steps, pictures
        self.bar, self.previews = ProgressBar(steps), 0

    def __call__(self, step: Step) -> None:
        model_management.throw_exception_if_processing_interrupted()
        shown = step.rendered or step.passed * PREVIEWS >= self.previews
        self.previews = int(step.passed * PREVIEWS) + 1
        preview = ("JPEG", _stacked([picture(step) for picture in self.pictures]), PREVIEW_SIDE) if shown else None
        self.bar.update_absolute(round(step.passed * self.steps), self.steps, preview)


def sound_picture(denoiser: AudioGenerator) -> Callable[[Step], Image.Image]:
    """The spectrogram of the first sample's estimate."""

    @torch.no_grad()
    def picture(step: Step) -> Image.Image:
        sound = (step.rendered or denoiser.render({AUDIO: step.clean[AUDIO][:1]}))[AUDIO]
        return spectrogram(sound.waveform[0], sound.sample_rate)

    return picture


def middle_frame(denoiser: VideoGenerator) -> Callable[[Step], Image.Image]:
    """The middle frame of the estimate. Only this frame is decoded."""

    def picture(step: Step) -> Image.Image:
        pixels = denoiser.render({VIDEO: step.clean[VIDEO][:1]})[VIDEO].frame(denoiser.frames // 2)
        return Image.fromarray(eight_bit(pixels).permute(1, 2, 0).contiguous().numpy())

    return picture


def _stacked(pictures: list[Image.Image]) -> Image.Image:
    """The pictures one above the other, all as wide as the widest."""
    width = max(picture.width for picture in pictures)
    scaled = [picture.resize((width, round(picture.height * width / picture.width))) for picture in pictures]
    canvas = Image.new("RGB", (width, sum(picture.height for picture in scaled)))
    top = 0
    for picture in scaled:
        canvas.paste(picture, (0, top))
        top += picture.height
    return canvas
