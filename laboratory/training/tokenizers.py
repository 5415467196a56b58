"""Tokenizer folders of CLAP and CLIP, with a few hundred tokens instead of tens of thousands."""

from __future__ import annotations

import json
from pathlib import Path

from .texts import merges

_CLAP_FIRST, _CLAP_LAST = ("<s>", "<pad>", "</s>", "<unk>"), ("<mask>",)
_CLIP_LAST = ("<|startoftext|>", "<|endoftext|>")
#: Tokens of a text for CLIP.
CLIP_LENGTH = 77


def write_clap_tokenizer(folder: Path, longest: int) -> int:
    """Write the files of RoBERTa's tokenizer. longest: tokens of a text. Returns the size of the vocabulary."""
    symbols, pairs = merges("")
    words = [*_CLAP_FIRST, *symbols, *("".join(pair) for pair in pairs), *_CLAP_LAST]
    settings = {
        "tokenizer_class": "RobertaTokenizer",
        "model_max_length": longest,
        "bos_token": "<s>",
        "eos_token": "</s>",
        "cls_token": "<s>",
        "sep_token": "</s>",
        "unk_token": "<unk>",
        "pad_token": "<pad>",
        "mask_token": "<mask>",
    }
    return _write(folder, words, pairs, settings)


def write_clip_tokenizer(folder: Path) -> int:
    """Write the files of CLIP's tokenizer. Returns the size of the vocabulary."""
    symbols, pairs = merges("</w>")
    words = [*symbols, *(f"{symbol}</w>" for symbol in symbols), *("".join(pair) for pair in pairs), *_CLIP_LAST]
    start, end = _CLIP_LAST
    settings = {
        "tokenizer_class": "CLIPTokenizer",
        "model_max_length": CLIP_LENGTH,
        "do_lower_case": True,
        "errors": "replace",
        "bos_token": start,
        "eos_token": end,
        "unk_token": end,
        "pad_token": end,
    }
    return _write(folder, words, pairs, settings)


def _write(folder: Path, words: list[str], pairs: list[tuple[str, str]], settings: dict) -> int:
    vocabulary = {word: number for number, word in enumerate(dict.fromkeys(words))}
    folder.mkdir(parents=True, exist_ok=True)
    files = {
        "vocab.json": json.dumps(vocabulary, ensure_ascii=False),
        "merges.txt": "\n".join(["#version: 0.2", *(" ".join(pair) for pair in pairs)]) + "\n",
        "tokenizer_config.json": json.dumps(settings, indent=2),
    }
    for name, text in files.items():
        (folder / name).write_bytes(text.encode("utf-8"))
    return len(vocabulary)
