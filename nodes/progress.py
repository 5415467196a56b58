"""Progress, preview and cancel for a generation."""

from PIL import Image

from comfy import model_management
from comfy.utils import ProgressBar

from ..aligner.generators.audioldm import STREAM, AudioLDM
from ..aligner.pictures import mel_picture, spectrogram
from ..aligner.sampling import Step

PREVIEW_SIDE = 512
#: An unguided step is not rendered, and decoding it costs about as much as the step: so many previews are enough.
UNGUIDED_PREVIEWS = 8


class SoundProgress:
    """Called after every step: cancels if asked to, and shows the spectrogram so far."""

    def __init__(self, model: AudioLDM, steps: int):
        self.model, self.steps = model, steps
        self.bar = ProgressBar(steps)

    def __call__(self, step: Step) -> None:
        model_management.throw_exception_if_processing_interrupted()
        picture = self._picture(step)
        preview = ("JPEG", picture, PREVIEW_SIDE) if picture else None
        self.bar.update_absolute(step.index + 1, self.steps, preview)

    def _picture(self, step: Step) -> Image.Image | None:
        if step.rendered:
            sound = step.rendered[STREAM]
            return spectrogram(sound.waveform[0], sound.sample_rate)
        if step.index % max(self.steps // UNGUIDED_PREVIEWS, 1) == 0:
            return mel_picture(self.model.decode(step.clean[STREAM][:1])[0].cpu())
        return None
