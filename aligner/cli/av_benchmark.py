"""A folder that hkchengrex/av-benchmark reads unchanged: it computes FD_PaSST, IB-score, DeSync and others.

It finds sounds and videos of one name by their folders, compares all sounds over one length, and needs each of them to
last so long.
"""

from __future__ import annotations

import csv
import math
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from shlex import quote

import torch

from ..errors import AlignerError, listed
from ..files.atomic import written_whole
from ..media import read_audio, write_audio, write_video
from .observations import displayed_frames, progress
from .result_folder import Result

#: The folders and the table within it.
GENERATED, REFERENCE, VIDEOS, CAPTIONS = "generated", "reference", "videos", "captions.csv"


def require_exportable(folder: str, results: Mapping[str, Result], reference: Mapping[str, Result]) -> None:
    """Raise AlignerError, before long work, if there is nothing to compare or the folder holds something."""
    if not reference:
        raise AlignerError("av-benchmark compares sounds with sounds: give --reference.")
    silent = [name for side in (results, reference) for name, result in side.items() if not result.sound]
    if silent:
        raise AlignerError(f"av-benchmark compares sounds with sounds, and these have none: {listed(silent)}.")
    place = Path(folder)
    if place.exists() and (not place.is_dir() or any(place.iterdir())):
        raise AlignerError(f"{folder} is not an empty folder: --av-benchmark needs a new one.")


def write_for_av_benchmark(
    folder: str, results: Mapping[str, Result], reference: Mapping[str, Result], captions: Mapping[str, str]
) -> list[str]:
    """Write the folder. Returns the commands of av-benchmark that read it, one after the other."""
    place, seconds = Path(folder), math.inf
    for name, result in progress(results, "for av-benchmark"):
        for part, recording in ((GENERATED, result), (REFERENCE, reference[name])):
            seconds = min(seconds, _write_sound(place / part / f"{name}.wav", recording))
        _write_video(place / VIDEOS / f"{name}.mp4", result if result.video else reference[name])
    if captions:
        _write_captions(place / CAPTIONS, captions)
    return list(_commands(place, seconds, bool(captions)))


def _write_sound(file: Path, result: Result) -> float:
    """Write its sound and return its seconds."""
    assert result.sound is not None
    waveform, rate = read_audio(result.sound)
    file.parent.mkdir(parents=True, exist_ok=True)
    write_audio(file, waveform, rate)
    return waveform.shape[1] / rate


def _write_video(file: Path, result: Result) -> None:
    """Write its video as .mp4, if it has one."""
    if result.video is None or result.info is None:
        return
    file.parent.mkdir(parents=True, exist_ok=True)
    if result.video.suffix.lower() == ".mp4":
        shutil.copyfile(result.video, file)
        return
    frames = torch.stack([*displayed_frames(result.video, result.info)]).permute(0, 2, 3, 1)
    write_video(file, frames, result.info.fps)


def _write_captions(file: Path, captions: Mapping[str, str]) -> None:
    with written_whole(file) as temporary, temporary.open("w", encoding="utf-8", newline="") as opened:
        table = csv.writer(opened)
        table.writerow(["name", "caption"])
        table.writerows(captions.items())


def _commands(place: Path, seconds: float, captioned: bool) -> Iterator[str]:
    # It cuts to whole samples, and waits for ever where a sound is shorter.
    length = f"--audio_length={math.floor(100 * seconds) / 100}"
    reference, generated, videos, captions = (
        quote(str(place.absolute() / part)) for part in (REFERENCE, GENERATED, VIDEOS, CAPTIONS)
    )
    cache = quote(str(place.absolute() / REFERENCE / "cache"))
    if (place / VIDEOS).is_dir():
        yield f"python extract_video.py --gt_cache {cache} --video_path {videos} {length}"
    if captioned:
        yield f"python extract_text.py --text_csv {captions} --output_cache_path {cache}"
    yield f"python evaluate.py --gt_audio {reference} --pred_audio {generated} {length}"
