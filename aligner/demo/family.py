"""The demo models: small trained models in the file formats and folder layouts of the real ones.

They know the eight events of `aligner.demo.events` and nothing else. `python -m laboratory.train` trains them.
"""

from __future__ import annotations

from pathlib import Path

import torch

from ..binders.imagebind import ImageBind, load_imagebind
from ..generators.animatediff import AnimateDiff, load_animatediff
from ..generators.audioldm import AudioLDM, load_audioldm
from ..generators.mm_diffusion import MMDiffusion, load_mm_diffusion
from .captioner import DemoCaptioner
from .judge import Judge, load_judge

WEIGHTS = Path(__file__).with_name("weights")
IMAGEBIND, AUDIOLDM = WEIGHTS / "imagebind.safetensors", WEIGHTS / "audioldm"
STABLE_DIFFUSION, MOTION = WEIGHTS / "stable-diffusion", WEIGHTS / "motion-adapter"
MM_DIFFUSION = WEIGHTS / "mm-diffusion.safetensors"
#: It measures results. Guidance never uses it.
JUDGE = WEIGHTS / "judge.safetensors"

#: The floor of the spectrogram's magnitudes, 50 dB below a full tone. With a lower floor, the small VAE would spend a
#: quarter of its capacity on the hiss of the room.
MEL_FLOOR = 0.01
#: The scale of classifier-free guidance for the video model. It was trained on few words, and a lower scale than that
#: of Stable Diffusion suits it.
VIDEO_CFG = 3.0


def load_demo_imagebind(*, dtype: torch.dtype = torch.float32, device: torch.device | str = "cpu") -> ImageBind:
    """The binder."""
    return load_imagebind(IMAGEBIND, dtype=dtype, device=device)


def load_demo_audioldm(*, dtype: torch.dtype = torch.float32, device: torch.device | str = "cpu") -> AudioLDM:
    """The generator of sound."""
    return load_audioldm(AUDIOLDM, dtype=dtype, device=device, mel_floor=MEL_FLOOR)


def load_demo_animatediff(
    *, motion: bool = True, dtype: torch.dtype = torch.float32, device: torch.device | str = "cpu"
) -> AnimateDiff:
    """The generator of video; without motion, of pictures."""
    return load_animatediff(STABLE_DIFFUSION, MOTION if motion else None, own_cfg=VIDEO_CFG, dtype=dtype, device=device)


def load_demo_mm_diffusion(*, dtype: torch.dtype = torch.float32, device: torch.device | str = "cpu") -> MMDiffusion:
    """The generator of video and sound by one network."""
    return load_mm_diffusion(MM_DIFFUSION, dtype=dtype, device=device)


def load_demo_captioner(*, dtype: torch.dtype = torch.float32) -> DemoCaptioner:
    """The captioner, which picks one of eight captions."""
    return DemoCaptioner(load_demo_imagebind(dtype=dtype))


def load_demo_judge() -> Judge:
    """The classifier of events; see `aligner.demo.judge`."""
    return load_judge(JUDGE)
