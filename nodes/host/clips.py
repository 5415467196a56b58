"""VIDEOs: a clip with another sound, and frames with a sound."""

import tempfile
from fractions import Fraction
from pathlib import Path

import folder_paths
import torch
from comfy_api.latest import InputImpl, Types
from comfy_execution.graph_utils import ExecutionBlocker
from torch.nn import functional

from ...aligner.media import add_sound, probe_video, read_audio
from ...aligner.media.mixing import REPLACE, mixed
from .convert import components_of, video_file


def with_sound(video, sound: torch.Tensor, sample_rate: int, mode: str = REPLACE, **gains: float):
    """A VIDEO with a sound (C, n), cut or filled with silence to its length.

    The pictures of a file are copied where players play them as they are. Without a VIDEO the nodes that follow do not
    run. mode, gains: what becomes of the sound that the clip has, see `aligner.media.mixing.mixed`.
    """
    if video is None:
        return ExecutionBlocker("There is no clip for the output video. Connect one to the input video.")
    source = video_file(video)
    if source is None:
        frames, rate, original = components_of(video)
        sound, sample_rate = mixed(sound, sample_rate, original, mode, **gains)
        return of_frames(frames, rate, (sound[None], sample_rate))
    original = read_audio(source) if mode != REPLACE and probe_video(source).has_audio else None
    place = Path(folder_paths.get_temp_directory())
    place.mkdir(parents=True, exist_ok=True)
    file = Path(tempfile.mkdtemp(dir=place)) / "clip.mp4"
    add_sound(source, file, *mixed(sound, sample_rate, original, mode, **gains))
    return InputImpl.VideoFromFile(str(file))


def of_frames(frames: torch.Tensor, rate: Fraction, sounds: tuple[torch.Tensor, int] | None):
    """A VIDEO of frames, an IMAGE, with the first of the sounds (B, C, n) at their sample rate; None: silent.

    The sound is cut or filled with silence to the length of the frames.
    """
    audio = None
    if sounds is not None:
        waveform, sample_rate = sounds
        missing = round(len(frames) / rate * sample_rate) - waveform.shape[-1]
        audio = {"waveform": functional.pad(waveform[:1], (0, missing)), "sample_rate": sample_rate}
    return InputImpl.VideoFromComponents(Types.VideoComponents(images=frames, audio=audio, frame_rate=rate))
