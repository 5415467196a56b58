"""What a2v, a2i and joint share: making AnimateDiff ready, and where it starts from."""

from __future__ import annotations

from argparse import Namespace

import torch

from ...errors import AlignerError
from ...generators.animatediff import STREAM, AnimateDiffDenoiser
from ...generators.base import Streams
from ..inputs import VideoShape, first_frames, video_cfg
from ..models import Models


def needed_to_look(options: Namespace) -> list[str]:
    """The kinds of models that ImageBind's look at the frames needs besides the VAE.

    Raises AlignerError for one that would not be used.
    """
    if options.taesd and options.decoding != "taesd":
        raise AlignerError("--taesd is for --decoding taesd: add that, or leave --taesd out.")
    return ["taesd"] if options.decoding == "taesd" else []


def read_init(options: Namespace, shape: VideoShape) -> torch.Tensor | None:
    """The frames that sampling starts from, (F, 3, H, W) in 0..1; None: it starts from noise."""
    return first_frames(options.init, shape) if options.init else None


def encoded(models: Models, frames: torch.Tensor | None) -> Streams | None:
    """These frames as clean latents."""
    if frames is None:
        return None
    with models.on_device(models.animatediff.vae):
        return {STREAM: models.animatediff.encode(frames)}


def video_denoiser(options: Namespace, models: Models, shape: VideoShape) -> AnimateDiffDenoiser:
    """AnimateDiff made ready; its text encoder should be on the device. Raises AlignerError."""
    return models.animatediff.denoiser(
        frames=shape.frames,
        height=shape.height,
        width=shape.width,
        fps=shape.fps,
        steps=options.steps,
        cfg=video_cfg(options, built_in=models.built_in),
        denoise=options.denoise,
        negative_prompt=options.negative_prompt,
        decoding=options.decoding,
        window=options.frames_at_once,
    )
