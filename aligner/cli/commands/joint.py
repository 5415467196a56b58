"""joint: a generator of frames and one of sound follow words, and each other."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Mapping

from ... import settings
from ...generators import animatediff, audioldm
from ...generators.base import AudioModel
from ...generators.joint import JointDenoiser
from ...guidance.rule import Rule
from ...media import eight_bit, write_video
from ..checks import check_outputs, check_request, check_window, steps_taken
from ..inputs import VideoShape, video_shape
from ..model_files import ModelFiles, find_models
from ..models import load_models
from ..report import write_beside
from ..rules import rule_of
from ..steering import Outcome, read_tuned_prompt, starting_prompts, steered, text_conditions
from .frames import encoded, needed_decoders, read_init, video_denoiser

VIDEO, AUDIO = animatediff.STREAM, audioldm.STREAM


def joint(options: Namespace) -> Outcome:
    """joint: video and sound of the same length."""
    texts = {VIDEO: options.prompt, AUDIO: options.audio_prompt if options.audio_prompt.strip() else options.prompt}
    rule = _checked_rule(options, texts)
    files = find_models(options, "imagebind", "base", "motion", "audioldm", *needed_decoders(options))
    shape = video_shape(options, built_in=files.built_in)
    outcome = _video_and_sound(options, files, shape, texts, rule)
    video, sound = outcome.result.signals[VIDEO], outcome.result.signals[AUDIO]
    frames = eight_bit(video.pixels[0]).permute(0, 2, 3, 1)
    write_video(options.output, frames, shape.fps, sound.waveform.cpu(), sound.sample_rate)
    write_beside(options, outcome)
    return outcome


def _checked_rule(options: Namespace, texts: Mapping[str, str]) -> Rule:
    streams = tuple(texts)
    rule = rule_of(options, streams)
    steps = max(steps_taken(options), options.audio_steps)
    check_request(options, rule, texts, steps=steps, weights=[options.pair_weight])
    check_window(options)
    check_outputs(options, (".mp4",), rule, streams)
    return rule


def _video_and_sound(
    options: Namespace, files: ModelFiles, shape: VideoShape, texts: Mapping[str, str], rule: Rule
) -> Outcome:
    init, tuned = read_init(options, shape), read_tuned_prompt(options, VIDEO, AUDIO)
    models = load_models(options, files)
    with models.on_device(*models.text_encoders):
        model: AudioModel = models.generators[AUDIO]
        sound = model.denoiser(
            seconds=shape.seconds,
            steps=options.audio_steps,
            cfg=options.audio_cfg,
            negative_prompt=options.audio_negative_prompt,
            denoise=settings.DENOISE.default,
            window_seconds=options.window_seconds,
        )
        denoiser = JointDenoiser([video_denoiser(options, models, shape), sound])
        prompts = denoiser.prompts({stream: [text] for stream, text in texts.items()})
        prompts = starting_prompts(prompts, tuned)
        conditions = text_conditions(options, models.binder, texts)
    return steered(
        options,
        models,
        denoiser,
        prompts,
        conditions,
        rule,
        texts,
        pair_weight=options.pair_weight,
        latents=encoded(models, init),
    )
