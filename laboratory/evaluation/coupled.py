"""What the demo's MM-Diffusion makes from noise alone, and how often its streams show one event.

It is trained on plain scenes, and compared with such.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch

from aligner.demo import family
from aligner.demo.judge import Verdict
from aligner.generation import generate
from aligner.generators.base import Streams
from aligner.generators.mm_diffusion import MMDiffusion
from aligner.generators.signals import silences
from aligner.guidance.rule import Unguided

from ..world import FPS, SAMPLE_RATE, Clip, clip, plain, scene
from .instruments import Finished, Instruments
from .table import effective_events

BATCH = 8
#: Real clips of this split say how close a result must be to its event, see `limits`.
_LIMITING, _CLIPS, _SHARE = "development", 128, 0.05


def coupled_gates(instruments: Instruments, samples: int, model: MMDiffusion | None = None) -> dict[str, float]:
    """The figures of samples from noise alone.

    video, sound: the share that the judge recognises: as close to an event as 95 % of real clips are at the size and
    rate of the model; a silent sound never is. agreement: the share whose sound is recognised, as the event that the
    judge sees. events: the effective number of events, 8 where all are equally frequent.
    """
    model = model or family.load_demo_mm_diffusion()
    least = limits(instruments, model)
    recognised: dict[str, list[bool]] = {"video": [], "audio": []}
    names: dict[str, list[str]] = {"video": [], "audio": []}
    for first in range(0, samples, BATCH):
        batch = min(BATCH, samples - first)
        made = generate(model.denoiser(), {}, seed=first, batch=batch, rule=Unguided()).signals
        silent = silences(made)
        for stream, signal in made.items():
            verdict = instruments.verdict(signal)
            heard = ~silent[stream] if stream in silent else torch.ones(batch, dtype=torch.bool)
            recognised[stream] += (heard & (verdict.closeness >= least[stream])).tolist()
            names[stream] += verdict.names
    agreeing = [seen == heard and sure for seen, heard, sure in zip(*names.values(), recognised["audio"])]
    return {
        "video": sum(recognised["video"]) / samples,
        "sound": sum(recognised["audio"]) / samples,
        "agreement": sum(agreeing) / samples,
        "events": effective_events([{"judged": name, "right": True} for name in names["video"]]),
    }


def limits(instruments: Instruments, model: MMDiffusion) -> dict[str, float]:
    """By stream, the closeness that 95 % of real clips reach at the size and rate of the model."""
    shown = real_signals(model, [clip(plain(scene(_LIMITING, number))) for number in range(_CLIPS)])
    verdicts = {stream: instruments.verdict(signal) for stream, signal in shown.items()}
    return {stream: float(_least(each)) for stream, each in verdicts.items()}


def real_signals(model: MMDiffusion, clips: Sequence[Clip]) -> dict[str, Finished]:
    """By stream, real clips at the size and rate of the model."""
    return model.denoiser().render(real_latents(model, clips))


def real_latents(model: MMDiffusion, clips: Sequence[Clip]) -> Streams:
    """By stream, real clips as the model takes them."""
    return {
        "video": torch.cat([model.video_latent(each.frames, FPS) for each in clips]),
        "audio": torch.cat([model.audio_latent(each.waveform[None], SAMPLE_RATE) for each in clips]),
    }


def _least(verdict: Verdict) -> torch.Tensor:
    return verdict.closeness.quantile(_SHARE)
