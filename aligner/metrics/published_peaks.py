"""Peaks of AV-Align by the libraries of its published code: OpenCV's optical flow and librosa's onsets.

Yariv et al., "Diverse and Aligned Audio-to-Video Generation via Text-to-Video Model Adaptation" (arXiv 2309.16429), as
guyyariv/TempoTokens computes them. The parts written here, `video_peaks` and `audio_onsets`, need neither library. They
find other peaks in some clips.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from importlib import import_module
from operator import attrgetter
from types import ModuleType

import torch

from ..errors import AlignerError
from .audio_onsets import SAMPLE_RATE
from .video_peaks import local_maxima

#: Motion of fewer pixels per frame is no peak.
LEAST_MOTION = 0.1
#: Farneback's method in OpenCV: scale and levels of the pyramid, window, iterations, neighbours, their spread, flags.
_FLOW = (0.5, 3, 15, 3, 5, 1.2, 0)

#: The libraries, their packages, and what is used of them.
_LIBRARIES = (
    ("cv2", "opencv-python-headless", ("calcOpticalFlowFarneback",)),
    ("librosa", "librosa", ("resample", "onset.onset_detect")),
)


def published_audio_peaks(waveform: torch.Tensor, sample_rate: int) -> list[float]:
    """The onsets of a mono sound by librosa, in seconds, ascending.

    waveform: float (n,). sample_rate: in Hz. Raises AlignerError without librosa.
    """
    librosa = _library("librosa")
    sound = librosa.resample(waveform.float().cpu().numpy(), orig_sr=sample_rate, target_sr=SAMPLE_RATE)
    return librosa.onset.onset_detect(y=sound, sr=SAMPLE_RATE, units="time").tolist()


def published_video_peaks(frames: Iterable[torch.Tensor], fps: float) -> list[float]:
    """The times at which OpenCV's mean flow is above that of both neighbours and LEAST_MOTION, in seconds, ascending.

    frames: uint8 (3, H, W) RGB, in order. fps: frames per second. Raises AlignerError without OpenCV.
    """
    moved = list(_motion(frames))
    curve = torch.tensor([*moved[:1], *moved])
    return [frame / fps for frame in local_maxima(curve) if curve[frame] >= LEAST_MOTION]


def _motion(frames: Iterable[torch.Tensor]) -> Iterator[float]:
    """The mean length of the flow from each frame to the next, in pixels."""
    cv2 = _library("cv2")
    before = None
    for frame in frames:
        grey = cv2.cvtColor(frame.permute(1, 2, 0).contiguous().cpu().numpy(), cv2.COLOR_RGB2GRAY)
        if before is not None:
            flow = cv2.calcOpticalFlowFarneback(before, grey, None, *_FLOW)
            yield cv2.mean(cv2.magnitude(flow[..., 0], flow[..., 1]))[0]
        before = grey


def why_missing() -> str:
    """Why these peaks cannot be found here, in words; "" where they can."""
    for name, package, attributes in _LIBRARIES:
        try:
            library = import_module(name)
            # librosa imports its parts, and what they need, only when they are asked for.
            for attribute in attributes:
                attrgetter(attribute)(library)
        except Exception as error:
            return f"{name} cannot be imported ({error}). pip install {package}, a line of requirements-metrics.txt"
    return ""


def _library(name: str) -> ModuleType:
    if missing := why_missing():
        raise AlignerError(f"AV-Align as published is missing: {missing}.")
    return import_module(name)
