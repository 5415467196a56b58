"""The gates: the quality that the models need before guidance is worth measuring."""

from __future__ import annotations

from collections.abc import Callable
from statistics import fmean

import torch
import torch.nn.functional as F

from aligner.binders.base import sampling_of
from aligner.demo.events import EVENTS
from aligner.generators.signals import Signal
from aligner.guidance.rule import Unguided
from aligner.metrics import audio_onsets, av_align, video_peaks

from ..world import FPS, SAMPLE_RATE, clip, right_caption, scene
from .coupled import coupled_gates
from .instruments import sound_of, video_of
from .runs import BATCH, DemoModels, generated

#: The least shares that pass, and the largest difference of levels in decibels.
LEAST = {"zero-shot": 0.95, "reconstruction": 0.95, "generation": 0.85, "mm-diffusion": 0.85}
#: The figures of MM-Diffusion that must hold.
RECOGNISED = ("video", "sound", "agreement")
MOST_DECIBEL = 3.0


def gates(models: DemoModels, split: str, samples: int) -> dict:
    """The figures of all gates on the first `samples` clips of a split: by gate, then by direction, stream or event."""
    clips = [clip(scene(split, index)) for index in range(samples)]
    frames = torch.stack([each.frames for each in clips])
    sounds = torch.stack([each.waveform for each in clips])
    events = torch.tensor([EVENTS.index(each.scene.event) for each in clips])
    vocoded = _in_batches(lambda part: revocoded(models, part), sounds)
    decoded = _in_batches(lambda part: redrawn(models, part), frames)
    judged = models.instruments.verdict
    return {
        "samples": samples,
        "split": split,
        "zero-shot": zero_shot(models, sounds, frames, events),
        "real": {
            "sound": _by_event(judged(sound_of(sounds)).events, events),
            "video": _by_event(judged(video_of(frames)).events, events),
        },
        "timing": timing(sounds, frames),
        "reconstruction": {
            "sound": _by_event(judged(sound_of(vocoded)).events, events),
            "video": _by_event(judged(video_of(decoded)).events, events),
        },
        "decibel": _decibel_by_event(vocoded, sounds, events),
        "generation": {
            stream: _by_event(_generated_events(models, stream, split, samples), events)
            for stream in ("audio", "video")
        },
        "mm-diffusion": coupled_gates(models.instruments, samples),
    }


def failures(figures: dict) -> list[str]:
    """A sentence for every gate that does not hold."""
    checks = [(f"zero-shot {way}", value, LEAST["zero-shot"]) for way, value in figures["zero-shot"].items()]
    checks += [
        (f"reconstruction of {stream}, {event}", value, LEAST["reconstruction"])
        for stream, by_event in figures["reconstruction"].items()
        for event, value in by_event.items()
    ]
    checks += [
        (f"generation of {stream}", by_event["all"], LEAST["generation"])
        for stream, by_event in figures["generation"].items()
    ]
    checks += [(f"mm-diffusion, {name}", figures["mm-diffusion"][name], LEAST["mm-diffusion"]) for name in RECOGNISED]
    failed = [f"{name}: {value:.3f}, at least {least} is needed" for name, value, least in checks if not value >= least]
    return failed + [
        f"level of {event}: {value:.1f} dB apart, at most {MOST_DECIBEL:g} is allowed"
        for event, value in figures["decibel"].items()
        if not value <= MOST_DECIBEL
    ]


@torch.no_grad()
def zero_shot(models: DemoModels, sounds: torch.Tensor, frames: torch.Tensor, events: torch.Tensor) -> dict[str, float]:
    """The share of clips whose event is the nearest in the binder's space, by direction.

    sounds: (N, n). frames: (N, F, 3, H, W). events: (N,). Sounds and videos are compared with the captions of the
    events, and with the mean of each event's clips in the other modality.
    """
    binder = models.instruments.binder
    sampling = sampling_of(binder, "spread")
    texts = F.normalize(binder.embed_text([event.captions[0] for event in EVENTS]).mean(), dim=1)

    def embedded(signal: Callable[[torch.Tensor], Signal], values: torch.Tensor) -> torch.Tensor:
        return _in_batches(lambda part: F.normalize(signal(part).embed(binder, sampling).mean(), dim=1), values)

    heard, seen = embedded(sound_of, sounds), embedded(video_of, frames)
    means = {
        name: torch.stack([rows[events == k].mean(dim=0) for k in range(len(EVENTS))])
        for name, rows in (("heard", heard), ("seen", seen))
    }
    found = {
        "sound to text": heard @ texts.T,
        "video to text": seen @ texts.T,
        "sound to video": heard @ means["seen"].T,
        "video to sound": seen @ means["heard"].T,
    }
    return {way: (scores.argmax(dim=1) == events).float().mean().item() for way, scores in found.items()}


def timing(sounds: torch.Tensor, frames: torch.Tensor) -> dict[str, float]:
    """AV-Align of real clips, and of each sound with the videos of all other clips, which is chance level."""
    heard = [audio_onsets(sound, SAMPLE_RATE) for sound in sounds]
    seen = [video_peaks(video, FPS) for video in frames]
    pairs = {"real": [], "shuffled": []}
    for k, onsets in enumerate(heard):
        for n, peaks in enumerate(seen):
            pairs["real" if k == n else "shuffled"].append(av_align(onsets, peaks, FPS).matched)
    return {name: fmean(values) for name, values in pairs.items()}


@torch.no_grad()
def revocoded(models: DemoModels, sounds: torch.Tensor) -> torch.Tensor:
    """Encode sounds (N, n) by the VAE, decode them and vocode them."""
    model = models.audioldm
    return model.vocode(model.decode(model.encode(sounds)))[:, : sounds.shape[1]]


@torch.no_grad()
def redrawn(models: DemoModels, frames: torch.Tensor) -> torch.Tensor:
    """Encode frames (N, F, 3, H, W) by the image VAE and decode them."""
    model = models.animatediff
    latents = torch.cat([model.encode(each) for each in frames])
    return torch.stack([model.decode(each.transpose(0, 1)) for each in latents])


def _generated_events(models: DemoModels, stream: str, split: str, samples: int) -> torch.Tensor:
    scenes = [scene(split, index) for index in range(samples)]
    found = []
    for first in range(0, samples, BATCH):
        captions = [right_caption(each, first + k) for k, each in enumerate(scenes[first : first + BATCH])]
        made = generated(models, (stream,), captions, None, Unguided(), seed=first)
        found.append(models.instruments.verdict(made.signals[stream]).events)
    return torch.cat(found)


def _by_event(found: torch.Tensor, events: torch.Tensor) -> dict[str, float]:
    right = (found == events).float()
    return {event.name: right[events == k].mean().item() for k, event in enumerate(EVENTS)} | {
        "all": right.mean().item()
    }


def _decibel_by_event(made: torch.Tensor, real: torch.Tensor, events: torch.Tensor) -> dict[str, float]:
    """The mean absolute difference of the levels of reconstructed and real sounds, in decibels, by event."""
    levels = [10 * sounds.square().mean(dim=1).log10() for sounds in (made, real)]
    return {event.name: (levels[0] - levels[1])[events == k].abs().mean().item() for k, event in enumerate(EVENTS)}


def _in_batches(function: Callable[[torch.Tensor], torch.Tensor], values: torch.Tensor) -> torch.Tensor:
    return torch.cat([function(part) for part in values.split(16)])
