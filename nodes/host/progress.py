"""Progress, preview and cancel for a generation."""

from collections.abc import Callable

from comfy import model_management
from comfy.utils import ProgressBar
from PIL import Image

from ...aligner.generators.animatediff import STREAM as VIDEO
from ...aligner.generators.animatediff import AnimateDiffDenoiser
from ...aligner.generators.audioldm import STREAM as AUDIO
from ...aligner.generators.audioldm import AudioLDMDenoiser
from ...aligner.media import eight_bit
from ...aligner.pictures import mel_picture, spectrogram
from ...aligner.sampling import Step

PREVIEW_SIDE = 512
#: A step without gradient is not rendered, and decoding it costs about as much as the step: of a run in which there is
#: nothing else, so many previews are enough.
PREVIEWS = 8


class Progress:
    """Called after every step: cancels if asked to, and shows what has formed so far.

    pictures: of a step, one for each stream; they are shown one above the other.
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


def sound_picture(denoiser: AudioLDMDenoiser) -> Callable[[Step], Image.Image]:
    """The spectrogram so far."""

    def picture(step: Step) -> Image.Image:
        if step.rendered:
            sound = step.rendered[AUDIO]
            return spectrogram(sound.waveform[0], sound.sample_rate)
        return mel_picture(denoiser.mel({AUDIO: step.clean[AUDIO][:1]})[0].cpu())

    return picture


def middle_frame(denoiser: AnimateDiffDenoiser) -> Callable[[Step], Image.Image]:
    """The video's middle frame so far, the only one that is decoded for it."""

    def picture(step: Step) -> Image.Image:
        pixels = denoiser.render(step.clean)[VIDEO].frame(denoiser.frames // 2)
        return Image.fromarray(eight_bit(pixels).permute(1, 2, 0).contiguous().numpy())

    return picture


def _stacked(pictures: list[Image.Image]) -> Image.Image:
    """One above the other, all as wide as the widest."""
    width = max(picture.width for picture in pictures)
    scaled = [picture.resize((width, round(picture.height * width / picture.width))) for picture in pictures]
    canvas = Image.new("RGB", (width, sum(picture.height for picture in scaled)))
    top = 0
    for picture in scaled:
        canvas.paste(picture, (0, top))
        top += picture.height
    return canvas
