"""What every binder offers: pictures, frames, sounds and texts as points of one space.

Conditions, signals, the objective, masks, nodes and saved files speak to this protocol and to no model.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

import torch
from torch import nn

from ..errors import AlignerError
from ..timing.clips import ClipSampling, Span

#: How many clips of a recording a tower takes together.
CLIPS_AT_ONCE = 16

#: How many values of each weight enter a fingerprint.
_FINGERPRINT_SAMPLES = 1024


@dataclass(frozen=True)
class Embedding:
    """A batch of recordings, pictures or texts as a binder sees it.

    clips: (B, S, D) float32, one embedding per clip; S is 1 for texts and pictures. Lengths are the binder's own
    scales: ImageBind's are 1 for vision, 20 for audio, learned for text. spans: start and end of every clip in
    seconds; None where there is no time. modality: "text", "image", "video", "audio", or "blend" of several.
    binder: the fingerprint of the binder that made it. heads: other clips (B, S, D) for comparisons with one modality,
    by modality, where the binder has a head per partner. others: the same as other binders see it, by their
    fingerprints, where a run has several.
    """

    clips: torch.Tensor
    spans: tuple[tuple[float, float], ...] | None
    modality: str
    binder: str
    heads: Mapping[str, torch.Tensor] = field(default_factory=dict)
    others: Mapping[str, Embedding] = field(default_factory=dict)

    def towards(self, modality: str) -> Embedding:
        """The embedding to compare with one of this modality: a head of its own, or the same for all."""
        return replace(self, clips=self.heads[modality]) if modality in self.heads else self

    def mean(self, strengths: torch.Tensor | None = None) -> torch.Tensor:
        """The mean over clips, (B, D). strengths: (S,), the weight of each clip; None: all alike."""
        if strengths is None:
            return self.clips.mean(dim=1)
        return (self.clips * strengths[:, None]).sum(dim=1) / strengths.sum()

    def mapped(self, function) -> Embedding:
        """The same with `function` applied to all its tensors."""
        heads = {modality: function(clips) for modality, clips in self.heads.items()}
        others = {binder: other.mapped(function) for binder, other in self.others.items()}
        return replace(self, clips=function(self.clips), heads=heads, others=others)


class Binder(Protocol):
    """A frozen model that embeds several modalities in one space, differentiable in what it embeds.

    identity: the model's name for messages, "ImageBind". fingerprint: a digest of its weights, the same in every
    precision; conditions and binder must agree on it. samplings: the ways to cut recordings into clips, by name.
    parts: by modality the name of the child module that embeds it. mean_colour: RGB in 0..1 of a pixel that tells
    nothing, which masks paint.
    """

    identity: str
    fingerprint: str
    samplings: Mapping[str, ClipSampling]
    parts: Mapping[str, str]
    mean_colour: tuple[float, float, float]

    def embed_text(self, texts: Sequence[str]) -> Embedding:
        """Embed B texts. Raises AlignerError unless they are strings."""

    def embed_image(self, pixels: torch.Tensor) -> Embedding:
        """Embed pictures (B, 3, H, W), floats in 0..1 or uint8. Raises AlignerError unless finite RGB."""

    def embed_frames(
        self, frames: torch.Tensor, indices: torch.Tensor, spans: Sequence[Span], sampling: ClipSampling
    ) -> Embedding:
        """Embed one video as S clips, B = 1.

        frames: (N, 3, H, W), floats in 0..1 or uint8. indices: (S, T), the frames of each clip. spans: its times.
        """

    def embed_audio(
        self,
        waveform: torch.Tensor,
        sample_rate: int,
        sampling: ClipSampling,
        count: int | None = None,
        at_once: int | None = None,
    ) -> Embedding:
        """Embed mono sounds (B, n) in -1..1 at `sample_rate` Hz as clips.

        count: how many clips, where the sound's own length should not decide. at_once: how many clips are embedded
        together and recomputed in the backward pass; None: all of them.
        """

    def named_children(self) -> Iterable[tuple[str, nn.Module]]:
        """The modules that move between devices, by name: those of `parts`."""

    def blocks(self) -> list[nn.Module]:
        """The modules whose activations can be recomputed instead of kept."""

    def activation_bytes(self, modality: str, clips: int, sampling: ClipSampling, *, checkpointing: bool) -> int:
        """Bytes of activations that a backward pass through the embedding of so many clips keeps."""


def part_for(binder: Binder, modality: str) -> nn.Module:
    """The child module of a binder that embeds a modality. Raises AlignerError for one that it does not embed."""
    return getattr(binder, part_name(binder, modality))


def part_name(binder: Binder, modality: str) -> str:
    """The name of that child module. Raises AlignerError for a modality that the binder does not embed."""
    if modality not in binder.parts:
        raise cannot_embed(binder, modality)
    return binder.parts[modality]


def cannot_embed(binder: Binder, modality: str) -> AlignerError:
    """The error for a modality that a binder does not embed."""
    return AlignerError(
        f"{binder.identity} embeds {', '.join(binder.parts)}, but no {modality}. Choose another binder, or leave the "
        f"{modality} out."
    )


def sampling_of(binder: Binder, clips: str) -> ClipSampling:
    """The way of that name to cut recordings. Raises AlignerError for a name that the binder does not know."""
    if clips not in binder.samplings:
        raise AlignerError(
            f"{binder.identity} does not know the clips {clips!r}. Choose one of: {', '.join(binder.samplings)}."
        )
    return binder.samplings[clips]


class Fingerprint:
    """A digest of named weights, whatever their order: name, size and evenly spaced values of each."""

    def __init__(self, weights: Iterable[tuple[str, torch.Tensor]] = ()):
        self._sampled: dict[str, bytes] = {}
        for name, weight in weights:
            self.add(name, weight)

    def add(self, name: str, weight: torch.Tensor) -> None:
        """Take one weight into account."""
        flat = weight.detach().flatten()
        values = flat[:: max(1, flat.numel() // _FINGERPRINT_SAMPLES)].float().cpu().numpy()
        self._sampled[name] = f"{name} {flat.numel()} ".encode() + values.tobytes()

    def digest(self) -> str:
        """16 hexadecimal digits."""
        return hashlib.sha256(b"".join(self._sampled[name] for name in sorted(self._sampled))).hexdigest()[:16]


def seen_by(embedding: Embedding, binder: str) -> Embedding:
    """The embedding that the binder of this fingerprint made of the same; "": this one."""
    return embedding if binder in ("", embedding.binder) else embedding.others[binder]


def require_binder(embeddings: Iterable[Embedding], fingerprints: Collection[str], other: str) -> None:
    """Raise AlignerError unless binders of these fingerprints made all embeddings.

    other: what they are compared with, for the message.
    """
    if any(embedding.binder not in fingerprints for embedding in embeddings):
        raise AlignerError(
            f"A condition was encoded with another binder than {other}. Encode it again with the same model."
        )


def concatenated(embeddings: Sequence[Embedding], dim: int) -> Embedding:
    """Several embeddings of one kind as one, along the batch (0) or the clips (1). The times are those of the first."""
    first, *others = embeddings
    if not others:
        return first
    heads = {modality: torch.cat([each.heads[modality] for each in embeddings], dim) for modality in first.heads}
    return replace(first, clips=torch.cat([each.clips for each in embeddings], dim), heads=heads)


def in_seconds(spans: Sequence[Span]) -> tuple[tuple[float, float], ...]:
    """Exact spans as the floats that an embedding holds."""
    return tuple((float(start), float(end)) for start, end in spans)
