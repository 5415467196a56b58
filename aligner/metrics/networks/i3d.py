"""I3D, trained on Kinetics-400: the features of FVD and KVD.

Carreira and Zisserman, "Quo Vadis, Action Recognition? A New Model and the Kinetics Dataset" (arXiv 1705.07750). The
network is that of the package cd-fvd (Ge et al., arXiv 2404.12391).
"""

from __future__ import annotations

from pathlib import Path

import torch
import torch.nn.functional as F
from torch import nn

from ...errors import AlignerError
from ...files.weights import open_weights
from .loading import loaded

#: Frames that published tables compare.
FRAMES = 16
_SIDE, _CLASSES = 224, 400


class I3D(nn.Module):
    """The logits of a network that recognises actions, by which FVD and KVD compare videos."""

    def __init__(self, network: nn.Module):
        super().__init__()
        self.network = network

    def forward(self, frames: torch.Tensor) -> torch.Tensor:
        """frames: uint8 (B, FRAMES, 3, H, W) RGB, of any size. Returns (B, 400)."""
        pixels = F.interpolate(frames.flatten(0, 1).float(), size=(_SIDE, _SIDE), mode="bilinear", align_corners=False)
        videos = pixels.unflatten(0, frames.shape[:2]).transpose(1, 2)
        return self.network(2 * videos / 255 - 1)


def load_i3d(path: str | Path, device: torch.device | str = "cpu") -> I3D:
    """I3D from a file such as i3d_pretrained_400.pt.

    Raises AlignerError without cd-fvd, and CheckpointError for another file.
    """
    try:
        from cdfvd.third_party.i3d.pytorch_i3d import InceptionI3d
    except ImportError as error:
        raise AlignerError(
            "I3D needs cd-fvd: pip install cd-fvd, one of the lines in requirements-metrics.txt."
        ) from error
    with open_weights(Path(path)) as weights:
        network = loaded(
            lambda: InceptionI3d(_CLASSES, in_channels=3),
            weights,
            kind="I3D of Kinetics-400",
            parts="layers of I3D",
            device=device,
        )
    return I3D(network)
