"""The demo's captioner: says which event of the small world a picture or a sound is most like."""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import nn

from ..binders.base import Embedding
from ..binders.imagebind import ImageBind, embed_audio, embed_image, embed_text
from ..timing.clips import CLIP_SAMPLINGS
from .events import EVENTS


class DemoCaptioner(nn.Module):
    """Takes the place of `aligner.captioning.Captioner`, with the demo's ImageBind inside.

    It writes nothing of its own: of each event's first caption it takes the one whose embedding is nearest.
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
        """The caption of a picture (3, H, W) in 0..1, of at most `longest` words. There is nothing to instruct, and
        nothing that takes long enough to be ended by on_token."""
        return self._nearest(embed_image(self.model, pixels[None]), longest)

    def of_sound(
        self,
        waveform: torch.Tensor,
        sample_rate: int,
        *,
        instruction: str = "",
        longest: int = 40,
        on_token: Callable[[], None] = lambda: None,
    ) -> str:
        """The caption of a mono sound (n,), as of a picture."""
        return self._nearest(embed_audio(self.model, waveform[None], sample_rate, CLIP_SAMPLINGS["released"]), longest)

    @torch.no_grad()
    def _nearest(self, embedding: Embedding, longest: int) -> str:
        captions = [event.captions[0] for event in EVENTS]
        cosines = F.cosine_similarity(embedding.mean(), embed_text(self.model, captions).mean())
        return " ".join(captions[int(cosines.argmax())].split()[:longest])
