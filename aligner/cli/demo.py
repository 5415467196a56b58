"""The first run: video-to-audio on a built-in clip with built-in models."""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path

from ..demo import EXAMPLE_VIDEO
from ..demo.random_models import load_random_audioldm, load_random_imagebind
from ..encoding import video_condition
from ..generation import generate
from ..guidance import Guidance
from ..media import add_sound, probe_video
from ..tasks import VIDEO_TO_AUDIO
from .checks import check_output
from .progress import progress_bar
from .report import draw_curve

STEPS = VIDEO_TO_AUDIO.steps
NOTICE = ("The built-in models are small and their weights RANDOM: this run shows that everything works. "
          "What you hear is noise, steered. For real sound see 'Real models' in the README.")


def demo(options: Namespace) -> None:
    """demo: the same seed without and with guidance, the guided sound under the clip, the curve beside it."""
    output = Path(options.output)
    curve = output.with_suffix(".png")
    check_output(output, (".mp4",))
    check_output(curve, (".png",))
    print(NOTICE)
    audioldm, binder, info = load_random_audioldm(), load_random_imagebind(), probe_video(EXAMPLE_VIDEO)
    conditions = [video_condition(binder, EXAMPLE_VIDEO, info=info)]
    denoiser = audioldm.denoiser(seconds=info.duration, steps=STEPS)

    def run(guidance: Guidance | None, description: str):
        with progress_bar(STEPS, description) as on_step:
            return generate(denoiser, denoiser.prompts([""]), seed=options.seed, binder=binder, conditions=conditions,
                            guidance=guidance, on_step=on_step)

    unguided, guided = run(None, "unguided"), run(Guidance(), "guided  ")
    sound = guided.signals["audio"]
    add_sound(EXAMPLE_VIDEO, output, sound.waveform, sound.sample_rate)
    draw_curve(curve, guided)
    print(f"ImageBind cosine of {sound.seconds:.1f} s of sound with the clip: {unguided.score.item():+.3f} unguided, "
          f"{guided.score.item():+.3f} steered. Wrote {output} and {curve}.")
