"""Text to the token ids of ImageBind's text tower."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from .towers import TEXT_LENGTH


def tokenize(texts: Sequence[str]) -> torch.Tensor:
    """Texts -> (N, 77) int64 ids of CLIP's byte-pair vocabulary: start, text, end, zeros.

    Mojibake and HTML entities are repaired first and case is dropped, as upstream. Of a text that is too long
    the first 75 tokens are kept, between start and end.
    """
    from open_clip.tokenizer import (
        tokenize as clip_tokenize,  # imports much; only texts need it
    )

    return clip_tokenize(list(texts), context_length=TEXT_LENGTH)
