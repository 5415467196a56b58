"""Progress, preview and cancel for a generation."""

import logging
import threading
import time

import torch
from comfy import model_management
from comfy.utils import ProgressBar
from comfy_execution.utils import get_executing_context

from ...aligner.generators.base import Generator
from ...aligner.guidance.choosing import Take, beside_best, counted, filmed, labelled
from ...aligner.guidance.rule import Step
from ...aligner.pictures import Film
from .encoded_preview import EncodedPreview
from .player import PreviewPlayer
from .time_left import TimeLeft

#: How many steps without a rendered estimate are decoded for a preview at least: decoding may cost as much as a step.
PREVIEWS = 8
#: More are decoded where that takes at most this part of the time.
PREVIEW_SHARE = 0.05
#: Seconds between two updates of a bar.
PAUSE = 0.1


def end_if_cancelled(*_) -> None:
    """Raise ComfyUI's exception where the user has cancelled the prompt. It is a hook of modules, too."""
    model_management.throw_exception_if_processing_interrupted()


def say_on_node(text: str) -> None:
    """Show a text on the node that runs."""
    from server import PromptServer  # where nodes are loaded without a server, nothing runs

    context, server = get_executing_context(), PromptServer.instance
    if context and server.client_id is not None:
        server.send_progress_text(text, context.node_id, server.client_id)


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

    The preview is the estimate of the first sample, its streams one above the other. While candidates run it says which
    one it shows, and shows the best so far beside it. Clips move from the beginning to the end of the context manager.
    A run of more than a minute tells how long it still takes.
    """

    def __init__(self, denoiser: Generator):
        self.denoiser, self.steps = denoiser, denoiser.steps
        self.bar, self.previews, self.reached, self.shown = ProgressBar(self.steps), 0, 0, 0.0
        self.best: Take | None = None
        self.next_preview = float("inf")
        self.bar_in_use, self.player = threading.RLock(), PreviewPlayer(self._send)

    def __enter__(self) -> "Progress":
        self.player.__enter__()
        self.time_left = TimeLeft(say_on_node, lambda words: logging.info("Seeing & Hearing: sampling, %s.", words))
        return self

    def __exit__(self, error: type[BaseException] | None, *details: object) -> None:
        self.player.__exit__(error, *details)
        self.time_left.end(finished=error is None)

    def __call__(self, step: Step) -> None:
        end_if_cancelled()
        if step.tried:
            self.best = step.tried[step.chosen]
        film = self._film(step) if self._is_time(step) else None
        self.reached = self.shown = round(step.passed * self.steps)
        if film is None:
            self._update(self.reached, self.steps)
        else:
            self._show(film)
        self.time_left.step(step.passed)

    def part(self, done: int, total: int) -> None:
        """Show the windows and clips of the step under way, and at the end those of the result."""
        end_if_cancelled()
        self.time_left.part(done, total, self.steps)
        if self.reached >= self.steps:
            self._update(done, total)
        elif self.shown < self.reached + done / total < self.reached + 1:  # a step may use its windows several times
            self.shown = self.reached + done / total
            self._update(self.shown, self.steps)

    def _is_time(self, step: Step) -> bool:
        """Whether a preview is due."""
        due = step.passed * PREVIEWS >= self.previews or time.monotonic() > self.next_preview
        self.previews = int(step.passed * PREVIEWS) + 1
        return bool(step.rendered or step.tried or due)

    def _film(self, step: Step) -> Film | None:
        """A preview; the next one waits as long as this one's cost demands."""
        begun = time.monotonic()
        film = self._drawn(step)
        ended = time.monotonic()
        self.next_preview = ended + (ended - begun) / PREVIEW_SHARE
        return film

    @torch.no_grad()
    def _drawn(self, step: Step) -> Film | None:
        """None where no signal draws itself: those of another package need not."""
        film = filmed(step.rendered or self.denoiser.render({name: clean[:1] for name, clean in step.clean.items()}))
        if film and step.candidates > 1:
            return beside_best(film, counted(step.candidate, step.candidates), self.best)
        if film and step.tried:
            return labelled(film, f"{step.tried[step.chosen].label} fits best")
        return film

    def _show(self, film: Film) -> None:
        """Show the first picture, and let the player go on."""
        frames = [EncodedPreview.of(picture) for picture in film.pictures]
        self._update(self.reached, self.steps, frames[0])
        self.player.play(frames, film.fps)

    def _update(self, value: float, total: int, frame: EncodedPreview | None = None) -> None:
        with self.bar_in_use:
            self.bar.update_absolute(value, total, frame and ("JPEG", frame, None))

    def _send(self, frame: EncodedPreview) -> None:
        """Show a frame from the player's thread; the bar stays where it is."""
        try:
            with self.bar_in_use:
                self._update(self.bar.current, self.bar.total, frame)
        except model_management.InterruptProcessingException:
            # The bar noticed the user's cancel, which ComfyUI tells only once. The run must notice it, too.
            self.player.stop()
            model_management.interrupt_current_processing()
