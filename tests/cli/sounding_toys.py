"""A rule, a binder and generators as another package offers them: small, and without weights."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction

import torch
from torch import nn

from aligner.binders.base import Embedding, in_seconds
from aligner.binders.imagebind import ImageBind
from aligner.generators.base import NO_GRADIENT, Footprint
from aligner.generators.signals import Frames, Sound
from aligner.guidance.objective import Comparison
from aligner.guidance.rule import Rule, State
from aligner.timing.intervals import WHOLE

RATE = 16000


class Luckiest(Rule):
    """Draw four noises, look at each after one step, and continue with the best."""

    comparison = Comparison(text_weight=0.5, audio_timing_weight=0.0)

    @torch.no_grad()
    def begin(self, run, latents, prompts):
        def loss(noise):
            output = run.denoiser.predict(noise, prompts, 0)
            return run.objective(self)(run.render(run.denoiser.x0(noise, output, 0))).loss.item()

        return State(min([latents, *(run.draw() for _ in range(3))], key=loss), prompts)

    def step(self, run, state, index):
        return run.plain_step(state, index)


class Statistics(nn.Module):
    """A binder that sees and hears nothing but means and deviations."""

    identity, fingerprint, samplings = "Statistics", "statistics", ImageBind.samplings
    parts = dict.fromkeys(("text", "image", "video", "audio"), "projection")
    mean_colour = (0.5, 0.5, 0.5)

    def __init__(self, path: str, dtype: torch.dtype):
        super().__init__()
        self.path, self.dtype = path, dtype
        self.projection = nn.Linear(3, 8, dtype=dtype).requires_grad_(False)

    def embed_text(self, texts):
        lengths = torch.tensor([float(len(text)) for text in texts])
        return self._embedding(torch.stack([lengths, lengths / 7], dim=-1)[:, None], None, "text")

    def embed_image(self, pixels):
        return self._embedding(_statistics(pixels.float(), (1, 2, 3))[:, None], None, "image")

    def embed_frames(self, frames, indices, spans, sampling):
        clips = frames.float()[indices]
        return self._embedding(_statistics(clips, (1, 2, 3, 4))[None], in_seconds(spans), "video")

    def embed_audio(self, waveform, sample_rate, sampling, count=None, at_once=None):
        spans = sampling.audio.spans(waveform.shape[1] / sample_rate, count)
        cuts = [waveform[:, int(start * sample_rate) : int(end * sample_rate)] for start, end in spans]
        return self._embedding(torch.stack([_statistics(cut, (1,)) for cut in cuts], dim=1), in_seconds(spans), "audio")

    def blocks(self):
        return []

    def activation_bytes(self, modality, clips, sampling, *, checkpointing):
        return 0

    def _embedding(self, statistics, spans, modality):
        weight = self.projection.weight.float()
        ones = torch.ones_like(statistics[..., :1])
        return Embedding(torch.cat([statistics, ones], dim=-1) @ weight.T, spans, modality, self.fingerprint)


def _statistics(values: torch.Tensor, dims: tuple[int, ...]) -> torch.Tensor:
    return torch.stack([values.mean(dims), values.var(dims, unbiased=False).sqrt()], dim=-1)


class Toy:
    """The weights of a toy generator: none. It is no module, and needs no device."""

    def __init__(self, path: str, dtype: torch.dtype):
        self.path, self.dtype = path, dtype


class Hum(Toy):
    """A generator of sound."""

    def denoiser(self, **settings):
        return HumDenoiser(**settings)


class Fog(Toy):
    """A generator of frames."""

    def denoiser(self, **settings):
        return FogDenoiser(**settings)


class ToyDenoiser:
    """Noise that loses half of itself on its way to a result."""

    stream: str
    shape: tuple[int, ...]
    seconds: Fraction
    segments, device = (WHOLE,), torch.device("cpu")

    def __init__(self, **settings):
        self.settings, self.steps = settings, settings["steps"]
        self.streams, self.coupled_streams = (self.stream,), ((self.stream,),)

    def active_streams(self, index):
        return self.streams

    def prompts(self, prompts):
        texts = prompts[self.stream] if isinstance(prompts, Mapping) else prompts
        return {self.stream: torch.tensor([[float(len(text))] for text in texts])}

    def start(self, generators, clean=None):
        return {self.stream: torch.stack([torch.randn(self.shape, generator=each) for each in generators])}

    def noised(self, clean, noise, index):
        return {name: latent + noise[name] * (1 - index / self.steps) for name, latent in clean.items()}

    def unconditional(self, latents, index):
        return {}

    def predict(self, latents, prompts, index, unconditional=None):
        return {self.stream: latents[self.stream] / 2}

    def x0(self, latents, output, index):
        return {self.stream: latents[self.stream] - output[self.stream]}

    def step(self, latents, output, index):
        return {self.stream: latents[self.stream] - output[self.stream] / self.steps}

    def footprint(self, batch, backward=NO_GRADIENT):
        return Footprint(0, 0)

    def modality(self, stream):
        return stream

    def checkpointable(self):
        return []


class HumDenoiser(ToyDenoiser):
    """Its latent is the sound, 100 values per second."""

    stream = "audio"

    def __init__(self, *, seconds, **settings):
        self.samples = round(seconds * RATE)
        self.seconds, self.shape = Fraction(self.samples, RATE), (1, -(-self.samples // 160))
        super().__init__(**settings)

    def render(self, clean):
        waveform = clean["audio"][:, 0].tanh().repeat_interleave(160, dim=1)
        return {"audio": Sound(waveform, RATE, self.samples)}


class FogDenoiser(ToyDenoiser):
    """Its latent is one grey value per frame."""

    stream = "video"

    def __init__(self, *, frames, height, width, fps, **settings):
        self.frames, self.height, self.width, self.fps = frames, height, width, fps
        self.seconds, self.shape = frames / fps, (1, frames, 1, 1)
        super().__init__(**settings)

    def render(self, clean):
        grey = clean["video"].sigmoid().transpose(1, 2)
        return {"video": Frames(grey.expand(-1, -1, 3, self.height, self.width), self.fps)}
