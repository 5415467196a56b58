"""CLAP with random weights in a folder as published, for tests and benchmarks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from aligner.files.diffusers_folders import quiet

from .byte_tokenizer import byte_tokenizer

#: Tokens that RoBERTa knows by their numbers.
_SPECIAL = ("<s>", "<pad>", "</s>", "<unk>")
SMALL: dict[str, Any] = {
    "projection_dim": 24,
    "text_config": {
        "vocab_size": len(_SPECIAL) + 256,
        "hidden_size": 32,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "intermediate_size": 48,
        "max_position_embeddings": 66,
    },
    "audio_config": {
        "spec_size": 64,
        "num_mel_bins": 16,
        "depths": [2, 2],
        "num_attention_heads": [2, 4],
        "patch_embeds_hidden_size": 16,
        "hidden_size": 32,
        "window_size": 4,
    },
}
#: Windows of a spectrogram of 128 frames and 16 bins, of sounds of 1 s.
EXTRACTOR = {"feature_size": 16, "sampling_rate": 16_000, "hop_length": 125, "fft_window_size": 512, "max_length_s": 1}


def write_random_clap(folder: Path, *, seed: int = 0, fused: bool = False) -> None:
    """Write a small CLAP with random float32 weights. fused: as laion's fused models.

    Embeddings of sounds and of texts are unrelated. The same seed gives the same weights.
    """
    from transformers import ClapConfig, ClapFeatureExtractor, ClapModel

    fusing = {"enable_fusion": True, "fusion_type": "aff_2d"} if fused else {}
    sizes = {**SMALL, "audio_config": {**SMALL["audio_config"], **fusing}}
    with torch.random.fork_rng(devices=()), quiet():
        torch.manual_seed(seed)
        model = ClapModel(ClapConfig(**sizes))
        _spread(model)
        model.save_pretrained(folder)
    start, pad, end, unknown = _SPECIAL
    byte_tokenizer(_SPECIAL, start=start, end=end, pad_token=pad, unk_token=unknown).save_pretrained(folder)
    truncation = "fusion" if fused else "rand_trunc"
    ClapFeatureExtractor(**EXTRACTOR, frequency_max=7000, truncation=truncation).save_pretrained(folder)


def _spread(model: torch.nn.Module) -> None:
    """Make weights so large that different inputs get different embeddings, and norms as of decibels."""
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.ndim > 1:
                parameter.normal_(0.0, parameter[0].numel() ** -0.5)
        norm = model.audio_model.audio_encoder.batch_norm
        norm.running_mean.fill_(-30.0)
        norm.running_var.fill_(20.0**2)
