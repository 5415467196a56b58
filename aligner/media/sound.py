"""Reading and writing sound as float32 waveforms (channels, samples)."""

from __future__ import annotations

import os
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Literal, cast

import torch

from ..errors import MediaError
from ..files.atomic import written_whole
from ..tensors.resampling import resampled
from ..values import sounds
from .clock import LEAD_IN, beginning, pictures_end
from .container import Source, audio_stream, created, decoded, describe, opened, packets_of

if TYPE_CHECKING:
    from av.audio.frame import AudioFrame
    from av.audio.stream import AudioStream
    from av.packet import Packet

# FFmpeg's names of the channel layouts that FLAC (RFC 9639, section 9.1.3) defines for 1 to 6 channels.
LAYOUTS = ("mono", "stereo", "3.0", "quad", "5.0", "5.1")
#: Seconds. A smaller gap or overlap is an inaccuracy of the time stamps.
_SAME_MOMENT = Fraction(3, 100)
#: Seconds. Time stamps that go back further begin anew.
_LONGEST_OVERLAP = 1
LOSSLESS_CODECS: dict[str, Literal["pcm_s16le", "flac"]] = {".wav": "pcm_s16le", ".flac": "flac"}


def read_audio(source: Source) -> tuple[torch.Tensor, int]:
    """Read the sound of a sound or video file as players play it, on the clock of the recording.

    Gaps between its packets and a late begin are silence, overlaps are cut, and so is what lies before the recording
    begins. It ends with the pictures where it is less than 0.15 seconds longer: encoders end with silence. What is
    damaged is silence, with a warning.

    Returns:
        (waveform, sample rate in Hz): the waveform is float32 (C, T). Integer formats are scaled to -1..1;
        floating-point files may exceed that range. Encoder padding at both ends is removed if the file states it.

    Raises:
        MediaError: the file is missing, has no audio stream or no samples, or has NaN or infinite values.
    """
    name, begin, shown = describe(source), beginning(source), pictures_end(source)
    with opened(source) as container:
        stream = audio_stream(container, source)
        rate, time_base = stream.codec_context.sample_rate, cast(Fraction, stream.time_base)
        track, heard = _Track(rate), None
        # A 64-bit float counts the samples of years exactly.
        samples_per_tick, first = float(time_base * rate), float(begin * rate)
        for packet in packets_of(container, stream, source):
            if packet.pts is not None and packet.duration:
                heard = (packet.pts + packet.duration) * time_base
            for frame in decoded(packet, source):
                place = None if frame.pts is None else round(frame.pts * samples_per_tick - first)
                track.add(float_samples(frame), frame.sample_rate, place)
    # The stated end of the sound is exact only if the time base is one sample.
    for end in (heard if time_base == Fraction(1, rate) else None, shown):
        if end is not None and 0 < Fraction(track.length, rate) - (end - begin) < LEAD_IN:
            track.cut(round((end - begin) * rate))
    waveform = track.waveform()
    if not waveform.numel():
        raise MediaError(f"{name} has an audio stream without samples: choose a file with sound.")
    if not waveform.isfinite().all():
        raise MediaError(f"{name} contains NaN or infinite values: export the sound again.")
    return waveform, rate


class _Track:
    """Pieces of sound at their times. All have the rate and the channels of the first."""

    def __init__(self, sample_rate: int):
        self.sample_rate, self.length = sample_rate, 0
        self._same_moment = round(sample_rate * _SAME_MOMENT)
        self._pieces: list[torch.Tensor] = []

    def add(self, piece: torch.Tensor, sample_rate: int, place: int | None) -> None:
        """Add a piece (C, n) that begins with the sample `place`; None: after the last."""
        piece = _with_channels(resampled(piece, sample_rate, self.sample_rate), self._channels(piece))
        late = 0 if place is None else place - self.length
        # Containers round times to milliseconds.
        if abs(late) > (self._same_moment if self._pieces else 0):
            if late < -self.sample_rate * _LONGEST_OVERLAP and self._pieces:
                late = 0  # the time stamps begin anew, as where recordings were joined
            self._append(piece.new_zeros(len(piece), max(0, late)))
            piece = piece[:, max(0, -late) :]
        self._append(piece)

    def cut(self, length: int) -> None:
        """Drop what lies behind so many samples."""
        while self._pieces and self.length > length:
            last = self._pieces.pop()
            self.length -= last.shape[1]
            self._append(last[:, : max(0, length - self.length)])

    def waveform(self) -> torch.Tensor:
        return torch.cat(self._pieces, dim=1) if self._pieces else torch.empty(0, 0)

    def _append(self, piece: torch.Tensor) -> None:
        if piece.shape[1]:
            self._pieces.append(piece)
            self.length += piece.shape[1]

    def _channels(self, piece: torch.Tensor) -> int:
        return len(self._pieces[0] if self._pieces else piece)


