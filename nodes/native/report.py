"""A steered run as a picture and as text."""

from dataclasses import replace

from PIL import Image

from ...aligner.guidance import objective
from ...aligner.guidance.choosing import sheet_of
from ...aligner.pictures import alignment_curve
from .steering import SteeredRun


def drawn(run: SteeredRun) -> Image.Image:
    """The candidates at the choice, in the order of their seeds; the alignment where gradients alone steered."""
    if not (rehearsed := run.rehearsed):
        return alignment_curve({"alignment": run.curve} if run.curve else {})
    takes = [
        replace(take, label=f"seed + {candidate}" if candidate else "seed")
        for candidate, take in enumerate(rehearsed.takes)
    ]
    title, *caption = described(run).splitlines()
    return sheet_of(takes, rehearsed.chosen, title=title, caption="\n".join(caption), batch=True)


def described(run: SteeredRun, known: bool = True) -> str:
    """What was tried, what was chosen and what it cost, a sentence a line. known: whether the result is the run's."""
    lines = [run.passed_over if run.curve else f"{run.passed_over} It sampled as usual."] if run.passed_over else []
    if not known:
        lines.append("The LATENT is not what this MODEL sampled. This is its last sampling.")
    if rehearsed := run.rehearsed:
        moments = " and ".join(f"after {choice.steps}" for choice in rehearsed.choices)
        lines += [
            f"Seed {run.seed} fits best: {rehearsed.best.alignment.overall.mean().item():.3f}",
            f"{len(rehearsed.takes)} candidates were compared {moments} of {run.steps} steps.",
            *objective.described(rehearsed.best.alignment.scores, rehearsed.best.alignment.synchrony),
        ]
        if not run.repeatable:
            lines.append("The noise comes from a node of its own. Another seed of it may give another result.")
    lines += run.notes
    if run.curve:
        moved = len({step for step, _ in run.curve})
        first, last = run.curve[0][1], run.score
        lines.append(
            f"Gradients moved the result at {moved} steps. Its estimate fits {first:.3f} first, {last:.3f} last."
        )
    if run.evaluations:
        lines.append(f"{run.evaluations} evaluations of the model, {run.decodings} decodings.")
    return "\n".join(lines)
