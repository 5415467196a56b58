"""AnimateDiff (arXiv 2307.04725): text-to-video latent diffusion, from any Stable Diffusion 1.5 and a motion module."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import nn

from ... import settings
from ...errors import AlignerError
from ...tensors.precision import dtype_of, full_precision
from ..base import NO_GRADIENT, BackwardPass, Footprint, Network, Streams
from ..ddim import DDIMDenoiser, predicted
from ..signals import LatentFrames
from ..windows import Windows
from .memory import footprint

if TYPE_CHECKING:
    from ..stable_diffusion import Lora

STREAM = "video"

#: The schedule that motion modules were trained with (AnimateDiff's inference configs): linear, unlike the base's own.
MOTION_SCHEDULE = {
    "num_train_timesteps": 1000,
    "beta_start": 0.00085,
    "beta_end": 0.012,
    "beta_schedule": "linear",
    "steps_offset": 1,
    "clip_sample": False,
    "timestep_spacing": "linspace",
}

#: How Stable Diffusion 1.5 is sampled by DDIM, where a config for other samplers does not say: above all unclipped, as
#: latents go beyond -1..1.
PICTURE_SCHEDULE = {"steps_offset": 1, "clip_sample": False, "set_alpha_to_one": False}

#: How guidance decodes a frame. "half": from a latent of half the size, a quarter of the work; ImageBind shrinks frames
#: to 224 x 224 in any case. "taesd": with a tiny decoder that was trained to imitate the VAE's.
DECODINGS = settings.DECODING.choices

#: Width and height in pixels, and the scale of classifier-free guidance, that suit Stable Diffusion 1.5.
OWN_SIDE, OWN_CFG = 512, 7.5
#: Frames that motion modules were trained with, and the shortest window in which neighbours share a frame.
WINDOW, SHORTEST_WINDOW = 16, 4


class AnimateDiff(nn.Module):
    """The frozen weights: text encoder, U-Net with or without motion modules, image VAE, and the noise schedule.

    taesd: a tiny decoder beside the VAE's, or None. own_cfg: the scale of classifier-free guidance that suits it.
    """

    def __init__(
        self,
        unet: Network,
        vae: Network,
        text_encoder: Network,
        tokenizer,
        scheduler_config: dict,
        taesd: Network = None,
        own_cfg: float = OWN_CFG,
    ):
        super().__init__()
        self.own_cfg = own_cfg
        self.unet, self.vae, self.text_encoder, self.tokenizer = unet, vae, text_encoder, tokenizer
        self.taesd = taesd
        motion_schedule = {**MOTION_SCHEDULE, "prediction_type": scheduler_config.get("prediction_type", "epsilon")}
        self.scheduler_config = motion_schedule if self.has_motion else {**PICTURE_SCHEDULE, **scheduler_config}
        self.eval().requires_grad_(False)

    @property
    def device(self) -> torch.device:
        return self.unet.device

    @property
    def has_motion(self) -> bool:
        """Whether there are motion modules. Without them the model makes single pictures."""
        return "motion_max_seq_length" in self.unet.config

    @property
    def longest(self) -> int:
        """The most frames that the motion modules have positions for."""
        return self.unet.config.motion_max_seq_length if self.has_motion else 1

    @property
    def compression(self) -> int:
        """Pixels per latent pixel, along each side."""
        return 2 ** (len(self.vae.config.block_out_channels) - 1)

    @property
    def own_side(self) -> int:
        """Width and height in pixels of the pictures that it was trained with."""
        return self.unet.config.sample_size * self.compression

    @property
    def latent_channels(self) -> int:
        """Channels of a latent."""
        return self.unet.config.in_channels

    @property
    def latent_scale(self) -> float:
        """Latents divided by it are what the VAE decodes."""
        return self.vae.config.scaling_factor

    @torch.no_grad()
    def encode_prompts(self, prompts: Sequence[str]) -> torch.Tensor:
        """CLIP text embeddings (len(prompts), 77, width) float32; what exceeds 77 tokens is cut."""
        tokens = self.tokenizer(
            list(prompts),
            padding="max_length",
            truncation=True,
            max_length=self.tokenizer.model_max_length,
            return_tensors="pt",
        )
        ids = tokens.input_ids.to(self.text_encoder.device)
        return full_precision(self.text_encoder(ids).last_hidden_state).to(self.device)

    def decode(self, latents: torch.Tensor) -> torch.Tensor:
        """Latents (n, C, h, w) -> pictures (n, 3, H, W) float32 in 0..1, differentiable."""
        latents = latents.to(dtype_of(self.vae)) / self.vae.config.scaling_factor
        return _unit_range(self.vae.decode(latents).sample)

    def decode_half(self, latents: torch.Tensor) -> torch.Tensor:
        """The same at half the size: (n, 3, H / 2, W / 2), an approximation."""
        return self.decode(F.avg_pool2d(latents, 2, ceil_mode=True))

    def decode_tiny(self, latents: torch.Tensor) -> torch.Tensor:
        """The same by TAESD: (n, 3, H, W), an approximation."""
        return _unit_range(self.taesd(latents.to(dtype_of(self.taesd))))

    @torch.no_grad()
    def encode(self, frames: torch.Tensor) -> torch.Tensor:
        """Frames (F, 3, H, W) in 0..1 -> clean latents (1, C, F, h, w), one frame at a time."""
        pixels = frames.to(dtype_of(self.vae)) * 2 - 1
        latents = [self.vae.encode(frame[None].to(self.vae.device)).latent_dist.mode() for frame in pixels]
        return full_precision(torch.stack(latents, dim=2)) * self.vae.config.scaling_factor

    def denoiser(
        self,
        *,
        frames: int = settings.FRAMES.default,
        height: int = settings.HEIGHT.default,
        width: int = settings.WIDTH.default,
        fps: Fraction | float = settings.FPS.default,
        steps: int = settings.VIDEO_STEPS.default,
        cfg: float = settings.VIDEO_CFG.default,
        negative_prompt: str = "",
        denoise: float = settings.DENOISE.default,
        decoding: str = settings.DECODING.default,
        window_frames: int = settings.WINDOW_FRAMES.default,
    ) -> AnimateDiffDenoiser:
        """Make ready for one run; see AnimateDiffDenoiser."""
        return AnimateDiffDenoiser(
            self,
            frames=frames,
            height=height,
            width=width,
            fps=fps,
            steps=steps,
            cfg=cfg,
            negative_prompt=negative_prompt,
            denoise=denoise,
            decoding=decoding,
            window_frames=window_frames,
        )


class AnimateDiffDenoiser(DDIMDenoiser[AnimateDiff]):
    """AnimateDiff ready to sample the stream "video".

    frames: 1 makes a picture. height, width: in pixels. cfg: the scale of classifier-free guidance. Of these three 0 is
    the model's own. fps: frames per second; sound and frames are matched by it. decoding: one of DECODINGS, for
    guidance only; the result is always decoded exactly. window_frames: a longer video is made in overlapping windows of
    so many frames, the sliding context. 0: one piece, or windows of WINDOW where the motion modules have no positions
    for so many frames.

    Raises AlignerError for sizes that the model cannot make; the rest: see DDIMDenoiser.
    """

    halves_apart = True

    def __init__(
        self,
        model: AnimateDiff,
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
    ):
        require_frames(frames, model.has_motion)
        height, width = height or model.own_side, width or model.own_side
        require_sides(height, width, model.compression)
        if decoding not in DECODINGS:
            raise AlignerError(f"Unknown decoding {decoding!r}. Choose one of: {', '.join(DECODINGS)}.")
        if decoding == "taesd" and model.taesd is None:
            raise AlignerError(
                "Decoding by taesd needs TAESD's decoder: load it with the model, or choose another decoding."
            )
        self.frames, self.fps, self.decoding = frames, require_fps(fps), decoding
        shape = (model.latent_channels, frames, height // model.compression, width // model.compression)
        super().__init__(
            model,
            STREAM,
            shape,
            steps=steps,
            cfg=cfg or model.own_cfg,
            negative_prompt=negative_prompt,
            denoise=denoise,
            windows=_windows(model, frames, window_frames),
        )

    @property
    def seconds(self) -> Fraction:
        return self.frames / self.fps

    def modality(self, stream: str) -> str:
        return "image" if self.frames == 1 else stream

    def network(self, latents: torch.Tensor, timestep: torch.Tensor, prompts: torch.Tensor) -> torch.Tensor:
        each_frame = prompts.repeat_interleave(latents.shape[2], dim=0)
        if self.model.has_motion:
            return predicted(self.model.unet, latents, timestep, encoder_hidden_states=each_frame)
        pictures = latents.transpose(1, 2).flatten(0, 1)
        output = predicted(self.model.unet, pictures, timestep, encoder_hidden_states=each_frame)
        return output.unflatten(0, (len(latents), -1)).transpose(1, 2)

    def render(self, clean: Streams) -> dict[str, LatentFrames]:
        approximations = {"exact": self.model.decode, "half": self.model.decode_half, "taesd": self.model.decode_tiny}
        return {STREAM: LatentFrames(clean[STREAM], self.fps, self.model.decode, approximations[self.decoding])}

    def footprint(self, batch: int, backward: Mapping[str, BackwardPass] = NO_GRADIENT) -> Footprint:
        picture = math.prod(self.shape[-2:]) * self.model.compression**2
        # Windows come and go one after the other.
        at_once = min(self.frames, self.windows.length) if self.windows else self.frames
        counted = footprint(
            video=at_once * picture,
            batch=batch,
            picture=picture,
            # TAESD takes less still than the VAE at half the size.
            decoded=picture if self.decoding == "exact" else picture / 4,
            halves=1 if self.negative is None else 2,
            backward=backward.get(STREAM),
        )
        return counted.scaled(dtype_of(self.model.unet).itemsize / 4)

    def checkpointable(self) -> list[nn.Module]:
        """Single layers, motion modules included, which diffusers' own checkpointing leaves out."""
        unet, decoder = self.model.unet, self.model.vae.decoder
        blocks = [*unet.down_blocks, unet.mid_block, *unet.up_blocks, decoder.mid_block, *decoder.up_blocks]
        return [
            layer
            for block in blocks
            for kind in ("resnets", "attentions", "motion_modules")
            for layer in getattr(block, kind, None) or ()
        ]


