"""Rendered streams: what a generator's clean estimate looks or sounds like, still differentiable."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import partial
from typing import Protocol

import torch
import torch.nn.functional as F

from ..binders.base import Embedding, in_seconds
from ..binders.imagebind import ImageBind
from ..binders.imagebind.encode import (
    CLIPS_AT_ONCE,
    embed_audio,
    embed_frames,
    embed_image,
)
from ..errors import NOT_FINITE, AlignerError
from ..tensors.checkpointing import recomputed
from ..timing.clips import ClipSampling, Span, frame_indices
from ..timing.intervals import Part

#: How much of a video is decoded together: one frame of 256 x 256 pixels, whose latent has 32 x 32, or many small ones.
_LATENT_PIXELS_AT_ONCE = 32 * 32
#: How many frames of a result are on the device together.
_FRAMES_AT_ONCE = 32

#: Root mean square of what nobody hears, 60 dB below full scale, and for how long a sound must be louder to be heard.
_SILENCE, _HEARD_SECONDS = 1e-3, Fraction(1, 20)


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
    of clips follows from what was asked for, so that a 10 s sound never becomes eleven clips. clips_at_once: how many
    of them ImageBind hears together, where the sound may be long; None: all.
    """

    waveform: torch.Tensor
    sample_rate: int
    samples: int
    clips_at_once: int | None = None

    def embed(self, binder: ImageBind, sampling: ClipSampling) -> Embedding:
        _require_finite("sound", self.waveform)
        count = sampling.audio.count_for(self.samples / self.sample_rate)
        return embed_audio(binder, self.waveform, self.sample_rate, sampling, count, self.clips_at_once)

    def detached(self) -> Sound:
        return replace(self, waveform=self.waveform.detach())

    def finished(self) -> Sound:
        _require_finite("sound", self.waveform)
        return replace(self, waveform=self.waveform[:, : self.samples].detach())

    @property
    def seconds(self) -> float:
        return self.samples / self.sample_rate

    def part(self, part: Part) -> Sound:
        """The samples of a part of it."""
        start, end = (None if second is None else round(second * self.sample_rate) for second in (part.start, part.end))
        waveform = self.waveform[:, start:end]
        return replace(self, waveform=waveform, samples=min(waveform.shape[1], self.samples - start))

    @property
    def silent(self) -> torch.Tensor:
        """(B,) bool: whether there is nothing to hear: in its loudest 50 ms, less than -60 dB of full scale."""
        window = max(1, min(round(self.sample_rate * _HEARD_SECONDS), self.waveform.shape[1]))
        powers = F.avg_pool1d(self.waveform.square().unsqueeze(1), window, max(1, window // 2), ceil_mode=True)
        return powers.amax(dim=(1, 2)).sqrt() < _SILENCE


@dataclass(frozen=True)
class Frames:
    """A finished video, or a picture where it is one frame: pixels (B, F, 3, H, W) in 0..1, `fps` frames a second."""

    pixels: torch.Tensor
    fps: Fraction

    def embed(self, binder: ImageBind, sampling: ClipSampling) -> Embedding:
        return _embedded(lambda indices: self.pixels[:, indices], self.pixels.shape[1], self.fps, binder, sampling)

    def detached(self) -> Frames:
        return replace(self, pixels=self.pixels.detach())

    def finished(self) -> Frames:
        _require_finite("video", self.pixels)
        return self.detached()

    @property
    def seconds(self) -> Fraction:
        return self.pixels.shape[1] / self.fps


@dataclass(frozen=True)
class LatentFrames:
    """A video that is decoded where it is looked at: latents (B, C, F, h, w).

    decode: (n, C, h, w) -> (n, 3, H, W) in 0..1. glance: the same for ImageBind's eyes only, where an approximation
    is allowed to be cheaper.

    ImageBind sees a few frames of each second, so that most of a video need not be decoded while it is steered. Frames
    are decoded one by one, unless they are small, and once more in the backward pass: what a decoder keeps for the
    gradient of one picture of 512 x 512 already fills gigabytes.
    """

    latents: torch.Tensor
    fps: Fraction
    decode: Callable[[torch.Tensor], torch.Tensor]
    glance: Callable[[torch.Tensor], torch.Tensor]

    def embed(self, binder: ImageBind, sampling: ClipSampling) -> Embedding:
        return _embedded(self._glimpses, self.latents.shape[2], self.fps, binder, sampling)

    def detached(self) -> LatentFrames:
        return replace(self, latents=self.latents.detach())

    @torch.no_grad()
    def finished(self) -> Frames:
        # A few at a time onto the host: of a long video all frames may be more than the device holds.
        parts = [self._decoded(self.decode, part).cpu() for part in self.latents.split(_FRAMES_AT_ONCE, dim=2)]
        return Frames(parts[0] if len(parts) == 1 else torch.cat(parts, dim=1), self.fps).finished()

    @torch.no_grad()
    def frame(self, index: int) -> torch.Tensor:
        """One frame of the first sample, (3, H, W)."""
        return self.decode(self.latents[:1, :, index])[0]

    def _glimpses(self, indices: torch.Tensor) -> torch.Tensor:
        return self._decoded(self.glance, self.latents[:, :, indices.to(self.latents.device)])

    @staticmethod
    def _decoded(decode: Callable, latents: torch.Tensor) -> torch.Tensor:
        """(B, C, n, h, w) -> (B, n, 3, H, W)."""
        frames = latents.transpose(1, 2).flatten(0, 1)
        at_once = max(1, _LATENT_PIXELS_AT_ONCE // frames[0, 0].numel())
        pictures = torch.cat([recomputed(decode, part) for part in frames.split(at_once)])
        return pictures.unflatten(0, (len(latents), -1))


def silences(signals: Mapping[str, Signal], within: Part = Part()) -> dict[str, torch.Tensor]:
    """Of every sound among these streams, (B,) bool: whether a part of it is silent. Nothing else can be."""
    return {name: signal.part(within).silent for name, signal in signals.items() if isinstance(signal, Sound)}


def _embedded(
    look: Callable[[torch.Tensor], torch.Tensor], count: int, fps: Fraction, binder: ImageBind, sampling: ClipSampling
) -> Embedding:
    """The embedding of `count` frames at `fps`. look: indices (n,) -> those frames, (B, n, 3, H, W)."""
    if count == 1:
        pictures = look(torch.tensor([0]))[:, 0]
        _require_finite("picture", pictures)
        return embed_image(binder, pictures)
    spans = sampling.video.spans(float(count / fps))
    indices = frame_indices(torch.arange(count, dtype=torch.float64) / float(fps), spans, sampling.frames_per_clip)
    # Of a long video a few clips at a time, and once more in the backward pass, so that memory does not grow with it.
    see = _seen if len(spans) <= CLIPS_AT_ONCE else partial(recomputed, _seen)
    parts = [
        see(look, indices[first : first + CLIPS_AT_ONCE], spans[first : first + CLIPS_AT_ONCE], binder, sampling)
        for first in range(0, len(spans), CLIPS_AT_ONCE)
    ]
    return Embedding(torch.cat(parts, dim=1), in_seconds(spans), "video")


def _seen(
    look: Callable[[torch.Tensor], torch.Tensor],
    indices: torch.Tensor,
    spans: Sequence[Span],
    binder: ImageBind,
    sampling: ClipSampling,
) -> torch.Tensor:
    """The embeddings (B, S, D) of S clips, whose frames are `indices` (S, T)."""
    needed, positions = indices.unique(return_inverse=True)
    frames = look(needed)
    _require_finite("video", frames)
    return torch.cat([embed_frames(binder, sample, positions, spans, sampling).clips for sample in frames])


def _require_finite(name: str, values: torch.Tensor) -> None:
    if not values.isfinite().all():
        raise AlignerError(f"The generated {name} {NOT_FINITE}")
