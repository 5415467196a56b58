"""The demo's captioner: picks the event of the small world that a picture or a sound is nearest to."""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import nn

from ..binders.base import Embedding, sampling_of
from ..binders.imagebind import ImageBind
from .events import EVENTS


class DemoCaptioner(nn.Module):
    """Stands in for `aligner.captioning.Captioner`, with the demo's ImageBind inside.

    It generates no text. It returns the first caption of the event whose embedding is nearest.
    """

    sees = hears = True

    def __init__(self, model: ImageBind):
        super().__init__()
        self.model = model

    def of_picture(
        self,
        pixels: torch.Tensor,
        *,
        instruction: str = "",
        longest: int = 40,
        on_token: Callable[[], None] = lambda: None,
    ) -> str:
        """The caption of a picture (3, H, W) in 0..1, at most `longest` words.

        instruction and on_token have no effect: nothing is generated token by token.
        """
        return self._nearest(self.model.embed_image(pixels[None]), longest)

    def of_sound(
        self,
        waveform: torch.Tensor,
        sample_rate: int,
        *,
        instruction: str = "",
        longest: int = 40,
        on_token: Callable[[], None] = lambda: None,
    ) -> str:
        """The caption of a mono sound (n,); see `of_picture`."""
        sampling = sampling_of(self.model, "seconds")
        return self._nearest(self.model.embed_audio(waveform[None], sample_rate, sampling), longest)

    @torch.no_grad()
    def _nearest(self, embedding: Embedding, longest: int) -> str:
        captions = [event.captions[0] for event in EVENTS]
        cosines = F.cosine_similarity(embedding.mean(), self.model.embed_text(captions).mean())
        return " ".join(captions[int(cosines.argmax())].split()[:longest])
