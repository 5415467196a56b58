"""A progress bar with the current loss."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from ..sampling import Step


@contextmanager
def progress_bar(steps: int, description: str = "sampling") -> Iterator[Callable[[Step], None]]:
    """Yields the callback that a generation calls after every step."""
    from tqdm import tqdm

    # The delay keeps the bar off the screen when a request is refused before its first step.
    with tqdm(total=steps, desc=description, unit="step", delay=0.01) as bar:
        def on_step(step: Step) -> None:
            if step.alignment:
                bar.set_postfix(loss=f"{step.alignment.loss.mean().item():.3f}")
            bar.update(round(step.passed * steps) - bar.n)

        yield on_step
