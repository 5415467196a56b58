"""A custom node pack of somebody else with a rule and a binder for our sockets. It imports nothing of ours.

The tests copy this file into the custom_nodes of their server.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import Any

import torch
from comfy_api.latest import ComfyExtension, io

#: Parts of a clip whose loudness is measured, and the width of an embedding.
PARTS, WIDTH = 8, 4


@dataclass(frozen=True)
class Comparison:
    compare: str = "per_clip"
    clips: str = "short"
    text_weight: float = 0.0
    audio_timing_weight: float = 0.0
    video_timing_weight: float = 0.0


@dataclass(frozen=True)
class Scaled:
    """A rule that scales the noise of the first step and moves nothing afterwards."""

    factor: float
    comparison: Comparison = Comparison()
    guides: bool = True

    def begin(self, run, latents, prompts):
        return run.state({stream: latent * self.factor for stream, latent in latents.items()}, prompts)

    def step(self, run, state, index):
        return run.plain_step(state, index)

    def passes(self, scope):
        return scope.denoiser.steps

    def backward(self, streams):
        return {}

    def savings(self):
        return {}

    def frugal(self):
        return self

    def without_prompts(self):
        return self

    def require_effect(self, streams, steps):
        pass

    def require_reach(self, scope, first=0):
        pass


@dataclass(frozen=True)
class Embedding:
    clips: torch.Tensor
    spans: Any
    modality: str
    binder: str
    heads: dict = field(default_factory=dict)

    def towards(self, modality):
        return self

    def mean(self, strengths=None):
        return self.clips.mean(dim=1)

    def mapped(self, function):
        return replace(self, clips=function(self.clips))


class Halves:
    """Every recording is two clips."""

    def count_for(self, duration):
        return 2

    def spans(self, duration, count=None):
        half = Fraction(duration) / 2
        return [(0 * half, half), (half, 2 * half)]


class Sampling:
    audio = video = Halves()
    frames_per_clip, crops = 1, "squash"


class Loudness(torch.nn.Module):
    """A binder that hears how loud each part of a clip is."""

    identity, fingerprint = "Loudness", "loudness-1"
    samplings = {"short": Sampling()}
    parts = {"audio": "ears"}
    mean_colour = (0.5, 0.5, 0.5)

    def __init__(self):
        super().__init__()
        with torch.random.fork_rng():
            torch.manual_seed(0)
            self.ears = torch.nn.Linear(PARTS, WIDTH, bias=False).requires_grad_(False)

    def embed_audio(self, waveform, sample_rate, sampling, count=None, at_once=None):
        cut = sampling.audio
        spans = cut.spans(waveform.shape[1] / sample_rate, count)
        clips = [waveform[:, int(start * sample_rate) : int(end * sample_rate)] for start, end in spans]
        loudness = [torch.nn.functional.adaptive_avg_pool1d(clip.abs(), PARTS) for clip in clips]
        embedded = self.ears(torch.stack(loudness, dim=1).to(self.ears.weight))
        return Embedding(embedded, tuple((float(a), float(b)) for a, b in spans), "audio", self.fingerprint)

    def blocks(self):
        return []

    def activation_bytes(self, modality, clips, sampling, *, checkpointing):
        return 0


class ScaledNoise(io.ComfyNode):
    @classmethod
    def define_schema(cls):
        return io.Schema(
            node_id="OtherPackScaledNoise",
            inputs=[io.Float.Input("factor", default=1.0)],
            outputs=[io.Custom("SEEING_HEARING_GUIDANCE").Output()],
        )

    @classmethod
    def execute(cls, factor) -> io.NodeOutput:
        return io.NodeOutput(Scaled(factor))


class LoudnessBinder(io.ComfyNode):
    @classmethod
    def define_schema(cls):
        return io.Schema(
            node_id="OtherPackLoudnessBinder",
            inputs=[],
            outputs=[io.Custom("SEEING_HEARING_BINDER").Output()],
        )

    @classmethod
    def execute(cls) -> io.NodeOutput:
        return io.NodeOutput(Loudness())


class OtherPack(ComfyExtension):
    async def get_node_list(self):
        return [ScaledNoise, LoudnessBinder]


async def comfy_entrypoint() -> ComfyExtension:
    return OtherPack()
