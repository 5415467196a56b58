"""mm-diffusion: video and sound by one network, alone or one of them for the other."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Iterator

import torch

from ...binders.base import Binder
from ...conditions.condition import Condition
from ...conditions.encoding import audio_condition, image_condition, text_condition
from ...continuation import exact, generate_long, seconds_of
from ...errors import AlignerError
from ...generators.base import JointModel, Streams
from ...generators.mm_diffusion import STREAMS, sampler_of
from ...guidance.rule import Rule
from ...media import eight_bit, read_audio, read_image, write_video
from ..checks import check_outputs, check_request
from ..model_files import find_models
from ..models import load_models
from ..progress import progress_bar
from ..report import write_beside
from ..rules import rule_of
from ..steering import Outcome


def mm_diffusion(options: Namespace) -> Outcome:
    """mm-diffusion: a clip whose video and sound one network makes."""
    rule = _checked_rule(options)
    models = load_models(options, find_models(options, "imagebind", "coupled"))
    model: JointModel = models.generators["video"]
    given = _given(model, options)
    denoiser = model.denoiser(steps=options.steps, sampler=options.sampler)
    seconds = seconds_of(denoiser, given, options.seconds)
    with models.on_device(*models.binder_parts("image", "audio", "text")):
        conditions = list(_conditions(models.binder, options, rule))
    with models.on_device(*models.sampling_parts), progress_bar() as on_step:
        result = generate_long(
            denoiser,
            {},
            seed=options.seed,
            seconds=seconds,
            overlap=exact(options.overlap),
            given=given,
            rule=rule,
            binder=models.binder,
            conditions=conditions,
            pair_weight=options.pair_weight,
            reconstruction=options.reconstruction,
            on_step=on_step,
        )
    video, sound = result.signals["video"], result.signals["audio"]
    frames = eight_bit(video.pixels[0]).permute(0, 2, 3, 1)
    write_video(options.output, frames, denoiser.fps, sound.waveform.cpu(), sound.sample_rate)
    outcome = Outcome(result, models, denoiser, conditions, rule, dict.fromkeys(STREAMS, ""), options.pair_weight)
    write_beside(options, outcome)
    return outcome


def _checked_rule(options: Namespace) -> Rule:
    if options.given_video and options.given_audio:
        raise AlignerError("--given-video and --given-audio leave nothing to make: leave one of them out.")
    rule = rule_of(options, STREAMS).without_prompts()
    followed = [len([*options.text, *options.picture, *options.sound])]
    steps = sampler_of(options.sampler, options.steps).steps
    check_request(options, rule, dict.fromkeys(STREAMS, ""), steps=steps, weights=[options.pair_weight, *followed])
    check_outputs(options, (".mp4",), rule, STREAMS)
    return rule


def _given(model: JointModel, options: Namespace) -> Streams:
    """By stream, the latent of the recording that is given."""
    if options.given_video:
        return {"video": model.video_file_latent(options.given_video, options.seconds)}
    if options.given_audio:
        waveform, rate = read_audio(options.given_audio)
        return {"audio": model.audio_latent(waveform, rate)}
    return {}


@torch.no_grad()
def _conditions(binder: Binder, options: Namespace, rule: Rule) -> Iterator[Condition]:
    clips = rule.comparison.clips
    for text in options.text:
        yield text_condition(binder, text, options.weight)
    for text in options.away_from:
        yield text_condition(binder, text, -1.0)
    for path in options.picture:
        yield image_condition(binder, read_image(path), options.weight)
    for path in options.sound:
        yield audio_condition(binder, *read_audio(path), options.weight, clips=clips)
