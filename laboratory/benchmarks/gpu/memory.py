"""Peak memory of guided steps beside what is counted without a GPU."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial

import torch

from aligner.binders.imagebind import HUGE
from aligner.generators.mm_diffusion import PUBLISHED, CoupledUNet, MMDiffusion
from aligner.plan import activation_bytes
from aligner.tensors.determinism import repeatable

from ...random_imagebind import random_imagebind
from ...random_models import IMAGEBIND_CONFIG, randomise
from ...training.sizes import COUPLED
from .. import coupled_step, guided_step, video_memory
from ..coupled_step import CoupledScene
from ..measure import peak_bytes
from ..scene import make_scene
from ..video_scene import fake_video_scene, random_video_scene
from .row import Row

CHECK, UNIT = "peak memory of a step", "GiB"
#: The allocator and kernels may take so much more than what is counted.
MOST = 1.15


def video_rows(device: torch.device, size: str, frames: int, side: int) -> Iterator[Row]:
    """Every step of `video_memory`, in half precision."""
    shape = size, frames, side, side, torch.float16
    fake, real = fake_video_scene(*shape), random_video_scene(*shape, device)
    for step in video_memory.STEPS:
        counted = video_memory.counted(step, fake).activations
        yield _row(f"AnimateDiff, {step.name}", counted, video_memory.measured(step, real, device))


def coupled_rows(device: torch.device, *, full: bool) -> Iterator[Row]:
    """Every step of `coupled_step` on MM-Diffusion.

    full: of the published size in half precision, else of a small one in full precision, which a CPU computes faster.
    """
    config, dtype = (PUBLISHED, torch.float16) if full else (COUPLED, torch.float32)
    unet = CoupledUNet(config)
    randomise(unet, torch.Generator().manual_seed(0))
    binder = random_imagebind(HUGE if full else IMAGEBIND_CONFIG, 0)
    network = MMDiffusion(unet).to(device, dtype)
    latents = {
        "video": torch.randn(1, 3, config.frames, config.side, config.side, device=device),
        "audio": torch.randn(1, 1, config.samples, device=device),
    }
    real = CoupledScene(network.denoiser(steps=1, sampler="ddim"), binder.to(device, dtype), latents)
    fake = coupled_step.fake_scene(dtype, config, binder.config)
    for name in coupled_step.COUNTED:
        measured = _peak(partial(coupled_step.take, name, real), coupled_step.weights(real), device)
        yield _row(f"MM-Diffusion, {name}", coupled_step.counted(name, fake), measured)


def sound_rows(device: torch.device, size: str, seconds: float) -> Iterator[Row]:
    """A step of the released rule on AudioLDM, beside what a run reserves for it."""
    scene = make_scene(size, seconds, 0, device, torch.float16)
    step = guided_step.OurStep(scene)
    reserved = activation_bytes(guided_step.RULE, scene.denoiser, scene.binder, 1)
    yield _row(f"AudioLDM {size}, {seconds:g} s, released", reserved, _peak(step, scene.weights, device))


def _peak(work: Callable[[], object], weights: Sequence[torch.Tensor], device: torch.device) -> int | None:
    try:
        with repeatable(device):
            return peak_bytes(work, device, weights)
    except torch.cuda.OutOfMemoryError:
        torch.cuda.empty_cache()
        return None


def _row(subject: str, counted: int, measured: int | None) -> Row:
    if measured is None:
        return Row(CHECK, subject, None, UNIT, counted / 2**30, None, "does not fit")
    return Row(CHECK, subject, measured / 2**30, UNIT, counted / 2**30, measured <= MOST * counted)
