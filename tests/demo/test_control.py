"""Timelines and masks do what they say, told by a judge that steers nothing."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from aligner.demo import family
from aligner.demo.evaluation.instruments import names, sound_of
from aligner.demo.world import FPS, SAMPLE_RATE, SECONDS, Clip, clip, scene
from aligner.encoding import frames_condition
from aligner.generation import generate
from aligner.guidance import Guidance
from aligner.timeline import Part, Timeline

#: Pairs of clips of the development split that show different events.
PAIRS = ((40, 41), (46, 47))


@pytest.fixture(scope="module")
def models():
    return family.load_demo_imagebind(), family.load_demo_audioldm(), family.load_demo_judge()


def placed(binder, shown: Clip, start: float):
    """A clip that steers SECONDS of the result from `start` on."""
    condition = frames_condition(binder, shown.frames, FPS, clips=Guidance().clips)
    return replace(condition, timeline=Timeline(target=Part(start, start + SECONDS)))


def test_two_halves_follow_two_conditions(models):
    """From a vague caption, in windows: by chance a half is right in one of eight cases."""
    binder, audioldm, judge = models
    denoiser, right = audioldm.denoiser(seconds=2 * SECONDS, steps=16, window=SECONDS), []
    for pair in PAIRS:
        clips = [clip(scene("development", number)) for number in pair]
        assert clips[0].scene.event != clips[1].scene.event
        result = generate(denoiser, denoiser.prompts(["a scene"]), seed=pair[0], binder=binder, guidance=Guidance(),
                          conditions=[placed(binder, each, k * SECONDS) for k, each in enumerate(clips)])
        halves = result.signals["audio"].waveform.split(round(SECONDS * SAMPLE_RATE), dim=1)
        right += [names(judge, sound_of(half)) == [each.scene.event.name]
                  for half, each in zip(halves, clips, strict=True)]
    assert sum(right) >= 3, right


def test_a_mask_chooses_which_of_two_objects_is_heard(models):
    """Two clips beside each other in one picture; the sound is that of the one that the mask shows."""
    binder, audioldm, judge = models
    denoiser, right = audioldm.denoiser(seconds=SECONDS, steps=16), []
    for pair in PAIRS:
        clips = [clip(scene("development", number)) for number in pair]
        both = torch.cat([each.frames for each in clips], dim=3)
        left = torch.zeros(1, *both.shape[2:])
        left[..., :both.shape[3] // 2] = 1
        for each, mask in zip(clips, (left, 1 - left)):
            condition = frames_condition(binder, both, FPS, clips=Guidance().clips, mask=mask)
            result = generate(denoiser, denoiser.prompts(["a scene"]), seed=pair[0], binder=binder,
                              conditions=[condition], guidance=Guidance())
            right.append(names(judge, result.signals["audio"]) == [each.scene.event.name])
    assert sum(right) >= 2, right
