"""a2v and a2i: AnimateDiff, Stable Diffusion alone, or another generator of frames, follows a sound."""

from __future__ import annotations

from argparse import Namespace

import torch

from ...conditions.encoding import audio_condition
from ...generators.animatediff import STREAM
from ...guidance.rule import Rule
from ...media import eight_bit, write_image, write_video
from ...media.mp4 import Soundtrack
from ..checks import check_outputs, check_request, steps_taken
from ..inputs import VideoShape, read_piece, video_shape
from ..model_files import ModelFiles, find_models
from ..models import load_models
from ..report import write_beside
from ..rules import rule_of
from ..steering import Outcome, read_tuned_prompt, starting_prompts, steered, text_conditions
from .frames import encoded, needed_decoders, read_init, video_denoiser


def audio_to_video(options: Namespace) -> Outcome:
    """a2v: a video for a sound, or for as much of it as the video lasts, with that sound."""
    rule = _checked_rule(options, (".mp4",))
    files = find_models(options, "imagebind", "base", "motion", *needed_decoders(options))
    shape = video_shape(options, built_in=files.built_in)
    sound = read_piece(options.sound, options.sound_start, shape.seconds)
    soundtrack = Soundtrack.fitted(*sound, shape.seconds)
    outcome = _frames_for(options, files, sound, shape, rule)
    frames = eight_bit(outcome.result.signals[STREAM].pixels[0]).permute(0, 2, 3, 1)
    write_video(options.output, frames, shape.fps, soundtrack.waveform, soundtrack.sample_rate)
    write_beside(options, outcome)
    return outcome


def audio_to_image(options: Namespace) -> Outcome:
    """a2i: a picture for a sound."""
    rule = _checked_rule(options, (".png", ".jpg", ".jpeg"))
    files = find_models(options, "imagebind", "base", *needed_decoders(options))
    shape = video_shape(options, built_in=files.built_in)
    sound = read_piece(options.sound, options.sound_start, options.sound_seconds)
    outcome = _frames_for(options, files, sound, shape, rule)
    write_image(options.output, outcome.result.signals[STREAM].pixels[0, 0])
    write_beside(options, outcome)
    return outcome


def _checked_rule(options: Namespace, suffixes: tuple[str, ...]) -> Rule:
    rule = rule_of(options, [STREAM])
    check_request(options, rule, {STREAM: options.prompt}, steps=steps_taken(options), weights=[options.weight])
    check_outputs(options, suffixes, rule, [STREAM])
    return rule


def _frames_for(
    options: Namespace, files: ModelFiles, sound: tuple[torch.Tensor, int], shape: VideoShape, rule: Rule
) -> Outcome:
    init, tuned = read_init(options, shape), read_tuned_prompt(options, STREAM)
    texts = {STREAM: options.prompt}
    models = load_models(options, files)
    with models.on_device(*models.binder_parts("audio")):
        conditions = [audio_condition(models.binder, *sound, options.weight, clips=rule.comparison.clips)]
    with models.on_device(*models.text_encoders):
        denoiser = video_denoiser(options, models, shape)
        prompts = starting_prompts(denoiser.prompts([options.prompt]), tuned)
        conditions += text_conditions(options, models.binder, texts)
    return steered(options, models, denoiser, prompts, conditions, rule, texts, latents=encoded(models, init))
