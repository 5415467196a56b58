"""The columns of published tables, by networks that guidance does not optimise and whose weights users supply."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn

from ..errors import CheckpointError
from ..metrics import inception_score, kernel_distance, kl_divergence
from ..metrics.networks.cnn14 import SAMPLE_RATE as CNN14_RATE
from ..metrics.networks.cnn14 import SoundFeatures, load_cnn14
from ..metrics.networks.i3d import load_i3d
from ..metrics.networks.vggish import SAMPLE_RATE as VGGISH_RATE
from ..metrics.networks.vggish import load_vggish
from ..metrics.published_peaks import why_missing
from ..tensors.placement import placed
from .measures import Measure, frechet_measure, mean_over_files
from .network_features import heard, published_timing, require_frames, seen
from .published_networks import CNN14, I3D, PUBLISHED_NETWORKS, VGGISH, PublishedNetwork
from .result_folder import Result

#: Of the Inception score. Each needs a file.
SPLITS = 10
#: By column, what it compares at least.
NEEDED = {
    "KL": "a pair of one name",
    "FAD": "1 on both sides",
    **dict.fromkeys(("FD", "FVD", "KVD"), "2 on both sides"),
}

Results = Mapping[str, Result]


@dataclass(frozen=True)
class Tools:
    """What measures the columns.

    networks: those whose weights are given, on the CPU. no_timing: why AV-Align as published cannot be measured, or "".
    """

    networks: Mapping[PublishedNetwork, nn.Module]
    no_timing: str


def published_tools(options: Namespace, results: Results, reference: Results) -> Tools:
    """Load everything before long work.

    Raises CheckpointError for weights that are missing or of another network, and AlignerError for videos that are too
    short.
    """
    paths = {network: path for network in PUBLISHED_NETWORKS if (path := getattr(options, network.option))}
    for network, path in paths.items():
        if not Path(path).is_file():
            raise CheckpointError(
                f"There is no {path}: --{network.option} names {network.file}, from {network.source}."
            )
    if I3D in paths:
        for side in (results, reference):
            require_frames(side)
    return Tools({network: _LOADERS[network](path) for network, path in paths.items()}, why_missing())


def published_measures(
    tools: Tools, results: Results, reference: Results, device: torch.device, seed: int
) -> tuple[list[Measure], list[str]]:
    """The columns that can be computed, and why the others cannot."""
    measures, notes = [], []
    if any(result.video and result.sound for result in results.values()):
        if tools.no_timing:
            notes.append(f"AV-Align as published is missing: {tools.no_timing}.")
        else:
            scores = {name: score.matched for name, score in published_timing(results).items()}
            measures.append(mean_over_files("AV-Align published", scores, seed))
    for network in PUBLISHED_NETWORKS:
        ours, theirs = (_recorded(network, side) for side in (results, reference))
        if network in tools.networks:
            with placed([tools.networks[network]], device):
                given = list(_MEASURES[network](tools.networks[network], device, results, reference, seed))
            measures += given
            computed = {measure.name for measure in given}
            notes += [
                f"No {column}: {_why_missing(column, network, ours, theirs)}."
                for column in network.columns
                if column not in computed
            ]
        elif ours:
            where = f"give --{network.option} {network.file}, from {network.source}"
            notes.append(f"{', '.join(network.columns)} missing: {where}{'' if reference else ', and --reference'}.")
    return measures, notes


def _recorded(network: PublishedNetwork, side: Results) -> int:
    """How many files of a side the network can take."""
    return sum(bool(result.sound if network.hears else result.video) for result in side.values())


def _why_missing(column: str, network: PublishedNetwork, ours: int, theirs: int) -> str:
    what = "sounds" if network.hears else "videos"
    if column == "ISc":
        return f"it needs {SPLITS} {what}, and there are {ours}"
    return f"there are {ours} {what} and {theirs} in --reference, and it needs {NEEDED[column]}"


def _cnn14_measures(
    network: nn.Module, device: torch.device, results: Results, reference: Results, seed: int
) -> Iterator[Measure]:
    def hear(waveform: torch.Tensor) -> SoundFeatures:
        return SoundFeatures(*(each[0].cpu() for each in network(waveform[None].to(device))))

    ours, theirs = (heard(side, hear, CNN14_RATE, "Cnn14") for side in (results, reference))
    pairs = {name: kl_divergence(ours[name].logits[None], theirs[name].logits[None]) for name in ours if name in theirs}
    if pairs:
        yield mean_over_files("KL", pairs, seed)
    if len(ours) >= SPLITS:
        score = inception_score(torch.stack([each.logits for each in ours.values()]), splits=SPLITS)
        yield Measure("ISc", score.mean, len(ours))
    if min(len(ours), len(theirs)) >= 2:
        one, other = (torch.stack([each.embedding for each in side.values()]) for side in (ours, theirs))
        yield frechet_measure("FD", one, other, len(ours))


def _vggish_measures(
    network: nn.Module, device: torch.device, results: Results, reference: Results, seed: int
) -> Iterator[Measure]:
    ours, theirs = (
        heard(side, lambda waveform: network(waveform.to(device)).cpu(), VGGISH_RATE, "VGGish")
        for side in (results, reference)
    )
    if ours and theirs:
        # Every example of every file counts once, as in the tables.
        one, other = (torch.cat([*side.values()]) for side in (ours, theirs))
        yield frechet_measure("FAD", one, other, len(ours))


def _i3d_measures(
    network: nn.Module, device: torch.device, results: Results, reference: Results, seed: int
) -> Iterator[Measure]:
    ours, theirs = (
        seen(side, lambda frames: network(frames[None].to(device))[0].cpu(), "I3D") for side in (results, reference)
    )
    if min(len(ours), len(theirs)) >= 2:
        one, other = (torch.stack([*side.values()]) for side in (ours, theirs))
        yield frechet_measure("FVD", one, other, len(ours))
        yield Measure("KVD", kernel_distance(one, other), len(ours))


_LOADERS: dict[PublishedNetwork, Callable[[str], nn.Module]] = {CNN14: load_cnn14, VGGISH: load_vggish, I3D: load_i3d}
_MEASURES: dict[PublishedNetwork, Callable[..., Iterator[Measure]]] = {
    CNN14: _cnn14_measures,
    VGGISH: _vggish_measures,
    I3D: _i3d_measures,
}
