"""Choosing: what a search knows of a candidate when it chooses, and the order in which candidates fit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from PIL.Image import Image

from ..errors import NOT_FINITE, AlignerError
from ..pictures import Film, Tile, beside, captioned, contact_sheet, stacked, stacked_films
from .objective import Alignment

#: The largest side of a candidate's picture in pixels.
_PICTURE_SIDE = 384
#: The side of the square that the page gives to a preview, in pixels.
_PREVIEW_SIDE = 512
#: In the units of losses. Lower values make results more varied and let streams agree less.
_TEMPERATURE = 0.1


@dataclass(frozen=True)
class Take:
    """A candidate as it was judged.

    label: what people call it. alignment: of its clean estimate, by sample of the batch. silent: (B,) bool, which
    samples cannot be heard; all False where nothing sounds. pictures: of the first sample, one per stream.
    """

    label: str
    alignment: Alignment
    silent: torch.Tensor
    pictures: tuple[Image, ...] = ()


def ranking(losses: Sequence[torch.Tensor], silent: Sequence[torch.Tensor]) -> torch.Tensor:
    """The numbers of K candidates for each sample, the best first: (K, B) on the CPU.

    losses, silent: (B,) of every candidate. The lowest loss is the best; silent candidates come after all others.
    Among equals the first comes first. Raises AlignerError where a loss is not finite.
    """
    stacked = torch.stack([loss.detach().cpu() for loss in losses])
    if not stacked.isfinite().all():
        raise AlignerError(f"The alignment of a candidate {NOT_FINITE}")
    by_loss = stacked.argsort(dim=0, stable=True)
    refused = torch.stack([each.cpu() for each in silent]).expand_as(stacked).gather(0, by_loss)
    return by_loss.gather(0, refused.to(torch.uint8).argsort(dim=0, stable=True))


def mutual(alignments: Sequence[Alignment], sizes: Sequence[int]) -> list[torch.Tensor]:
    """The loss of every combination (B,), where streams that are made count by how they prefer each other.

    alignments: of every combination of one candidate from each group, the last group varying fastest. sizes: how many
    candidates each group has. What compares generated streams with each other becomes the mean over groups of
    -temperature * log softmax(-loss / temperature) over the candidates of the group: the two directions of contrastive
    learning (CLIP, arXiv 2103.00020). A pair of streams then counts by how much better it fits than other pairs of
    them do. What compares streams with conditions stays. With one group the order is that of the losses.
    """
    losses = torch.stack([each.loss for each in alignments])
    between = torch.stack([torch.as_tensor(each.mutual).to(each.loss).expand_as(each.loss) for each in alignments])
    fits = -between.unflatten(0, tuple(sizes)) / _TEMPERATURE
    preferred = torch.stack([fits.log_softmax(dim=axis) for axis in range(len(sizes))]).mean(dim=0)
    return list(losses - between - _TEMPERATURE * preferred.flatten(0, len(sizes) - 1))


def any_silent(by_stream: Mapping[str, torch.Tensor]) -> torch.Tensor:
    """(B,) or (1,): whether one of the streams of a candidate is silent; False where no stream is a sound."""
    if not by_stream:
        return torch.zeros(1, dtype=torch.bool)
    return torch.stack(list(by_stream.values())).any(dim=0)


def sheet_of(takes: Sequence[Take], chosen: int, *, title: str = "", caption: str = "", batch: bool = False) -> Image:
    """The contact sheet of candidates, as the first sample looks and sounds. chosen: the number of the best.

    title: "" names the best and its score. batch: scores are those of all samples, which were chosen as a whole.
    """
    rows = slice(None) if batch else slice(1)
    tiles = [
        Tile(
            stacked(take.pictures),
            float(take.alignment.overall[rows].mean()),
            take.label,
            chosen=number == chosen,
            note="silent" if bool(take.silent[rows].any()) else "",
        )
        for number, take in enumerate(takes)
    ]
    best = tiles[chosen]
    title = title or f"{best.label[0].upper()}{best.label[1:]} fits best: {best.score:.3f}"
    return contact_sheet(tiles, title=title, caption=caption)


def pictured(signals: Mapping[str, Any]) -> dict[str, Image]:
    """A small picture of every signal that can draw itself: another package's signal need not."""
    pictures = {stream: signal.picture() for stream, signal in signals.items() if hasattr(signal, "picture")}
    for picture in pictures.values():
        # Many candidates are held until their report.
        picture.thumbnail((_PICTURE_SIDE, _PICTURE_SIDE))
    return pictures


def filmed(signals: Mapping[str, Any]) -> Film | None:
    """A preview of all signals, one above the other. None where none can draw itself."""
    films = (
        signal.film() if hasattr(signal, "film") else Film([signal.picture()])
        for signal in signals.values()
        if hasattr(signal, "picture")
    )
    return stacked_films(films)


def beside_best(film: Film, words: str, best: Take | None) -> Film:
    """A film of a candidate, and beside it the best so far. words: which candidate it is.

    best: None before candidates were compared; then the film says so.
    """
    if best is None:
        return labelled(film, f"{words}, no best yet")
    score = f"{best.alignment.overall[0].item():.3f}"
    half = _PREVIEW_SIDE // 2
    right = captioned(_fitted(stacked(best.pictures), half), f"best so far: {best.label}, {score}")
    return film.drawn(lambda picture: beside(captioned(_fitted(picture, half), words), right))


def labelled(film: Film, words: str) -> Film:
    """A film with a caption below."""
    return film.drawn(lambda picture: captioned(_fitted(picture, _PREVIEW_SIDE), words))


def _fitted(picture: Image, width: int) -> Image:
    """The picture as small as the page shows it with its caption: letters that are drawn on it stay readable."""
    fitted = picture.copy()
    fitted.thumbnail((width, round(0.9 * _PREVIEW_SIDE)))
    return fitted


def counted(candidate: int, candidates: int) -> str:
    """What a candidate is called while it runs. candidate: counted from 0."""
    return f"candidate {candidate + 1} of {candidates}"
