"""The start of a video and its size: from a LATENT, from frames, or from noise."""

from collections.abc import Set

import torch

from ...aligner.errors import AlignerError
from ...aligner.generators.animatediff import STREAM, require_sides
from ...aligner.generators.base import Streams, VideoModel
from .convert import pixels
from .latents import samples_of


def require_start(connected: Set[str], denoise: float) -> None:
    """Check what a sampler starts from. Raises AlignerError for two starts, for none, and for one of no effect.

    connected: the names of the connected sockets, of which latent and init_frames matter.
    """
    if {"latent", "init_frames"} <= connected:
        raise AlignerError("Both latent and init_frames are connected. Disconnect one of them.")
    # With a latent denoise 1 is no mistake: in ComfyUI's graphs an empty latent sets the size.
    if "init_frames" in connected and denoise == 1:
        raise AlignerError(
            "init_frames are connected, but denoise 1 keeps nothing of them. Lower denoise, for example to 0.6, or "
            "disconnect them."
        )
    if denoise < 1 and not {"latent", "init_frames"} & connected:
        raise AlignerError(
            "denoise below 1 keeps a part of a latent, but nothing is connected to start from. Set denoise to 1, or "
            "connect it."
        )


class StartingVideo:
    """The LATENT or the IMAGE batch that is connected, or neither. Raises AlignerError for another model's latent."""

    def __init__(self, model: VideoModel, latent: dict | None, frames: torch.Tensor | None):
        self.model, self.frames = model, frames
        self.samples = None if latent is None else _samples(model, latent)

    def size(self, frames: int, height: int, width: int) -> dict[str, int]:
        """The arguments frames, height and width of a denoiser: those of what is connected, or else these.

        Raises AlignerError for frames that cannot be encoded.
        """
        if self.samples is not None:
            count, _, height, width = self.samples.shape
            return {"frames": count, "height": height * self.model.compression, "width": width * self.model.compression}
        if self.frames is not None:
            frames, height, width = self.frames.shape[:3]
            require_sides(height, width, self.model.compression)
        return {"frames": frames, "height": height, "width": width}

    def latents(self) -> Streams | None:
        """The clean latent (1, C, F, h, w) by stream; the VAE must be on its device to encode frames."""
        if self.samples is not None:
            return {STREAM: self.samples.transpose(0, 1)[None] * self.model.latent_scale}
        return None if self.frames is None else {STREAM: self.model.encode(pixels(self.frames))}


def _samples(model: VideoModel, latent: dict) -> torch.Tensor:
    samples, channels = samples_of(latent), model.latent_channels
    if samples.shape[1] != channels:
        raise AlignerError(
            f"This latent has shape {tuple(samples.shape)}, but one of this generator has "
            f"(frames, {channels}, height, width). Use a latent from this node or from VAE Encode."
        )
    return samples