def _with_channels(piece: torch.Tensor, channels: int) -> torch.Tensor:
    """A piece (C, n) with another number of channels: their mean in each."""
    return piece if len(piece) == channels else to_mono(piece).expand(channels, -1)


def float_samples(frame: AudioFrame) -> torch.Tensor:
    """A decoded frame as float32 (C, n). Integers are scaled to -1..1."""
    values = torch.from_numpy(frame.to_ndarray())
    if frame.format.is_packed:
        values = values.reshape(frame.samples, -1).T
    return values.float() if values.is_floating_point() else sounds.of_full_scale(values)


def to_mono(waveform: torch.Tensor) -> torch.Tensor:
    """The mean over the channels of a waveform: (C, T) -> (1, T)."""
    return waveform.mean(dim=0, keepdim=True)


def write_audio(path: str | os.PathLike, waveform: torch.Tensor, sample_rate: int) -> None:
    """Write a .wav or .flac file with 16 bits per sample, exactly as long as the waveform.

    Args:
        path: with the suffix .wav or .flac.
        waveform: float (C, T), nominally in -1..1. Values outside are clipped; the level is never scaled. More than 6
            channels become one.
        sample_rate: in Hz.

    Raises:
        MediaError: another suffix, or a path that cannot be written.
        AlignerError: another shape or type, no samples, or values that are no sound.
    """
    path = Path(path)
    codec = LOSSLESS_CODECS.get(path.suffix.lower())
    if codec is None:
        raise MediaError(f"{path.name}: sounds are written as {' or '.join(LOSSLESS_CODECS)}; change the suffix.")
    waveform = encodable(waveform, sample_rate)
    sixteen_bit = (waveform * 32768).round().clamp(-32768, 32767).short()
    with written_whole(path) as temporary, created(temporary) as output:
        stream = output.add_stream(codec, rate=sample_rate, layout=LAYOUTS[len(waveform) - 1], format="s16")
        for packet in sound_packets(stream, sixteen_bit):
            output.mux(packet)


def encodable(waveform: torch.Tensor, rate: int) -> torch.Tensor:
    """A waveform (C, n) as float32 on the CPU. More than 6 channels become one.

    Raises AlignerError for another shape or type, values that are no sound, or a sample rate (Hz) that is none.
    """
    samples = sounds.waveform(waveform, "The sound", dimensions=2)
    sounds.sample_rate(rate, "the sound")
    samples = samples.detach().to("cpu", torch.float32)
    return samples if len(samples) <= len(LAYOUTS) else to_mono(samples)


def sound_packets(stream: AudioStream, waveform: torch.Tensor) -> Iterator[Packet]:
    """Encode a waveform (C, T) into packets that start at time 0. The stream's format requires int16 or float32."""
    import av

    context = stream.codec_context
    rate, name, layout = context.sample_rate, context.format.name, context.layout.name
    piece_length = 1024  # one frame of AAC; encoders with longer frames buffer several pieces
    for place, piece in enumerate(waveform.split(piece_length, dim=1)):
        values = piece if context.format.is_planar else piece.T.reshape(1, -1)
        frame = av.AudioFrame.from_ndarray(values.contiguous().numpy(), format=name, layout=layout)
        frame.sample_rate, frame.time_base, frame.pts = rate, Fraction(1, rate), place * piece_length
        yield from stream.encode(frame)
    yield from stream.encode(None)
