"""CLAP as a binder: how texts and sounds reach its towers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import nn

from ...tensors.placement import device_of
from ...tensors.precision import dtype_of
from ...tensors.resampling import resampled
from ...timing.clips import ClipSampling, Cut, Span
from ..base import Embedding, cannot_embed, in_seconds
from ..hearing import cut, heard_in_clips
from ..inputs import graph_only_for, require_sounds, require_texts
from .towers import AudioTower, TextTower

#: float32 activations of one clip of the published sizes that a backward pass needs, in bytes: all kept, and recomputed
#: block by block (True).
_CLIP_BYTES = {False: int(0.6 * 2**30), True: int(0.1 * 2**30)}


class CLAP(nn.Module):
    """CLAP behind the protocol of binders (see `aligner.binders.base`). It embeds sounds and texts, and no pictures.

    tokenizer: of transformers. longest: the most tokens of a text. sample_rate: in Hz. seconds: how long the sounds are
    that it was trained on. `load_clap` makes one that can be used.
    """

    identity = "CLAP"
    fingerprint: str
    parts: Mapping[str, str] = {"text": "text", "audio": "audio"}
    mean_colour = (0.5, 0.5, 0.5)

    def __init__(
        self, text: TextTower, audio: AudioTower, *, tokenizer: Any, longest: int, sample_rate: int, seconds: float
    ):
        super().__init__()
        self.text, self.audio = text, audio
        self.tokenizer, self.longest, self.sample_rate = tokenizer, longest, sample_rate
        self.samplings: Mapping[str, ClipSampling] = _samplings(seconds)

    def embed_text(self, texts: Sequence[str]) -> Embedding:
        """Embed B texts; what exceeds `longest` is ignored."""
        require_texts(texts)
        with graph_only_for(None):
            tokens = self.tokenizer(
                list(texts), padding=True, truncation=True, max_length=self.longest, return_tensors="pt"
            ).to(device_of(self.text))
            points = self.text(tokens["input_ids"], tokens["attention_mask"])
            return Embedding(points.unsqueeze(1), None, "text", self.fingerprint)

    def embed_image(self, pixels: torch.Tensor) -> Embedding:
        """Raises AlignerError: CLAP sees nothing."""
        raise cannot_embed(self, "image")

    def embed_frames(
        self, frames: torch.Tensor, indices: torch.Tensor, spans: Sequence[Span], sampling: ClipSampling
    ) -> Embedding:
        """Raises AlignerError: CLAP sees nothing."""
        raise cannot_embed(self, "video")

    def embed_audio(
        self,
        waveform: torch.Tensor,
        sample_rate: int,
        sampling: ClipSampling,
        count: int | None = None,
        at_once: int | None = None,
    ) -> Embedding:
        require_sounds(waveform, sample_rate)
        with graph_only_for(waveform):
            waveform = resampled(waveform.to(device_of(self.audio)), sample_rate, self.sample_rate)
            spans = sampling.audio.spans(waveform.shape[1] / self.sample_rate, count)
            clips = heard_in_clips(self._heard, waveform, self.sample_rate, spans, at_once)
            return Embedding(clips, in_seconds(spans), "audio", self.fingerprint)

    def blocks(self) -> list[nn.Module]:
        return self.audio.blocks

    def activation_bytes(self, modality: str, clips: int, sampling: ClipSampling, *, checkpointing: bool) -> int:
        """Bytes of activations kept for the gradient of so many clips: each is as large as the longest."""
        return clips * _CLIP_BYTES[checkpointing] * dtype_of(self).itemsize // 4

    def _heard(self, waveform: torch.Tensor, spans: Sequence[Span]) -> torch.Tensor:
        """(B, n) at the model's rate -> (B, S, D)."""
        clips = cut(waveform, self.sample_rate, spans)
        return self.audio(clips.flatten(0, 1)).unflatten(0, clips.shape[:2])


def _samplings(seconds: float) -> dict[str, ClipSampling]:
    """Clips by the names that rules know. The network repeats a short sound until it is as long as those it knows.

    A clip costs the same however short it is, so that clips are long.
    """
    lengths = {"seconds": seconds, "spread": seconds, "short": seconds / 4}
    return {name: ClipSampling(Cut(each, None), Cut(each, None), 1, "squash") for name, each in lengths.items()}
