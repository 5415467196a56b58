"""joint: AnimateDiff and AudioLDM follow words, and each other."""

from __future__ import annotations

from argparse import Namespace

from ...generators import animatediff, audioldm
from ...generators.ddim import require_strength
from ...generators.joint import JointDenoiser
from ...guidance.rule import Guidance
from ...media import eight_bit, write_video
from ..checks import (
    check_outputs,
    check_request,
    guidance_of,
    require_steps,
    steps_taken,
)
from ..decoding import report_decoding
from ..inputs import VideoShape, video_shape
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

VIDEO, AUDIO = animatediff.STREAM, audioldm.STREAM


def joint(options: Namespace) -> None:
    """joint: video and sound of the same length."""
    texts = {VIDEO: options.prompt, AUDIO: options.prompt if options.audio_prompt is None else options.audio_prompt}
    guidance = _checked_guidance(options, texts)
    files = find_models(options, "imagebind", "base", "motion", "audioldm", *needed_to_look(options))
    shape = video_shape(options, built_in=files.built_in)
    run = _video_and_sound(options, files, shape, texts, guidance)
    frames, sound = eight_bit(run.result.signals[VIDEO].pixels[0]).permute(0, 2, 3, 1), run.result.signals[AUDIO]
    write_video(options.output, frames, shape.fps, sound.waveform.cpu(), sound.sample_rate)
    report(options, run, texts)
    report_decoding(options, run)


def _checked_guidance(options: Namespace, texts: dict[str, str]) -> Guidance:
    guidance = guidance_of(
        options,
        rates={VIDEO: options.rate, AUDIO: options.audio_rate},
        prompt_rates={VIDEO: options.prompt_rate, AUDIO: options.audio_prompt_rate},
        candidates={VIDEO: options.candidates, AUDIO: options.audio_candidates},
    )
    require_strength(options.audio_cfg)
    audioldm.require_window(options.seconds_at_once)
    check_request(
        options,
        guidance,
        steps=max(steps_taken(options), require_steps(_audio_steps(options))),
        weights=[options.between, *prompt_weights(options, texts)],
    )
    check_outputs(options, (".mp4",), guidance)
    return guidance


def _video_and_sound(
    options: Namespace, files: ModelFiles, shape: VideoShape, texts: dict[str, str], guidance: Guidance
) -> Run:
    init, tuned = read_init(options, shape), read_tuned_prompt(options, VIDEO, AUDIO)
    models = load_models(options, files)
    with models.on_device(*models.text_encoders):
        sound = models.audioldm.denoiser(
            seconds=shape.seconds,
            steps=_audio_steps(options),
            cfg=options.audio_cfg,
            negative_prompt=options.audio_negative_prompt,
            window=options.seconds_at_once,
        )
        denoiser = JointDenoiser([video_denoiser(options, models, shape), sound])
        prompts = starting_prompts(denoiser.prompts({stream: [text] for stream, text in texts.items()}), tuned)
        conditions = text_conditions(options, models.binder, texts)
    return steered(
        options, models, denoiser, prompts, conditions, guidance, between=options.between, latents=encoded(models, init)
    )


def _audio_steps(options: Namespace) -> int:
    return options.steps if options.audio_steps is None else options.audio_steps
