"""What a2v, a2i and joint share: making the generator of frames ready, and where it starts from."""

from __future__ import annotations

from argparse import Namespace

import torch

from ...errors import AlignerError
from ...generators.animatediff import STREAM
from ...generators.base import Generator, Streams, VideoModel
from ..inputs import VideoShape, first_frames
from ..models import IMAGE_ENCODER, LoadedModels, part_of


def needed_decoders(options: Namespace) -> list[str]:
    """The kinds of models besides the VAE that decode frames for guidance.

    Raises AlignerError for one that would not be used.
    """
    if options.taesd and options.decoding != "taesd":
        raise AlignerError("--taesd is for --decoding taesd: add that, or leave --taesd out.")
    return ["taesd"] if options.decoding == "taesd" else []


def read_init(options: Namespace, shape: VideoShape) -> torch.Tensor | None:
    """The frames that sampling starts from, (F, 3, H, W) in 0..1; None: it starts from noise."""
    return first_frames(options.init, shape) if options.init else None


def encoded(models: LoadedModels, frames: torch.Tensor | None) -> Streams | None:
    """These frames as clean latents. Raises AlignerError for a generator that encodes none."""
    if frames is None:
        return None
    generator = models.generators[STREAM]
    encode = getattr(generator, "encode", None)
    if encode is None:
        raise AlignerError("--init needs a generator that encodes frames, which this one does not: leave --init out.")
    with models.on_device(part_of(generator, IMAGE_ENCODER)):
        return {STREAM: encode(frames)}


def video_denoiser(options: Namespace, models: LoadedModels, shape: VideoShape) -> Generator:
    """The generator of frames made ready; its text encoder should be on the device. Raises AlignerError."""
    model: VideoModel = models.generators[STREAM]
    return model.denoiser(
        frames=shape.frames,
        height=shape.height,
        width=shape.width,
        fps=shape.fps,
        steps=options.steps,
        cfg=options.cfg,
        negative_prompt=options.negative_prompt,
        denoise=options.denoise,
        decoding=options.decoding,
        window_frames=options.window_frames,
    )
