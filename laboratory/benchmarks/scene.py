"""The inputs of a guided step of video-to-audio: networks with random weights, a latent, a prompt and a video.

The cost of a step depends on the shapes of the weights, not on their values.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from aligner.binders.imagebind import HUGE, ImageBind
from aligner.binders.imagebind.towers import CLIP_FRAMES, IMAGE_SIDE
from aligner.generators.audioldm import AudioLDM, AudioLDMDenoiser

from ..random_imagebind import random_imagebind
from ..random_models import IMAGEBIND_CONFIG, SCHEDULER, load_random_audioldm, randomise

PROMPT = "a dog barks"

#: Channels of AudioLDM's U-Net as published: cvssp/audioldm-s-full-v2, -m-full and -l-full.
PUBLISHED_CHANNELS = {"s": (128, 256, 384, 640), "m": (192, 384, 576, 960), "l": (256, 512, 768, 1280)}

#: "small": small random models. The others: AudioLDM of that size with ImageBind-huge.
SIZES = ("small", *PUBLISHED_CHANNELS)

#: The timestep of a schedule of one step, set by its offset: a noise level at which guidance has an effect.
_TIMESTEP = 200


@dataclass(frozen=True)
class Scene:
    """The networks and inputs of one guided step.

    latent, prompt: as AudioLDMDenoiser takes them, for a batch of one. clips: (S, 2, 3, 224, 224) in 0..1, random
    pixels, one clip for every second or part of a second.
    """

    denoiser: AudioLDMDenoiser
    binder: ImageBind
    latent: torch.Tensor
    prompt: torch.Tensor
    clips: torch.Tensor

    @property
    def weights(self) -> list[torch.Tensor]:
        """All parameters and buffers of the networks."""
        return [
            tensor
            for network in (self.denoiser.model, self.binder)
            for tensor in (*network.parameters(), *network.buffers())
        ]


def make_scene(size: str, seconds: float, seed: int, device: torch.device, dtype: torch.dtype = torch.float32) -> Scene:
    """A scene of one of the SIZES for so many seconds of sound. The same seed gives the same scene."""
    scheduler = SCHEDULER | {"steps_offset": _TIMESTEP}
    model, binder = (network.to(device, dtype) for network in random_networks(size, seed, scheduler))
    denoiser = model.denoiser(seconds=seconds, steps=1)
    generator = torch.Generator().manual_seed(seed)
    clips = torch.rand(math.ceil(seconds), CLIP_FRAMES, 3, IMAGE_SIDE, IMAGE_SIDE, generator=generator)
    return Scene(
        denoiser,
        binder,
        denoiser.start([generator])["audio"],
        denoiser.prompts([PROMPT])["audio"],
        clips.to(device, dtype),
    )


def random_networks(
    size: str, seed: int, scheduler_config: Mapping[str, Any] = SCHEDULER
) -> tuple[AudioLDM, ImageBind]:
    """AudioLDM and ImageBind of one of the SIZES, in float32. scheduler_config: of AudioLDM."""
    # The text encoder works before the first step only, so that a small one serves all sizes.
    small = load_random_audioldm(seed)
    parts = {"unet": small.unet, "vae": small.vae, "vocoder": small.vocoder}
    if size in PUBLISHED_CHANNELS:
        parts = _published_parts(PUBLISHED_CHANNELS[size], torch.Generator().manual_seed(seed))
    audioldm = AudioLDM(
        **parts,
        text_encoder=small.text_encoder,
        tokenizer=small.tokenizer,
        scheduler_config=scheduler_config,
    )
    return audioldm, random_imagebind(HUGE if size in PUBLISHED_CHANNELS else IMAGEBIND_CONFIG, seed)


def _published_parts(channels: tuple[int, ...], generator: torch.Generator) -> dict[str, nn.Module]:
    from diffusers import AutoencoderKL, UNet2DConditionModel
    from transformers import SpeechT5HifiGan, SpeechT5HifiGanConfig

    crossing = len(channels) - 1
    unet = UNet2DConditionModel(
        sample_size=128,
        in_channels=8,
        out_channels=8,
        block_out_channels=channels,
        cross_attention_dim=channels,
        down_block_types=("DownBlock2D", *["CrossAttnDownBlock2D"] * crossing),
        up_block_types=(*["CrossAttnUpBlock2D"] * crossing, "UpBlock2D"),
        class_embed_type="simple_projection",
        projection_class_embeddings_input_dim=512,
        class_embeddings_concat=True,
    )
    vae = AutoencoderKL(
        in_channels=1,
        out_channels=1,
        latent_channels=8,
        block_out_channels=(128, 256, 512),
        layers_per_block=2,
        down_block_types=("DownEncoderBlock2D",) * 3,
        up_block_types=("UpDecoderBlock2D",) * 3,
        scaling_factor=0.9392935633659363,
    )
    vocoder = SpeechT5HifiGan(
        SpeechT5HifiGanConfig(
            model_in_dim=64,
            sampling_rate=16000,
            normalize_before=False,
            upsample_initial_channel=1024,
            upsample_rates=[5, 4, 2, 2, 2],
            upsample_kernel_sizes=[16, 16, 8, 4, 4],
        )
    )
    parts = {"unet": unet, "vae": vae, "vocoder": vocoder}
    for part in parts.values():
        randomise(part, generator)
    return parts
