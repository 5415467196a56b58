"""Networks and configs of diffusers where ComfyUI expects its own."""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import comfy.sd
import torch
from comfy import model_management
from comfy.model_base import ModelType
from comfy.model_patcher import ModelPatcher
from torch import nn

#: ComfyUI's names of noise schedules and predictions, by those of diffusers.
_SCHEDULES = {"linear": "sqrt_linear", "scaled_linear": "linear"}
_PREDICTIONS = {"epsilon": ModelType.EPS, "v_prediction": ModelType.V_PREDICTION}
#: About how many numbers a VAE holds at once for each pixel or sample, several times what the demo's hold.
_HELD = 300


class WholePatcher(ModelPatcher):
    """Loads all weights at once. Only ComfyUI's own kinds of layers fetch theirs while they run."""

    def load(self, device_to=None, lowvram_model_memory=0, force_patch_weights=False, full_load=False):
        super().load(device_to, lowvram_model_memory, force_patch_weights, full_load=True)


def noise_schedule(scheduler: Mapping[str, Any]) -> dict[str, Any]:
    """The config of a scheduler of diffusers as a ComfyUI model's `sampling_settings`."""
    return {
        "beta_schedule": _SCHEDULES[scheduler["beta_schedule"]],
        "linear_start": scheduler["beta_start"],
        "linear_end": scheduler["beta_end"],
        "timesteps": scheduler["num_train_timesteps"],
    }


def prediction(scheduler: Mapping[str, Any]) -> ModelType:
    """What a model with this config predicts."""
    return _PREDICTIONS[scheduler["prediction_type"]]


def vae_of(network: nn.Module, *, ratio: int, channels: int, dimensions: int, **traits: Any) -> comfy.sd.VAE:
    """ComfyUI's VAE around a network with the methods `encode` and `decode`, in float32.

    ratio: how many pixels, along each side, or samples a place of a latent stands for. channels, dimensions: of a
    latent, without the batch. traits: further attributes of the VAE.
    """
    # ComfyUI makes the network that it recognises by names of weights, and knows no way to give it one. So this is its
    # VAE that leaves pixels as they are, with another network in its place.
    vae = comfy.sd.VAE(sd={"pixel_space_vae": torch.tensor(1.0)}, dtype=torch.float32)
    vae.first_stage_model = network.eval()
    vae.patcher = WholePatcher(network, load_device=vae.device, offload_device=model_management.vae_offload_device())
    vae.size = model_management.module_size(network)
    vae.latent_channels, vae.latent_dim = channels, dimensions
    vae.upscale_ratio = vae.downscale_ratio = ratio
    vae.memory_used_decode = _memory(_HELD * ratio**dimensions)
    vae.memory_used_encode = _memory(_HELD)
    for name, value in traits.items():
        setattr(vae, name, value)
    return vae


def _memory(numbers: int) -> Callable[[Sequence[int], torch.dtype], int]:
    """The bytes that an input of some shape (B, C, ...) takes, with so many numbers for each of its places."""
    return lambda shape, dtype: numbers * math.prod(shape[2:]) * dtype.itemsize
