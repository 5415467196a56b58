"""VIDEOs: a clip with another sound, and frames with a sound."""

import tempfile
from fractions import Fraction
from pathlib import Path

import folder_paths
import torch
from comfy_api.latest import InputImpl, Types
from comfy_execution.graph_utils import ExecutionBlocker

from ...aligner.media import add_sound
from .convert import frames_of, video_file


def with_sound(video, sound: torch.Tensor, sample_rate: int):
    """A VIDEO with a sound (C, n) in place of its own, cut or filled with silence to its length.

    The pictures of a file are copied where a player plays them as they are. Without a VIDEO the nodes that follow do
    not run.
    """
    if video is None:
        return ExecutionBlocker("There is no clip for the output video. Connect one to the input video.")
    source = video_file(video)
    if source is None:
        return of_frames(*frames_of(video), (sound[None], sample_rate))
    place = Path(folder_paths.get_temp_directory())
    place.mkdir(parents=True, exist_ok=True)
    file = Path(tempfile.mkdtemp(dir=place)) / "clip.mp4"
    add_sound(source, file, sound, sample_rate)
    return InputImpl.VideoFromFile(str(file))


def of_frames(frames: torch.Tensor, rate: Fraction, sounds: tuple[torch.Tensor, int] | None):
    """A VIDEO of frames, an IMAGE, with the first of the sounds (B, C, n) at their sample rate; None: silent.

    A sound that is longer than the frames is cut.
    """
    audio = None
    if sounds is not None:
        waveform, sample_rate = sounds
        length = round(len(frames) / rate * sample_rate)
        audio = {"waveform": waveform[:1, :, :length], "sample_rate": sample_rate}
    return InputImpl.VideoFromComponents(Types.VideoComponents(images=frames, audio=audio, frame_rate=rate))
