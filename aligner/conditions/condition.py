"""A condition: an embedding that a result follows or avoids."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from fractions import Fraction
from numbers import Rational
from typing import Any

import torch

from ..binders.base import Embedding
from ..errors import AlignerError
from ..values.naming import named
from ..values.numbers import number as number_of
from ..values.tensors import floats
from .timeline import Timeline

#: What comparisons ask of embeddings and of timelines, whoever made them.
_EMBEDDING = ("modality", "binder", "spans", "clips", "heads", "towards", "mean", "mapped")
_TIMELINE = ("source", "target", "strength", "schedule", "placed", "during", "strengths", "require_within")


@dataclass(frozen=True)
class Condition:
    """An embedding that attracts the result (weight above 0) or repels it (weight below 0).

    weight: 0 switches the condition off. duration: exact length of the recording in seconds; None for what has none.
    streams: the generated streams that it steers; None: all of them. timeline: when it counts; None: always.
    prompt: whether it is the generator's own prompt, whose weight a rule multiplies by its text_weight. onsets: (1, T)
    or a batch of them, the onset curve of a sound or video, see `aligner.synchrony`; None for what has no time.

    Raises AlignerError for numbers that are not finite, for clips, times and words that no binder makes, and for
    onsets that are no curve.
    """

    embedding: Embedding
    weight: float = 1.0
    duration: Fraction | None = None
    streams: tuple[str, ...] | None = None
    timeline: Timeline | None = None
    prompt: bool = False
    onsets: torch.Tensor | None = None

    def __post_init__(self):
        # A whole number may be larger than tensors hold.
        object.__setattr__(self, "weight", number_of(self.weight, "The weight of a condition"))
        _require_embedding(self.embedding)
        if self.duration is not None and not (isinstance(self.duration, Rational) and self.duration > 0):
            raise AlignerError(f"A condition must last longer than 0 s, not {named(self.duration)}.")
        if self.timeline is not None:
            _require_attributes(self.timeline, _TIMELINE, "the timeline of Condition Timeline")
        if self.streams is not None and not (isinstance(self.streams, tuple) and all(map(_is_word, self.streams))):
            raise AlignerError("A condition must name the streams that it steers by words, such as audio.")
        if self.onsets is not None:
            _require_curve(self.onsets, len(self.embedding.clips))

    def steers(self, stream: str) -> bool:
        """Whether the condition counts for a stream."""
        return self.weight != 0 and (self.streams is None or stream in self.streams)

    @property
    def target(self) -> Embedding:
        """What a result is compared with: the embedding, at the times at which it steers."""
        return self.timeline.placed(self.embedding) if self.timeline else self.embedding


def conditions_of(value: object, what: str) -> list[Condition]:
    """The gate of conditions: a list of them, or of objects with all their fields from another package.

    what: its name for messages. Raises AlignerError for anything else.
    """
    if not isinstance(value, list | tuple):
        raise AlignerError(f"{what} must be conditions, such as Encode Condition gives, not {named(value)}.")
    return [_condition(each, what) for each in value]


def _condition(value: object, what: str) -> Condition:
    names = [field.name for field in fields(Condition)]
    if not all(hasattr(value, name) for name in names):
        raise AlignerError(f"{what} must hold conditions, such as Encode Condition gives, not {named(value)}.")
    return Condition(*(getattr(value, name) for name in names))


def _require_embedding(embedding: Embedding) -> None:
    """Raise AlignerError unless an embedding is one that a binder makes of what it can take."""
    _require_attributes(embedding, _EMBEDDING, "an embedding of a binder")
    if not _is_word(embedding.modality):
        raise AlignerError(
            f"The modality of a condition must be a word, such as text, not {named(embedding.modality)}."
        )
    if not isinstance(embedding.binder, str) or not isinstance(embedding.heads, Mapping):
        raise AlignerError("A condition must name its binder by a fingerprint, and its heads by their modalities.")
    count = _number_of_clips(embedding.clips, embedding.modality)
    if any(_number_of_clips(clips, embedding.modality) != count for clips in embedding.heads.values()):
        raise AlignerError(f"The heads of a condition must have its {count} clips.")
    spans = embedding.spans
    if spans is not None and not (_is_list(spans) and len(spans) == count and all(map(_is_span, spans))):
        raise AlignerError(f"The {count} clips of a condition must each have a time that ends after its start.")


def _require_attributes(value: object, names: Sequence[str], wanted: str) -> None:
    if isinstance(value, type) or not all(hasattr(value, name) for name in names):
        raise AlignerError(f"A condition must hold {wanted}, not {named(value)}.")


def _number_of_clips(clips: torch.Tensor, modality: str) -> int:
    what = f"The {modality} of a condition"
    embedded = floats(clips, what)
    if embedded.ndim != 3 or clips.dtype.itemsize < 2:
        raise AlignerError(
            f"{what} must be floats of shape (1, clips, width), but is {clips.dtype} of shape {tuple(clips.shape)}."
        )
    if not embedded.isfinite().all():
        raise AlignerError(
            f"{what} has an embedding that is not finite. Check what was encoded, or load the binder in fp32 or bf16."
        )
    return embedded.shape[1]


def _require_curve(onsets: torch.Tensor, batch: int) -> None:
    what = "The onsets of a condition"
    curve = floats(onsets, what)
    if curve.ndim != 2 or not curve.shape[1]:
        raise AlignerError(f"{what} must be floats of shape (1, moments), not {tuple(curve.shape)}.")
    if len(curve) not in (1, batch):
        raise AlignerError(f"{what} are those of {len(curve)} recordings, but it holds {batch}.")
    if not ((curve >= 0) & (curve <= 1)).all():
        raise AlignerError(f"{what} must lie in 0..1. Encode the condition again.")


def _is_list(value: object) -> bool:
    return isinstance(value, list | tuple)


def _is_span(span: Any) -> bool:
    if not (_is_list(span) and len(span) == 2):
        return False
    start, end = (number_of(edge, "The time of a clip") for edge in span)
    return start < end


def _is_word(value: object) -> bool:
    return isinstance(value, str) and value.isidentifier()


def label_conditions(conditions: Iterable[Condition]) -> dict[str, Condition]:
    """Label every condition with its modality, numbered where a modality repeats: video, text, text 2.

    Prompts are numbered last, so that the labels of the others do not depend on them. The order stays.
    """
    conditions = list(conditions)
    labels: dict[str, int] = {}
    for number in sorted(range(len(conditions)), key=lambda number: conditions[number].prompt):
        modality, count = conditions[number].embedding.modality, 1
        label = modality
        while label in labels:
            count += 1
            label = f"{modality} {count}"
        labels[label] = number
    return {label: conditions[number] for label, number in sorted(labels.items(), key=lambda item: item[1])}
