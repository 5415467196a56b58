"""PE-AV from a folder as published: config.json, model.safetensors, and the files of its processor."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch

from ...errors import AlignerError, CheckpointError
from ...files.diffusers_folders import load_config, load_part, read_json, require_vocabulary
from ...files.shards import open_shards
from ...files.strict_loading import fill, require_same
from ...files.weights import WeightFile
from ...files.without_code import require_own_files, require_plain_weights
from ..base import Fingerprint
from .binder import AUDIO, JOINT, PEAV, VIDEO
from .towers import AudioTower, JointTower, TextTower, VideoTower

#: By the names of modules here, their names in published files.
_PUBLISHED = {
    "text.model": "text_model",
    f"text.heads.{AUDIO}": "audio_model.text_audio_head",
    f"text.heads.{VIDEO}": "video_model.text_video_head",
    f"text.heads.{JOINT}": "text_audio_video_head",
    "audio.codec": "audio_model.audio_encoder.embedder",
    "audio.trunk": "audio_model.audio_encoder",
    "audio.head": "audio_model.audio_head",
    "video.look": "video_model.video_encoder.embedder",
    "video.trunk": "video_model.video_encoder",
    "video.head": "video_model.video_head",
    "joint.join": "audio_video_encoder.embedder",
    "joint.trunk": "audio_video_encoder",
    "joint.head": "audio_video_head",
}
#: Weights that are in a model twice, and may be written under either name.
_TWINS = {
    "audio_model.text_model.": "text_model.",
    "video_model.text_model.": "text_model.",
    "audio_video_encoder.embedder.audio_encoder.": "audio_model.audio_encoder.",
    "audio_video_encoder.embedder.video_encoder.": "video_model.video_encoder.",
}
#: What is not read: scales of the training's logits, heads of text with one modality, and tables that are computed.
_UNREAD = re.compile(r".*_logit_(scale|bias)|(audio|video)_plus_text_head\..*|.*\brotary_emb\..*|.*\.rope\.\w+")
#: The vision networks that models may name. Other names could lead to files elsewhere.
_VISION, _ELSEWHERE = re.compile(r"vit_pe_core_\w+"), re.compile(r"path|pretrained|cache|hub|file")
#: The files that tell how frames are prepared, as published and as transformers writes them.
_PROCESSOR, _WHOLE_PROCESSOR = "video_preprocessor_config.json", "processor_config.json"


@torch.inference_mode(False)  # weights made in inference mode could never take part in a backward pass
def load_pe_av(
    folder: str | os.PathLike, *, dtype: torch.dtype = torch.float32, device: torch.device | str = "cpu"
) -> PEAV:
    """Load PE-AV (small, base or large, also of 16 frames) from a folder as published.

    Every weight that the towers need must be there, and no other but the model's own. It needs transformers 5 and timm.
    Raises CheckpointError for a folder that is missing, incomplete or of another model, and AlignerError where a
    package is missing.
    """
    folder = Path(folder)
    _require_pe_av(folder)
    processor = _frames_processor(folder)
    model = _empty(folder, processor)
    published = {name: _published(name) for name in model.state_dict()}
    shapes = {published[name]: tuple(weight.shape) for name, weight in model.state_dict().items()}
    with open_shards(folder) as weights:
        weights = _once(weights)
        require_same(weights, shapes, kind="a PE-AV model", parts="PE-AV towers")
        # From the weights as stored: casting them for another precision would change a digest.
        fingerprint = Fingerprint()
        fill(model, published, weights, dtype=dtype, device=device, on_tensor=fingerprint.add)
    model.fingerprint = fingerprint.digest()
    # The tables that are computed keep their precision.
    return model.to(device).eval().requires_grad_(False)


def _require_pe_av(folder: Path) -> None:
    if not folder.is_dir():
        raise CheckpointError(f"There is no model folder {folder}. Give the folder that holds PE-AV's config.json.")
    require_own_files(folder)
    config = read_json(folder / "config.json")
    if (found := config.get("model_type")) != "pe_audio_video":
        raise CheckpointError(
            f"{folder} holds a model of the type {found!r}, not PE-AV. Choose a folder such as pe-av-small."
        )
    require_plain_weights(folder, config)
    vision = _inside(config, "audio_video_config", "video_config", "vision_config")
    name, options = vision.get("architecture", "vit_pe_core_large_patch14_336"), vision.get("model_args") or {}
    if not (isinstance(name, str) and _VISION.fullmatch(name)) or any(map(_ELSEWHERE.search, options)):
        raise CheckpointError(f"{folder} names the vision network {name!r}, which no PE-AV has. Download it again.")


def _inside(config: Mapping[str, Any], *names: str) -> Mapping[str, Any]:
    for name in names:
        config = config.get(name) or {}
    return config


def _frames_processor(folder: Path) -> Mapping[str, Any]:
    """What the folder tells of the preparation of frames: their size and number."""
    if (folder / _PROCESSOR).is_file():
        return read_json(folder / _PROCESSOR)
    return _inside(read_json(folder / _WHOLE_PROCESSOR), "video_processor")


def _empty(folder: Path, processor: Mapping[str, Any]) -> PEAV:
    """The towers of a folder's config, with weights that are still to be read."""
    parts = _transformers()
    config = load_config(parts.Model, folder)
    words, sizes = config.text_config, config.audio_video_config
    with parts.no_init_weights():
        # Not the whole model, which holds every encoder twice.
        text, encoder = parts.AutoModel.from_config(words), parts.Encoder(sizes)
        audio, video = encoder.embedder.audio_encoder, encoder.embedder.video_encoder
        del encoder.embedder.audio_encoder, encoder.embedder.video_encoder

        def head(width: int):
            return parts.Head(width, words.hidden_size)

        return PEAV(
            TextTower(text, {name: head(words.hidden_size) for name in (AUDIO, VIDEO, JOINT)}),
            AudioTower(audio, head(sizes.audio_config.hidden_size)),
            VideoTower(video, head(sizes.video_config.hidden_size)),
            JointTower(encoder, head(sizes.hidden_size)),
            tokenizer=_tokenizer(folder, words.vocab_size),
            side=_inside(processor, "size")["height"],
            frames=processor.get("num_frames"),
        )


