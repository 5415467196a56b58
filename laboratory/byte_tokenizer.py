"""A tokenizer of single bytes, for models with random weights."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any


def byte_tokenizer(special: Sequence[str], *, start: str, end: str, **roles: str) -> Any:
    """A tokenizer of transformers that puts `start` and `end` around the bytes of a text.

    special: the names of its first tokens. roles: names of these by their roles, such as pad_token.
    """
    from tokenizers import Tokenizer, models, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    names = (*special, *sorted(pre_tokenizers.ByteLevel.alphabet()))
    vocabulary = {name: number for number, name in enumerate(names)}
    tokenizer = Tokenizer(models.BPE(vocabulary, [], unk_token=roles["unk_token"]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    marks = [(name, vocabulary[name]) for name in (start, end)]
    tokenizer.post_processor = processors.TemplateProcessing(f"{start} $A {end}", None, marks)
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, cls_token=start, sep_token=end, **roles)
