"""What the commands do: read, steer, write."""

from __future__ import annotations

from argparse import Namespace
from fractions import Fraction
from pathlib import Path

from ..conditions import Condition
from ..encoding import image_condition, text_condition, video_condition
from ..generation import Generation, generate
from ..generators.audioldm import STREAM, AudioLDM, require_samples
from ..guidance import Guidance
from ..imagebind import ImageBind
from ..media import add_sound, probe_video, read_image, write_audio
from ..tasks import IMAGE_TO_AUDIO, VIDEO_TO_AUDIO
from .checks import check_outputs, check_request, guidance_of
from .demo import demo
from .models import load_models
from .progress import progress_bar
from .report import report

__all__ = ["demo", "image_to_audio", "video_to_audio"]

SOUND = (".wav", ".flac")


def video_to_audio(options: Namespace) -> None:
    """v2a: a sound for a clip, exactly as long as the clip."""
    guidance = guidance_of(options)
    check_request(options, VIDEO_TO_AUDIO, guidance)
    check_outputs(options, (".mp4", *SOUND))
    info = probe_video(options.clip)
    audioldm, binder = load_models(options)
    condition = video_condition(binder, options.clip, options.condition_weight, clips=options.clips, info=info)
    _write(options, _generate(options, audioldm, binder, condition, info.duration, guidance))


def image_to_audio(options: Namespace) -> None:
    """i2a: a sound for a picture."""
    guidance = guidance_of(options)
    check_request(options, IMAGE_TO_AUDIO, guidance)
    require_samples(options.seconds)
    check_outputs(options, SOUND)
    pixels = read_image(options.picture)
    audioldm, binder = load_models(options)
    condition = image_condition(binder, pixels, options.condition_weight)
    _write(options, _generate(options, audioldm, binder, condition, options.seconds, guidance))


def _generate(options: Namespace, audioldm: AudioLDM, binder: ImageBind, condition: Condition,
              seconds: Fraction | float, guidance: Guidance) -> Generation:
    denoiser = audioldm.denoiser(seconds=seconds, steps=options.steps, cfg=options.cfg,
                                 negative_prompt=options.negative_prompt)
    with progress_bar(options.steps) as on_step:
        return generate(denoiser, denoiser.prompts([options.prompt]), seed=options.seed, binder=binder,
                        conditions=[condition, *_texts(options, binder)], guidance=guidance, steer=not options.unguided,
                        on_step=on_step)


def _texts(options: Namespace, binder: ImageBind) -> list[Condition]:
    """The prompt as a target, and the texts to stay away from."""
    prompt = [text_condition(binder, options.prompt, options.text_weight)] if options.prompt.strip() else []
    return prompt + [text_condition(binder, text, weight=-1.0) for text in options.away_from]


def _write(options: Namespace, result: Generation) -> None:
    """The sound first: should the curve fail, it is not lost."""
    sound = result.signals[STREAM]
    waveform = sound.waveform.cpu()
    if Path(options.output).suffix.lower() == ".mp4":
        add_sound(options.clip, options.output, waveform, sound.sample_rate)
    else:
        write_audio(options.output, waveform, sound.sample_rate)
    print(f"Wrote {options.output}")
    report(result, curve=options.curve)
