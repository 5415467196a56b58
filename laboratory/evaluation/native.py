"""Generate and measure the samples of a cell in a running ComfyUI, one prompt for each. Measured rows are kept."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory

import torch

from aligner.generators.signals import Sound
from aligner.media import read_audio, read_image, to_mono, write_audio, write_image
from aligner.tensors.resampling import resampled

from ..edition import edition
from ..weights import fingerprint
from ..world import SAMPLE_RATE
from .comfyui import ComfyUI
from .instruments import Finished, Instruments, sound_of, video_of
from .native_prompts import METHODS, TASKS, NativeMethod, NativeTask, native_prompt
from .runs import measured_batch, resumed

#: Seeds of two samples are so far apart that the samples share no candidate.
_SEEDS_APART = 1000


@dataclass(frozen=True)
class NativeCell:
    """One row of the table: names of TASKS, METHODS and CAPTIONS."""

    task: str
    method: str
    caption: str

    @property
    def name(self) -> str:
        return f"{self.task}-{self.method}-{self.caption}"


def native_rows(
    cell: NativeCell, comfyui: ComfyUI, instruments: Instruments, split: str, samples: int, work: Path
) -> list[dict]:
    """Generate and measure a cell for the first `samples` clips of a split: one row of figures for each.

    work: folder where rows are kept, so that a stopped run can go on. Rows of other models, settings or versions of
    ComfyUI are discarded.
    """
    task, method = TASKS[cell.task], METHODS[cell.method]

    def batch(indices: range) -> list[dict]:
        make = partial(_made, comfyui, task, method, indices)
        return measured_batch(instruments, cell.caption, task.given, split, indices, make)

    path = work / split / "native" / f"{cell.name}.json"
    return resumed(path, _settings_of(task, method, comfyui.version), samples, batch)


def _settings_of(task: NativeTask, method: NativeMethod, version: str) -> str:
    """A text that differs for every version of ComfyUI, model, setting and state of the code that rows depend on."""
    prompt = native_prompt(task, method, caption="", file="", seed=_SEEDS_APART)
    return f"{fingerprint()} ComfyUI {version} edition {edition()} {json.dumps(prompt)}"


def _made(
    comfyui: ComfyUI,
    task: NativeTask,
    method: NativeMethod,
    indices: Sequence[int],
    captions: Sequence[str],
    given: Finished,
) -> dict[str, Finished]:
    """The generated stream of these clips. Each has its caption and its sample of what is given."""
    files = []
    for k, (index, caption) in enumerate(zip(indices, captions, strict=True)):
        name = _uploaded(comfyui, given, k, index)
        outputs = comfyui.run(native_prompt(task, method, caption, name, seed=_SEEDS_APART * index))
        (entry,) = outputs["result"][task.shown]
        files.append(BytesIO(comfyui.file(entry)))
    if task.makes == "image":
        return {"video": video_of(torch.stack([read_image(file)[None] for file in files]))}
    return {"audio": sound_of(torch.cat([_heard(file) for file in files]))}


def _uploaded(comfyui: ComfyUI, given: Finished, row: int, index: int) -> str:
    """Send one sample of what is given to ComfyUI. Returns its name there."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / f"given_{index}"
        if isinstance(given, Sound):
            path = path.with_suffix(".wav")
            write_audio(path, given.waveform[row : row + 1], given.sample_rate)
        else:
            path = path.with_suffix(".png")
            write_image(path, given.pixels[row, 0])
        return comfyui.upload(path)


def _heard(file: BytesIO) -> torch.Tensor:
    """A sound file as (1, n) at the rate of the instruments."""
    waveform, rate = read_audio(file)
    return resampled(to_mono(waveform), rate, SAMPLE_RATE)
