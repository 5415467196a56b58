"""Training of the binders: small ImageBind towers that bring frames, sounds and texts of one event together.

Batches hold spans of several lengths, because only short spans show whether something happens at a given moment. A
tower sees a part of the patches, which is faster and makes embeddings more robust (arXiv 2212.00794).
"""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import torch
import torch.nn.functional as F

from aligner.binders.imagebind import ImageBind, ImageBindConfig
from aligner.binders.imagebind.audio import audio_input
from aligner.binders.imagebind.tokenizer import tokenize
from aligner.binders.imagebind.vision import clip_input
from aligner.demo.events import EVENTS
from aligner.timing.clips import frame_indices

from ..random_imagebind import random_imagebind
from ..world import FPS, SAMPLE_RATE, SECONDS
from .augment import roughened_frames, roughened_sounds
from .data import Clips, clips
from .loop import Losses, Schedule, train
from .sizes import BINDER, SECOND_BINDER
from .texts import event_texts

BATCH = 40
#: Lengths of the spans in seconds, and their shares.
_SPANS, _SHARES = (2.0, 1.0, 0.5), (0.35, 0.35, 0.3)
#: The share of spans shown as a picture, the share of patches that a tower sees, and the temperature of the softmax.
_STILL, _KEPT, _TEMPERATURE = 0.3, 0.4, 0.1
#: The label of a span in which nothing happens.
_QUIET = len(EVENTS)


def trained_binder(work: Path, device: str = "cpu") -> ImageBind:
    """Train the binder that guides, or load it from `work`."""
    return _trained(
        "binder",
        BINDER,
        "train",
        4096,
        seed=11,
        schedule=Schedule(1600, 1.5e-3, average=0.997),
        work=work,
        device=device,
    )


def trained_second_binder(work: Path, device: str = "cpu") -> ImageBind:
    """Train the binder that measures, of another size, seed and split, or load it from `work`."""
    return _trained(
        "second_binder",
        SECOND_BINDER,
        "second",
        2048,
        seed=23,
        schedule=Schedule(1000, 2e-3, average=0.997),
        work=work,
        device=device,
    )


def _trained(
    name: str,
    config: ImageBindConfig,
    split: str,
    count: int,
    *,
    seed: int,
    schedule: Schedule,
    work: Path,
    device: str,
) -> ImageBind:
    model = random_imagebind(config, seed).to(device).requires_grad_(True)
    data = clips(split, count, work)
    texts = [event_texts(number) for number in range(len(EVENTS))]

    def losses(draw: torch.Generator, passed: float) -> Losses:
        batch = _Batch(data, draw)
        seen = _unit(model.vision(batch.pixels(draw).to(device), keep=_patches(256, BATCH, draw).to(device)))
        heard = _unit(model.audio(batch.mels(draw).to(device), keep=_patches(228, BATCH, draw).to(device)))
        said = _unit(model.text(tokenize(_one_each(texts, draw)).to(device)))
        bound = _bound(seen @ heard.T / _TEMPERATURE, batch.same.to(device))
        named = F.cross_entropy(seen @ said.T / _TEMPERATURE, batch.events.to(device)) + _masked_mean(
            F.cross_entropy(heard @ said.T / _TEMPERATURE, batch.events.to(device), reduction="none"),
            batch.active.to(device),
        )
        right = ((heard @ said.T).argmax(dim=1) == batch.events.to(device)).float()
        return {
            "loss": bound + named,
            "bound": bound,
            "named": named,
            "heard": _masked_mean(right, batch.active.to(device)),
        }

    train(name, model, losses, schedule, work)
    return model


class _Batch:
    """A batch of spans of one length, in all modalities."""

    def __init__(self, data: Clips, draw: torch.Generator):
        self.data, self.rows = data, torch.randint(len(data), (BATCH,), generator=draw)
        self.seconds = _SPANS[int(torch.multinomial(torch.tensor(_SHARES), 1, generator=draw))]
        latest = round((SECONDS - self.seconds) * FPS)
        self.starts = torch.randint(latest + 1, (BATCH,), generator=draw) / FPS
        self.active = data.happening(self.rows, self.starts, self.seconds)
        self.events = data.events[self.rows]
        # Spans in which nothing happens sound alike, whatever their frames show.
        label = torch.where(self.active, self.events, _QUIET)
        self.same = label[:, None] == label[None, :]

    def pixels(self, draw: torch.Generator) -> torch.Tensor:
        """The vision tower's input (B, 3, 2, 224, 224): the first and last frame of a span, or one frame twice."""
        frames = self.data.pixels(self.rows)
        times = [k / FPS for k in range(frames.shape[1])]
        spans = [(start, start + self.seconds) for start in self.starts.tolist()]
        chosen = frame_indices(times, spans, 2)
        still = torch.rand(BATCH, 1, generator=draw) < _STILL
        moment = (chosen[:, :1] + torch.rand(BATCH, 1, generator=draw) * (chosen[:, 1:] - chosen[:, :1])).round().long()
        chosen = torch.where(still, moment, chosen)
        pairs = frames[torch.arange(BATCH)[:, None], chosen]
        return clip_input(roughened_frames(pairs, draw).transpose(1, 2), "squash")[:, 0]

    def mels(self, draw: torch.Generator) -> torch.Tensor:
        """The audio tower's input, (B, 1, 128, 204)."""
        sounds = roughened_sounds(self.data.sounds(self.rows), draw)
        firsts = (self.starts * SAMPLE_RATE).long().tolist()
        length = round(self.seconds * SAMPLE_RATE)
        spans = torch.stack([sound[first : first + length] for sound, first in zip(sounds, firsts)])
        return audio_input(spans, SAMPLE_RATE, [(Fraction(0), Fraction(self.seconds))])[:, 0]


def _bound(similarity: torch.Tensor, same: torch.Tensor) -> torch.Tensor:
    """The contrastive loss of similarities (B, B) in both directions.

    same: (B, B), which spans have the same label. Half of each row's target goes to its own partner and half to all
    partners of the same label.
    """
    partner = torch.eye(len(similarity), device=similarity.device)
    wanted = 0.5 * partner + 0.5 * same / same.sum(dim=1, keepdim=True)
    return -0.5 * (
        (similarity.log_softmax(dim=1) * wanted).sum(dim=1).mean()
        + (similarity.log_softmax(dim=0) * wanted.T).sum(dim=0).mean()
    )


def _patches(count: int, batch: int, draw: torch.Generator) -> torch.Tensor:
    """The numbers of the patches that each row keeps, (batch, 0.4 * count)."""
    return torch.rand(batch, count, generator=draw).argsort(dim=1)[:, : round(_KEPT * count)]


def _one_each(texts: list[list[str]], draw: torch.Generator) -> list[str]:
    """A random text of each event."""
    return [choices[int(torch.randint(len(choices), (1,), generator=draw))] for choices in texts]


def _unit(embedding: torch.Tensor) -> torch.Tensor:
    """Normalise embeddings to length 1."""
    return F.normalize(embedding, dim=-1)


def _masked_mean(values: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """The mean of the values under a mask; 0 where the mask is empty."""
    return (values * mask).sum() / mask.sum().clamp(min=1)
