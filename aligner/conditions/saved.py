"""Conditions from and to files, to be used again without the recordings that they were made of."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import torch

from ..binders.base import Embedding
from ..errors import AlignerError, CheckpointError
from ..files.weights import open_weights, save_weights
from ..timing.curves import Curve
from ..timing.intervals import Part
from .condition import Condition
from .timeline import Timeline

_METADATA = "conditions"


def save_conditions(path: str | os.PathLike, conditions: Sequence[Condition]) -> None:
    """Write a .safetensors file, which appears under its name only when it is complete.

    Raises AlignerError for another suffix and for no conditions, MediaError where it cannot be written.
    """
    if Path(path).suffix.lower() != ".safetensors":
        raise AlignerError(f"{Path(path).name}: conditions are written as .safetensors; change the suffix.")
    if not conditions:
        raise AlignerError("There are no conditions to save. Connect some.")
    state = {
        str(number): condition.embedding.clips.detach().cpu().clone() for number, condition in enumerate(conditions)
    }
    save_weights(path, state, {_METADATA: json.dumps([_described(condition) for condition in conditions])})


@torch.inference_mode(False)
def load_conditions(path: str | os.PathLike) -> list[Condition]:
    """Read what `save_conditions` wrote. Raises CheckpointError if the file is something else."""
    from safetensors import SafetensorError

    with open_weights(Path(path)) as weights:
        try:
            descriptions = json.loads(weights.metadata[_METADATA])
            return [
                _condition(description, weights.take(str(number)).clone())
                for number, description in enumerate(descriptions)
            ]
        except AlignerError as error:
            raise CheckpointError(f"{path} holds a condition that cannot be used: {error}") from error
        # Of a damaged file anything may be missing, of another kind, or no number: a duration of "1/0" or infinity.
        except (KeyError, TypeError, ValueError, ArithmeticError, SafetensorError) as error:
            raise CheckpointError(
                f"{path} does not hold conditions. Choose a file that Save Conditions wrote."
            ) from error


def _described(condition: Condition) -> dict:
    timeline, embedding = condition.timeline, condition.embedding
    return {
        "modality": embedding.modality,
        "spans": embedding.spans,
        "weight": condition.weight,
        "duration": condition.duration and str(condition.duration),
        "streams": condition.streams,
        "timeline": timeline
        and {
            "source": (timeline.source.start, timeline.source.end),
            "target": (timeline.target.start, timeline.target.end),
            "strength": timeline.strength.points,
            "schedule": timeline.schedule.points,
        },
    }


def _condition(description: dict, clips: torch.Tensor) -> Condition:
    duration, timeline = description["duration"], description["timeline"]
    return Condition(
        _embedding(description, clips),
        description["weight"],
        duration and Fraction(duration),
        description["streams"] and tuple(description["streams"]),
        timeline
        and Timeline(
            Part(*timeline["source"]),
            Part(*timeline["target"]),
            _curve(timeline["strength"]),
            _curve(timeline["schedule"]),
        ),
    )


def _embedding(description: dict, clips: torch.Tensor) -> Embedding:
    """Raises ValueError unless there are clips, each with its time if there is any."""
    spans = description["spans"]
    if spans is not None:
        spans = tuple((float(start), float(end)) for start, end in spans)
    if clips.ndim != 3 or not clips.numel() or not clips.is_floating_point():
        raise ValueError(f"The clips are {clips.dtype} of shape {tuple(clips.shape)}.")
    if spans is not None and (len(spans) != clips.shape[1] or not all(start < end for start, end in spans)):
        raise ValueError(f"{clips.shape[1]} clips cannot be at {spans}.")
    return Embedding(clips, spans, description["modality"])


def _curve(points: list) -> Curve:
    return Curve(tuple(map(tuple, points)))
