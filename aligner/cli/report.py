"""What a command says about its result."""

from __future__ import annotations

from pathlib import Path

from ..generation import Generation
from ..media import written_whole
from ..pictures import alignment_curve


def report(result: Generation, *, curve: str | None) -> None:
    """Print how well the result aligns with each condition; draw the curve where asked for."""
    for label, score in result.scores.items():
        print(f"cosine {label}: {score.mean().item():+.3f}")
    if curve:
        draw_curve(curve, result)
        print(f"Wrote {curve}")


def draw_curve(path: str | Path, result: Generation) -> None:
    """Write the alignment curve of a guided result as a picture."""
    with written_whole(path) as temporary:
        alignment_curve(result.curves, title="Alignment while sampling", y_label="cosine similarity").save(temporary)
