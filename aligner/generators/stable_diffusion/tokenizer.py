"""The tokenizer of Stable Diffusion: that of openai/clip-vit-large-patch14, which pads to 77 with the end token."""

from __future__ import annotations

import json
import os
from pathlib import Path
from tempfile import TemporaryDirectory

from ...files.atomic import written_whole

START, END = "<|startoftext|>", "<|endoftext|>"
LENGTH = 77


def clip_tokenizer():
    """A transformers CLIPTokenizer with CLIP's vocabulary."""
    from transformers import CLIPTokenizer

    with TemporaryDirectory() as folder:
        write_tokenizer(folder)
        return CLIPTokenizer.from_pretrained(folder, local_files_only=True)


def write_tokenizer(folder: str | os.PathLike) -> None:
    """Write vocab.json, merges.txt and tokenizer_config.json for CLIPTokenizer.from_pretrained.

    The vocabulary comes from open_clip, where only the two special tokens have other names.
    """
    from open_clip.tokenizer import SimpleTokenizer

    source = SimpleTokenizer()
    names = dict(zip(source.all_special_ids, (START, END)))
    vocabulary = {names.get(index, token): index for token, index in source.encoder.items()}
    merges = ["#version: 0.2", *(" ".join(pair) for pair in source.bpe_ranks)]
    settings = {
        "tokenizer_class": "CLIPTokenizer",
        "model_max_length": LENGTH,
        "do_lower_case": True,
        "errors": "replace",
        "bos_token": START,
        "eos_token": END,
        "unk_token": END,
        "pad_token": END,
    }
    _write(Path(folder) / "vocab.json", json.dumps(vocabulary, ensure_ascii=False))
    _write(Path(folder) / "merges.txt", "\n".join(merges) + "\n")
    _write(Path(folder) / "tokenizer_config.json", json.dumps(settings, indent=2))


def _write(path: Path, text: str) -> None:
    with written_whole(path) as partial:
        partial.write_bytes(text.encode("utf-8"))
