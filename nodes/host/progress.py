"""Progress, preview and cancel for a generation."""

import time

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
#: Seconds between two updates of a bar.
PAUSE = 0.1


def end_if_cancelled(*_) -> None:
    """Raise ComfyUI's exception where the user has cancelled the prompt. It is a hook of modules, too."""
    model_management.throw_exception_if_processing_interrupted()


class Parts:
    """The listener of long work without steps: it shows how many parts are done, and ends the work on a cancel."""

    def __init__(self):
        self.bar, self.updated = ProgressBar(1), 0.0

    def __call__(self, done: int, total: int) -> None:
        end_if_cancelled()
        # The frames of a video are read faster than a page shows them.
        if done == total or time.monotonic() > self.updated + PAUSE:
            self.updated = time.monotonic()
            self.bar.update_absolute(done, total)


class Progress:
    """The callback of a generation: it shows progress and previews, and ends the run when the user cancels it.

    The preview is the estimate of the first sample, its streams one above the other.
    """

    def __init__(self, denoiser: Generator):
        self.denoiser, self.steps = denoiser, denoiser.steps
        self.bar, self.previews, self.reached, self.shown = ProgressBar(self.steps), 0, 0, 0.0

    def __call__(self, step: Step) -> None:
        end_if_cancelled()
        shown = step.rendered or step.passed * PREVIEWS >= self.previews
        self.previews = int(step.passed * PREVIEWS) + 1
        picture = self._picture(step) if shown else None
        preview = ("JPEG", picture, PREVIEW_SIDE) if picture else None
        self.reached = self.shown = round(step.passed * self.steps)
        self.bar.update_absolute(self.reached, self.steps, preview)

    def part(self, done: int, total: int) -> None:
        """Show the windows and clips of the step under way, and at the end those of the result."""
        end_if_cancelled()
        if self.reached >= self.steps:
            self.bar.update_absolute(done, total)
        elif self.shown < self.reached + done / total < self.reached + 1:  # a step may use its windows several times
            self.shown = self.reached + done / total
            self.bar.update_absolute(self.shown, self.steps)

    @torch.no_grad()
    def _picture(self, step: Step) -> Image.Image | None:
        """None where no signal draws itself: those of another package need not."""
        rendered = step.rendered or self.denoiser.render({name: clean[:1] for name, clean in step.clean.items()})
        pictures = list(pictured(rendered).values())
        return stacked(pictures) if pictures else None
