"""Rendered streams: what a generator's clean estimate looks or sounds like, still differentiable."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import torch

from .errors import AlignerError
from .imagebind import ImageBind
from .imagebind.clips import ClipSampling
from .imagebind.encode import Embedding, embed_audio


class Signal(Protocol):
    """A rendered stream that can be embedded."""

    def embed(self, binder: ImageBind, sampling: ClipSampling) -> Embedding:
        """The stream's embedding, with gradient where the stream has one."""


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
        if not self.waveform.isfinite().all():
            raise AlignerError("The generated sound is not finite. Half precision can overflow: load the models in fp32 "
                               "or bf16. Otherwise lower the learning rate.")
        count = sampling.audio.count_for(self.samples / self.sample_rate)
        return embed_audio(binder, self.waveform, self.sample_rate, sampling, count=count)

    def trimmed(self) -> torch.Tensor:
        """The asked-for samples, (B, samples)."""
        return self.waveform[:, : self.samples]

    @property
    def seconds(self) -> float:
        return self.samples / self.sample_rate
