"""The results of our workflow files."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import pytest

from aligner.media import probe_video, read_audio, read_image

from .server import Server


@dataclass(frozen=True)
class Expected:
    """The result of a workflow: its number of denoising steps, and a file with frames, sound or both."""

    steps: int
    size: tuple[int, int] | None = None  # (height, width)
    frames: int = 0  # 0 for a sound or a picture
    seconds: Fraction | None = None  # of the sound


EXPECTED = {
    "audio_to_image": Expected(25, size=(64, 64)),
    "audio_to_video": Expected(25, size=(64, 64), frames=16, seconds=Fraction(2)),
    "image_to_audio": Expected(30, seconds=Fraction(2)),
    "joint_video_audio": Expected(25, size=(64, 64), frames=16, seconds=Fraction(2)),
    "sound_inpainting": Expected(30, seconds=Fraction(2)),
    "timeline_long_sound": Expected(20, seconds=Fraction(6)),
    "video_to_audio": Expected(30, size=(256, 256), frames=16, seconds=Fraction(2)),
    "video_to_audio_auto_caption": Expected(30, size=(256, 256), frames=16, seconds=Fraction(2)),
    # denoise leaves 20 of the 25 steps of the video. The sound takes all of its 25.
    "video_to_video_with_sound": Expected(25, size=(64, 64), frames=16, seconds=Fraction(2)),
}


def saved_files(server: Server, outputs: dict) -> list[Path]:
    """The files of the results. Previews, such as overviews, are temporary files and left out."""
    videos = [image for output in outputs.values() for image in output.get("images", ()) if image["type"] == "output"]
    sounds = [audio for output in outputs.values() for audio in output.get("audio", ())]
    return [server.folder / item["type"] / item["subfolder"] / item["filename"] for item in videos + sounds]


def check_file(file: Path, expected: Expected) -> None:
    """Assert that a file can be read, has its size and length, and is not blank, silent or clipped."""
    if expected.frames:
        info = probe_video(file)
        assert (info.height, info.width, len(info.frame_times)) == (*expected.size, expected.frames)
        # ComfyUI writes frame rates in thousandths.
        assert float(info.duration) == pytest.approx(float(expected.seconds), abs=1e-3)
    elif expected.size:
        pixels = read_image(file)
        assert pixels.shape == (3, *expected.size) and pixels.std() > 0.01
    if expected.seconds:
        waveform, rate = read_audio(file)
        assert abs(waveform.shape[1] / rate - float(expected.seconds)) <= 1024 / rate  # a frame of AAC
        assert waveform.std() > 1e-3 and waveform.abs().max() < 1.0
