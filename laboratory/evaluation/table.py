"""Rows to figures with their confidence intervals, and figures to a table in Markdown."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby
from statistics import fmean
from typing import Protocol

import torch

from aligner.metrics import bootstrap_interval, frechet_distance

#: The figures of timing. Pictures have none.
TIMING = ("matched", "matched_lead", "onsets", "onsets_lead")
#: The figures that guidance does not optimise, then the one that it does.
FIGURES = ("right", "sure", "silent", "cosine", "second", *TIMING, "optimised")
HEADINGS = {
    "right": "judge: right",
    "sure": "judge: right and sure",
    "events": "events",
    "cosine": "judge: cosine",
    "second": "2nd binder: cosine",
    "matched": "AV-Align",
    "matched_lead": "AV-Align, lead",
    "onsets": "onset F1",
    "onsets_lead": "onset F1, lead",
    "frechet": "Fréchet",
    "seconds": "s / sample",
    "optimised": "*guiding binder*",
}
#: Gains in `right` over another method on the same samples, shown in points.
GAINS = {"gain": "points above unguided", "gain_at_equal_cost": "points above unguided at equal cost"}
#: What tells the rows of a task apart: headings by attribute.
LABELS = {"caption": "caption", "method": "steered"}


class Row(Protocol):
    """What a row of the table measures. It has the attributes that its labels name."""

    @property
    def task(self) -> str:
        """The rows of one task make one table."""


def summary(rows: Sequence[Mapping], real: torch.Tensor) -> dict:
    """The figures of a cell: means with 95 % intervals, the Fréchet distance, and the seconds that a sample takes.

    real: (N, 64), the judge's features of real clips.
    """
    figures: dict = {"samples": len(rows), "seconds": fmean(row["seconds"] for row in rows)}
    for name in FIGURES:
        values = [float(row[name]) for row in rows if row.get(name) is not None]
        if values:
            low, high = bootstrap_interval(torch.tensor(values))
            figures[name] = {"mean": fmean(values), "low": low, "high": high}
    # Several draws for a clip share a row, which names the event of the first alone.
    if all(isinstance(row["right"], bool) for row in rows) and any(row["right"] for row in rows):
        figures["events"] = effective_events(rows)
    figures["frechet"] = frechet_distance(torch.tensor([row["features"] for row in rows]), real)
    return figures


def effective_events(rows: Sequence[Mapping]) -> float:
    """exp of the entropy of the events of right results: 8 where all are equally frequent, 1 where there is one."""
    counts = torch.tensor(list(Counter(row["judged"] for row in rows if row["right"]).values()) or [1.0])
    return torch.distributions.Categorical(counts.double()).entropy().exp().item()


def gain(rows: Sequence[Mapping], baseline: Sequence[Mapping], name: str = "right") -> dict:
    """The mean difference of a figure from the baseline on the same samples, with its 95 % interval."""
    differences = torch.tensor(
        [float(row[name]) - float(other[name]) for row, other in zip(rows, baseline, strict=True)]
    )
    low, high = bootstrap_interval(differences)
    return {"mean": differences.mean().item(), "low": low, "high": high}


def markdown(
    summaries: Iterable[tuple[Row, Mapping]],
    headings: Mapping[str, str] = HEADINGS,
    labels: Mapping[str, str] = LABELS,
) -> str:
    """One table for each task, with shares and their intervals in per cent.

    headings: of the figures, by their names. labels: headings of the attributes that tell rows apart, by their names.
    """
    lines: list[str] = []
    for task, several in groupby(summaries, lambda summary: summary[0].task):
        rows = list(several)
        names = [name for name in headings if any(name in figures for _, figures in rows)]
        lines += [
            "",
            f"**{task}**",
            "",
            f"| {' | '.join([*labels.values(), *(headings[name] for name in names)])} |",
            f"|{'---|' * (len(labels) + len(names))}",
        ]
        for cell, figures in rows:
            shown = [*(getattr(cell, name) for name in labels), *(_shown(figures, name) for name in names)]
            lines.append(f"| {' | '.join(shown)} |")
    return "\n".join(lines[1:]) + "\n"


def _shown(figures: Mapping, name: str) -> str:
    if name not in figures:
        return "–"
    if name in ("seconds", "events"):
        return f"{figures[name]:.1f}"
    if name.startswith("frechet"):
        return f"{figures[name]:.2f}"
    if name.startswith("kernel"):
        return f"{figures[name]:.3f}"
    mean, low, high = (figures[name][key] for key in ("mean", "low", "high"))
    if name in ("right", "sure"):
        return f"{100 * mean:.0f} % ({100 * low:.0f}–{100 * high:.0f})"
    if name in GAINS:
        return f"{100 * mean:+.0f} ({100 * low:.0f} to {100 * high:.0f})"
    return f"{mean:.2f} ({low:.2f}–{high:.2f})"
