"""Rendered streams: what a generator's clean estimate looks or sounds like, still differentiable."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Protocol

import torch

from .errors import NOT_FINITE, AlignerError
from .imagebind import ImageBind
from .imagebind.clips import ClipSampling
from .imagebind.encode import Embedding, embed_audio


class Signal(Protocol):
    """A rendered stream."""

    def embed(self, binder: ImageBind, sampling: ClipSampling) -> Embedding:
        """The stream's embedding, with gradient where the stream has one. Raises AlignerError unless finite."""

    def detached(self) -> Signal:
        """The same without its graph."""

    def finished(self) -> Signal:
        """What the user gets: detached, as long as asked for. Raises AlignerError unless finite."""


@dataclass(frozen=True)
class Sound:
    """Mono sound: waveform (B, n) float32, nominally -1..1, of which the first `samples` were asked for.

    A vocoder returns a few samples more than asked. Guidance hears them all, as the released code does; the number
    of clips follows from what was asked for, so that a 10 s sound never becomes eleven clips.
    """

    waveform: torch.Tensor
    sample_rate: int
    samples: int

    def embed(self, binder: ImageBind, sampling: ClipSampling) -> Embedding:
        self._require_finite()
        count = sampling.audio.count_for(self.samples / self.sample_rate)
        return embed_audio(binder, self.waveform, self.sample_rate, sampling, count=count)

    def detached(self) -> Sound:
        return replace(self, waveform=self.waveform.detach())

    def finished(self) -> Sound:
        self._require_finite()
        return replace(self, waveform=self.waveform[:, : self.samples].detach())

    def _require_finite(self) -> None:
        if not self.waveform.isfinite().all():
            raise AlignerError(f"The generated sound {NOT_FINITE}")

    @property
    def seconds(self) -> float:
        return self.samples / self.sample_rate
