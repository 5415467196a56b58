"""The first run, on built-in models: a sound for a silent clip, then a clip and its sound from words."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Iterable
from pathlib import Path

from .. import settings
from ..binders.base import Binder
from ..conditions.encoding import video_condition
from ..demo import family
from ..demo.examples import EXAMPLE_EVENTS, EXAMPLE_VIDEO
from ..demo.judge import Judge, names
from ..demo.shape import FPS, FRAMES, SECONDS, SIDE
from ..generation import JOINT_SEARCH, SEARCH, Generation, generate
from ..generators.joint import JointDenoiser
from ..guidance.rule import Rule, Unguided
from ..media import add_sound, eight_bit, probe_video, write_video
from ..metrics import audio_onsets
from .checks import check_output
from .progress import progress_bar
from .report import draw_overview

STEPS = settings.VIDEO_STEPS.default
RULE = SEARCH
#: A prompt that says nothing about the clip: only guidance can make the sound fit.
VAGUE = "a scene"
PROMPT = "rain falls from a cloud with a hiss"
NOTICE = (
    "These are TOY models, built in so that everything can be tried at once: they know eight events of a drawn "
    "world and nothing else. For your own clips, at real quality, see 'Real models' in the README.\n"
)
NEXT = (
    "Next: play {}. In ComfyUI open the template 'Video to Sound', which does the same with your own clip. For sounds "
    "of your world load real models: see 'Real models' in the README."
)


def demo(options: Namespace) -> None:
    """demo: the same seed without and with guidance under the clip; video and sound from a prompt; the overview."""
    output = Path(options.output)
    joint, overview = output.with_stem(f"{output.stem}_joint"), output.with_suffix(".png")
    for path, suffix in ((output, ".mp4"), (joint, ".mp4"), (overview, ".png")):
        check_output(path, (suffix,))
    print(NOTICE)
    binder, judge = family.load_demo_imagebind(), family.load_demo_judge()
    _video_to_audio(options.seed, binder, judge, output, overview)
    _joint(options.seed, binder, judge, joint)
    print(NEXT.format(output))


def _video_to_audio(seed: int, binder: Binder, judge: Judge, output: Path, overview: Path) -> None:
    info = probe_video(EXAMPLE_VIDEO)
    conditions = [video_condition(binder, EXAMPLE_VIDEO, clips=RULE.comparison.clips, info=info)]
    denoiser = family.load_demo_audioldm().denoiser(seconds=info.duration, steps=STEPS)

    def run(rule: Rule, description: str) -> Generation:
        with progress_bar(description) as on_step:
            return generate(
                denoiser,
                denoiser.prompts([VAGUE]),
                seed=seed,
                rule=rule,
                binder=binder,
                conditions=conditions,
                on_step=on_step,
            )

    print(f'1. A sound for {EXAMPLE_VIDEO.name}, from the words "{VAGUE}"')
    unguided, guided = run(Unguided(RULE.comparison), "unguided"), run(RULE, "guided  ")
    sound = guided.signals["audio"]
    add_sound(EXAMPLE_VIDEO, output, sound.waveform, sound.sample_rate)
    draw_overview(overview, guided)
    print(
        f"   The ball lands at {_seconds(EXAMPLE_EVENTS)}. A judge that guidance never sees listens.\n"
        f"   Without guidance: {_heard(judge, unguided)}. With guidance: {_heard(judge, guided)}.\n"
        f"   Wrote {output} and {overview}, which shows all candidates.\n"
    )


def _heard(judge: Judge, result: Generation) -> str:
    """What a sound is and when it begins: "ball at 0.23 s and 1.28 s"."""
    sound = result.signals["audio"]
    (name,), begins = names(judge, sound), audio_onsets(sound.waveform[0], sound.sample_rate)
    return name if sound.silent.item() or not len(begins) else f"{name} at {_seconds(begins)}"


def _seconds(times: Iterable[float]) -> str:
    """ "0.25 s and 1.25 s"."""
    *first, last = (f"{time:.2f} s" for time in times)
    return f"{', '.join(first)} and {last}" if first else last


def _joint(seed: int, binder: Binder, judge: Judge, output: Path) -> None:
    denoiser = JointDenoiser(
        [
            family.load_demo_animatediff().denoiser(
                frames=FRAMES, height=SIDE, width=SIDE, fps=FPS, steps=STEPS, cfg=family.VIDEO_CFG
            ),
            family.load_demo_audioldm().denoiser(seconds=SECONDS, steps=STEPS),
        ]
    )
    print(f'2. Video and sound from "{PROMPT}"')
    with progress_bar("joint   ") as on_step:
        prompts = denoiser.prompts([PROMPT])
        result = generate(denoiser, prompts, seed=seed, rule=JOINT_SEARCH, binder=binder, on_step=on_step)
    video, sound = result.signals["video"], result.signals["audio"]
    write_video(output, eight_bit(video.pixels[0]).permute(0, 2, 3, 1), video.fps, sound.waveform, sound.sample_rate)
    print(f"   The judge sees {names(judge, video)[0]} and hears {names(judge, sound)[0]}.\n   Wrote {output}.\n")
