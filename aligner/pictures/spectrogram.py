"""Log-mel spectrograms as pictures, fast enough for a preview at every denoising step."""

from __future__ import annotations

import math
from functools import lru_cache

import numpy
import torch
from PIL import Image, ImageColor, ImageDraw

from ..errors import AlignerError
from .lettering import font
from .palette import INK, PAPER
from .ticks import labels, round_numbers

# Ten evenly spaced colours of matplotlib's perceptually uniform colour map "magma" (CC0), from quiet to loud.
MAGMA = (
    "#000004",
    "#180f3d",
    "#440f76",
    "#721f81",
    "#9e2f7f",
    "#cd4071",
    "#f1605d",
    "#fd9668",
    "#feca8d",
    "#fcfdbf",
)
# The floor of the vocoders' log-mel spectrograms: the natural logarithm of a magnitude of 1e-5.
LOG_FLOOR = math.log(1e-5)
# The colours end at a full tone, magnitude 1, and cover 80 dB below it, as a natural logarithm of magnitude.
LOG_RANGE = 80 / 20 * math.log(10)
MEL_BINS, LOWEST_HERTZ = 80, 30.0
WINDOW_SECONDS = 0.064
# The frequencies of the axis, in Hz. The room around a spectrogram with axes, its letters and its ticks, in pixels.
_HERTZ = (100, 500, 1000, 2000, 4000, 8000, 16000)
_LEFT, _RIGHT, _ABOVE, _BELOW, _LETTER, _TICK = 62, 18, 10, 26, 15, 4


def spectrogram(waveform: torch.Tensor, sample_rate: int, width: int = 512, height: int = 256) -> Image.Image:
    """Draw the log-mel spectrogram of a waveform (T,), nominally in -1..1, as an RGB picture.

    Time runs to the right and mel frequency upwards, from 30 Hz to half the sample rate. The colours cover 80 dB below
    a full tone, whatever the sound, so that pictures can be compared; silence is dark.

    Args:
        sample_rate: in Hz.
        width, height: in pixels.

    Raises:
        AlignerError: the waveform has other dimensions or no samples.
    """
    if waveform.ndim != 1 or not len(waveform):
        raise AlignerError(
            f"a spectrogram needs one channel (T,) with samples, but this waveform has the shape "
            f"{tuple(waveform.shape)}."
        )
    samples = waveform.detach().to("cpu", torch.float32)
    size = 2 ** round(math.log2(WINDOW_SECONDS * sample_rate))
    hop = max(1, min(size // 2, len(samples) // width))
    window = torch.hann_window(size)
    spectrum = torch.stft(samples, size, hop, window=window, pad_mode="constant", return_complex=True)
    magnitude = spectrum.abs() * (2 / window.sum())  # a sine of amplitude 1 has magnitude 1
    mel = _mel_filters(size, sample_rate) @ magnitude
    return mel_picture(mel.clamp(min=math.exp(LOG_FLOOR)).log().T, width, height)


def mel_picture(mel: torch.Tensor, width: int = 512, height: int = 256) -> Image.Image:
    """Draw a log-mel spectrogram (frames, bins), natural logarithms of magnitude, as an RGB picture.

    Brightness covers 80 dB below magnitude 1. What is quieter is black.

    Raises:
        AlignerError: no frames, no bins, or other dimensions.
    """
    if mel.ndim != 2 or not mel.numel():
        raise AlignerError(f"a mel spectrogram must have the shape (frames, bins), not {tuple(mel.shape)}.")
    levels = mel.detach().to("cpu", torch.float32).nan_to_num(LOG_FLOOR)
    brightness = (levels / LOG_RANGE + 1).clamp(0, 1)
    low_frequencies_last = brightness.T.flip(0).mul(255).round().to(torch.uint8)
    grey = Image.fromarray(low_frequencies_last.numpy()).resize((width, height), Image.Resampling.BILINEAR)
    return Image.fromarray(_colours()[numpy.asarray(grey)])


def spectrogram_with_axes(waveform: torch.Tensor, sample_rate: int, width: int = 512, height: int = 256) -> Image.Image:
    """The same with an axis of seconds below and one of frequencies on the left; both belong to width and height."""
    picture = spectrogram(waveform, sample_rate, width - _LEFT - _RIGHT, height - _ABOVE - _BELOW)
    canvas = Image.new("RGB", (width, height), PAPER)
    canvas.paste(picture, (_LEFT, _ABOVE))
    draw = ImageDraw.Draw(canvas)
    _write_seconds(draw, len(waveform) / sample_rate, picture.width, height - _BELOW)
    for hertz in (hertz for hertz in _HERTZ if hertz <= sample_rate / 2):
        y = _ABOVE + picture.height * (1 - height_of(hertz, sample_rate))
        draw.line([(_LEFT - _TICK, y), (_LEFT - 1, y)], INK)
        label = f"{hertz // 1000} kHz" if hertz >= 1000 else f"{hertz} Hz"
        draw.text((_LEFT - 2 * _TICK, y), label, INK, font(_LETTER), "rm")
    return canvas


def height_of(hertz: float, sample_rate: int) -> float:
    """Where a frequency stands in a spectrogram: 0 at the lower edge, 1 at the upper one."""
    low, high = _mel(LOWEST_HERTZ), _mel(sample_rate / 2)
    distance = (high - low) / (MEL_BINS + 1)  # of the middles of neighbouring bins; the first is one above the lowest
    place = (_mel(hertz) - low) / distance - 0.5
    return min(1.0, max(0.0, place / MEL_BINS))


def _write_seconds(draw: ImageDraw.ImageDraw, seconds: float, width: int, top: int) -> None:
    ticks = [tick for tick in round_numbers(0, seconds, 6) if tick <= seconds]
    for tick, label in zip(ticks, labels(ticks)):
        x = _LEFT + tick / seconds * (width - 1)
        draw.line([(x, top), (x, top + _TICK - 1)], INK)
        draw.text((x, top + 2 * _TICK), f"{label} s", INK, font(_LETTER), "ma")


def _mel(hertz: float) -> float:
    """The mel scale of the filters."""
    return 2595 * math.log10(1 + hertz / 700)


@lru_cache(maxsize=8)
def _mel_filters(window: int, sample_rate: int) -> torch.Tensor:
    """Triangular mel filters of height 1: (MEL_BINS, window // 2 + 1)."""
    from torchaudio.functional import melscale_fbanks

    return melscale_fbanks(window // 2 + 1, LOWEST_HERTZ, sample_rate / 2, MEL_BINS, sample_rate).T.contiguous()


@lru_cache(maxsize=1)
def _colours() -> numpy.ndarray:
    """The colour of each brightness: (256, 3) uint8."""
    anchors = numpy.array([ImageColor.getrgb(colour) for colour in MAGMA])
    places = numpy.linspace(0, 255, len(anchors))
    channels = [numpy.interp(numpy.arange(256), places, anchors[:, channel]) for channel in range(3)]
    return numpy.stack(channels, axis=1).round().astype(numpy.uint8)
