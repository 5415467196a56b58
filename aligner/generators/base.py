"""What every generator offers: to the guided loop, to whatever renders its results, and to the host that runs it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from types import MappingProxyType
from typing import Any, Protocol

import torch
from torch import nn

from ..media.container import Source
from ..timing.intervals import Interval
from .signals import Frames, LatentFrames, Signal, Sound

#: A network of diffusers or transformers, whose configs and calls have no types.
Network = Any

#: Tensors by stream, such as {"audio": latent, "video": latent}.
Streams = dict[str, torch.Tensor]


@dataclass(frozen=True)
class BackwardPass:
    """What a stream's gradient passes through beside the decoder.

    to_latents: it reaches the latent through the denoising network. to_prompt: it reaches the prompt embedding,
    through the conditional half of classifier-free guidance. checkpointing: activations are recomputed, not kept.
    through_step: it reaches through all evaluations of the network in a step, where a sampler takes several.
    """

    to_latents: bool
    to_prompt: bool
    checkpointing: bool
    through_step: bool = False

    def together(self, other: BackwardPass) -> BackwardPass:
        """What both pass through. Activations are kept where one of them keeps them."""
        return BackwardPass(
            self.to_latents or other.to_latents,
            self.to_prompt or other.to_prompt,
            self.checkpointing and other.checkpointing,
            self.through_step or other.through_step,
        )


#: No stream is moved by a gradient.
NO_GRADIENT: Mapping[str, BackwardPass] = MappingProxyType({})


@dataclass(frozen=True)
class Footprint:
    """Bytes of activations beside the weights.

    kept: held from the denoising network to the end of the backward pass. passing: the largest of what comes and goes.
    """

    kept: float
    passing: float

    def scaled(self, factor: float) -> Footprint:
        """The same for more samples, or for numbers of another size."""
        return Footprint(self.kept * factor, self.passing * factor)


class Outcome(Protocol):
    """What a run makes, as far as a comparison asks: the streams, their length, and the device to compare on."""

    @property
    def streams(self) -> tuple[str, ...]:
        """The names of the streams."""

    @property
    def seconds(self) -> Fraction:
        """Length of the result."""

    @property
    def device(self) -> torch.device:
        """Where streams and conditions are compared."""


class Denoiser(Protocol):
    """What the guided loop needs: a generator with prompt strength, schedule and length chosen for one run.

    A denoiser owns one or more streams. Its methods take and return dicts by stream, in float32, and the index of the
    denoising step, 0 to steps - 1. At a step that is not a stream's own, `predict`, `x0` and `step` leave that stream
    out; every stream takes part in step 0. Latents may be given without one of the groups of coupled streams: then
    that group is left out as well. The third dimension of every latent is time.

    It may have `movable_streams`, the names of streams that mean the same when their latent is moved in time.
    """

    @property
    def streams(self) -> tuple[str, ...]:
        """The names of the streams that it owns."""

    @property
    def coupled_streams(self) -> tuple[tuple[str, ...], ...]:
        """The streams, grouped by dependence: those of a group influence each other."""

    @property
    def steps(self) -> int:
        """How many denoising steps are taken."""

    @property
    def device(self) -> torch.device:
        """Where latents and prompts are."""

    def active_streams(self, index: int) -> tuple[str, ...]:
        """The streams that take a step at an index."""

    def start(self, generators: Sequence[torch.Generator], clean: Streams | None = None) -> Streams:
        """The latents of step 0, one sample per generator: noise, or clean latents (B, ...) with noise added."""

    def noised(self, clean: Streams, noise: Streams, index: int) -> Streams:
        """Clean latents with the noise of the moment at which step `index` begins (eq. 2); none after the last."""

    def unconditional(self, latents: Streams, index: int) -> Streams:
        """The part of the prediction that does not depend on the prompt, without a graph, for `predict` to reuse.

        Empty where there is none, as without classifier-free guidance.
        """

    def predict(self, latents: Streams, prompts: Streams, index: int, unconditional: Streams | None = None) -> Streams:
        """The network's output after classifier-free guidance, differentiable in latents and prompts.

        unconditional: by stream, what `unconditional` returned for the same latents and index.
        """

    def x0(self, latents: Streams, output: Streams, index: int) -> Streams:
        """The clean latents that an output stands for: affine in latents and output."""

    def step(self, latents: Streams, output: Streams, index: int) -> Streams:
        """The scheduler's step to the next, less noisy latents."""


