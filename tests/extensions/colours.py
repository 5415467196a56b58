"""A binder that another package could bring: pictures, sounds and words as colours."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn

from aligner.binders.base import Embedding
from aligner.errors import AlignerError
from aligner.timing.clips import ClipSampling, Cut, Span

WORDS = {"red": (1.0, 0.0, 0.0), "green": (0.0, 1.0, 0.0), "blue": (0.0, 0.0, 1.0)}


class Colours:
    """Embeds a picture as its mean colour, a sound as its low, middle and high loudness, a word as the colour it names.

    It is no module of torch and cuts recordings in its own way.
    """

    identity = "Colours"
    fingerprint = "three colours"
    samplings = {"whole": ClipSampling(Cut(1.0, 1), Cut(1.0, 1), frames_per_clip=1, crops="squash")}
    mean_colour = (0.5, 0.5, 0.5)

    def __init__(self):
        self.eye = nn.Identity()

    @property
    def parts(self) -> dict[str, str]:
        return dict.fromkeys(("text", "image", "video", "audio"), "eye")

    def embed_text(self, texts: Sequence[str]) -> Embedding:
        if not all(text in WORDS for text in texts):
            raise AlignerError(f"Colours knows {', '.join(WORDS)}, and no other word.")
        return self._embedding(torch.tensor([[WORDS[text]] for text in texts]), None, "text")

    def embed_image(self, pixels: torch.Tensor) -> Embedding:
        return self._embedding(pixels.mean(dim=(2, 3))[:, None], None, "image")

    def embed_frames(
        self, frames: torch.Tensor, indices: torch.Tensor, spans: Sequence[Span], sampling: ClipSampling
    ) -> Embedding:
        clips = frames[indices].mean(dim=(1, 3, 4))[None]
        return self._embedding(clips, spans, "video")

    def embed_audio(
        self,
        waveform: torch.Tensor,
        sample_rate: int,
        sampling: ClipSampling,
        count: int | None = None,
        at_once: int | None = None,
    ) -> Embedding:
        spans = sampling.audio.spans(waveform.shape[1] / sample_rate, count)
        cuts = [waveform[:, int(start * sample_rate) : int(end * sample_rate)] for start, end in spans]
        clips = torch.stack([self._bands(cut) for cut in cuts], dim=1)
        return self._embedding(clips, spans, "audio")

    @staticmethod
    def _bands(waveform: torch.Tensor) -> torch.Tensor:
        spectrum = torch.fft.rfft(waveform).abs()
        return torch.stack([band.mean(dim=1) for band in spectrum.chunk(3, dim=1)], dim=1)

    def _embedding(self, clips: torch.Tensor, spans: Sequence[Span] | None, modality: str) -> Embedding:
        times = None if spans is None else tuple((float(start), float(end)) for start, end in spans)
        return Embedding(clips, times, modality, self.fingerprint)

    def named_children(self) -> list[tuple[str, nn.Module]]:
        return [("eye", self.eye)]

    def blocks(self) -> list[nn.Module]:
        return []

    def activation_bytes(self, modality: str, clips: int, sampling: ClipSampling, *, checkpointing: bool) -> int:
        return clips * 12
