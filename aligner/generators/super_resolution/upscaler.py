"""Super-resolution of the frames of a video by diffusion: MM-Diffusion enlarges its results from 64 to 256 pixels."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import nn

from ... import settings
from ...errors import AlignerError
from ...parts import in_parts
from ...tensors.precision import dtype_of, full_precision
from ..mm_diffusion.ddim import DDIM
from ..mm_diffusion.sampler import Moment
from ..mm_diffusion.schedule import alphas_cumprod
from .unet import SuperResolutionUNet

#: Large pixels that are denoised together: four frames of 256 x 256.
_PIXELS_AT_ONCE = 4 * 256 * 256
#: Activations in float32 per large pixel and channel of the first level, in bytes.
_BYTES_PER_CHANNEL = 60
#: The longest side of small frames. Attention among the pixels of larger ones outgrows every device.
_LONGEST = 128


class Upscaler(nn.Module):
    """The frozen weights of a super-resolution network."""

    def __init__(self, unet: SuperResolutionUNet):
        super().__init__()
        self.unet = unet
        self.eval().requires_grad_(False)

    @property
    def device(self) -> torch.device:
        return next(self.unet.parameters()).device

    def activation_bytes(self, height: int, width: int) -> int:
        """About how many bytes a step on small frames of this size takes beside the weights."""
        config = self.unet.config
        pixels = max(_PIXELS_AT_ONCE, height * width * config.scale**2)
        return int(pixels * config.channels * _BYTES_PER_CHANNEL * dtype_of(self).itemsize / 4)

    @torch.inference_mode(False)
    @torch.no_grad()
    def enlarged(
        self,
        frames: torch.Tensor,
        *,
        seed: int,
        steps: int = settings.UPSCALE_STEPS.default,
        on_step: Callable[[float], None] = lambda passed: None,
    ) -> torch.Tensor:
        """Frames (F, 3, h, w) in 0..1 -> (F, 3, H, W) in 0..1 on the CPU, larger by the scale of the network.

        All frames start from the same noise, so that what is invented does not flicker. A few frames are enlarged at a
        time. steps: of DDIM. on_step: called after every step with the part of all work that has passed; whatever it
        raises ends the work.

        Raises AlignerError for frames that are too large, and for those whose large sides the network cannot halve as
        often as it does.
        """
        if max(frames.shape[2:]) > _LONGEST:
            raise AlignerError(
                f"Frames of {frames.shape[3]} x {frames.shape[2]} pixels are too large: the network was trained on "
                f"64 x 64 and takes up to {_LONGEST} along a side. Scale them down before."
            )
        height, width = (side * self.unet.config.scale for side in frames.shape[2:])
        _require_sides(height, width, 2 ** (len(self.unet.config.multipliers) - 1), self.unet.config.scale)
        noise = torch.randn(1, 3, height, width, generator=torch.Generator().manual_seed(seed)).to(self.device)
        sampler, at_once = DDIM(alphas_cumprod(), steps), max(1, _PIXELS_AT_ONCE // (height * width))
        parts = frames.split(at_once)
        done: list[torch.Tensor] = []
        for number, part in enumerate(in_parts(parts)):
            small = 2 * full_precision(part).to(self.device) - 1
            latents = noise.expand(len(part), -1, -1, -1)
            for index in range(sampler.steps):
                latents = self._stepped(sampler, latents, small, index)
                on_step((number + (index + 1) / sampler.steps) / len(parts))
            done.append(((latents + 1) / 2).clamp(0, 1).cpu())
        return torch.cat(done)

    def _stepped(self, sampler: DDIM, latents: torch.Tensor, small: torch.Tensor, index: int) -> torch.Tensor:
        def noise(streams: dict[str, torch.Tensor], moment: Moment) -> dict[str, torch.Tensor]:
            timesteps = torch.full((len(small),), moment.timestep, device=small.device)
            return {"video": full_precision(self.unet(streams["video"], timesteps, small))}

        given = {"video": latents}
        return sampler.step(given, noise(given, sampler.moment(index)), index, noise)["video"]


def _require_sides(height: int, width: int, multiple: int, scale: int) -> None:
    if height % multiple or width % multiple:
        raise AlignerError(
            f"Frames of {width // scale} x {height // scale} pixels cannot be enlarged. Both sides must be multiples "
            f"of {max(1, multiple // scale)}; the network was trained on 64 x 64."
        )
