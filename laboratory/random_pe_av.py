"""PE-AV with random weights in a folder as published, for tests and benchmarks."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch

from aligner.files.diffusers_folders import quiet

from .byte_tokenizer import byte_tokenizer

#: Names of tokens, and the 256 bytes.
_SPECIAL = ("[PAD]", "[CLS]", "[SEP]", "[UNK]")
_WIDTH = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2}
_ENCODER = {**_WIDTH, "intermediate_size": 48, "head_dim": 16}
SIDE = 32
#: Weights that published files hold under another name.
_TWINS = ("audio_model.text_model.", "video_model.text_model.", "audio_video_encoder.embedder.audio_encoder.") + (
    "audio_video_encoder.embedder.video_encoder.",
)
#: The sizes of a small one. Its codec and its vision network have the strides and kinds of layers of the published.
SMALL: dict[str, Any] = {
    "text_config": {
        **_WIDTH,
        "model_type": "modernbert",
        "vocab_size": len(_SPECIAL) + 256,
        "intermediate_size": 48,
        "pad_token_id": 0,
        "cls_token_id": 1,
        "bos_token_id": 1,
        "sep_token_id": 2,
        "eos_token_id": 2,
    },
    "audio_video_config": {
        **_ENCODER,
        "audio_config": {
            **_ENCODER,
            "dac_config": {
                "model_type": "dac",
                "downsampling_ratios": [2, 8, 10, 12],
                "encoder_hidden_size": 4,
                "codebook_dim": 16,
                "hidden_size": 64,
            },
        },
        "video_config": {
            **_ENCODER,
            "vision_config": {
                "model_type": "timm_wrapper",
                "architecture": "vit_pe_core_tiny_patch16_384",
                "do_pooling": True,
                "global_pool": "map",
                "num_classes": 24,
                "model_args": {
                    "embed_dim": 32,
                    "depth": 2,
                    "num_heads": 2,
                    "patch_size": 8,
                    "img_size": SIDE,
                    "ref_feat_shape": [4, 4],
                },
            },
        },
    },
}


def write_random_pe_av(folder: Path, *, seed: int = 0, frames: int | None = None) -> None:
    """Write a small PE-AV with random float32 weights. frames: how many frames each clip must show; None: any number.

    Embeddings of different modalities are unrelated. The same seed gives the same weights.
    """
    from transformers import PeAudioVideoConfig, PeAudioVideoModel

    with torch.random.fork_rng(devices=()), quiet():
        torch.manual_seed(seed)
        model = PeAudioVideoModel(PeAudioVideoConfig(**SMALL))
        _spread(model)
        model.save_pretrained(folder)
    _write_processor(folder, SIDE, frames)


def write_random_pe_av_large(folder: Path) -> None:
    """Write random bfloat16 weights in the published sizes of `large`, 3 GB, without a second copy in memory."""
    from safetensors.torch import save_file
    from transformers import PeAudioVideoConfig, PeAudioVideoModel

    config = PeAudioVideoConfig()
    with torch.device("meta"):
        shapes = {name: weight.shape for name, weight in PeAudioVideoModel(config).state_dict().items()}
    draw = torch.Generator().manual_seed(0)
    weights = {
        # Norms keep what passes; all else keeps its scale.
        name: torch.randn(shape, generator=draw).mul(shape[1:].numel() ** -0.5).to(torch.bfloat16)
        if len(shape) > 1
        else torch.ones(shape, dtype=torch.bfloat16)
        for name, shape in shapes.items()
        if not name.startswith(_TWINS)
    }
    config.save_pretrained(folder)
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    _write_processor(folder, 336, None)


def _write_processor(folder: Path, side: int, frames: int | None) -> None:
    pad, start, end, unknown = _SPECIAL
    byte_tokenizer(_SPECIAL, start=start, end=end, pad_token=pad, unk_token=unknown).save_pretrained(folder)
    _write(folder / "preprocessor_config.json", feature_extractor_type="PeAudioFeatureExtractor")
    _write(
        folder / "video_preprocessor_config.json",
        video_processor_type="PeVideoVideoProcessor",
        do_sample_frames=frames is not None,
        num_frames=frames,
        size={"height": side, "width": side},
        **dict.fromkeys(("do_normalize", "do_resize", "do_rescale", "do_convert_rgb"), True),
        **dict.fromkeys(("image_mean", "image_std"), [0.5, 0.5, 0.5]),
    )


def _spread(model: torch.nn.Module) -> None:
    """Make weights so large that different inputs get different embeddings."""
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.ndim > 1:
                parameter.normal_(0.0, parameter[0].numel() ** -0.5)


def _write(path: Path, **content: Any) -> None:
    path.write_text(json.dumps(content), encoding="utf-8")
