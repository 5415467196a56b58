"""Progress and previews of rehearsals: one bar over all candidates, and which of them runs."""

from collections.abc import Sequence

import latent_preview
import torch
from comfy.utils import ProgressBar
from PIL import Image

from ...aligner.guidance.choosing import Take, beside_best, counted
from ...aligner.guidance.rehearsal import ordered
from ...aligner.guidance.search import Choice, rehearsed_steps
from ...aligner.pictures import Film, captioned, stacked
from .player import NativePlayer

PREVIEW_SIDE = 512


class RehearsalProgress:
    """The callbacks of rehearsals. The sampler's own bar follows for the run of the best candidate.

    Where ComfyUI previews latents, their previews name the candidate, and the best so far stands beside it. Every
    judged candidate is shown as it looks and sounds.
    """

    def __init__(self, candidates: int, choices: Sequence[Choice], player: NativePlayer):
        self.candidates, self.total, self.taken = candidates, rehearsed_steps(candidates, choices), 0
        self.bar = ProgressBar(self.total)
        # Of the choice under way.
        self.takes: dict[int, Take] = {}
        model = player.guider.model_patcher
        self.previewer = latent_preview.get_previewer(model.load_device, model.model.latent_format)
        player.on_step = self.step

    def step(self, candidate: int, estimate: torch.Tensor) -> None:
        """One step of a candidate was taken. estimate: of its first stream."""
        self.taken += 1
        # A pack that shows previews of its own returns None.
        preview = self.previewer and self.previewer.decode_latent_to_preview_image("JPEG", estimate)
        if preview:
            best = self.takes[ordered(self.takes)[0]] if self.takes else None
            film = beside_best(Film([preview[1]]), counted(candidate, self.candidates), best)
            self._show(film.pictures[0])
        else:
            self._show(None)

    def take(self, candidate: int, take: Take) -> None:
        """A candidate was judged. One that is judged again begins the next choice."""
        if candidate in self.takes:
            self.takes = {}
        self.takes[candidate] = take
        self._show_take(candidate, take, f": {take.alignment.overall.mean().item():.3f}")

    def choose(self, candidate: int, take: Take) -> None:
        """The search is over. The sampler of a graph without previews keeps showing the best candidate."""
        self._show_take(candidate, take, " is chosen")

    def _show_take(self, candidate: int, take: Take, result: str) -> None:
        picture = captioned(stacked(take.pictures), counted(candidate, self.candidates) + result)
        self._show(picture if take.pictures else None)

    def _show(self, picture: Image.Image | None) -> None:
        preview = ("JPEG", picture, PREVIEW_SIDE) if picture else None
        self.bar.update_absolute(min(self.taken, self.total), self.total, preview)
