"""Training of the generators' text encoders as classifiers of events. Trained with a U-Net they would collapse."""

from __future__ import annotations

from pathlib import Path

import torch
import torch.nn.functional as F
from torch import nn

from aligner.demo.events import EVENTS

from .initialise import initialised
from .loop import Losses, Schedule, train
from .sizes import CLAP_TEXT, CLIP_TEXT
from .texts import MEANT, TEXTS
from .tokenizers import CLIP_LENGTH, write_clap_tokenizer, write_clip_tokenizer

SEED = 4
SCHEDULE = Schedule(steps=400, rate=3e-3)


class _Classified(nn.Module):
    """An encoder and, for its training only, a layer that classifies the event of a text."""

    def __init__(self, encoder: nn.Module, width: int):
        super().__init__()
        self.encoder, self.named = encoder, nn.Linear(width, len(EVENTS) + 1)


def trained_clap_text(work: Path, device: str = "cpu") -> tuple[nn.Module, Path, torch.Tensor]:
    """Train CLAP's text half, or load it from `work`.

    Returns the encoder, the folder of its tokenizer, and the embeddings of TEXTS, (n, 128) of length 1.
    """
    from transformers import (
        ClapTextConfig,
        ClapTextModelWithProjection,
        RobertaTokenizerFast,
    )

    folder = work / "clap-tokenizer"
    longest = CLAP_TEXT["max_position_embeddings"] - 2
    config = ClapTextConfig(
        vocab_size=write_clap_tokenizer(folder, longest),
        hidden_dropout_prob=0.0,
        attention_probs_dropout_prob=0.0,
        **CLAP_TEXT,
    )
    model = initialised(lambda: _Classified(ClapTextModelWithProjection(config), config.projection_dim), SEED)
    model = model.to(device)
    tokens = RobertaTokenizerFast.from_pretrained(folder, local_files_only=True)(
        TEXTS, padding=True, return_tensors="pt"
    ).to(device)

    def embedded() -> torch.Tensor:
        return F.normalize(model.encoder(tokens.input_ids, attention_mask=tokens.attention_mask).text_embeds, dim=-1)

    _train("clap_text", model, embedded, work, device)
    with torch.no_grad():
        return model.encoder, folder, embedded().cpu()


def trained_clip_text(work: Path, device: str = "cpu") -> tuple[nn.Module, Path, torch.Tensor]:
    """Train CLIP's text half, or load it from `work`.

    Returns the encoder, the folder of its tokenizer, and the embeddings of TEXTS, (n, 77, 32).
    """
    from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

    folder = work / "clip-tokenizer"
    words = write_clip_tokenizer(folder)
    config = CLIPTextConfig(
        vocab_size=words, bos_token_id=words - 2, eos_token_id=words - 1, pad_token_id=words - 1, **CLIP_TEXT
    )
    model = initialised(lambda: _Classified(CLIPTextModel(config), config.hidden_size), SEED + 1).to(device)
    ids = CLIPTokenizer.from_pretrained(folder, local_files_only=True)(
        TEXTS, padding="max_length", truncation=True, max_length=CLIP_LENGTH, return_tensors="pt"
    ).input_ids.to(device)

    def pooled() -> torch.Tensor:
        return model.encoder(ids).pooler_output

    _train("clip_text", model, pooled, work, device)
    with torch.no_grad():
        return model.encoder, folder, model.encoder(ids).last_hidden_state.cpu()


def _train(name: str, model: _Classified, embedded, work: Path, device: str) -> None:
    meant = MEANT.to(device)

    def losses(draw: torch.Generator, passed: float) -> Losses:
        logits = model.named(embedded()) * 4
        return {"loss": F.cross_entropy(logits, meant), "right": (logits.argmax(dim=1) == meant).float().mean()}

    train(name, model, losses, SCHEDULE, work)
