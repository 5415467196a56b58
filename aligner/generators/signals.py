"""Signals: clean estimates rendered as sound and frames, still differentiable."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import partial
from typing import Any, Protocol

import torch
import torch.nn.functional as F
from PIL import Image

from ..binders.base import CLIPS_AT_ONCE, Binder, Embedding, concatenated, in_seconds
from ..errors import NOT_FINITE, AlignerError
from ..media.image import eight_bit
from ..parts import in_parts
from ..pictures import Film, spectrogram, spectrogram_with_axes
from ..synchrony import heard_in_a_circle, heard_in_parts, heard_onsets, seen_onsets
from ..tensors.checkpointing import recomputed
from ..timing.clips import ClipSampling, Span, frame_indices
from ..timing.intervals import WHOLE, Interval

#: Latent pixels that are decoded together: one frame of 256 x 256 pixels, or many small ones.
_LATENT_PIXELS_AT_ONCE = 32 * 32
#: How many frames of a result are on the device together.
_FRAMES_AT_ONCE = 32

#: The most pictures of a film, the most per second, and their side in pixels.
_FILM_PICTURES, _FILM_RATE, _FILM_SIDE = 32, 12, 512
#: Latent pixels that are decoded for a film, of all its pictures together: two pictures of 512 x 512 pixels.
_FILM_LATENT_PIXELS = 2 * 64 * 64

#: The longest side in latent pixels at which the motion of a video is looked at.
_MOTION_SIDE = 16

#: A sound is silent where its root mean square over 50 ms never exceeds -60 dB of full scale.
_SILENCE, _HEARD_SECONDS = 1e-3, Fraction(1, 20)


class Signal(Protocol):
    """A rendered stream."""

    def embed(self, binder: Binder, sampling: ClipSampling) -> Embedding:
        """The stream's embedding, with gradient where the stream has one. Raises AlignerError unless finite."""

    def onsets(self) -> torch.Tensor:
        """How much begins at each moment, (B, T) in 0..1, see `aligner.synchrony`; with gradient like `embed`."""

    def detached(self) -> Signal:
        """The same without its graph."""

    def finished(self) -> Signal:
        """The result for the user: detached, as long as asked for. Raises AlignerError unless finite."""

    def picture(self) -> Image.Image:
        """What the first sample looks or sounds like."""

    def film(self) -> Film:
        """The same for a preview while sampling: small pictures that move where the signal does."""