class Renderer(Protocol):
    """How results are rendered: their length, their segments and their signals."""

    @property
    def seconds(self) -> Fraction:
        """Length of the result."""

    @property
    def segments(self) -> tuple[Interval, ...]:
        """The intervals that are far enough apart to be chosen one by one, in order; one for a short result."""

    def render(self, clean: Streams) -> Mapping[str, Signal]:
        """Clean latents as sound and frames, differentiable."""


class HostedModel(Protocol):
    """What a host needs: prompts as embeddings, how much memory a step takes, and where memory can be saved."""

    def prompts(self, prompts: Mapping[str, Sequence[str]] | Sequence[str]) -> Streams:
        """The prompt embeddings of a batch of texts: the same texts for every stream, or texts by stream."""

    def footprint(self, batch: int, backward: Mapping[str, BackwardPass] = NO_GRADIENT) -> Footprint:
        """About how much memory a step of so many samples takes beside the weights, without a binder.

        backward: by stream, for those whose latent or prompt a gradient moves.
        """

    def modality(self, stream: str) -> str:
        """What a binder takes a stream for: "audio", "video", or "image" for a single frame."""

    def checkpointable(self) -> Iterable[nn.Module]:
        """The modules whose activations are worth recomputing instead of keeping."""


class Generator(Denoiser, Renderer, HostedModel, Protocol):
    """A generator made ready for one run."""


class AudioGenerator(Generator, Protocol):
    """A generator of the stream "audio". samples: the length asked for."""

    samples: int

    def render(self, clean: Streams) -> Mapping[str, Sound]:
        """A clean latent as sound."""


class VideoGenerator(Generator, Protocol):
    """A generator of the stream "video". frames, fps: those asked for."""

    frames: int
    fps: Fraction

    def render(self, clean: Streams) -> Mapping[str, Frames | LatentFrames]:
        """A clean latent as frames."""


class AudioModel(Protocol):
    """Weights that make sound, as loaders return them. Their child modules move between devices.

    A child called "text_encoder" reads prompts and is moved by itself; one called "vae" encodes sounds.

    Of `denoiser` window_seconds may be 0: the model's own choice.
    """

    sample_rate: int

    def latent_shape(self, samples: int) -> tuple[int, ...]:
        """(channels, frames, ...) of a latent that decodes to at least so many samples."""

    def latent_samples(self, latent: torch.Tensor) -> int:
        """How many samples a latent (B, channels, frames, ...) stands for."""

    def encode(self, waveform: torch.Tensor) -> torch.Tensor:
        """Mono sound (B, n) in -1..1 at the model's rate -> clean latents."""

    def denoiser(
        self,
        *,
        seconds: Fraction | float,
        steps: int,
        cfg: float,
        negative_prompt: str,
        denoise: float,
        window_seconds: float,
    ) -> AudioGenerator:
        """Make ready for one run."""


class JointGenerator(Generator, Protocol):
    """A generator of the streams "video" and "audio" by one network. frames, samples, fps: of one clip."""

    frames: int
    samples: int
    fps: Fraction


class JointModel(Protocol):
    """Weights that make video and sound together, as loaders return them. Their child modules move between devices."""

    def video_latent(self, frames: torch.Tensor, fps: Fraction) -> torch.Tensor:
        """Frames (N, 3, H, W) in 0..1 at a rate -> the clean latent (1, C, F, h, w) of the stream "video"."""

    def video_file_latent(self, source: Source, seconds: float = 0.0) -> torch.Tensor:
        """The same of a video file. Full frames are in memory one by one. seconds: from its beginning; 0: all."""

    def audio_latent(self, waveform: torch.Tensor, sample_rate: int) -> torch.Tensor:
        """Sound (channels, n) in -1..1 -> the clean latent (1, 1, T) of the stream "audio"."""

    def denoiser(self, *, steps: int, sampler: str) -> JointGenerator:
        """Make ready for one run."""


class VideoModel(Protocol):
    """Weights that make frames, as loaders return them. Their child modules move between devices.

    compression: pixels per latent pixel along each side. latent_channels: of a latent. latent_scale: latents divided by
    it are what the VAE of the model decodes.

    Of `denoiser` height, width and cfg may be 0: the model's own.
    """

    compression: int
    latent_channels: int
    latent_scale: float

    def encode(self, frames: torch.Tensor) -> torch.Tensor:
        """Frames (F, 3, H, W) in 0..1 -> clean latents (1, C, F, h, w)."""

    def denoiser(
        self,
        *,
        frames: int,
        height: int,
        width: int,
        fps: Fraction | float,
        steps: int,
        cfg: float,
        negative_prompt: str,
        denoise: float,
        decoding: str,
        window_frames: int,
    ) -> VideoGenerator:
        """Make ready for one run."""
