"""From options to a guided run: the part that is the same whatever is generated."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ..binders.imagebind import ImageBind
from ..conditions.condition import Condition
from ..conditions.encoding import prompt_conditions, text_condition
from ..generation import Generation, generate
from ..generators.base import Denoiser, Streams
from ..generators.tuned_prompts import TunedPrompt, load_tuned_prompt
from ..guidance.rule import Guidance
from .checks import text_weight_of
from .models import Models
from .progress import progress_bar


@dataclass(frozen=True)
class Run:
    """A finished run: its result, and what it was made with."""

    result: Generation
    models: Models
    denoiser: Denoiser
    conditions: Sequence[Condition]
    guidance: Guidance
    between: float


def prompt_weights(options: Namespace, texts: Mapping[str, str]) -> list[float]:
    """The weights of prompts, by stream, as targets of guidance: an empty prompt is none."""
    return [text_weight_of(options) for text in texts.values() if text.strip()]


def text_conditions(options: Namespace, binder: ImageBind, texts: Mapping[str, str]) -> list[Condition]:
    """The prompts, by stream, as targets, and the texts to stay away from."""
    return [
        *prompt_conditions(binder, texts, text_weight_of(options)),
        *(text_condition(binder, text, weight=-1.0) for text in options.away_from),
    ]


def read_tuned_prompt(options: Namespace, *streams: str) -> TunedPrompt | None:
    """The prompt embedding that the options name. Raises AlignerError if the file holds none for these streams."""
    return load_tuned_prompt(options.tuned_prompt).require_streams(streams) if options.tuned_prompt else None


def starting_prompts(embeddings: Streams, tuned: TunedPrompt | None) -> Streams:
    """The prompt embeddings that sampling starts from. Raises AlignerError if a tuned one does not fit the model."""
    return tuned.for_streams(tuple(embeddings), embeddings) if tuned else embeddings


def steered(
    options: Namespace,
    models: Models,
    denoiser: Denoiser,
    prompts: Streams,
    conditions: Sequence[Condition],
    guidance: Guidance,
    *,
    between: float = 1.0,
    latents: Streams | None = None,
) -> Run:
    """Sample with a progress bar, with only what samples on the device."""
    with models.on_device(*models.sampling_parts), progress_bar() as on_step:
        result = generate(
            denoiser,
            prompts,
            seed=options.seed,
            binder=models.binder,
            conditions=conditions,
            between=between,
            guidance=guidance,
            steer=not options.unguided,
            latents=latents,
            on_step=on_step,
        )
    return Run(result, models, denoiser, conditions, guidance, between)
