"""PE-AV from a folder as published: config.json, model.safetensors, and the files of its processor."""

from __future__ import annotations

import os
import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch

from ...errors import AlignerError, CheckpointError
from ...files.diffusers_folders import build, load_config, load_tokenizer, read_json, require_vocabulary
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
#: The kinds of networks that a config may name.
_KINDS = {
    "text": "modernbert",
    "audio": "pe_audio_encoder",
    "codec": "dac",
    "video": "pe_video_encoder",
    "vision": "timm_wrapper",
}
#: The vision networks of timm, and their sizes.
_VISION = re.compile(r"vit_pe_core_\w+(\.fb)?")
_OPTIONS = {"embed_dim", "depth", "num_heads", "mlp_ratio", "patch_size", "img_size", "ref_feat_shape", "class_token"}
_SIZES = (int, float, list, tuple)
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
    model = _empty(folder, *_shown(folder))
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


def _require_networks(folder: Path, config: Any) -> None:
    """Raise CheckpointError for a config of networks that no PE-AV has: they could lead to files elsewhere."""
    joint = config.audio_video_config
    vision = joint.video_config.vision_config
    kinds = {
        "text": config.text_config,
        "audio": joint.audio_config,
        "codec": joint.audio_config.dac_config,
        "video": joint.video_config,
        "vision": vision,
    }
    found = {name: each.model_type for name, each in kinds.items()}
    plain = all(isinstance(value, _SIZES) for value in (vision.model_args or {}).values())
    if found != _KINDS or not _VISION.fullmatch(str(vision.architecture)) or set(vision.model_args or {}) - _OPTIONS:
        raise CheckpointError(f"{folder} names networks which no PE-AV has. Download it again.")
    if not plain:
        raise CheckpointError(f"{folder} gives its vision network sizes that are no numbers. Download it again.")


def _shown(folder: Path) -> tuple[int, int | None]:
    """The side of frames in pixels, and how many each clip must show; None: any number."""
    if (folder / _PROCESSOR).is_file():
        described: Any = read_json(folder / _PROCESSOR)
    else:
        described = read_json(folder / _WHOLE_PROCESSOR).get("video_processor")
    side, frames = build(folder, lambda: (described["size"]["height"], described.get("num_frames")))
    if not (_is_count(side) and (frames is None or _is_count(frames))):
        raise CheckpointError(f"{folder} does not say how large its frames are, or how many. Download it again.")
    return side, frames


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value > 0


def _empty(folder: Path, side: int, frames: int | None) -> PEAV:
    """The towers of a folder's config, with weights that are still to be read."""
    parts = _transformers()
    config: Any = load_config(parts.Model, folder)
    build(folder, lambda: _require_networks(folder, config))
    return build(folder, lambda: _towers(folder, parts, config, side, frames))


def _towers(folder: Path, parts: SimpleNamespace, config: Any, side: int, frames: int | None) -> PEAV:
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
            side=side,
            frames=frames,
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
    tokenizer = load_tokenizer(folder)
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
