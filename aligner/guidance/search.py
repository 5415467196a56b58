"""Search (arXiv 2501.09732): several noises are followed for a while, and the best of them go on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import product
from typing import TYPE_CHECKING, NamedTuple

import torch

from ..binders.base import Embedding
from ..errors import NOT_FINITE, AlignerError
from ..generators.base import Streams
from ..generators.signals import silences
from .objective import Alignment, Objective
from .splicing import Estimate, spliced

if TYPE_CHECKING:
    from ..sampling import Run


class _Candidate(NamedTuple):
    """What a noise has become: an estimate, and what that looks and sounds like.

    silent: of every piece of the result, by stream, which samples (B,) cannot be heard.
    """

    estimate: Estimate
    embedded: Mapping[str, Embedding]
    silent: Sequence[Mapping[str, torch.Tensor]]


@torch.no_grad()
def best(
    run: Run, noises: Sequence[Streams], prompts: Streams, steps: int, objective: Objective
) -> tuple[Streams, Streams]:
    """Follow noises for some steps, and go on with those whose clean estimates align best, sample by sample.

    Streams that do not depend on each other are chosen for each other: any candidate of one may meet any of another.
    What is silent is passed over: it fits many a moment, and is no use to anyone. Of a long result every piece is
    chosen by itself. Returns latents and clean estimates. Raises AlignerError where an alignment is not finite.
    """
    denoiser, progress = run.denoiser, steps / run.denoiser.steps
    # One by one, so that whoever cancels waits for one candidate at most.
    candidates = [_followed(run, noise, prompts, steps, objective) for noise in noises]
    couplings, pieces = denoiser.couplings, denoiser.pieces
    combinations = list(
        product(*([k for k, each in enumerate(candidates) if group[0] in each.estimate.latents] for group in couplings))
    )
    together = [_combined([each.embedded for each in candidates], couplings, each) for each in combinations]
    tried = [objective.alignment(embedded, progress) for embedded in together]
    chosen = []
    for number, piece in enumerate(pieces):
        alignments = (
            tried
            if len(pieces) == 1
            else [objective.alignment(embedded, progress, within=piece) for embedded in together]
        )
        silent = [_combined([each.silent[number] for each in candidates], couplings, each) for each in combinations]
        lowest = _lowest(torch.stack([alignment.loss for alignment in alignments]), _any(silent), steps)
        chosen.append(_by_stream(couplings, torch.tensor(combinations)[lowest].T))
    latents, clean = spliced([each.estimate for each in candidates], chosen, denoiser, steps)
    alignment = _picked(tried, lowest) if len(pieces) == 1 else objective(denoiser.render(clean), progress).detached()
    run.report_choice(steps - 1, clean, alignment, tried)
    return latents, clean


def _followed(run: Run, latents: Streams, prompts: Streams, steps: int, objective: Objective) -> _Candidate:
    clean: Streams = {}
    for i in range(steps):
        latents, clean = run.plain_step(latents, prompts, clean, i)
    rendered = run.denoiser.render(clean)
    return _Candidate(
        Estimate(latents, clean),
        objective.embedded(rendered),
        [silences(rendered, piece) for piece in run.denoiser.pieces],
    )


def _by_stream(couplings, values):
    """What each group of coupled streams has, for each of its streams."""
    return {stream: value for group, value in zip(couplings, values) for stream in group}


def _combined(candidates, couplings, combination):
    """What several candidates, one for each group of coupled streams, say of their streams."""
    return {
        stream: candidates[k][stream]
        for stream, k in _by_stream(couplings, combination).items()
        if stream in candidates[k]
    }


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


def _picked(alignments: Sequence[Alignment], rows: torch.Tensor) -> Alignment:
    """Of each sample the alignment that `rows` (B,) names."""

    def picked(values):
        return torch.stack(values).gather(0, rows.to(values[0].device)[None])[0]

    return replace(
        alignments[0],
        loss=picked([alignment.loss for alignment in alignments]),
        scores={label: picked([alignment.scores[label] for alignment in alignments]) for label in alignments[0].scores},
    )
