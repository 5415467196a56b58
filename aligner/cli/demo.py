"""The first run, on built-in models: a sound for a silent clip, then a clip and its sound from words."""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path

from .. import settings
from ..binders.base import Binder
from ..conditions.encoding import video_condition
from ..demo import family
from ..demo.examples import EXAMPLE_VIDEO
from ..demo.judge import Judge, names
from ..demo.shape import FPS, FRAMES, SECONDS, SIDE
from ..generation import Generation, generate
from ..generators.joint import JointDenoiser
from ..guidance.rule import Rule, Unguided
from ..guidance.search import Search
from ..media import add_sound, eight_bit, probe_video, write_video
from .checks import check_output
from .progress import progress_bar
from .report import draw_overview

STEPS = settings.VIDEO_STEPS.default
RULE = Search()
#: A prompt that says nothing about the clip: only guidance can make the sound fit.
VAGUE = "a scene"
PROMPT = "rain falls from a cloud with a hiss"
NOTICE = (
    "These are TOY models, built in so that everything can be tried at once: they know eight events of a drawn "
    "world and nothing else. For your own clips, at real quality, see 'Real models' in the README.\n"
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
    before, after = (result.scores["audio ~ video"].item() for result in (unguided, guided))
    heard = [names(judge, result.signals["audio"])[0] for result in (unguided, guided)]
    print(
        f"   ImageBind's cosine with the clip: {before:+.2f} unguided, {after:+.2f} guided. "
        f"A judge that guidance never sees hears: {heard[0]} unguided, {heard[1]} guided.\n"
        f"   Wrote {output} and {overview}.\n"
    )


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
        result = generate(denoiser, denoiser.prompts([PROMPT]), seed=seed, rule=RULE, binder=binder, on_step=on_step)
    video, sound = result.signals["video"], result.signals["audio"]
    write_video(output, eight_bit(video.pixels[0]).permute(0, 2, 3, 1), video.fps, sound.waveform, sound.sample_rate)
    print(f"   The judge sees {names(judge, video)[0]} and hears {names(judge, sound)[0]}.\n   Wrote {output}.")
