"""A progress bar with the current loss."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from ..guidance.rule import Step

#: The bar counts per cent of the run: candidates take steps of their own.
FORMAT = "{desc}: {percentage:3.0f} %|{bar}| {elapsed}, {remaining} left{postfix}"


@contextmanager
def progress_bar(description: str = "sampling") -> Iterator[Callable[[Step], None]]:
    """Yields the callback that a generation calls after every step."""
    from tqdm import tqdm

    # The delay keeps the bar off the screen when a request is refused before its first step.
    with tqdm(total=100, desc=description, delay=0.01, bar_format=FORMAT) as bar:

        def on_step(step: Step) -> None:
            if step.alignment:
                bar.set_postfix(loss=f"{step.alignment.loss.mean().item():.3f}")
            bar.update(100 * step.passed - bar.n)

        yield on_step
