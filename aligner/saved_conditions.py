"""Conditions from and to files, to be used again without the recordings that they were made of."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import torch

from .conditions import Condition
from .curves import Curve
from .errors import AlignerError, CheckpointError
from .imagebind.encode import Embedding
from .timeline import Part, Timeline
from .weight_files import open_weights, save_weights

_METADATA = "conditions"


def save_conditions(path: str | os.PathLike, conditions: Sequence[Condition]) -> None:
    """Write a .safetensors file, which appears under its name only when it is complete.

    Raises AlignerError for another suffix and for no conditions, MediaError where it cannot be written.
    """
    if Path(path).suffix.lower() != ".safetensors":
        raise AlignerError(f"{Path(path).name}: conditions are written as .safetensors; change the suffix.")
    if not conditions:
        raise AlignerError("There are no conditions to save. Connect some.")
    state = {str(number): condition.embedding.clips.detach().cpu().clone()
             for number, condition in enumerate(conditions)}
    save_weights(path, state, {_METADATA: json.dumps([_described(condition) for condition in conditions])})


@torch.inference_mode(False)
def load_conditions(path: str | os.PathLike) -> list[Condition]:
    """Read what `save_conditions` wrote. Raises CheckpointError if the file is something else."""
    with open_weights(Path(path)) as weights:
        try:
            descriptions = json.loads(weights.metadata[_METADATA])
            return [_condition(description, weights.take(str(number)).clone())
                    for number, description in enumerate(descriptions)]
        except (KeyError, TypeError, ValueError) as error:
            raise CheckpointError(f"{path} does not hold conditions. Choose a file that Save Conditions "
                                  "wrote.") from error


def _described(condition: Condition) -> dict:
    timeline, embedding = condition.timeline, condition.embedding
    return {
        "modality": embedding.modality, "spans": embedding.spans, "weight": condition.weight,
        "duration": condition.duration and str(condition.duration), "streams": condition.streams,
        "timeline": timeline and {
            "source": (timeline.source.start, timeline.source.end),
            "target": (timeline.target.start, timeline.target.end),
            "strength": timeline.strength.points, "schedule": timeline.schedule.points}}


def _condition(description: dict, clips) -> Condition:
    spans, duration, timeline = (description[name] for name in ("spans", "duration", "timeline"))
    embedding = Embedding(clips, spans and tuple(map(tuple, spans)), description["modality"])
    return Condition(
        embedding, description["weight"], duration and Fraction(duration),
        description["streams"] and tuple(description["streams"]),
        timeline and Timeline(Part(*timeline["source"]), Part(*timeline["target"]),
                              _curve(timeline["strength"]), _curve(timeline["schedule"])))


def _curve(points: list) -> Curve:
    return Curve(tuple(map(tuple, points)))
