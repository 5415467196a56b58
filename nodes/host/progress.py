"""Progress, preview and cancel for a generation."""

import torch
from comfy import model_management
from comfy.utils import ProgressBar
from PIL import Image

from ...aligner.generators.base import Generator
from ...aligner.guidance.choosing import pictured
from ...aligner.guidance.rule import Step
from ...aligner.pictures import stacked

PREVIEW_SIDE = 512
#: How many steps without a rendered estimate are decoded for a preview: decoding costs about as much as a step.
PREVIEWS = 8


class Progress:
    """The callback of a generation: it shows progress and previews, and ends the run when the user cancels it.

    The preview is the estimate of the first sample, its streams one above the other.
    """

    def __init__(self, denoiser: Generator):
        self.denoiser, self.steps = denoiser, denoiser.steps
        self.bar, self.previews = ProgressBar(self.steps), 0

    def __call__(self, step: Step) -> None:
        model_management.throw_exception_if_processing_interrupted()
        shown = step.rendered or step.passed * PREVIEWS >= self.previews
        self.previews = int(step.passed * PREVIEWS) + 1
        picture = self._picture(step) if shown else None
        preview = ("JPEG", picture, PREVIEW_SIDE) if picture else None
        self.bar.update_absolute(round(step.passed * self.steps), self.steps, preview)

    @torch.no_grad()
    def _picture(self, step: Step) -> Image.Image | None:
        """None where no signal draws itself: those of another package need not."""
        rendered = step.rendered or self.denoiser.render({name: clean[:1] for name, clean in step.clean.items()})
        pictures = list(pictured(rendered).values())
        return stacked(pictures) if pictures else None
