"""The demo models: small, really trained, in the files and folders that the real ones come in.

They know the eight events of `laboratory.world` and nothing else. `python -m laboratory.train` made them.
"""

from __future__ import annotations

from pathlib import Path

import torch

from ..binders.imagebind import ImageBind, load_imagebind
from ..generators.animatediff import AnimateDiff, load_animatediff
from ..generators.audioldm import AudioLDM, load_audioldm
from .captioner import DemoCaptioner
from .judge import Judge, load_judge

WEIGHTS = Path(__file__).with_name("weights")
IMAGEBIND, AUDIOLDM = WEIGHTS / "imagebind.safetensors", WEIGHTS / "audioldm"
STABLE_DIFFUSION, MOTION = WEIGHTS / "stable-diffusion", WEIGHTS / "motion-adapter"
#: They only ever judge: no generation is steered by them.
JUDGE, SECOND_IMAGEBIND = WEIGHTS / "judge.safetensors", WEIGHTS / "second-imagebind.safetensors"

#: Below it magnitudes are silence to the demo's AudioLDM: 50 dB under a full tone. Without so high a floor a quarter of
#: what its small VAE has to tell would be the room's hiss.
MEL_FLOOR = 0.01
#: What suits the video model: it was trained on few words and needs less emphasis on them than Stable Diffusion.
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
    """The generator of video, or without motion of pictures."""
    return load_animatediff(STABLE_DIFFUSION, MOTION if motion else None, dtype=dtype, device=device)


def load_demo_captioner(*, dtype: torch.dtype = torch.float32) -> DemoCaptioner:
    """What stands in for a captioner."""
    return DemoCaptioner(load_demo_imagebind(dtype=dtype))


def load_demo_judge() -> Judge:
    """Tells events apart; see `aligner.demo.judge`."""
    return load_judge(JUDGE)
