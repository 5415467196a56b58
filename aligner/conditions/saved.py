"""Conditions to and from files, so that neither the recordings nor the binder are needed again."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import torch

from ..binders.base import Embedding
from ..errors import AlignerError, CheckpointError
from ..files.json_objects import json_value
from ..files.weights import WeightFile, open_weights, save_weights
from ..timing.curves import Curve
from ..timing.intervals import Interval
from ..values.tensors import floats
from .condition import Condition
from .timeline import Timeline

_METADATA = "conditions"
#: No modality has such a name.
_ONSETS = "{}.onsets of the recording"
_FRACTION = re.compile(r"\d{1,18}(/\d{1,18})?", re.ASCII)


def save_conditions(path: str | os.PathLike, conditions: Sequence[Condition]) -> None:
    """Write conditions as a .safetensors file, which appears under its name only when it is complete.

    Raises AlignerError for another suffix and for no conditions, MediaError where the file cannot be written.
    """
    if Path(path).suffix.lower() != ".safetensors":
        raise AlignerError(f"{Path(path).name}: conditions are written as .safetensors; change the suffix.")
    if not conditions:
        raise AlignerError("There are no conditions to save. Connect some.")
    state = {}
    for number, condition in enumerate(conditions):
        state[str(number)] = condition.embedding.clips
        state |= {f"{number}.{modality}": clips for modality, clips in condition.embedding.heads.items()}
        if condition.onsets is not None:
            state[_ONSETS.format(number)] = condition.onsets
    save_weights(
        path,
        {name: tensor.detach().cpu().clone() for name, tensor in state.items()},
        {_METADATA: json.dumps([_described(condition) for condition in conditions])},
    )


@torch.inference_mode(False)
def load_conditions(path: str | os.PathLike) -> list[Condition]:
    """Read what `save_conditions` wrote. Raises CheckpointError if the file is something else."""
    from safetensors import SafetensorError

    with open_weights(Path(path)) as weights:
        try:
            descriptions = json_value(weights.metadata[_METADATA])
            return [_condition(description, weights, number) for number, description in enumerate(descriptions)]
        except AlignerError as error:
            raise CheckpointError(f"{path} holds a condition that cannot be used: {error}") from error
        # A damaged file may lack anything, hold another kind of value, or numbers such as "1/0" or infinity.
        except (KeyError, TypeError, ValueError, ArithmeticError, SafetensorError) as error:
            raise CheckpointError(
                f"{path} does not hold conditions. Choose a file that Save Conditions wrote."
            ) from error


def _described(condition: Condition) -> dict:
    timeline, embedding = condition.timeline, condition.embedding
    return {
        "modality": embedding.modality,
        "binder": embedding.binder,
        "heads": list(embedding.heads),
        "spans": embedding.spans,
        "weight": condition.weight,
        "duration": condition.duration and str(condition.duration),
        "streams": condition.streams,
        "prompt": condition.prompt,
        "onsets": condition.onsets is not None,
        "timeline": timeline
        and {
            "source": (timeline.source.start, timeline.source.end),
            "target": (timeline.target.start, timeline.target.end),
            "strength": timeline.strength.points,
            "schedule": timeline.schedule.points,
        },
    }


def _condition(description: dict, weights: WeightFile, number: int) -> Condition:
    duration, timeline = description["duration"], description["timeline"]
    return Condition(
        _embedding(description, weights, number),
        description["weight"],
        duration and _fraction(duration),
        description["streams"] and tuple(description["streams"]),
        timeline
        and Timeline(
            Interval(*timeline["source"]),
            Interval(*timeline["target"]),
            _curve(timeline["strength"]),
            _curve(timeline["schedule"]),
        ),
        bool(description["prompt"]),
        _tensor(weights, _ONSETS.format(number)) if description["onsets"] else None,
    )


def _embedding(description: dict, weights: WeightFile, number: int) -> Embedding:
    clips = _tensor(weights, str(number))
    heads = {modality: _tensor(weights, f"{number}.{modality}") for modality in description["heads"]}
    spans = description["spans"]
    if spans is not None:
        spans = tuple((float(start), float(end)) for start, end in spans)
    return Embedding(clips, spans, description["modality"], description["binder"], heads)


def _tensor(weights: WeightFile, name: str) -> torch.Tensor:
    return floats(weights.take(name), name).clone()


def _fraction(written: str) -> Fraction:
    """Raises ValueError for anything but what `str` makes of a fraction: 1e999999999 would take hours to read."""
    if not _FRACTION.fullmatch(written):
        raise ValueError(f"{written[:40]} is no fraction.")
    return Fraction(written)


def _curve(points: list) -> Curve:
    return Curve(tuple(map(tuple, points)))
