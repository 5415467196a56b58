"""A folder that hkchengrex/av-benchmark reads unchanged: it computes FD_PaSST, IB-score, DeSync and others.

It finds sounds and videos of one name by their folders, compares all of them over one length, and needs each of them to
last so long. It shortens some names and reads others as numbers, so that the files have names of their own.
"""

from __future__ import annotations

import csv
import math
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from shlex import quote

import torch

from ..errors import AlignerError, listed
from ..files.atomic import folder_written_whole, require_writable
from ..media import read_audio, write_audio, write_video
from .observations import displayed_frames, progress
from .result_folder import Result

#: The folders and the table within it.
GENERATED, REFERENCE, VIDEOS, CAPTIONS, NAMES = "generated", "reference", "videos", "captions.csv", "names.csv"
#: Seconds that its network of synchrony takes at least.
SHORTEST = 4.8


def require_exportable(
    folder: str, results: Mapping[str, Result], reference: Mapping[str, Result], json: str | None
) -> None:
    """Raise AlignerError, before long work, if there is nothing to compare or the folder cannot be made.

    json: another file that is written.
    """
    if json and Path(folder).resolve() in Path(json).resolve().parents:
        raise AlignerError("--json cannot lie in the folder of --av-benchmark: choose another place.")
    if not reference:
        raise AlignerError("av-benchmark compares sounds with sounds: give --reference.")
    for side, recordings in (("results", results), ("--reference", reference)):
        if silent := [name for name, each in recordings.items() if not each.sound]:
            raise AlignerError(f"av-benchmark compares sounds, and these of the {side} have none: {listed(silent)}.")
    if Path(folder).exists():
        raise AlignerError(f"{folder} is there already: --av-benchmark needs a new folder.")
    require_writable(folder)


def write_for_av_benchmark(
    folder: str, results: Mapping[str, Result], reference: Mapping[str, Result], captions: Mapping[str, str]
) -> list[str]:
    """Write the folder, whole or not at all. Returns the commands of av-benchmark that read it, and what it lacks.

    Raises MediaError if it cannot be written.
    """
    place = Path(folder).absolute()
    with folder_written_whole(place) as begun:
        seconds = _written(begun, results, reference, captions)
    return list(_commands(place, seconds, bool(captions)))


def _written(
    place: Path, results: Mapping[str, Result], reference: Mapping[str, Result], captions: Mapping[str, str]
) -> float:
    """Write everything. Returns the seconds that all recordings last."""
    samples = {name: f"sample{number:06}" for number, name in enumerate(results)}
    _write_table(place / NAMES, ("sample", "name"), [(sample, name) for name, sample in samples.items()])
    seconds = math.inf
    for name, result in progress(results, "for av-benchmark"):
        for part, recording in ((GENERATED, result), (REFERENCE, reference[name])):
            seconds = min(seconds, _write_sound(place / part / f"{samples[name]}.wav", recording))
        shown = result if result.video else reference[name]
        seconds = min(seconds, _write_video(place / VIDEOS / f"{samples[name]}.mp4", shown))
    if captions:
        _write_table(place / CAPTIONS, ("name", "caption"), [(samples[name], captions[name]) for name in results])
    return seconds


def _write_sound(file: Path, result: Result) -> float:
    """Write its sound and return its seconds."""
    assert result.sound is not None
    waveform, rate = read_audio(result.sound)
    file.parent.mkdir(parents=True, exist_ok=True)
    write_audio(file, waveform, rate)
    return waveform.shape[1] / rate


def _write_video(file: Path, result: Result) -> float:
    """Write its video as .mp4 and return its seconds; infinity where it has none."""
    if result.video is None or result.info is None:
        return math.inf
    file.parent.mkdir(parents=True, exist_ok=True)
    if result.video.suffix.lower() == ".mp4":
        shutil.copyfile(result.video, file)
    else:
        frames = torch.stack([*displayed_frames(result.video, result.info)]).permute(0, 2, 3, 1)
        write_video(file, frames, result.info.fps)
    return float(result.info.duration)


def _write_table(file: Path, columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    with file.open("w", encoding="utf-8", newline="") as opened:
        csv.writer(opened).writerows([columns, *rows])


def _commands(place: Path, seconds: float, captioned: bool) -> Iterator[str]:
    # It cuts to whole samples, and waits for ever where a sound is shorter.
    length = f"--audio_length={math.floor(100 * seconds) / 100}"
    reference, generated, videos, captions = (
        quote(str(place / part)) for part in (REFERENCE, GENERATED, VIDEOS, CAPTIONS)
    )
    cache = quote(str(place / REFERENCE / "cache"))
    seen = (place / VIDEOS).is_dir() and seconds >= SHORTEST
    if seen:
        yield f"python extract_video.py --gt_cache {cache} --video_path {videos} {length}"
    if captioned:
        yield f"python extract_text.py --text_csv {captions} --output_cache_path {cache}"
    rest = "" if seen else " --skip_video_related"
    yield f"python evaluate.py --gt_audio {reference} --pred_audio {generated} {length}{rest}"
    if not seen:
        yield f"IB-score and DeSync need videos, and {SHORTEST} s of every recording."