@dataclass(frozen=True)
class Sound:
    """Mono sound: waveform (B, n) float32, nominally in -1..1. The first `samples` of it were asked for.

    A vocoder returns a few samples more than asked. Guidance compares them all, as the released code does; the number
    of clips follows from `samples`, so that a 10 s sound never becomes eleven clips. clips_at_once: how many clips a
    binder embeds together; None: all.
    """

    waveform: torch.Tensor
    sample_rate: int
    samples: int
    clips_at_once: int | None = None

    def embed(self, binder: Binder, sampling: ClipSampling) -> Embedding:
        _require_finite("sound", self.waveform)
        count = sampling.audio.count_for(self.samples / self.sample_rate)
        return binder.embed_audio(self.waveform, self.sample_rate, sampling, count, self.clips_at_once)

    def onsets(self, circular: bool = False) -> torch.Tensor:
        """circular: as if the end met the beginning, see `heard_in_a_circle`."""
        if circular:
            return heard_in_a_circle(self.waveform[:, : self.samples], self.sample_rate)
        differentiable = torch.is_grad_enabled() and self.waveform.requires_grad
        hear = heard_onsets if differentiable else heard_in_parts
        return hear(self.waveform[:, : self.samples], self.sample_rate)

    def moved(self, seconds: Sequence[float]) -> Sound:
        """Each sample comes so much later, in a circle."""
        shifts = [round(each * self.sample_rate) for each in seconds]
        rolled = [sample.roll(shift, 0) for sample, shift in zip(self.waveform, shifts, strict=True)]
        return replace(self, waveform=torch.stack(rolled))

    def detached(self) -> Sound:
        return replace(self, waveform=self.waveform.detach())

    def finished(self) -> Sound:
        _require_finite("sound", self.waveform)
        return replace(self, waveform=self.waveform[:, : self.samples].detach())

    def picture(self) -> Image.Image:
        """The spectrogram of the first sample."""
        return spectrogram(self.waveform[0], self.sample_rate)

    def film(self) -> Film:
        """The spectrogram with its axes."""
        return Film([spectrogram_with_axes(self.waveform[0], self.sample_rate)])

    @property
    def seconds(self) -> float:
        return self.samples / self.sample_rate

    def part(self, interval: Interval) -> Sound:
        """The samples within an interval."""
        start = round(interval.start * self.sample_rate)
        end = None if interval.end is None else round(interval.end * self.sample_rate)
        waveform = self.waveform[:, start:end]
        return replace(self, waveform=waveform, samples=min(waveform.shape[1], self.samples - start))

    @property
    def silent(self) -> torch.Tensor:
        """(B,) bool: whether the loudest 50 ms stay below -60 dB of full scale."""
        window = max(1, min(round(self.sample_rate * _HEARD_SECONDS), self.waveform.shape[1]))
        powers = F.avg_pool1d(self.waveform.square().unsqueeze(1), window, max(1, window // 2), ceil_mode=True)
        return powers.amax(dim=(1, 2)).sqrt() < _SILENCE


@dataclass(frozen=True)
class Frames:
    """A finished video, or a picture where it is one frame: pixels (B, F, 3, H, W) in 0..1, `fps` frames a second."""

    pixels: torch.Tensor
    fps: Fraction

    def embed(self, binder: Binder, sampling: ClipSampling) -> Embedding:
        return _embedded(lambda indices: self.pixels[:, indices], self.pixels.shape[1], self.fps, binder, sampling)

    def onsets(self) -> torch.Tensor:
        return seen_onsets(self.pixels, float(self.fps))

    def detached(self) -> Frames:
        return replace(self, pixels=self.pixels.detach())

    def finished(self) -> Frames:
        _require_finite("video", self.pixels)
        return self.detached()

    def picture(self) -> Image.Image:
        """The middle frame of the first sample."""
        return _picture(self.pixels[0, self.pixels.shape[1] // 2])

    def film(self) -> Film:
        return _film(self.pixels[0, _filmed(self.pixels.shape[1], self.fps)], self.seconds)

    @property
    def seconds(self) -> Fraction:
        return self.pixels.shape[1] / self.fps


@dataclass(frozen=True)
class LatentFrames:
    """A video that is decoded frame by frame on demand: latents (B, C, F, h, w).

    decode: (n, C, h, w) -> (n, 3, H, W) in 0..1. decode_approximately: the same for guidance, where a cheaper
    approximation may do.

    A binder sees a few frames of each second, and most frames of a guided video are never decoded. Large frames are
    decoded one by one and recomputed in the backward pass: the activations for the gradient of one picture of
    512 x 512 already fill gigabytes.
    """

    latents: torch.Tensor
    fps: Fraction
    decode: Callable[[torch.Tensor], torch.Tensor]
    decode_approximately: Callable[[torch.Tensor], torch.Tensor]

    def embed(self, binder: Binder, sampling: ClipSampling) -> Embedding:
        return _embedded(self._shown, self.latents.shape[2], self.fps, binder, sampling)

    def onsets(self) -> torch.Tensor:
        """Every frame counts, but motion is seen in small frames as well."""
        small = _reduced(self.latents, _MOTION_SIDE / max(self.latents.shape[3:]))
        return seen_onsets(self._decoded(self.decode_approximately, small), float(self.fps))

    def detached(self) -> LatentFrames:
        return replace(self, latents=self.latents.detach())

    @torch.no_grad()
    def finished(self) -> Frames:
        # A few at a time onto the host: all frames of a long video may exceed the memory of the device.
        parts = [
            self._decoded(self.decode, part).cpu() for part in in_parts(self.latents.split(_FRAMES_AT_ONCE, dim=2))
        ]
        return Frames(parts[0] if len(parts) == 1 else torch.cat(parts, dim=1), self.fps).finished()

    @torch.no_grad()
    def picture(self) -> Image.Image:
        """The middle frame of the first sample. Only this frame is decoded."""
        return _picture(self.decode(self.latents[:1, :, self.latents.shape[2] // 2])[0])

    @torch.no_grad()
    def film(self) -> Film:
        """A film of few latent pixels: it costs about as much as two pictures, however long the video is."""
        count = self.latents.shape[2]
        latents = self.latents[:1, :, _filmed(count, self.fps)]
        small = _reduced(latents, math.sqrt(_FILM_LATENT_PIXELS / latents[0, 0].numel()))
        return _film(self._decoded(self.decode_approximately, small)[0], count / self.fps)

    def _shown(self, indices: torch.Tensor) -> torch.Tensor:
        return self._decoded(self.decode_approximately, self.latents[:, :, indices.to(self.latents.device)])

    @staticmethod
    def _decoded(decode: Callable, latents: torch.Tensor) -> torch.Tensor:
        """(B, C, n, h, w) -> (B, n, 3, H, W)."""
        frames = latents.transpose(1, 2).flatten(0, 1)
        at_once = max(1, _LATENT_PIXELS_AT_ONCE // frames[0, 0].numel())
        pictures = torch.cat([recomputed(decode, part) for part in frames.split(at_once)])
        return pictures.unflatten(0, (len(latents), -1))


def _reduced(latents: torch.Tensor, scale: float) -> torch.Tensor:
    """Latents (B, C, F, h, w) in a smaller size; a scale of 1 or more leaves them as they are."""
    if scale >= 1:
        return latents
    size = [max(1, int(side * scale)) for side in latents.shape[3:]]
    frames = F.interpolate(latents.transpose(1, 2).flatten(0, 1), size=size, mode="area")
    return frames.unflatten(0, (len(latents), -1)).transpose(1, 2)


def _picture(frame: torch.Tensor) -> Image.Image:
    """A frame (3, H, W) in 0..1 as a picture."""
    return Image.fromarray(eight_bit(frame).permute(1, 2, 0).contiguous().numpy())


def _filmed(count: int, fps: Fraction) -> torch.Tensor:
    """The numbers of the frames that a film shows, of `count` at `fps`: evenly spaced."""
    shown = max(1, min(count, _FILM_PICTURES, int(count / fps * _FILM_RATE)))
    return torch.arange(shown) * count // shown


def _film(frames: torch.Tensor, seconds: Fraction) -> Film:
    """Frames (n, 3, H, W) in 0..1 as a film that takes so long."""
    pictures = [_picture(frame) for frame in frames]
    for picture in pictures:
        picture.thumbnail((_FILM_SIDE, _FILM_SIDE))
    return Film(pictures, len(pictures) / float(seconds))


def silences(signals: Mapping[str, Any], within: Interval = WHOLE) -> dict[str, torch.Tensor]:
    """For every stream that can be silent, (B,) bool: whether it is within an interval.

    A sound of another package has the methods of Sound, not its class.
    """
    return {name: signal.part(within).silent for name, signal in signals.items() if hasattr(signal, "part")}


def _embedded(
    look: Callable[[torch.Tensor], torch.Tensor], count: int, fps: Fraction, binder: Binder, sampling: ClipSampling
) -> Embedding:
    """Embed `count` frames at `fps`. look: indices (n,) -> those frames, (B, n, 3, H, W)."""
    if count == 1:
        pictures = look(torch.tensor([0]))[:, 0]
        _require_finite("picture", pictures)
        return binder.embed_image(pictures)
    spans = sampling.video.spans(float(count / fps))
    indices = frame_indices(torch.arange(count, dtype=torch.float64) / float(fps), spans, sampling.frames_per_clip)
    # A long video is embedded a few clips at a time and recomputed in the backward pass, so that memory does not grow.
    see = _embedded_clips if len(spans) <= CLIPS_AT_ONCE else partial(recomputed, _embedded_clips)
    parts = [
        see(look, indices[first : first + CLIPS_AT_ONCE], spans[first : first + CLIPS_AT_ONCE], binder, sampling)
        for first in in_parts(range(0, len(spans), CLIPS_AT_ONCE))
    ]
    return replace(concatenated(parts, dim=1), spans=in_seconds(spans))


def _embedded_clips(
    look: Callable[[torch.Tensor], torch.Tensor],
    indices: torch.Tensor,
    spans: Sequence[Span],
    binder: Binder,
    sampling: ClipSampling,
) -> Embedding:
    """Embed S clips, whose frames are `indices` (S, T), for every sample of the batch."""
    needed, positions = indices.unique(return_inverse=True)
    frames = look(needed)
    _require_finite("video", frames)
    return concatenated([binder.embed_frames(sample, positions, spans, sampling) for sample in frames], dim=0)


def _require_finite(name: str, values: torch.Tensor) -> None:
    if not values.isfinite().all():
        raise AlignerError(f"The generated {name} {NOT_FINITE}")
