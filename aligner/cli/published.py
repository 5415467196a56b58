"""The columns of published tables, by networks that guidance does not optimise and whose weights users supply."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Callable, Collection, Mapping
from importlib.util import find_spec
from pathlib import Path

import torch

from ..errors import AlignerError, CheckpointError
from ..metrics import frechet_distance, inception_score, kernel_distance, kl_divergence
from ..metrics.networks import cnn14, i3d, vggish
from .measures import Measure, mean_over_files
from .network_features import heard, published_timing, require_frames, seen
from .published_networks import CNN14, I3D, PUBLISHED_NETWORKS, VGGISH, PublishedNetwork
from .result_folder import Result

#: Of the Inception score. Each needs a file.
SPLITS = 10
#: What AV-Align as published is made of.
LIBRARIES = ("cv2", "librosa")

Results = Mapping[str, Result]


def require_possible(options: Namespace, results: Results, reference: Results) -> None:
    """Raise AlignerError, before long work, for weights that are not there and columns that cannot be computed."""
    for network in PUBLISHED_NETWORKS:
        path = getattr(options, network.option)
        if path and not Path(path).is_file():
            raise CheckpointError(
                f"There is no {path}: --{network.option} names {network.file}, from {network.source}."
            )
        if path and network is not CNN14 and not reference:
            raise AlignerError(f"{' and '.join(network.columns)} compare with other files: give --reference.")
    if options.i3d:
        require_frames({**reference, **results})
        require_frames(results)


def published_measures(
    options: Namespace, results: Results, reference: Results, device: torch.device
) -> tuple[list[Measure], list[str]]:
    """The columns whose weights are given, and notes on those that are missing."""
    measures, notes = [], []
    if any(result.video and result.sound for result in results.values()):
        if all(map(find_spec, LIBRARIES)):
            scores = {name: score.matched for name, score in published_timing(results).items()}
            measures.append(mean_over_files("AV-Align published", scores, options.seed))
        else:
            notes.append("AV-Align as published is missing: pip install -r requirements-metrics.txt.")
    for network in PUBLISHED_NETWORKS:
        if path := getattr(options, network.option):
            given = _MEASURES[network](path, device, results, reference, options.seed)
            measures += given
            notes += _not_computed(network, {measure.name for measure in given})
        elif any(result.sound if network.hears else result.video for result in results.values()):
            notes.append(
                f"{', '.join(network.columns)} missing: give --{network.option} {network.file}, from {network.source}."
            )
    return measures, notes


def _not_computed(network: PublishedNetwork, given: Collection[str]) -> list[str]:
    missing = [column for column in network.columns if column not in given]
    needed = f"ISc needs {SPLITS} files" if missing == ["ISc"] else "at least 2 files are needed on both sides"
    return [f"No {' and '.join(missing)}: {needed}."] if missing else []


def _cnn14_measures(path: str, device: torch.device, results: Results, reference: Results, seed: int) -> list[Measure]:
    network = cnn14.load_cnn14(path, device)

    def hear(waveform: torch.Tensor) -> cnn14.SoundFeatures:
        return cnn14.SoundFeatures(*(each[0].cpu() for each in network(waveform[None].to(device))))

    ours, theirs = (heard(each, hear, cnn14.SAMPLE_RATE, "Cnn14") for each in (results, reference))
    measures = []
    pairs = {name: kl_divergence(ours[name].logits[None], theirs[name].logits[None]) for name in ours if name in theirs}
    if pairs:
        measures.append(mean_over_files("KL", pairs, seed))
    if len(ours) >= SPLITS:
        score = inception_score(torch.stack([each.logits for each in ours.values()]), splits=SPLITS)
        measures.append(Measure("ISc", score.mean, len(ours)))
    if min(len(ours), len(theirs)) >= 2:
        sets = (torch.stack([each.embedding for each in side.values()]) for side in (ours, theirs))
        measures.append(Measure("FD", frechet_distance(*sets), len(ours)))
    return measures


def _vggish_measures(path: str, device: torch.device, results: Results, reference: Results, seed: int) -> list[Measure]:
    network = vggish.load_vggish(path, device)
    ours, theirs = (
        heard(each, lambda waveform: network(waveform.to(device)).cpu(), vggish.SAMPLE_RATE, "VGGish")
        for each in (results, reference)
    )
    if not ours or not theirs:
        return []
    # Every example of every file counts once, as in the tables.
    return [Measure("FAD", frechet_distance(*(torch.cat([*side.values()]) for side in (ours, theirs))), len(ours))]


def _i3d_measures(path: str, device: torch.device, results: Results, reference: Results, seed: int) -> list[Measure]:
    network = i3d.load_i3d(path, device)
    ours, theirs = (
        seen(each, lambda frames: network(frames[None].to(device))[0].cpu(), "I3D") for each in (results, reference)
    )
    if min(len(ours), len(theirs)) < 2:
        return []
    sets = [torch.stack([*side.values()]) for side in (ours, theirs)]
    return [
        Measure("FVD", frechet_distance(*sets), len(ours)),
        Measure("KVD", kernel_distance(*sets), len(ours)),
    ]


_MEASURES: dict[PublishedNetwork, Callable[[str, torch.device, Results, Results, int], list[Measure]]] = {
    CNN14: _cnn14_measures,
    VGGISH: _vggish_measures,
    I3D: _i3d_measures,
}
