"""What every generator offers to the guided loop."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fractions import Fraction
from typing import Protocol

import torch
from torch import nn

from ..guidance.rule import Guidance
from ..timing.intervals import Part
from .signals import Signal

Streams = dict[str, torch.Tensor]


class Denoiser(Protocol):
    """A generator made ready for one run: prompt strength, schedule and length are chosen.

    It owns one or more streams. Every method takes and returns dicts keyed by stream, in float32, and the index of the
    denoising step, 0 to steps - 1. At a step that is not a stream's own, `predict`, `x0` and `step` leave that stream
    out of what they return; every stream takes part in step 0.

    couplings: the streams, those together that depend on each other. Latents may be given without one of these groups:
    then it is left out as well. The third dimension of every latent is time: seconds is how long it lasts, and pieces
    are the parts of it that are far enough from each other to be chosen by themselves, in order; one where it is short.
    """

    streams: tuple[str, ...]
    couplings: tuple[tuple[str, ...], ...]
    steps: int
    device: torch.device
    seconds: Fraction
    pieces: tuple[Part, ...]

    def stepping(self, index: int) -> tuple[str, ...]:
        """The streams that take a step at an index."""

    def start(self, generators: Sequence[torch.Generator], clean: Streams | None = None) -> Streams:
        """The latents of step 0, one sample of the batch per generator: noise, or clean latents with noise upon them
        where the denoiser was made to keep a part of them."""

    def noised(self, clean: Streams, noise: Streams, index: int) -> Streams:
        """Clean latents with as much noise upon them as there is when step `index` begins; none after the last."""

    def predict(self, latents: Streams, prompts: Streams, index: int) -> Streams:
        """The network's output for the noisy latents, differentiable in latents and prompts, after CFG."""

    def x0(self, latents: Streams, output: Streams, index: int) -> Streams:
        """The clean latents that the output stands for: affine in both (`x0_coefficients`)."""

    def step(self, latents: Streams, output: Streams, index: int) -> Streams:
        """The scheduler's step to the next, less noisy latents."""

    def render(self, clean: Streams) -> dict[str, Signal]:
        """Clean latents as sound or frames, differentiable."""

    def prompts(self, prompts: Sequence[str]) -> Streams:
        """The prompt embeddings of a batch of texts, for every stream."""

    def activation_bytes(self, batch: int, guidance: Guidance | None = None) -> int:
        """About how much memory a step of so many variations needs beside the weights."""

    def checkpointable(self) -> Iterable[nn.Module]:
        """The modules whose activations are worth recomputing instead of keeping."""
