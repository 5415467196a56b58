"""ImageBind as a binder: the towers, and how pictures, frames, sounds and texts reach them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import nn

from ...tensors.precision import dtype_of
from ...timing.clips import CLIP_SAMPLINGS, ClipSampling, Span
from ..base import Embedding
from .encode import embed_audio, embed_frames, embed_image, embed_text
from .towers import Towers
from .vision import MEAN

#: float32 activations of one input of ImageBind-huge that a backward pass needs, in bytes: all kept, and recomputed
#: block by block (True).
_CLIP_BYTES = {
    "video": {False: int(0.4 * 2**30), True: int(0.06 * 2**30)},
    "image": {False: int(0.4 * 2**30), True: int(0.06 * 2**30)},
    "audio": {False: int(0.1 * 2**30), True: int(0.02 * 2**30)},
}


class ImageBind(Towers):
    """ImageBind behind the protocol of binders (see `aligner.binders.base`).

    `load_imagebind` makes one that can be used.
    """

    identity = "ImageBind"
    samplings: Mapping[str, ClipSampling] = CLIP_SAMPLINGS
    parts: Mapping[str, str] = {"text": "text", "image": "vision", "video": "vision", "audio": "audio"}
    mean_colour = MEAN

    def embed_text(self, texts: Sequence[str]) -> Embedding:
        return embed_text(self, texts)

    def embed_image(self, pixels: torch.Tensor) -> Embedding:
        return embed_image(self, pixels)

    def embed_frames(
        self, frames: torch.Tensor, indices: torch.Tensor, spans: Sequence[Span], sampling: ClipSampling
    ) -> Embedding:
        return embed_frames(self, frames, indices, spans, sampling)

    def embed_audio(
        self,
        waveform: torch.Tensor,
        sample_rate: int,
        sampling: ClipSampling,
        count: int | None = None,
        at_once: int | None = None,
    ) -> Embedding:
        return embed_audio(self, waveform, sample_rate, sampling, count, at_once)

    def blocks(self) -> list[nn.Module]:
        """Every transformer block."""
        return [*self.vision.blocks, *self.text.blocks, *self.audio.blocks]

    def activation_bytes(self, modality: str, clips: int, sampling: ClipSampling, *, checkpointing: bool) -> int:
        """Bytes of activations kept for the gradient of so many clips, counted for the published size."""
        inputs = clips * 3 if modality == "video" and sampling.crops == "three" else clips
        return inputs * _CLIP_BYTES[modality][checkpointing] * dtype_of(self).itemsize // 4
