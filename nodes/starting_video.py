"""What a video starts from, where it does not start from noise alone, and how large it is."""

import torch
from comfy_api.latest import io

from ..aligner.errors import AlignerError
from ..aligner.generators.animatediff import STREAM, AnimateDiff, require_sides
from ..aligner.generators.base import Streams
from .convert import pixels


def starting_inputs() -> list:
    """The sockets of a latent and of frames."""
    return [
        io.Latent.Input("latent", optional=True,
                        tooltip="A latent to be refined or changed, from this node or from VAE Encode: set denoise "
                                "below 1. Its frames and size count, not the widgets."),
        io.Image.Input("frames", optional=True,
                       tooltip="Frames to be changed, instead of a latent: set denoise below 1. Their number and size "
                               "count, not the widgets."),
    ]


def size_inputs() -> list:
    """How many frames, how large, how fast, and how much of a given video is made anew."""
    return [
        io.Int.Input("frame_count", default=16, min=1, max=4096,
                     tooltip="How many frames. 16 is what motion modules were trained with, and 24 or 32 the most they "
                             "know. 1 makes a picture."),
        io.Int.Input("width", default=512, min=16, max=16384, step=8, tooltip="In pixels. 512 is usual."),
        io.Int.Input("height", default=512, min=16, max=16384, step=8, tooltip="In pixels. 512 is usual."),
        io.Float.Input("fps", default=8.0, min=0.01, max=1000.0, step=0.001, round=False,
                       tooltip="Frames per second, which decides which sound a frame goes with. Motion modules make "
                               "about 8."),
        io.Float.Input("denoise", default=1.0, min=0.01, max=1.0, step=0.01,
                       tooltip="1 starts from noise. Below 1 a latent or frames must be connected, of which the more "
                               "is kept the lower this is."),
    ]


class StartingVideo:
    """A LATENT or an IMAGE batch, whichever is connected; at most one of them.

    Raises AlignerError for both, for a latent of something else, and for frames of which denoise keeps nothing.
    """

    def __init__(self, model: AnimateDiff, latent: dict | None, frames: torch.Tensor | None, denoise: float):
        if latent is not None and frames is not None:
            raise AlignerError("Both a latent and frames are connected. Disconnect one of them.")
        # An empty latent, though, is how ComfyUI's graphs say a size: with it denoise 1 means noise alone.
        if frames is not None and denoise == 1:
            raise AlignerError("Frames are connected, but denoise 1 keeps nothing of them. Set denoise lower, for "
                               "example to 0.6, or disconnect them.")
        self.model, self.frames = model, frames
        self.samples = None if latent is None else _samples(model, latent)

    def size(self, frame_count: int, height: int, width: int) -> dict[str, int]:
        """The arguments frames, height and width of a denoiser: what is connected decides, or else these numbers.

        Raises AlignerError for frames that cannot be encoded.
        """
        if self.samples is not None:
            count, _, height, width = self.samples.shape
            return {"frames": count, "height": height * self.model.compression, "width": width * self.model.compression}
        if self.frames is not None:
            frame_count, height, width = self.frames.shape[:3]
            require_sides(height, width, self.model.compression)
        return {"frames": frame_count, "height": height, "width": width}

    def latents(self) -> Streams | None:
        """The clean latent (1, C, F, h, w) by stream; the VAE must be on its device to encode frames."""
        if self.samples is not None:
            return {STREAM: self.samples.transpose(0, 1)[None] * self.model.vae.config.scaling_factor}
        return None if self.frames is None else {STREAM: self.model.encode(pixels(self.frames))}


def _samples(model: AnimateDiff, latent: dict) -> torch.Tensor:
    samples, channels = latent["samples"], model.unet.config.in_channels
    if samples.ndim != 4 or samples.shape[1] != channels:
        raise AlignerError(f"This latent has shape {tuple(samples.shape)}, but one of Stable Diffusion 1.5 has "
                           f"(frames, {channels}, height, width). Use a latent from this node or from VAE Encode.")
    if "noise_mask" in latent:
        raise AlignerError("This latent has a mask, and changing a part of a video only is not supported. Use a latent "
                           "without a mask.")
    return samples
