"""The figures of a table, from embeddings and timing of results."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import torch
import torch.nn.functional as F

from ..binders.base import Embedding
from ..metrics import (
    AVAlign,
    ConfidenceInterval,
    bind_scores,
    bootstrap_interval,
    frechet_distance,
    kernel_distance,
)
from .observations import Embeddings

#: The names in published tables for the cosine between two modalities of one result. IT is VT for a picture.
BIND = {
    ("video", "audio"): "AV-bind",
    ("video", "text"): "VT-bind",
    ("image", "text"): "IT-bind",
    ("audio", "text"): "AT-bind",
}

#: How the names of kernel distances begin.
KERNELS = ("kernel", "KVD")


@dataclass(frozen=True)
class Measure:
    """One figure of a folder.

    value: a mean over files, or a distance between two sets of files. files: how many. interval: of a mean, the 95 %
    confidence interval over files. each: of a mean, the value of each file. compared: of a Frechet distance, the rows
    of the smaller side, and the dimensions.
    """

    name: str
    value: float
    files: int
    interval: ConfidenceInterval | None = None
    each: Mapping[str, float] = field(default_factory=dict)
    compared: tuple[int, ...] = ()


def timing_measures(timing: Mapping[str, AVAlign], seed: int) -> list[Measure]:
    """AV-Align, one to one and as published."""
    return [
        mean_over_files(f"AV-Align {way}", {name: getattr(score, way) for name, score in timing.items()}, seed)
        for way in ("matched", "reference")
        if timing
    ]


def bind_measures(results: Embeddings, seed: int) -> list[Measure]:
    """The cosines between the modalities of each result, captions included."""
    return [
        measure
        for (one, other), label in BIND.items()
        for measure in _cosines(label, (one, results.get(one, {})), (other, results.get(other, {})), seed)
    ]


def paired_measures(results: Embeddings, reference: Embeddings, seed: int) -> list[Measure]:
    """The cosines with the reference of the same name, for all that both hold."""
    return [
        measure
        for one in results
        for other in reference
        for measure in _cosines(
            f"cosine {one} ~ reference {other}", (one, results[one]), (other, reference[other]), seed
        )
    ]


def set_measures(results: Embeddings, reference: Embeddings, binder: str) -> list[Measure]:
    """The distances between all results and all references, of each modality that both hold at least twice.

    binder: the name of the binder that embedded them.
    """
    measures = []
    for modality in _comparable_sets(results, reference):
        ours, theirs = (_unit_rows(_means(side[modality])) for side in (results, reference))
        measures += [
            frechet_measure(f"Frechet ({binder} {modality})", ours, theirs, len(ours)),
            # The product of unit vectors is their cosine. Divided by the dimension, as for features of another scale,
            # it would be so small that the cubic kernel would be almost linear.
            Measure(f"kernel ({binder} {modality})", kernel_distance(ours, theirs, gamma=1.0), len(ours)),
        ]
    return measures


def not_compared(results: Embeddings, reference: Embeddings) -> list[str]:
    """Notes on the modalities without `set_measures`."""
    comparable = _comparable_sets(results, reference)
    return [
        f"No Frechet and kernel distance of {modality}: at least 2 files are needed on both sides."
        for modality in results
        if modality in reference and modality not in comparable
    ]


def caveats(measures: Iterable[Measure]) -> list[str]:
    """Notes for a reader of distances between sets."""
    measures = list(measures)
    notes = [
        f"{measure.name}: {measure.compared[0]} rows are too few for {measure.compared[1]} dimensions. Such a distance "
        "is too large, and fit only to be compared with one of as many files."
        for measure in measures
        if measure.compared and measure.compared[0] <= measure.compared[1]
    ]
    if any(measure.value < 0 for measure in measures if measure.name.startswith(KERNELS)):
        notes.append("A kernel distance below 0 means: no difference that so few files could show.")
    return notes


def _comparable_sets(results: Embeddings, reference: Embeddings) -> list[str]:
    return [modality for modality in results if min(len(results[modality]), len(reference.get(modality, ()))) >= 2]


def _cosines(
    label: str, one: tuple[str, Mapping[str, Embedding]], other: tuple[str, Mapping[str, Embedding]], seed: int
) -> list[Measure]:
    """The mean cosine of the embeddings with the same name; nothing if there are none. one, other: with modality."""
    (modality, ours), (partner, theirs) = one, other
    names = [name for name in ours if name in theirs]
    if not names:
        return []
    mine, others = _means(ours, partner), _means(theirs, modality)
    cosines = bind_scores(torch.stack([mine[name] for name in names]), torch.stack([others[name] for name in names]))
    return [mean_over_files(label, dict(zip(names, cosines.tolist())), seed)]


def _means(embeddings: Mapping[str, Embedding], partner: str = "") -> dict[str, torch.Tensor]:
    """The mean over clips of each, (D,). partner: the modality of what it is compared with."""
    return {name: each.towards(partner).mean()[0] for name, each in embeddings.items()}


def frechet_measure(name: str, ours: torch.Tensor, theirs: torch.Tensor, files: int) -> Measure:
    """The Frechet distance of two sets of features (N, D) and (M, D)."""
    compared = min(len(ours), len(theirs)), ours.shape[1]
    return Measure(name, frechet_distance(ours, theirs), files, compared=compared)


def mean_over_files(label: str, each: Mapping[str, float], seed: int) -> Measure:
    """The mean of a figure of each file, with its interval."""
    values = torch.tensor(list(each.values()), dtype=torch.float64)
    return Measure(label, values.mean().item(), len(values), bootstrap_interval(values, seed=seed), each)


def _unit_rows(embeddings: Mapping[str, torch.Tensor]) -> torch.Tensor:
    """(N, D) of length 1. A binder's scales, such as ImageBind's 1 for pictures and 20 for sounds, carry no meaning."""
    return F.normalize(torch.stack(list(embeddings.values())).double(), dim=1)
