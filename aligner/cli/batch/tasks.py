"""The commands that a batch runs."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Task:
    """A command as a batch knows it.

    takes: what stands beside the command's name: "input", a recording or picture; "prompt"; "" for nothing. kinds: what
    it reads of a folder, see `result_folder.SUFFIXES`. suffix: of a result whose name says none.
    """

    takes: str
    kinds: tuple[str, ...]
    suffix: str


TASKS = {
    "v2a": Task("input", ("video",), ".mp4"),
    "i2a": Task("input", ("picture",), ".wav"),
    "a2v": Task("input", ("sound", "video"), ".mp4"),
    "a2i": Task("input", ("sound", "video"), ".png"),
    "joint": Task("prompt", (), ".mp4"),
    "mm-diffusion": Task("", (), ".mp4"),
}