@torch.inference_mode(False)
def load_animatediff(
    base: str | Path,
    motion: str | Path | None = None,
    *,
    loras: Sequence[Lora] = (),
    taesd: str | Path | None = None,
    own_cfg: float = OWN_CFG,
    dtype: torch.dtype = torch.float32,
    device: torch.device | str = "cpu",
) -> AnimateDiff:
    """Load Stable Diffusion 1.5 with a motion module, strictly; see `load_stable_diffusion` for what files may be.

    Without a motion module the model makes pictures. taesd: a tiny decoder for approximate guidance, see `load_taesd`.
    own_cfg: see AnimateDiff. Raises CheckpointError that says what is wrong with which file.
    """
    from ..stable_diffusion import load_stable_diffusion, load_taesd

    tiny = load_taesd(taesd, dtype=dtype, device=device) if taesd else None
    parts = load_stable_diffusion(base, motion, loras=loras, dtype=dtype, device=device)
    return AnimateDiff(
        parts.unet, parts.vae, parts.text_encoder, parts.tokenizer, parts.scheduler_config, tiny, own_cfg
    )


def _unit_range(pictures: torch.Tensor) -> torch.Tensor:
    """Pictures in -1..1 -> 0..1 in full precision, clamped."""
    return (full_precision(pictures) / 2 + 0.5).clamp(0, 1)


