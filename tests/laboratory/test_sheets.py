"""Contact sheets: the contents of each row, with models of random weights."""

from __future__ import annotations

from functools import partial

import pytest
import torch
from PIL import Image, ImageDraw

from aligner import settings
from aligner.demo.events import EVENTS
from aligner.demo.examples import EXAMPLE_EVENTS
from aligner.media.image import eight_bit
from aligner.pictures.spectrogram import spectrogram
from laboratory.evaluation import sheets
from laboratory.evaluation.runs import DemoModels, generated, key_frame
from laboratory.evaluation.sheets import demo_sheet, generation_sheet, results_sheet
from laboratory.world import SAMPLE_RATE, clip, scene

ROW = 16 + 64 + 6
#: The width of a sheet by task: a spectrogram is 256 pixels wide, and eight frames of a video are 512.
WIDTHS = {
    "V2A": 6 + 512 + 6 + 256 + 6,
    "I2A": 6 + 64 + 6 + 256 + 6,
    "A2V": 6 + 256 + 6 + 512 + 6,
    "joint": 6 + 512 + 6 + 256 + 6,
}


@pytest.fixture
def models(audioldm, animatediff, instruments, monkeypatch):
    monkeypatch.setattr(sheets, "generated", partial(generated, steps=2))
    return DemoModels(audioldm, animatediff, instruments, "random weights")


@pytest.fixture
def written(monkeypatch):
    """The lines of text on a sheet."""
    lines, draw = [], ImageDraw.ImageDraw.text

    def text(canvas, place, line, **options):
        lines.append(line)
        draw(canvas, place, line, **options)

    monkeypatch.setattr(ImageDraw.ImageDraw, "text", text)
    return lines


def strip(frames: torch.Tensor) -> Image.Image:
    """Frames (F, 3, 64, 64) side by side."""
    return Image.fromarray(eight_bit(torch.cat(list(frames), dim=2).permute(1, 2, 0)).numpy())


def numbers(seed: int) -> list[int]:
    """The numbers of the clips that a seed selects for a sheet of two."""
    return torch.randperm(256, generator=torch.Generator().manual_seed(seed))[:2].tolist()


def at(sheet: Image.Image, row: int, picture: Image.Image) -> Image.Image:
    """The part of the sheet at the place of the first picture of a row."""
    return sheet.crop((6, row * ROW + 16, 6 + picture.width, row * ROW + 16 + picture.height))


@pytest.mark.parametrize("task", WIDTHS)
def test_every_row_shows_the_given_part_beside_the_result(models, written, task):
    sheet, clips = results_sheet(models, task, "test", count=2), [clip(scene("test", number)) for number in numbers(0)]
    assert sheet.size == (WIDTHS[task], 2 * ROW)
    for row, (each, line) in enumerate(zip(clips, written, strict=True)):
        first = {
            "V2A": lambda: strip(each.frames[::2]),
            "I2A": lambda: strip(each.frames[key_frame(each)][None]),
            "A2V": lambda: spectrogram(each.waveform, SAMPLE_RATE, width=256, height=64),
        }.get(task)
        assert line.startswith(f'{each.scene.event.name}, "') and " -> the judge names " in line
        if first:
            assert at(sheet, row, first()).tobytes() == first().tobytes()
        captions = each.scene.event.captions if task == "joint" else ("a scene", "something happens", "a short clip")
        assert any(f'"{caption}"' in line for caption in captions)


def test_the_seed_selects_the_clips(models, written):
    for seed in (1, 1, 2):
        results_sheet(models, "I2A", "test", method="unguided", count=2, seed=seed)
    assert written[:2] == written[2:4] and numbers(1) != numbers(2)
    assert [line.split(",")[0] for line in written[4:]] == [scene("test", number).event.name for number in numbers(2)]


@pytest.mark.parametrize("stream", ["audio", "video"])
def test_every_event_is_shown_real_reconstructed_and_generated(models, written, stream):
    sheet, width = generation_sheet(models, stream, "development"), 256 if stream == "audio" else 512
    assert sheet.size == (6 + 3 * (width + 6), 8 * ROW)
    for row, (event, line) in enumerate(zip(EVENTS, written, strict=True)):
        each = clip(scene("development", row))
        real = (
            spectrogram(each.waveform, SAMPLE_RATE, width=256, height=64)
            if stream == "audio"
            else strip(each.frames[::2])
        )
        assert line.startswith(f"{event.captions[0]}: real, reconstructed, generated")
        assert at(sheet, row, real).tobytes() == real.tobytes()


def test_results_of_the_demo_are_drawn_seed_by_seed_with_their_events_marked(models, written, monkeypatch):
    monkeypatch.setattr(sheets, "STEPS", 4)
    sheet = demo_sheet(models, count=2)
    assert sheet.size == (6 + 512 + 6 + 2 * (256 + 6), 2 * ROW)
    seed = settings.DEMO_SEED.default
    assert [line.split(":")[0] for line in written] == [f"seed {seed}", f"seed {seed + 1}"]
    without, guided = (sheet.crop((x, 16, x + 256, 16 + 64)) for x in (524, 786))
    assert without.tobytes() != guided.tobytes()
    for left, width in ((6, 512), (524, 256), (786, 256)):
        for time in EXAMPLE_EVENTS:
            assert sheet.getpixel((left + round(time / 2 * width), 16 + 64 + 2)) == (255, 0, 0)
