"""CLAP from a folder as published: config.json, weights, and the files of its tokenizer and feature extractor."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import torch

from ...errors import CheckpointError
from ...files.diffusers_folders import load_component, load_part, load_tokenizer, read_json
from ..base import Fingerprint
from .binder import CLAP
from .log_mel import LogMel
from .towers import AudioTower, TextTower

#: RoBERTa counts positions from two on.
_MARGIN = 2


@torch.inference_mode(False)  # weights made in inference mode could never take part in a backward pass
def load_clap(
    folder: str | os.PathLike, *, dtype: torch.dtype = torch.float32, device: torch.device | str = "cpu"
) -> CLAP:
    """Load CLAP, such as laion's clap-htsat-unfused or clap-htsat-fused, from a folder as published.

    Raises CheckpointError for a folder that is missing, incomplete or of another model.
    """
    from transformers import ClapFeatureExtractor, ClapModel

    folder = Path(folder)
    _require_clap(folder)
    # In full precision first: casting the weights would change their digest.
    whole: Any = load_component(ClapModel, folder.parent, folder.name, torch.float32, "cpu")
    extractor = load_part(ClapFeatureExtractor, folder.parent, folder.name)
    model = CLAP(
        TextTower(whole.text_model, whole.text_projection),
        AudioTower(LogMel(extractor), whole.audio_model, whole.audio_projection),
        tokenizer=load_tokenizer(folder),
        longest=whole.config.text_config.max_position_embeddings - _MARGIN,
        sample_rate=extractor.sampling_rate,
        seconds=extractor.max_length_s,
    )
    model.fingerprint = Fingerprint(model.named_parameters()).digest()
    return model.to(device, dtype).eval().requires_grad_(False)


def _require_clap(folder: Path) -> None:
    if not folder.is_dir():
        raise CheckpointError(f"There is no model folder {folder}. Give the folder that holds CLAP's config.json.")
    if (found := read_json(folder / "config.json").get("model_type")) != "clap":
        raise CheckpointError(
            f"{folder} holds a model of the type {found!r}, not CLAP. Choose a folder such as clap-htsat-unfused."
        )
