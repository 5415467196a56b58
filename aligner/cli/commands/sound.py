"""v2a and i2a: AudioLDM follows a clip or a picture."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

from ...binders.imagebind import ImageBind
from ...conditions.condition import Condition
from ...conditions.encoding import image_condition, video_condition
from ...generators.audioldm import STREAM, require_samples, require_window
from ...guidance.rule import Guidance
from ...media import add_sound, probe_video, read_image, write_audio
from ..checks import check_outputs, check_request, guidance_of
from ..model_files import find_models
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

SOUND = (".wav", ".flac")


def video_to_audio(options: Namespace) -> None:
    """v2a: a sound for a clip, exactly as long as the clip."""
    guidance = _checked_guidance(options, (".mp4", *SOUND))
    info = probe_video(options.clip)

    def condition(binder: ImageBind) -> Condition:
        return video_condition(binder, options.clip, options.condition_weight, clips=guidance.clips, info=info)

    _write(options, _sound_for(options, condition, info.duration, guidance))


def image_to_audio(options: Namespace) -> None:
    """i2a: a sound for a picture."""
    guidance = _checked_guidance(options, SOUND)
    require_samples(options.seconds)
    pixels = read_image(options.picture)

    def condition(binder: ImageBind) -> Condition:
        return image_condition(binder, pixels, options.condition_weight)

    _write(options, _sound_for(options, condition, options.seconds, guidance))


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
        steps=options.steps,
        weights=[options.condition_weight, *prompt_weights(options, {STREAM: options.prompt})],
    )
    require_window(options.seconds_at_once)
    check_outputs(options, suffixes, guidance)
    return guidance


def _sound_for(
    options: Namespace, condition: Callable[[ImageBind], Condition], seconds: Fraction | float, guidance: Guidance
) -> Run:
    tuned = read_tuned_prompt(options, STREAM)
    models = load_models(options, find_models(options, "imagebind", "audioldm"))
    with models.on_device(models.binder.vision):
        conditions = [condition(models.binder)]
    with models.on_device(*models.text_encoders):
        denoiser = models.audioldm.denoiser(
            seconds=seconds,
            steps=options.steps,
            cfg=options.cfg,
            negative_prompt=options.negative_prompt,
            window=options.seconds_at_once,
        )
        prompts = starting_prompts(denoiser.prompts([options.prompt]), tuned)
        conditions += text_conditions(options, models.binder, {STREAM: options.prompt})
    return steered(options, models, denoiser, prompts, conditions, guidance)


def _write(options: Namespace, run: Run) -> None:
    """The sound first: should the curve fail, it is not lost."""
    sound = run.result.signals[STREAM]
    waveform = sound.waveform.cpu()
    if Path(options.output).suffix.lower() == ".mp4":
        add_sound(options.clip, options.output, waveform, sound.sample_rate)
    else:
        write_audio(options.output, waveform, sound.sample_rate)
    report(options, run, {STREAM: options.prompt})
