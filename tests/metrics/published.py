"""Networks of published metrics, from the packages that others use, with random weights."""

from __future__ import annotations

import importlib.util
import sys
from types import ModuleType
from unittest.mock import MagicMock, patch

import torch
from torch import nn


def _module(package: str, name: str) -> ModuleType:
    """A module of a package whose own __init__ is not run: one downloads, another needs a resampler."""
    (folder,) = importlib.util.find_spec(package).submodule_search_locations
    empty = ModuleType(package)
    empty.__path__ = [folder]
    with patch.dict(sys.modules, {package: empty, "matplotlib": MagicMock(), "matplotlib.pyplot": MagicMock()}):
        return importlib.import_module(f"{package}.{name}")


def randomised(network: nn.Module, seed: int = 0) -> nn.Module:
    """Its weights and statistics drawn anew, so that nothing is 0 or 1 by chance of its initialisation."""
    draw = torch.Generator().manual_seed(seed)
    for name, tensor in network.state_dict().items():
        if tensor.is_floating_point() and not name.startswith(("spectrogram_extractor", "logmel_extractor")):
            spread = (2 / tensor[0].numel()) ** 0.5 if tensor.ndim > 1 else 0.1
            tensor.normal_(0, spread, generator=draw)
            if name.endswith("running_var") or (tensor.ndim == 1 and name.endswith("weight")):
                tensor.add_(1).abs_()
    return network.eval()


def cnn14() -> nn.Module:
    """PANNs' Cnn14 with the spectrogram of 16 kHz: 81 million weights."""
    models = _module("panns_inference", "models")
    return randomised(models.Cnn14(16_000, 512, 160, 64, 50, 8_000, 527))


def vggish() -> tuple[nn.Module, ModuleType]:
    """VGGish of torchvggish, and the module with its spectrogram."""
    network = _module("torchvggish", "torchvggish")._vgg()
    return randomised(network), _module("torchvggish", "mel_features")


def i3d() -> nn.Module:
    """I3D of cd-fvd."""
    from cdfvd.third_party.i3d.pytorch_i3d import InceptionI3d

    return randomised(InceptionI3d(400, in_channels=3))


def spectrogram_weights() -> dict[str, torch.Tensor]:
    """The windowed Fourier kernels and mel filters that a checkpoint of PANNs holds."""
    stft = _module("torchlibrosa", "stft")
    spectrogram = stft.Spectrogram(n_fft=512, hop_length=160, win_length=512)
    filters = stft.LogmelFilterBank(sr=16_000, n_fft=512, n_mels=64, fmin=50, fmax=8_000)
    return {
        **{f"spectrogram_extractor.{name}": tensor for name, tensor in spectrogram.state_dict().items()},
        "logmel_extractor.melW": filters.melW.detach(),
    }
