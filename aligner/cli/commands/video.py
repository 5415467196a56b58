"""a2v and a2i: AnimateDiff, or Stable Diffusion alone, follows a sound."""

from __future__ import annotations

from argparse import Namespace

import torch

from ...conditions.encoding import audio_condition
from ...generators.animatediff import STREAM
from ...guidance.rule import Guidance
from ...media import eight_bit, write_image, write_video
from ...media.mp4 import Soundtrack
from ..checks import check_outputs, check_request, guidance_of, steps_taken
from ..decoding import report_decoding
from ..inputs import VideoShape, read_piece, video_shape
from ..model_files import ModelFiles, find_models
from ..models import load_models
from ..report import report
from ..steering import (
    Run,
    prompt_weights,
    read_tuned_prompt,
    starting_prompts,
    steered,
    text_conditions,
)
from .frames import encoded, needed_to_look, read_init, video_denoiser


def audio_to_video(options: Namespace) -> None:
    """a2v: a video for a sound, or for as much of it as the video lasts, with that sound."""
    guidance = _checked_guidance(options, (".mp4",))
    files = find_models(options, "imagebind", "base", "motion", *needed_to_look(options))
    shape = video_shape(options, built_in=files.built_in)
    sound = read_piece(options.sound, options.start, shape.seconds)
    soundtrack = Soundtrack.converted(*sound, shape.seconds)
    run = _pictures_for(options, files, sound, shape, guidance)
    frames = eight_bit(run.result.signals[STREAM].pixels[0]).permute(0, 2, 3, 1)
    write_video(options.output, frames, shape.fps, soundtrack.waveform, soundtrack.sample_rate)
    report(options, run, {STREAM: options.prompt})
    report_decoding(options, run)


def audio_to_image(options: Namespace) -> None:
    """a2i: a picture for a sound."""
    guidance = _checked_guidance(options, (".png", ".jpg", ".jpeg"))
    files = find_models(options, "imagebind", "base", *needed_to_look(options))
    shape = video_shape(options, built_in=files.built_in)
    sound = read_piece(options.sound, options.start, options.seconds)
    run = _pictures_for(options, files, sound, shape, guidance)
    write_image(options.output, run.result.signals[STREAM].pixels[0, 0])
    report(options, run, {STREAM: options.prompt})
    report_decoding(options, run)


def _checked_guidance(options: Namespace, suffixes: tuple[str, ...]) -> Guidance:
    guidance = guidance_of(
        options,
        rates={STREAM: options.rate},
        prompt_rates={STREAM: options.prompt_rate},
        candidates={STREAM: options.candidates},
    )
    check_request(
        options,
        guidance,
        steps=steps_taken(options),
        weights=[options.condition_weight, *prompt_weights(options, {STREAM: options.prompt})],
    )
    check_outputs(options, suffixes, guidance)
    return guidance


def _pictures_for(
    options: Namespace, files: ModelFiles, sound: tuple[torch.Tensor, int], shape: VideoShape, guidance: Guidance
) -> Run:
    init, tuned = read_init(options, shape), read_tuned_prompt(options, STREAM)
    models = load_models(options, files)
    with models.on_device(models.binder.audio):
        conditions = [audio_condition(models.binder, *sound, options.condition_weight, clips=guidance.clips)]
    with models.on_device(*models.text_encoders):
        denoiser = video_denoiser(options, models, shape)
        prompts = starting_prompts(denoiser.prompts([options.prompt]), tuned)
        conditions += text_conditions(options, models.binder, {STREAM: options.prompt})
    return steered(options, models, denoiser, prompts, conditions, guidance, latents=encoded(models, init))
