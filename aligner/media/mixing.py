"""A new sound with the sound that a clip has: in its place, beside it, or with the other lowered meanwhile."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from typing import TYPE_CHECKING, cast

import torch
from torch.nn import functional

from ..errors import AlignerError
from ..settings import ORIGINAL_SOUND
from ..tensors.resampling import resampled
from .sound import LAYOUTS, encodable, float_samples, to_mono

if TYPE_CHECKING:
    from av.audio.frame import AudioFrame
    from av.filter.context import FilterContext

REPLACE, MIX, DUCK = ORIGINAL_SOUND.choices
#: Above about -30 dB each dB of the new sound lowers the other by 3/4 dB, as a voice lowers the music: fast down, and
#: slowly up. In milliseconds.
DUCKING = {"threshold": "0.03", "ratio": "4", "attack": "20", "release": "400"}
_FRAME = 1024  # samples


def mixed(
    sound: torch.Tensor,
    sample_rate: int,
    original: tuple[torch.Tensor, int] | None,
    mode: str = REPLACE,
    gain: float = 0.0,
    original_gain: float = 0.0,
) -> tuple[torch.Tensor, int]:
    """A sound (C, n) with another one, and their sample rate in Hz.

    Both begin together. The result lasts as long as the longer one, with the higher rate and the more channels of the
    two. Nothing is clipped.

    original: the other sound (C, n) in -1..1 and its rate, or None. mode: one of "replace", which leaves the other out,
    "mix", which adds both, and "duck", which also lowers the other while the new one is heard. gain, original_gain: in
    dB. Raises AlignerError for an unknown mode, and for what is no sound.
    """
    if mode not in ORIGINAL_SOUND.choices:
        raise AlignerError(f"Unknown mode {mode!r}. Choose one of: {', '.join(ORIGINAL_SOUND.choices)}.")
    sound = encodable(sound, sample_rate) * _factor(gain)
    if mode == REPLACE or original is None:
        return sound, sample_rate
    other, other_rate = original
    other = encodable(other, other_rate) * _factor(original_gain)
    rate = max(sample_rate, other_rate)
    sound, other = _alike(resampled(sound, sample_rate, rate), resampled(other, other_rate, rate))
    return sound + (_ducked(other, sound, rate) if mode == DUCK else other), rate


def _factor(decibels: float) -> float:
    return 10 ** (decibels / 20)


def _alike(*sounds: torch.Tensor) -> list[torch.Tensor]:
    """Sounds with the same number of channels and samples. Fewer channels become their mean in each."""
    channels, length = (max(sizes) for sizes in zip(*(each.shape for each in sounds)))
    spread = [each if len(each) == channels else to_mono(each).expand(channels, -1) for each in sounds]
    return [functional.pad(each, (0, length - each.shape[1])) for each in spread]


def _ducked(sound: torch.Tensor, above: torch.Tensor, rate: int) -> torch.Tensor:
    """A sound (C, n), quieter while the one above it (C, n) is heard, by FFmpeg's sidechaincompress."""
    from av.filter import Graph

    graph = Graph()
    layout, clock = LAYOUTS[len(sound) - 1], Fraction(1, rate)
    entries = [
        graph.add_abuffer(sample_rate=rate, format="dblp", layout=layout, time_base=clock) for _ in (sound, above)
    ]
    compressor, sink = graph.add("sidechaincompress", **DUCKING), graph.add("abuffersink")
    for place, entry in enumerate(entries):
        entry.link_to(compressor, 0, place)
    compressor.link_to(sink)
    graph.configure()
    pieces: list[torch.Tensor] = []
    for frames in zip(*(_frames(each, layout, rate) for each in (sound, above))):
        for entry, frame in zip(entries, frames):
            entry.push(frame)
        pieces += _pulled(sink)
    for entry in entries:
        entry.push(None)
    return torch.cat([*pieces, *_pulled(sink)], dim=1)


def _frames(sound: torch.Tensor, layout: str, rate: int) -> Iterator[AudioFrame]:
    import av

    for place, piece in enumerate(sound.double().split(_FRAME, dim=1)):
        frame = av.AudioFrame.from_ndarray(piece.contiguous().numpy(), format="dblp", layout=layout)
        frame.sample_rate, frame.time_base, frame.pts = rate, Fraction(1, rate), place * _FRAME
        yield frame


def _pulled(sink: FilterContext) -> Iterator[torch.Tensor]:
    """What has come out of a filter so far."""
    import av

    while True:
        try:
            frame = sink.pull()
        except (av.BlockingIOError, av.EOFError):
            return
        yield float_samples(cast("AudioFrame", frame))
