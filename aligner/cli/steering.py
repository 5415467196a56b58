"""From options to a guided run: the part that is the same whatever is generated."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from .. import settings
from ..binders.base import Binder
from ..conditions.condition import Condition
from ..conditions.encoding import prompt_conditions, text_condition
from ..generation import Generation, generate
from ..generators.base import Generator, Streams
from ..generators.tuned_prompts import TunedPrompt, load_tuned_prompt
from ..guidance.rule import Rule
from .models import LoadedModels
from .progress import progress_bar


@dataclass(frozen=True)
class Outcome:
    """What a command made, and what it was made with. texts: the prompt of each stream."""

    result: Generation
    models: LoadedModels
    denoiser: Generator
    conditions: Sequence[Condition]
    rule: Rule
    texts: Mapping[str, str]
    pair_weight: float


def text_conditions(options: Namespace, binder: Binder, texts: Mapping[str, str]) -> list[Condition]:
    """The prompts, by stream, which count as much as the rule says, and the texts to stay away from."""
    return [
        *prompt_conditions(binder, texts),
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
    models: LoadedModels,
    denoiser: Generator,
    prompts: Streams,
    conditions: Sequence[Condition],
    rule: Rule,
    texts: Mapping[str, str],
    *,
    pair_weight: float = settings.PAIR_WEIGHT.default,
    latents: Streams | None = None,
) -> Outcome:
    """Sample with a progress bar, with only what samples on the device. texts: the prompt of each stream."""
    with models.on_device(*models.sampling_parts), progress_bar() as on_step:
        result = generate(
            denoiser,
            prompts,
            seed=options.seed,
            rule=rule,
            binder=models.binder,
            conditions=conditions,
            pair_weight=pair_weight,
            latents=latents,
            on_step=on_step,
        )
    return Outcome(result, models, denoiser, conditions, rule, texts, pair_weight)
