"""Draws the picture of a template from its result: `python -m laboratory.draw_thumbnail result.mp4 picture.jpg`.

Eight frames lie above the spectrogram of the sound, or below it where the sound came first.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from PIL import Image

from aligner.errors import AlignerError
from aligner.files.atomic import written_whole
from aligner.media import probe_video, read_audio, read_frames, to_mono
from aligner.pictures import spectrogram

#: Pixels: the side of the picture, and the width of the line between frames.
SIDE, LINE = 512, 2
#: Frames from left to right and from top to bottom.
COLUMNS, ROWS = 4, 2


def thumbnail(video: Path, sound_first: bool) -> Image.Image:
    """The picture of a video with sound."""
    waveform, rate = read_audio(video)
    frames, heard = _frames(video), spectrogram(to_mono(waveform)[0], rate)
    heard = heard.resize((SIDE, SIDE - frames.height), Image.Resampling.BILINEAR)
    parts = [heard, frames] if sound_first else [frames, heard]
    picture, top = Image.new("RGB", (SIDE, SIDE)), 0
    for part in parts:
        picture.paste(part, (0, top))
        top += part.height
    return picture


def _frames(video: Path) -> Image.Image:
    """Frames at even distances, line by line."""
    count, last = COLUMNS * ROWS, len(probe_video(video).frame_times) - 1
    numbers = [round(number * last / (count - 1)) for number in range(count)]
    side = SIDE // COLUMNS
    sheet = Image.new("RGB", (SIDE, ROWS * side))
    for place, frame in enumerate(read_frames(video, numbers)):
        row, column = divmod(place, COLUMNS)
        small = Image.fromarray(frame.numpy()).resize((side - LINE, side - LINE), Image.Resampling.BICUBIC)
        sheet.paste(small, (column * side, row * side))
    return sheet


def main(arguments: Sequence[str] | None = None) -> None:
    """Draw one picture."""
    parser = argparse.ArgumentParser(prog="python -m laboratory.draw_thumbnail", description=__doc__)
    parser.add_argument("video", type=Path, help="the result, a video with sound")
    parser.add_argument("picture", type=Path, help="the JPEG to write")
    parser.add_argument("--sound-first", action="store_true", help="the sound above the frames")
    options = parser.parse_args(arguments)
    with written_whole(options.picture) as partial:
        thumbnail(options.video, options.sound_first).save(partial, "JPEG", quality=85, optimize=True)


if __name__ == "__main__":
    try:
        main()
    except AlignerError as error:
        raise SystemExit(f"aligner: {error}") from error
