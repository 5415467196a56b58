"""Conditions to and from files, so that neither the recordings nor the binder are needed again."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import torch

from ..binders.base import Embedding
from ..errors import AlignerError, CheckpointError
from ..files.weights import WeightFile, open_weights, save_weights
from ..timing.curves import Curve
from ..timing.intervals import Interval
from .condition import Condition
from .timeline import Timeline

_METADATA = "conditions"


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
            descriptions = json.loads(weights.metadata[_METADATA])
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
        duration and Fraction(duration),
        description["streams"] and tuple(description["streams"]),
        timeline
        and Timeline(
            Interval(*timeline["source"]),
            Interval(*timeline["target"]),
            _curve(timeline["strength"]),
            _curve(timeline["schedule"]),
        ),
        bool(description["prompt"]),
    )


def _embedding(description: dict, weights: WeightFile, number: int) -> Embedding:
    """Raises ValueError unless there are clips, each with its time if there is any."""
    clips = weights.take(str(number)).clone()
    heads = {modality: weights.take(f"{number}.{modality}").clone() for modality in description["heads"]}
    spans = description["spans"]
    if spans is not None:
        spans = tuple((float(start), float(end)) for start, end in spans)
    for each in (clips, *heads.values()):
        if each.ndim != 3 or not each.numel() or not each.is_floating_point() or each.shape[1] != clips.shape[1]:
            raise ValueError(f"The clips are {each.dtype} of shape {tuple(each.shape)}.")
    if spans is not None and (len(spans) != clips.shape[1] or not all(start < end for start, end in spans)):
        raise ValueError(f"{clips.shape[1]} clips cannot be at {spans}.")
    if not isinstance(description["binder"], str):
        raise ValueError("The binder's fingerprint is no text.")
    return Embedding(clips, spans, description["modality"], description["binder"], heads)


def _curve(points: list) -> Curve:
    return Curve(tuple(map(tuple, points)))