def _transformers() -> SimpleNamespace:
    """The classes that the towers are made of. Slow imports, needed only here."""
    import transformers

    try:
        import timm  # noqa: F401 - transformers names it only when it is too late
        from transformers.initialization import no_init_weights
        from transformers.models.pe_audio_video import modeling_pe_audio_video as modeling
    except ImportError as error:
        raise AlignerError(
            f"PE-AV needs transformers 5 and timm, but here is transformers {transformers.__version__} ({error}). "
            "Run: python -m pip install --upgrade transformers timm"
        ) from error
    return SimpleNamespace(
        Model=modeling.PeAudioVideoModel,
        Encoder=modeling.PeAudioVideoEncoder,
        Head=modeling.PeAudioVideoContrastiveHead,
        AutoModel=transformers.AutoModel,
        no_init_weights=no_init_weights,
    )


def _tokenizer(folder: Path, words: int):
    from transformers import AutoTokenizer

    tokenizer = load_part(AutoTokenizer, folder.parent, folder.name)
    if len(tokenizer) > words:
        require_vocabulary(tokenizer, words, folder)
    return tokenizer


def _published(name: str) -> str:
    """The name in published files of a weight here."""
    place = max((place for place in _PUBLISHED if name.startswith(f"{place}.")), key=len)
    return _PUBLISHED[place] + name.removeprefix(place)


def _once(weights: WeightFile) -> WeightFile:
    """The same weights without what is not read. Of twins one is left, under its first name."""

    def renamed(name: str) -> str | None:
        if _UNREAD.fullmatch(name):
            return None
        for twin, first in _TWINS.items():
            if name.startswith(twin):
                own = first + name.removeprefix(twin)
                return None if own in weights.shapes or own in taken else taken.setdefault(own, own)
        return name

    taken: dict[str, str] = {}
    return weights.renamed(renamed)
