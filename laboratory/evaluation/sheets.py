"""Contact sheets: results beside the clips that steered them, with the events that the judge names."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from PIL import Image, ImageDraw

from aligner import settings
from aligner.cli.demo import RULE, STEPS, VAGUE
from aligner.conditions.encoding import video_condition
from aligner.demo.events import EVENTS
from aligner.demo.examples import EXAMPLE_EVENTS, EXAMPLE_VIDEO
from aligner.demo.judge import names
from aligner.generation import Generation, generate
from aligner.generators.signals import Frames, Sound
from aligner.guidance.rule import Rule, Unguided
from aligner.media import probe_video, read_frames
from aligner.media.image import eight_bit
from aligner.pictures.spectrogram import spectrogram

from ..world import SAMPLE_RATE, SECONDS, clip, right_caption, scene, vague_caption
from .cells import TASKS, rule_of
from .gates import redrawn, revocoded
from .instruments import sound_of, video_of
from .runs import DemoModels, generated, given_signal

#: In pixels: the height of a picture, the height of a line of text, and the gap between pictures.
_CELL, _TEXT, _GAP = 64, 16, 6
#: A strip shows every second frame.
_EVERY = 2


class Row(NamedTuple):
    """Pictures below a line of text. marks: the times of events, in parts of the width of every picture."""

    pictures: Sequence[Image.Image]
    text: str
    marks: Sequence[float] = ()


def results_sheet(
    models: DemoModels, task: str, split: str, *, method: str = "default", count: int = 8, seed: int = 0
) -> Image.Image:
    """A row for each of `count` random clips of a split: the part that steers, and the result of a vague caption.

    Joint generation is steered by a right caption alone, and its rows show both generated streams. Red marks show when
    the events of the clip begin.
    """
    kind = TASKS[task]
    numbers = torch.randperm(256, generator=torch.Generator().manual_seed(seed))[:count].tolist()
    clips = [clip(scene(split, number)) for number in numbers]
    given = given_signal(kind.given, clips)
    captions = [
        vague_caption(number) if kind.given else right_caption(each.scene, number)
        for number, each in zip(numbers, clips)
    ]
    made = generated(models, kind.generates, captions, given, rule_of(task, method), seed=1000 + seed).signals
    judged = {stream: names(models.instruments.judge, signal) for stream, signal in made.items()}
    rows = []
    for k, (each, caption) in enumerate(zip(clips, captions)):
        named = ", ".join(f"{stream}: {events[k]}" for stream, events in judged.items())
        shown = ([given] if given is not None else []) + list(made.values())
        rows.append(
            Row(
                [_drawn(signal, k) for signal in shown],
                f'{each.scene.event.name}, "{caption}" -> the judge names {named}',
                [time / SECONDS for time in each.scene.times] if kind.given in ("audio", "video") else (),
            )
        )
    return _sheet(rows)


def demo_sheet(models: DemoModels, count: int = 5) -> Image.Image:
    """A row for each of `count` seeds of the demo, its own first: the clip, its sound without and with guidance.

    Red marks show when the ball lands.
    """
    binder, audioldm, seed = models.instruments.binder, models.audioldm, int(settings.DEMO_SEED.default)
    info = probe_video(EXAMPLE_VIDEO)
    seconds, shown = info.duration, range(len(info.frame_times))
    frames = read_frames(EXAMPLE_VIDEO, shown, longest_side=_CELL).permute(0, 3, 1, 2) / 255
    conditions = [video_condition(binder, EXAMPLE_VIDEO, clips=RULE.comparison.clips)]
    denoiser = audioldm.denoiser(seconds=seconds, steps=STEPS)

    def made(rule: Rule) -> Generation:
        prompts = denoiser.prompts([VAGUE] * count)
        return generate(denoiser, prompts, seed=seed, batch=count, rule=rule, binder=binder, conditions=conditions)

    sounds = [made(rule).signals["audio"] for rule in (Unguided(RULE.comparison), RULE)]
    judged = [names(models.instruments.judge, sound) for sound in sounds]
    marks = [time / float(seconds) for time in EXAMPLE_EVENTS]
    return _sheet(
        [
            Row(
                [_drawn(video_of(frames[None]), 0), *(_drawn(sound, k) for sound in sounds)],
                f"seed {seed + k}: without guidance the judge hears {without}, with guidance {guided}",
                marks,
            )
            for k, (without, guided) in enumerate(zip(*judged))
        ]
    )


def generation_sheet(models: DemoModels, stream: str, split: str) -> Image.Image:
    """A row for every event: a real clip, its reconstruction by the decoders, and one generated from its caption."""
    clips = [clip(scene(split, number)) for number in range(len(EVENTS))]
    captions = [right_caption(each.scene) for each in clips]
    made = generated(models, (stream,), captions, None, Unguided(), seed=0).signals[stream]
    if stream == "audio":
        real = torch.stack([each.waveform for each in clips])
        shown = [sound_of(real), sound_of(revocoded(models, real)), made]
    else:
        real = torch.stack([each.frames for each in clips])
        shown = [video_of(real), video_of(redrawn(models, real)), made]
    judged = names(models.instruments.judge, made)
    return _sheet(
        [
            Row(
                [_drawn(signal, k) for signal in shown],
                f"{caption}: real, reconstructed, generated; the judge names {judged[k]}",
            )
            for k, caption in enumerate(captions)
        ]
    )


def _drawn(signal: Sound | Frames, row: int) -> Image.Image:
    if isinstance(signal, Sound):
        return spectrogram(signal.waveform[row], SAMPLE_RATE, width=4 * _CELL, height=_CELL)
    frames = signal.pixels[row, ::_EVERY] if signal.pixels.shape[1] > 1 else signal.pixels[row]
    return Image.fromarray(eight_bit(torch.cat(list(frames), dim=2).permute(1, 2, 0)).numpy())


def _sheet(rows: Sequence[Row]) -> Image.Image:
    """Rows of pictures, each below its line of text. A mark under every picture shows each event."""
    width = max(sum(picture.width + _GAP for picture in row.pictures) for row in rows) + _GAP
    height = _TEXT + _CELL + _GAP
    sheet = Image.new("RGB", (width, height * len(rows)), "white")
    canvas = ImageDraw.Draw(sheet)
    for number, row in enumerate(rows):
        left, top = _GAP, number * height
        canvas.text((left, top + 2), row.text, fill="black")
        for picture in row.pictures:
            sheet.paste(picture, (left, top + _TEXT))
            for mark in row.marks:
                place, below = left + mark * picture.width, top + _TEXT + _CELL
                canvas.polygon([(place, below), (place - 3, below + 5), (place + 3, below + 5)], fill="red")
            left += picture.width + _GAP
    return sheet
