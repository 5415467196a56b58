"""How closely the gradient through an approximate decoder follows the exact one: decoding at half the size, TAESD."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path

import torch
import torch.nn.functional as F

from aligner.binders.base import Binder, sampling_of
from aligner.binders.imagebind import load_imagebind
from aligner.conditions.condition import label_conditions
from aligner.conditions.encoding import audio_condition, text_condition
from aligner.demo.examples import EXAMPLE_SOUND, EXAMPLE_VIDEO
from aligner.generators.animatediff import STREAM, AnimateDiff, load_animatediff
from aligner.generators.signals import LatentFrames
from aligner.guidance.approximate_decoding import gradient_cosine
from aligner.guidance.objective import PUBLISHED, Objective
from aligner.guidance.pairs import pairs
from aligner.media import probe_video, read_audio, read_frames
from aligner.tensors.precision import DTYPES

from ..random_models import load_random_animatediff, load_random_imagebind

FPS = Fraction(8)
PROMPT = "a dog barks"
RANDOM_FRAMES, RANDOM_SIDE, RANDOM_SEEDS = 8, 128, range(8)


def random_cosines() -> list[float]:
    """The cosine of decoding at half the size, with small random models, for the latents of noise of each seed."""
    model, binder = load_random_animatediff(motion=False), load_random_imagebind()
    shape = (1, model.unet.config.in_channels, RANDOM_FRAMES, *[RANDOM_SIDE // model.compression] * 2)
    return [
        cosine(
            model,
            binder,
            torch.randn(shape, generator=torch.Generator().manual_seed(seed)),
            EXAMPLE_SOUND,
            model.decode_half,
        )
        for seed in RANDOM_SEEDS
    ]


def cosine(
    model: AnimateDiff,
    binder: Binder,
    latents: torch.Tensor,
    sound: str | Path,
    decode_approximately: Callable[[torch.Tensor], torch.Tensor],
) -> float:
    """The cosine between the gradients of the published loss through the exact and the approximate decoder.

    latents: (1, C, F, h, w), a video that is compared with the sound and a text.
    """
    heard = audio_condition(binder, *read_audio(sound), clips=PUBLISHED.clips)
    conditions = label_conditions([heard, text_condition(binder, PROMPT)])
    sampling = sampling_of(binder, PUBLISHED.clips)
    objective = Objective(
        lambda signal, _: signal.embed(binder, sampling),
        {label: condition.embedding for label, condition in conditions.items()},
        pairs([STREAM], conditions),
        PUBLISHED.compare,
    )
    frames = LatentFrames(latents, FPS, model.decode, decode_approximately)
    return gradient_cosine(frames, lambda video: objective({STREAM: video}).loss).item()


def encoded(model: AnimateDiff, video: str | Path, frames: int, side: int) -> torch.Tensor:
    """The latents of the first `frames` frames of a video at FPS, squashed to a square of `side` pixels."""
    times = torch.arange(frames, dtype=torch.float64) / float(FPS)
    indices = (torch.searchsorted(probe_video(video).frame_times, times, right=True) - 1).clamp(min=0)
    pictures = read_frames(video, indices.tolist()).permute(0, 3, 1, 2).float() / 255
    pictures = F.interpolate(pictures, size=(side, side), mode="bilinear", antialias=True)
    return model.encode(pictures)


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m laboratory.benchmarks.approximate_decoding",
        description=f"{__doc__} Prints the cosine between the two gradients. Without --base and --imagebind it uses "
        "small random models, whose cosine says little about trained ones.",
    )
    parser.add_argument(
        "--base",
        metavar="PATH",
        help="a Stable Diffusion 1.5, a checkpoint file or a folder in the diffusers layout; only its VAE is used",
    )
    parser.add_argument("--imagebind", metavar="FILE", help="an ImageBind checkpoint")
    parser.add_argument("--taesd", metavar="PATH", help="TAESD's decoder, a file or a folder")
    parser.add_argument(
        "--video", default=EXAMPLE_VIDEO, metavar="FILE", help="the video to decode (default: an example)"
    )
    parser.add_argument(
        "--sound",
        default=EXAMPLE_SOUND,
        metavar="FILE",
        help="the sound to compare it with, beside a text (default: an example)",
    )
    parser.add_argument(
        "--frames", type=int, default=16, help=f"frames to decode, at {FPS} per second (default: %(default)s)"
    )
    parser.add_argument("--side", type=int, default=512, help="side of a frame in pixels (default: %(default)s)")
    parser.add_argument(
        "--dtype", choices=DTYPES, default="fp32", help="precision of the networks (default: %(default)s)"
    )
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    options = parser.parse_args(arguments)
    if bool(options.base) != bool(options.imagebind):
        parser.error("give both --base and --imagebind, or neither")
    if options.taesd and not options.base:
        parser.error("TAESD approximates a real VAE: also give --base and --imagebind")
    return options


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the cosines."""
    options = _options(arguments)
    if not options.base:
        cosines = random_cosines()
        print(
            f"half, small random models: {sum(cosines) / len(cosines):.3f} ({min(cosines):.3f} to "
            f"{max(cosines):.3f}); trained models differ"
        )
        return
    placement = {"dtype": DTYPES[options.dtype], "device": options.device}
    model = load_animatediff(options.base, taesd=options.taesd, **placement)
    binder = load_imagebind(options.imagebind, **placement)
    latents = encoded(model, options.video, options.frames, options.side)
    approximations = {"half": model.decode_half} | ({"taesd": model.decode_tiny} if options.taesd else {})
    for name, decode_approximately in approximations.items():
        found = cosine(model, binder, latents, options.sound, decode_approximately)
        print(f"{name}, {Path(options.base).name}: {found:.3f}")


if __name__ == "__main__":
    main()
