"""Timelines and masks have their effect, as classified by a judge that guidance never uses."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from aligner.conditions.encoding import frames_condition
from aligner.conditions.timeline import Timeline
from aligner.demo import family
from aligner.demo.judge import names
from aligner.generation import generate
from aligner.timing.intervals import Interval
from laboratory.evaluation.instruments import sound_of
from laboratory.world import FPS, SAMPLE_RATE, SECONDS, Clip, Scene, clip, scene

#: Pairs of clips of the development split with different events, and pairs whose events stay in their places.
PAIRS = ((40, 41), (44, 45))
OBJECTS = ((40, 54), (49, 60), (63, 67), (69, 40))


@pytest.fixture(scope="module")
def models():
    return family.load_demo_imagebind(), family.load_demo_audioldm(), family.load_demo_judge()


def placed(binder, shown: Clip, start: float):
    """A clip that steers SECONDS of the result from `start` on."""
    condition = frames_condition(binder, shown.frames, FPS)
    return replace(condition, timeline=Timeline(target=Interval(start, start + SECONDS)))


def test_two_halves_of_a_sound_follow_two_conditions(models):
    """A sound in windows, from a vague caption. By chance a half is right in one of eight cases."""
    binder, audioldm, judge = models
    denoiser, right = audioldm.denoiser(seconds=2 * SECONDS, steps=8, window_seconds=SECONDS), []
    for pair in PAIRS:
        clips = [clip(scene("development", number)) for number in pair]
        assert clips[0].scene.event != clips[1].scene.event
        result = generate(
            denoiser,
            denoiser.prompts(["a scene"]),
            seed=pair[0],
            binder=binder,
            conditions=[placed(binder, each, k * SECONDS) for k, each in enumerate(clips)],
        )
        halves = result.signals["audio"].waveform.split(round(SECONDS * SAMPLE_RATE), dim=1)
        right += [
            names(judge, sound_of(half)) == [each.scene.event.name] for half, each in zip(halves, clips, strict=True)
        ]
    assert sum(right) >= 3, right


def beside(left: Scene, right: Scene) -> torch.Tensor:
    """Frames with one scene in the left half and another in the right half."""
    left = replace(left, x=0.0, size=0.4)
    right = replace(right, x=1.0, size=0.4, top=left.top, bottom=left.bottom)
    frames = [clip(each).frames for each in (left, right)]
    middle = frames[0].shape[3] // 2
    return torch.cat([frames[0][..., :middle], frames[1][..., middle:]], dim=3)


def test_a_mask_selects_which_of_two_objects_is_heard(models):
    """If the mask had no effect, both sounds would be the same, and half of them right at most."""
    binder, audioldm, judge = models
    denoiser, right, different = audioldm.denoiser(seconds=SECONDS, steps=8), [], []
    for seed, numbers in enumerate(OBJECTS):
        scenes = [scene("development", number) for number in numbers]
        frames = beside(*scenes)
        left = torch.zeros(1, *frames.shape[2:])
        left[..., : frames.shape[3] // 2] = 1
        heard = []
        for mask in (left, 1 - left):
            condition = frames_condition(binder, frames, FPS, mask=mask)
            result = generate(
                denoiser,
                denoiser.prompts(["a scene"]),
                seed=seed,
                binder=binder,
                conditions=[condition],
            )
            heard += names(judge, result.signals["audio"])
        right += [name == each.event.name for name, each in zip(heard, scenes)]
        different.append(heard[0] != heard[1])
    assert sum(right) > len(OBJECTS) and sum(different) >= 3, (right, different)
