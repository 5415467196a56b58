"""What the commands do: read, steer, write."""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path

from ..conditions import Condition
from ..encoding import image_condition, text_condition, video_condition
from ..errors import AlignerError, MediaError
from ..generation import Generation, generate
from ..guidance import Guidance
from ..imagebind import ImageBind
from ..media import add_sound, probe_video, read_image, write_audio
from .demo import demo
from .models import load_models
from .progress import progress_bar
from .report import report

__all__ = ["demo", "image_to_audio", "video_to_audio"]

SOUND = (".wav", ".flac")


def video_to_audio(options: Namespace) -> None:
    """v2a: a sound for a clip, exactly as long as the clip."""
    _require_writable(options, (".mp4", *SOUND))
    info, guidance = probe_video(options.clip), _guidance(options)
    audioldm, binder = load_models(options)
    condition = video_condition(binder, options.clip, options.condition_weight, clips=options.clips, info=info)
    result = _generate(options, audioldm, binder, condition, info.duration, guidance)
    report(result, curve=options.curve)
    sound = result.signals["audio"]
    if Path(options.output).suffix.lower() == ".mp4":
        add_sound(options.clip, options.output, sound.trimmed().cpu(), sound.sample_rate)
    else:
        write_audio(options.output, sound.trimmed().cpu(), sound.sample_rate)
    print(f"Wrote {options.output}")


def image_to_audio(options: Namespace) -> None:
    """i2a: a sound for a picture."""
    _require_writable(options, SOUND)
    pixels, guidance = read_image(options.picture), _guidance(options)
    audioldm, binder = load_models(options)
    condition = image_condition(binder, pixels, options.condition_weight)
    result = _generate(options, audioldm, binder, condition, options.seconds, guidance)
    report(result, curve=options.curve)
    sound = result.signals["audio"]
    write_audio(options.output, sound.trimmed().cpu(), sound.sample_rate)
    print(f"Wrote {options.output}")


def _generate(options: Namespace, audioldm, binder: ImageBind, condition: Condition, seconds, guidance) -> Generation:
    denoiser = audioldm.denoiser(seconds=seconds, steps=options.steps, cfg=options.cfg,
                                 negative_prompt=options.negative_prompt)
    with progress_bar(options.steps) as on_step:
        return generate(denoiser, denoiser.prompts([options.prompt]), seed=options.seed, binder=binder,
                        conditions=[condition, *_texts(options, binder)], guidance=guidance, steer=not options.unguided,
                        on_step=on_step)


def _texts(options: Namespace, binder: ImageBind) -> list[Condition]:
    """The prompt as a target, and the texts to stay away from."""
    texts = [(options.prompt, options.text_weight)] if options.prompt.strip() else []
    return [text_condition(binder, text, weight) for text, weight in
            [*texts, *((text, -1.0) for text in options.away_from)]]


def _guidance(options: Namespace) -> Guidance:
    start, end = options.window
    guidance = Guidance(rule=options.rule, rates={"audio": options.rate}, prompt_rate=options.prompt_rate,
                        inner_steps=options.inner_steps, start=start, end=end, compare=options.compare,
                        clips=options.clips, checkpointing=options.checkpointing)
    if not options.unguided:
        guidance.window(options.steps)  # asked here to find out before models are loaded
    return guidance


def _require_writable(options: Namespace, suffixes: tuple[str, ...]) -> None:
    """Find out before the long work whether its results can be written."""
    _require_suffix(options.output, suffixes)
    if options.curve:
        _require_suffix(options.curve, (".png",))
        if options.unguided:
            raise AlignerError("Without guidance there is no alignment curve: leave --curve or --unguided out.")


def _require_suffix(path: str, suffixes: tuple[str, ...]) -> None:
    if Path(path).suffix.lower() not in suffixes:
        raise MediaError(f"{path} has a suffix that cannot be written here. Use one of: {', '.join(suffixes)}.")
