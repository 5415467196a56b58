"""The texts that generators are trained with, and the small vocabularies of their tokenizers."""

from __future__ import annotations

import json

import torch

from aligner.demo.events import EVENTS

from ..world import VAGUE_CAPTIONS

#: Shares of right and of vague texts. The rest are empty.
_RIGHT, _VAGUE = 0.7, 0.2
#: The share of whole captions among right texts, because most people write captions. The rest are single words.
_WHOLE = 0.8

#: The most pairs that a vocabulary merges.
_MOST_MERGES = 400


def event_texts(number: int) -> list[str]:
    """All texts of an event: its captions, and its words with and without an article."""
    event = EVENTS[number]
    return [*event.captions, *event.words, *(f"a {word}" for word in event.words)]


#: Every text of training, and the number of the event that it names. The number is len(EVENTS) where it names none.
TEXTS = [text for number in range(len(EVENTS)) for text in event_texts(number)] + [*VAGUE_CAPTIONS, ""]
MEANT = torch.tensor(
    [number for number in range(len(EVENTS)) for _ in event_texts(number)] + [len(EVENTS)] * (len(VAGUE_CAPTIONS) + 1)
)


def drawn_texts(events: torch.Tensor, draw: torch.Generator) -> torch.Tensor:
    """Random texts for events (B,): rows of TEXTS, (B,) int64."""
    draws = torch.rand(3, len(events), generator=draw).tolist()
    return torch.tensor([_row(*each) for each in zip(events.tolist(), *draws)])


def _row(event: int, kind: float, length: float, which: float) -> int:
    if kind < _RIGHT:
        rows = (event == MEANT).nonzero()[:, 0].tolist()
        captions = len(EVENTS[event].captions)
        rows = rows[:captions] if length < _WHOLE else rows[captions:]
    elif kind < _RIGHT + _VAGUE:
        rows = range(len(TEXTS) - 1 - len(VAGUE_CAPTIONS), len(TEXTS) - 1)
    else:
        rows = [len(TEXTS) - 1]
    return rows[int(which * len(rows))]


def merges(end_of_word: str) -> tuple[list[str], list[tuple[str, str]]]:
    """The 256 symbols of a byte-level vocabulary and the pairs that it merges, learnt from TEXTS.

    end_of_word: the mark of the last symbol of a word; "" where a space belongs to the word that follows.
    """
    from tokenizers import Tokenizer, models, pre_tokenizers, trainers

    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    suffix = {"end_of_word_suffix": end_of_word} if end_of_word else {}
    tokenizer = Tokenizer(models.BPE(**suffix))
    spaces = pre_tokenizers.ByteLevel(add_prefix_space=False)
    splits = [pre_tokenizers.WhitespaceSplit(), spaces] if end_of_word else [spaces]
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(splits)
    # The symbols are numbered here. The trainer would number them in an order that differs from run to run, and it
    # breaks ties between pairs by these numbers.
    last = [symbol + end_of_word for symbol in alphabet] if end_of_word else []
    trainer = trainers.BpeTrainer(
        vocab_size=256 + len(last) + _MOST_MERGES,
        initial_alphabet=alphabet,
        special_tokens=last,
        show_progress=False,
        **suffix,
    )
    tokenizer.train_from_iterator(TEXTS, trainer)
    return alphabet, [tuple(pair) for pair in json.loads(tokenizer.to_str())["model"]["merges"]]
