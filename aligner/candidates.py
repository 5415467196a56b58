"""Search (arXiv 2501.09732): several noises are followed for a while, and the best of them go on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import product
from typing import TYPE_CHECKING, NamedTuple

import torch

from .errors import NOT_FINITE, AlignerError
from .generators.base import Denoiser, Streams
from .imagebind.encode import Embedding
from .objective import Alignment, Objective
from .signals import silences

if TYPE_CHECKING:
    from .sampling import Run


#: How wide two pieces are faded into each other, as a part of the shortest: about what windows share.
_FADE = 1 / 3


class _Candidate(NamedTuple):
    """What a noise has become: latents, their clean estimates, and what those look and sound like.

    silent: of every piece of the result, by stream, which samples (B,) cannot be heard.
    """

    latents: Streams
    clean: Streams
    embedded: Mapping[str, Embedding]
    silent: Sequence[Mapping[str, torch.Tensor]]


@torch.no_grad()
def best(run: Run, noises: Sequence[Streams], prompts: Streams, steps: int,
         objective: Objective) -> tuple[Streams, Streams]:
    """Follow noises for some steps, and go on with those whose clean estimates align best, sample by sample.

    Streams that do not depend on each other are chosen for each other: any candidate of one may meet any of another.
    What is silent is passed over: it fits many a moment, and is no use to anyone. Of a long result every piece is
    chosen by itself. Returns latents and clean estimates. Raises AlignerError where an alignment is not finite.
    """
    denoiser, progress = run.denoiser, steps / run.denoiser.steps
    # One by one, so that whoever cancels waits for one candidate at most.
    candidates = [_followed(run, noise, prompts, steps, objective) for noise in noises]
    couplings, pieces = denoiser.couplings, denoiser.pieces
    combinations = list(product(*([k for k, each in enumerate(candidates) if group[0] in each.latents]
                                  for group in couplings)))
    together = [_combined([each.embedded for each in candidates], couplings, each) for each in combinations]
    tried = [objective.alignment(embedded, progress) for embedded in together]
    chosen = []
    for number, piece in enumerate(pieces):
        alignments = tried if len(pieces) == 1 else [objective.alignment(embedded, progress, within=piece)
                                                     for embedded in together]
        silent = [_combined([each.silent[number] for each in candidates], couplings, each) for each in combinations]
        lowest = _lowest(torch.stack([alignment.loss for alignment in alignments]), _any(silent), steps)
        chosen.append(_by_stream(couplings, torch.tensor(combinations)[lowest].T))
    latents = _joined([each.latents for each in candidates], chosen, denoiser, noisy=steps < denoiser.steps)
    clean = _joined([each.clean for each in candidates], chosen, denoiser, noisy=False)
    alignment = (_picked(tried, lowest) if len(pieces) == 1 else
                 objective(denoiser.render(clean), progress).detached())
    run.report_choice(steps - 1, clean, alignment, tried)
    return latents, clean


def _followed(run: Run, latents: Streams, prompts: Streams, steps: int, objective: Objective) -> _Candidate:
    clean: Streams = {}
    for i in range(steps):
        latents, clean = run.plain_step(latents, prompts, clean, i)
    rendered = run.denoiser.render(clean)
    return _Candidate(latents, clean, objective.embedded(rendered),
                      [silences(rendered, piece) for piece in run.denoiser.pieces])


def _by_stream(couplings, values):
    """What each group of coupled streams has, for each of its streams."""
    return {stream: value for group, value in zip(couplings, values) for stream in group}


def _combined(candidates, couplings, combination):
    """What several candidates, one for each group of coupled streams, say of their streams."""
    return {stream: candidates[k][stream] for stream, k in _by_stream(couplings, combination).items()
            if stream in candidates[k]}


def _any(silent: Sequence[Mapping[str, torch.Tensor]]) -> torch.Tensor | bool:
    """(K, B): of every combination whether one of its streams is silent; False where none can be."""
    if not all(silent):
        return False
    return torch.stack([torch.stack(list(flags.values())).any(dim=0) for flags in silent])


def _lowest(losses: torch.Tensor, refused: torch.Tensor | bool, steps: int) -> torch.Tensor:
    """(B,): of each sample the number of its lowest loss; of those that are refused only if all are."""
    if not losses.isfinite().all():
        raise AlignerError(f"How well a candidate aligns after step {steps} {NOT_FINITE}")
    refused = torch.as_tensor(refused, device=losses.device).expand_as(losses)
    return losses.masked_fill(refused & ~refused.all(dim=0), torch.inf).argmin(dim=0).cpu()


def _joined(candidates: Sequence[Streams], chosen: Sequence[Mapping[str, torch.Tensor]], denoiser: Denoiser,
            noisy: bool) -> Streams:
    """Streams of which every piece of sample b is that of candidate chosen[piece][stream][b]."""
    return {stream: torch.stack([_pieced([each.get(stream) for each in candidates], numbers, b, denoiser, noisy)
                                 for b, numbers in enumerate(zip(*(each[stream].tolist() for each in chosen)))])
            for stream in chosen[0]}


def _pieced(candidates: Sequence[torch.Tensor | None], numbers: Sequence[int], sample: int, denoiser: Denoiser,
            noisy: bool) -> torch.Tensor:
    """(C, T, ...): where the piece of one candidate ends and that of another begins, they are faded into each other."""
    shares = _shares(denoiser, candidates[numbers[0]].shape[2])
    weights = {k: sum(share for share, number in zip(shares, numbers) if number == k) for k in sorted(set(numbers))}
    # Noises know nothing of each other: of their mean less would be left than the denoiser expects.
    whole = sum(weight.square() for weight in weights.values()).sqrt() if noisy else 1.0
    return sum(candidates[k][sample] * _over_time(weight / whole, candidates[k][sample])
               for k, weight in weights.items())


def _shares(denoiser: Denoiser, count: int) -> list[torch.Tensor]:
    """How much of each of `count` moments every piece gives: 1 but at its ends, where neighbours share a fade."""
    edges = torch.tensor([piece.start for piece in denoiser.pieces[1:]]) * (count / float(denoiser.seconds))
    bounds = torch.cat([edges.new_zeros(1), edges, edges.new_full((1,), count)])
    width = bounds.diff().min() * _FADE
    begun = [((torch.arange(count) + 0.5 - edge) / width + 0.5).clamp(0, 1) for edge in edges]
    return [before - after for before, after in zip([torch.ones(count), *begun], [*begun, torch.zeros(count)])]


def _over_time(weights: torch.Tensor, latent: torch.Tensor) -> torch.Tensor:
    """(T,) weights to be multiplied with a latent (C, T, ...)."""
    return weights.to(latent).view(-1, *[1] * (latent.ndim - 2))


def _picked(alignments: Sequence[Alignment], rows: torch.Tensor) -> Alignment:
    """Of each sample the alignment that `rows` (B,) names."""
    def picked(values):
        return torch.stack(values).gather(0, rows.to(values[0].device)[None])[0]

    return replace(alignments[0], loss=picked([alignment.loss for alignment in alignments]),
                   scores={label: picked([alignment.scores[label] for alignment in alignments])
                           for label in alignments[0].scores})
