"""From what was found out about results to the figures of a table."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import torch
import torch.nn.functional as F

from ..metrics import (
    AVAlign,
    ConfidenceInterval,
    bind_scores,
    bootstrap_interval,
    frechet_distance,
    kernel_distance,
)
from .observations import Embeddings

#: How the published tables call the cosine of a result's own modalities; IT is VT of a picture.
BIND = {
    ("video", "audio"): "AV-bind",
    ("video", "text"): "VT-bind",
    ("image", "text"): "IT-bind",
    ("audio", "text"): "AT-bind",
}


@dataclass(frozen=True)
class Measure:
    """One figure of a folder.

    value: a mean over files, or a distance between two sets of them. files: how many. interval: where a mean would lie
    for other files of the same kind, at 95 %. each: by file, where it is a mean.
    """

    name: str
    value: float
    files: int
    interval: ConfidenceInterval | None = None
    each: Mapping[str, float] = field(default_factory=dict)


def timing_measures(timing: Mapping[str, AVAlign], seed: int) -> list[Measure]:
    """AV-Align, one to one and as published."""
    return [
        _mean(f"AV-Align {way}", {name: getattr(score, way) for name, score in timing.items()}, seed)
        for way in ("matched", "reference")
        if timing
    ]


def bind_measures(results: Embeddings, seed: int) -> list[Measure]:
    """The cosines of what results hold themselves, captions included."""
    return [
        measure
        for (one, other), label in BIND.items()
        for measure in _cosines(label, results.get(one, {}), results.get(other, {}), seed)
    ]


def paired_measures(results: Embeddings, reference: Embeddings, seed: int) -> list[Measure]:
    """The cosines with the reference of the same name, for all that both hold."""
    return [
        measure
        for one in results
        for other in reference
        for measure in _cosines(f"cosine {one} ~ reference {other}", results[one], reference[other], seed)
    ]


def set_measures(results: Embeddings, reference: Embeddings) -> list[Measure]:
    """The distances between all results and all references, of each modality that both hold at least twice."""
    measures = []
    for modality in _comparable_sets(results, reference):
        ours, theirs = (_unit_rows(side[modality]) for side in (results, reference))
        measures += [
            Measure(f"Frechet (ImageBind {modality})", frechet_distance(ours, theirs), len(ours)),
            # Of unit vectors x'y is the cosine: a d-th of it would leave of the cubic kernel a linear one.
            Measure(f"kernel (ImageBind {modality})", kernel_distance(ours, theirs, gamma=1.0), len(ours)),
        ]
    return measures


def caveats(measures: Iterable[Measure], results: Embeddings, reference: Embeddings) -> list[str]:
    """What a reader of the `set_measures` of these embeddings has to know."""
    comparable = _comparable_sets(results, reference)
    notes = [
        f"No Frechet and kernel distance of {modality}: at least 2 files are needed on both sides."
        for modality in results
        if modality in reference and modality not in comparable
    ]
    for modality in comparable:
        files, dimensions = _unit_rows(results[modality]).shape
        if files <= dimensions:
            notes.append(
                f"{files} files are too few for the {dimensions} dimensions of {modality}: such a Frechet "
                "distance is too large, and fit only to be compared with one of as many files."
            )
    if any(measure.value < 0 for measure in measures):
        notes.append("A kernel distance below 0 means: no difference that so few files could show.")
    return notes


def _comparable_sets(results: Embeddings, reference: Embeddings) -> list[str]:
    return [modality for modality in results if min(len(results[modality]), len(reference.get(modality, ()))) >= 2]


def _cosines(
    label: str, one: Mapping[str, torch.Tensor], other: Mapping[str, torch.Tensor], seed: int
) -> list[Measure]:
    """The mean cosine of the embeddings with the same name; nothing if there are none."""
    names = [name for name in one if name in other]
    if not names:
        return []
    cosines = bind_scores(torch.stack([one[name] for name in names]), torch.stack([other[name] for name in names]))
    return [_mean(label, dict(zip(names, cosines.tolist())), seed)]


def _mean(label: str, each: Mapping[str, float], seed: int) -> Measure:
    values = torch.tensor(list(each.values()), dtype=torch.float64)
    return Measure(label, values.mean().item(), len(values), bootstrap_interval(values, seed=seed), each)


def _unit_rows(embeddings: Mapping[str, torch.Tensor]) -> torch.Tensor:
    """(N, D) of length 1: ImageBind's scales, 1 for pictures and 20 for sounds, say nothing about them."""
    return F.normalize(torch.stack(list(embeddings.values())).double(), dim=1)
