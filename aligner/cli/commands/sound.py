"""v2a and i2a: AudioLDM, or another generator of sound, follows a clip or a picture."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

from ... import settings
from ...binders.base import Binder
from ...conditions.condition import Condition
from ...conditions.encoding import image_condition, video_condition
from ...generators.audioldm import STREAM
from ...generators.base import AudioModel
from ...guidance.rule import Rule
from ...media import add_sound, probe_video, read_image, write_audio
from ..checks import check_outputs, check_request, check_window
from ..model_files import find_models
from ..models import load_models
from ..report import write_beside
from ..rules import rule_of
from ..steering import Outcome, read_tuned_prompt, starting_prompts, steered, text_conditions

SOUND = (".wav", ".flac")


def video_to_audio(options: Namespace) -> Outcome:
    """v2a: a sound for a clip, exactly as long as the clip."""
    rule = _checked_rule(options, (".mp4", *SOUND))
    info = probe_video(options.clip)

    def condition(binder: Binder) -> Condition:
        return video_condition(binder, options.clip, options.weight, clips=rule.comparison.clips, info=info)

    return _written(options, _sound_for(options, condition, info.duration, rule))


def image_to_audio(options: Namespace) -> Outcome:
    """i2a: a sound for a picture."""
    rule = _checked_rule(options, SOUND)
    pixels = read_image(options.picture)

    def condition(binder: Binder) -> Condition:
        return image_condition(binder, pixels, options.weight)

    return _written(options, _sound_for(options, condition, options.seconds, rule))


def _checked_rule(options: Namespace, suffixes: tuple[str, ...]) -> Rule:
    rule = rule_of(options, [STREAM])
    check_request(options, rule, {STREAM: options.prompt}, steps=options.steps, weights=[options.weight])
    check_window(options)
    check_outputs(options, suffixes, rule, [STREAM])
    return rule


def _sound_for(
    options: Namespace, condition: Callable[[Binder], Condition], seconds: Fraction | float, rule: Rule
) -> Outcome:
    tuned, texts = read_tuned_prompt(options, STREAM), {STREAM: options.prompt}
    models = load_models(options, find_models(options, "imagebind", "audioldm"))
    with models.on_device(*models.binder_parts("image", "video")):
        conditions = [condition(models.binder)]
    with models.on_device(*models.text_encoders):
        model: AudioModel = models.generators[STREAM]
        denoiser = model.denoiser(
            seconds=seconds,
            steps=options.steps,
            cfg=options.cfg,
            negative_prompt=options.negative_prompt,
            denoise=settings.DENOISE.default,
            window_seconds=options.window_seconds,
        )
        prompts = starting_prompts(denoiser.prompts([options.prompt]), tuned)
        conditions += text_conditions(options, models.binder, texts)
    return steered(options, models, denoiser, prompts, conditions, rule, texts)


def _written(options: Namespace, outcome: Outcome) -> Outcome:
    sound = outcome.result.signals[STREAM]
    waveform = sound.waveform.cpu()
    if Path(options.output).suffix.lower() == ".mp4":
        add_sound(options.clip, options.output, waveform, sound.sample_rate)
    else:
        write_audio(options.output, waveform, sound.sample_rate)
    write_beside(options, outcome)
    return outcome
