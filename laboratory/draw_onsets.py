"""Draws what begins when in a clip: `python -m laboratory.draw_onsets CLIP PICTURE`.

The curve of what is seen lies over the frames, that of what is heard over the spectrogram. The synchrony term compares
the two.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import torch
from PIL import Image, ImageDraw

from aligner.conditions.condition import Condition
from aligner.conditions.encoding import audio_condition, video_condition
from aligner.demo.family import load_demo_imagebind
from aligner.errors import AlignerError
from aligner.media import probe_video, read_audio, read_frames, to_mono
from aligner.pictures.palette import CHOSEN, INK, PAPER
from aligner.pictures.spectrogram import spectrogram
from aligner.synchrony import has_onsets, synchrony

#: In pixels: of a lane, of the text above it, and between lanes.
_WIDTH, _HEIGHT, _TEXT, _GAP = 1200, 110, 18, 8
_FRAMES = 12


def main(arguments: Sequence[str] | None = None) -> None:
    """Draw the onset curves of a clip over its frames and its sound, and say how they agree."""
    parser = argparse.ArgumentParser(prog="python -m laboratory.draw_onsets", description=__doc__)
    parser.add_argument("clip", type=Path)
    parser.add_argument("picture", type=Path)
    options = parser.parse_args(arguments)
    drawn(options.clip).save(options.picture)
    print(f"Wrote {options.picture}")


def drawn(clip: Path) -> Image.Image:
    """A lane of frames and one of sound, each below its curve; a clip without sound has one lane."""
    binder, info = load_demo_imagebind(), probe_video(clip)
    seen = _onsets(video_condition(binder, clip))
    lanes, words = [(_strip(clip, len(info.frame_times)), seen, "What is seen")], "no sound"
    if info.audio_sample_rate:
        waveform, rate = read_audio(clip)
        heard = _onsets(audio_condition(binder, waveform, rate))
        lanes.append((spectrogram(to_mono(waveform)[0], rate, _WIDTH, _HEIGHT), heard, "What is heard"))
        words = _agreement(heard, seen)
    return _sheet(lanes, words)


def _onsets(condition: Condition) -> torch.Tensor:
    assert condition.onsets is not None  # recordings have some
    return condition.onsets


def _agreement(heard: torch.Tensor, seen: torch.Tensor) -> str:
    length = min(heard.shape[1], seen.shape[1])
    heard, seen = heard[:, :length], seen[:, :length]
    claims = has_onsets(heard) & has_onsets(seen)
    return f"in sync: {synchrony(heard, seen).item():.2f}" if claims.any() else "nothing to be in sync with"


def _strip(clip: Path, count: int) -> Image.Image:
    """Frames side by side."""
    strip, width = Image.new("RGB", (_WIDTH, _HEIGHT), PAPER), _WIDTH // _FRAMES
    chosen = read_frames(clip, [(2 * k + 1) * count // (2 * _FRAMES) for k in range(_FRAMES)], longest_side=4 * width)
    for number, frame in enumerate(chosen):
        strip.paste(Image.fromarray(frame.numpy()).resize((width, _HEIGHT)), (number * width, 0))
    return strip


def _sheet(lanes: Sequence[tuple[Image.Image, torch.Tensor, str]], words: str) -> Image.Image:
    height = _TEXT + _HEIGHT + _GAP
    sheet = Image.new("RGB", (_WIDTH, height * len(lanes)), PAPER)
    canvas = ImageDraw.Draw(sheet)
    for number, (picture, curve, name) in enumerate(lanes):
        top = number * height
        canvas.text((2, top + 2), f"{name}; {words}" if number == 0 else name, INK)
        sheet.paste(picture, (0, top + _TEXT))
        levels = curve[0] / curve.max().clamp(min=1e-6)
        last = max(1, len(levels) - 1)
        canvas.line(
            [(k * _WIDTH / last, top + _TEXT + _HEIGHT * (1 - level)) for k, level in enumerate(levels.tolist())],
            CHOSEN,
            2,
        )
    return sheet


if __name__ == "__main__":
    try:
        main()
    except AlignerError as error:
        raise SystemExit(f"aligner: {error}") from error
