"""What the generators are told during training, and the small vocabularies that it is spelled with."""

from __future__ import annotations

import json
from collections import Counter

import torch

from ..world import EVENTS, VAGUE_CAPTIONS

#: Shares of what a clip is called: rightly, vaguely; for the rest it goes without a word.
_RIGHT, _VAGUE = 0.7, 0.2

_MERGES = 400


def _words(captions: tuple[str, ...]) -> list[str]:
    return [word for caption in captions for word in caption.replace(",", "").split()]


def event_texts(number: int) -> list[str]:
    """All that is said of an event: its captions, and every word that belongs to it alone, with and without article."""
    own = EVENTS[number]
    counts = Counter(word for event in EVENTS for word in set(_words(event.captions)))
    words = [word for word in dict.fromkeys(_words(own.captions)) if counts[word] == 1]
    return [*own.captions, *words, *(f"a {word}" for word in words)]


#: Every text that training uses; which event it names, or how many events there are where it names none.
TEXTS = [text for number in range(len(EVENTS)) for text in event_texts(number)] + [*VAGUE_CAPTIONS, ""]
MEANT = torch.tensor([number for number in range(len(EVENTS)) for _ in event_texts(number)]
                     + [len(EVENTS)] * (len(VAGUE_CAPTIONS) + 1))


def drawn_texts(events: torch.Tensor, draw: torch.Generator) -> torch.Tensor:
    """For events (B,) the rows of TEXTS that they are called by: (B,) int64."""
    numbers = torch.rand(2, len(events), generator=draw).tolist()
    return torch.tensor([_row(event, *pair) for event, *pair in zip(events.tolist(), *numbers)])


def _row(event: int, share: float, which: float) -> int:
    if share < _RIGHT:
        rows = (MEANT == event).nonzero()[:, 0].tolist()
        captions = len(EVENTS[event].captions)
        # Whole captions are what most people write.
        rows = rows[:captions] if which < 0.8 else rows[captions:]
        return rows[int(which * 997) % len(rows)]
    if share < _RIGHT + _VAGUE:
        return len(TEXTS) - 1 - len(VAGUE_CAPTIONS) + int(which * len(VAGUE_CAPTIONS))
    return len(TEXTS) - 1


def merges(end_of_word: str) -> tuple[list[str], list[tuple[str, str]]]:
    """A byte-level vocabulary's 256 symbols and the pairs that it merges, learnt from TEXTS.

    end_of_word: what marks the last symbol of a word, "" if spaces belong to the words that follow.
    """
    from tokenizers import Tokenizer, models, pre_tokenizers, trainers

    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    suffix = {"end_of_word_suffix": end_of_word} if end_of_word else {}
    tokenizer = Tokenizer(models.BPE(**suffix))
    spaces = pre_tokenizers.ByteLevel(add_prefix_space=False)
    splits = [pre_tokenizers.WhitespaceSplit(), spaces] if end_of_word else [spaces]
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(splits)
    trainer = trainers.BpeTrainer(vocab_size=256 + _MERGES, initial_alphabet=alphabet, show_progress=False,
                                  **suffix)
    tokenizer.train_from_iterator(TEXTS, trainer)
    return alphabet, [tuple(pair) for pair in json.loads(tokenizer.to_str())["model"]["merges"]]