def _windows(model: AnimateDiff, frames: int, window_frames: int) -> Windows | None:
    """Windows that overlap by a quarter. Raises AlignerError for a length that the motion modules cannot make."""
    if not model.has_motion or (not window_frames and frames <= model.longest):
        return None
    window = window_frames or min(WINDOW, model.longest)
    if not SHORTEST_WINDOW <= window <= model.longest:
        raise AlignerError(
            f"This model can look at {SHORTEST_WINDOW} to {model.longest} frames at once, not {window}. "
            f"{WINDOW} is what motion modules were trained with."
        )
    return Windows(window, window // 4)


def require_frames(frames: int, has_motion: bool = True) -> int:
    """Return a number of frames. Raises AlignerError below 1, and above 1 without a motion module."""
    if frames < 1:
        raise AlignerError(f"A video needs at least 1 frame, not {frames}.")
    if frames > 1 and not has_motion:
        raise AlignerError(
            f"Without a motion module only single pictures can be made, not {frames} frames. Load a "
            "motion module, or ask for 1 frame."
        )
    return frames


def require_sides(height: int, width: int, compression: int = 8) -> None:
    """Raise AlignerError for pictures that the VAE cannot make."""
    for name, side in (("height", height), ("width", width)):
        if side < 1 or side % compression:
            nearest = max(compression, round(side / compression) * compression)
            raise AlignerError(f"The {name} must be a multiple of {compression}, not {side}. Take {nearest}.")


def require_fps(fps: Fraction | float) -> Fraction:
    """A frame rate as a fraction. Raises AlignerError outside 0.001 to 1000."""
    if not 0.001 <= fps <= 1000:  # slower ones would become 0 below
        raise AlignerError(f"The frame rate must be between 0.001 and 1000 frames per second, not {fps}.")
    return Fraction(fps).limit_denominator(1001)
