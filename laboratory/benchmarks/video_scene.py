"""The inputs of a guided step of audio-to-video: networks, a latent, a prompt and two conditions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

import torch
from torch import nn

from aligner.binders.base import Embedding, sampling_of
from aligner.binders.imagebind import HUGE, ImageBind, ImageBindConfig
from aligner.generators.animatediff import STREAM, AnimateDiff, AnimateDiffDenoiser
from aligner.generators.stable_diffusion.networks import (
    empty_network,
    network_class,
    published_config,
    settle,
)
from aligner.guidance.objective import PUBLISHED, Objective
from aligner.guidance.pairs import Pair

from ..random_imagebind import random_imagebind
from ..random_models import (
    IMAGEBIND_CONFIG,
    MOTION,
    SD_SCHEDULER,
    SD_TEXT,
    SD_UNET,
    SD_VAE,
    randomise,
)
from .fakes import Fakes

#: "small": small random models. "full": Stable Diffusion 1.5, AnimateDiff v2, ImageBind-huge.
SIZES = ("small", "full")

#: The config of a motion module of the second version (mm_sd_v15_v2.ckpt).
_MOTION_V2 = {"use_motion_mid_block": True, "motion_max_seq_length": 32}

_PROMPT_LENGTH = 77


class _ConstantTokenizer:
    """Returns the same tokens for every text, because the cost of a step does not depend on them."""

    model_max_length = _PROMPT_LENGTH

    def __call__(self, texts: list[str], **_) -> SimpleNamespace:
        return SimpleNamespace(input_ids=torch.zeros(len(texts), _PROMPT_LENGTH, dtype=torch.long))


@dataclass(frozen=True)
class VideoScene:
    """Networks, and the inputs of a step as AnimateDiffDenoiser takes them, for a batch of one."""

    model: AnimateDiff
    binder: ImageBind
    latent: torch.Tensor
    prompt: torch.Tensor
    conditions: dict[str, Embedding]

    def denoiser(self, decoding: str = "exact") -> AnimateDiffDenoiser:
        """AnimateDiff ready to take one step, at 8 frames per second and cfg 7.5."""
        frames, height, width = self.latent.shape[2:]
        side = self.model.compression
        return self.model.denoiser(frames=frames, height=height * side, width=width * side, steps=1, decoding=decoding)

    @property
    def objective(self) -> Objective:
        """The paper's loss of audio-to-video, F(v, a) + F(v, p), eq. 14."""
        sampling = sampling_of(self.binder, PUBLISHED.clips)
        return Objective(
            lambda signal, binder: signal.embed(self.binder, sampling),
            self.conditions,
            [Pair(STREAM, label) for label in self.conditions],
            PUBLISHED.compare,
        )

    @property
    def working(self) -> list[nn.Module]:
        """The networks that a step needs. The others work before the first step."""
        return [self.model.unet, self.model.vae, self.binder.vision]

    @property
    def networks(self) -> list[nn.Module]:
        """All networks."""
        return [self.model, self.binder]


def fake_video_scene(size: str, frames: int, height: int, width: int, dtype: torch.dtype) -> VideoScene:
    """A scene of one of the SIZES, made of fakes, which takes no memory."""
    fakes = Fakes()
    parts = {name: fakes.network(part, dtype) for name, part in _empty_parts(size).items()}
    return _scene(parts, fakes.network(_empty_imagebind(size), dtype), frames, height, width, fakes.empty)


def random_video_scene(
    size: str, frames: int, height: int, width: int, dtype: torch.dtype, device: torch.device, seed: int = 0
) -> VideoScene:
    """The same scene with random weights. The networks that a step needs are on the device, the others on the CPU."""
    generator = torch.Generator().manual_seed(seed)
    # torch's own method: that of diffusers warns, because it recommends to cast while loading.
    parts = {name: nn.Module.to(_filled(part, generator), dtype) for name, part in _empty_parts(size).items()}
    binder = random_imagebind(_imagebind_config(size), seed).to(dtype)
    for part in (parts["unet"], parts["vae"], binder.vision):
        part.to(device)

    def draw(*shape: int) -> torch.Tensor:
        return torch.randn(shape, generator=generator).to(device)

    return _scene(parts, binder, frames, height, width, draw)


def _scene(
    parts: dict[str, nn.Module],
    binder: ImageBind,
    frames: int,
    height: int,
    width: int,
    tensor: Callable[..., torch.Tensor],
) -> VideoScene:
    """tensor: makes a float32 tensor of a shape."""
    model = AnimateDiff(**parts, tokenizer=_ConstantTokenizer(), scheduler_config=SD_SCHEDULER)
    latent = tensor(1, model.unet.config.in_channels, frames, height // model.compression, width // model.compression)
    prompt = tensor(1, _PROMPT_LENGTH, model.unet.config.cross_attention_dim)
    conditions = {
        modality: Embedding(tensor(1, clips, binder.config.embed_dim), None, modality, binder.fingerprint)
        for modality, clips in (("audio", 2), ("text", 1))
    }
    return VideoScene(model, binder, latent, prompt, conditions)


def _empty_parts(size: str) -> dict[str, nn.Module]:
    """U-Net with motion modules, VAE and text encoder, on the meta device."""
    from diffusers import MotionAdapter, UNetMotionModel

    full = size == "full"
    configs = {"unet": SD_UNET, "vae": SD_VAE, "text_encoder": SD_TEXT}
    parts = {
        name: empty_network(network_class(name), published_config(name) if full else config, Path(__file__))
        for name, config in configs.items()
    }
    motion = empty_network(MotionAdapter, _MOTION_V2 if full else MOTION, Path(__file__))
    with torch.device("meta"):
        return parts | {"unet": UNetMotionModel.from_unet2d(parts["unet"], motion, load_weights=False)}


def _empty_imagebind(size: str) -> ImageBind:
    with torch.device("meta"):
        return ImageBind(_imagebind_config(size))


def _imagebind_config(size: str) -> ImageBindConfig:
    return HUGE if size == "full" else IMAGEBIND_CONFIG


def _filled(network: nn.Module, generator: torch.Generator) -> nn.Module:
    """Fill a network with random weights. Buffers, which hold positions, become zero; the cost is the same."""
    network.to_empty(device="cpu")
    for buffer in network.buffers():
        buffer.zero_()
    settle(network)
    randomise(network, generator)
    return network
