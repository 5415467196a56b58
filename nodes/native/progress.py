"""Progress and previews of rehearsals: one bar over all candidates, and which of them runs."""

from collections.abc import Sequence

import latent_preview
import torch
from comfy.utils import ProgressBar
from PIL import Image

from ...aligner.guidance.choosing import Take
from ...aligner.guidance.search import Choice, rehearsed_steps
from ...aligner.pictures import captioned, stacked
from .player import NativePlayer

PREVIEW_SIDE = 512


class RehearsalProgress:
    """The callbacks of rehearsals. The sampler's own bar follows for the run of the best candidate.

    Where ComfyUI previews latents, their previews name the candidate. Every judged candidate is shown as it looks and
    sounds.
    """

    def __init__(self, candidates: int, choices: Sequence[Choice], player: NativePlayer):
        self.candidates, self.total, self.taken = candidates, rehearsed_steps(candidates, choices), 0
        self.bar = ProgressBar(self.total)
        model = player.guider.model_patcher
        self.previewer = latent_preview.get_previewer(model.load_device, model.model.latent_format)
        player.on_step = self.step

    def step(self, candidate: int, estimate: torch.Tensor) -> None:
        """One step of a candidate was taken. estimate: of its first stream."""
        self.taken += 1
        # A pack that shows previews of its own returns None.
        preview = self.previewer and self.previewer.decode_latent_to_preview_image("JPEG", estimate)
        self._show(candidate, preview[1] if preview else None, "")

    def take(self, candidate: int, take: Take) -> None:
        """A candidate was judged."""
        picture = stacked(take.pictures) if take.pictures else None
        self._show(candidate, picture, f": {take.alignment.overall.mean().item():.3f}")

    def choose(self, candidate: int, take: Take) -> None:
        """The search is over. The sampler of a graph without previews keeps showing the best candidate."""
        picture = stacked(take.pictures) if take.pictures else None
        self._show(candidate, picture, " is chosen")

    def _show(self, candidate: int, picture: Image.Image | None, result: str) -> None:
        words = f"candidate {candidate + 1} of {self.candidates}{result}"
        preview = ("JPEG", captioned(picture.convert("RGB"), words), PREVIEW_SIDE) if picture else None
        self.bar.update_absolute(min(self.taken, self.total), self.total, preview)
