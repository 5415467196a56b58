"""How a generation is steered: a frozen set of choices, validated once."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from copy import copy
from dataclasses import dataclass, field, replace
from typing import Literal

import torch

from ..errors import AlignerError
from ..timing.clips import CLIP_SAMPLINGS
from .distances import COMPARISONS

#: Learning rates of the paper, section 4.1: AudioLDM 0.1, AnimateDiff 0.01. It gives none for prompts.
PAPER_RATES = {"audio": 0.1, "video": 0.01}
#: The paper tunes prompts for video (section 3.2.4) without saying how fast: Adam at 0.01 moves an embedding, whose
#: entries are about 1, by some tenths in 20 steps.
PROMPT_RATES = {"video": 0.01}


@dataclass(frozen=True)
class Rule:
    """One way to steer.

    placement: the latent that moves, z_t "before" the scheduler's step or z_{t-1} "after" it.
    through_denoiser: whether the gradient also passes through the denoising network, or only through the decoder.
    optimiser: a fresh one for every denoising step.
    rates, prompt_rates: learning rates by stream, of latents and of prompt embeddings.
    candidates: by stream, from how many noises sampling begins.
    compare, clips: see `Guidance`.
    text_weight: how much the generator's own prompt counts as a target beside the conditions.
    """

    placement: Literal["before", "after"]
    through_denoiser: bool
    optimiser: type[torch.optim.Optimizer]
    rates: Mapping[str, float]
    prompt_rates: Mapping[str, float] = field(default_factory=dict)
    candidates: Mapping[str, int] = field(default_factory=dict)
    compare: str = "mean"
    clips: str = "released"
    text_weight: float = 1.0


#: "paper": eq. 11 to 13, a plain gradient step on z_t, whose clean estimate depends on it through the network too; the
#: step is then taken with the prediction made before the update, which saves a second pass through the network in every
#: step. It also tunes the prompts of video (eq. 17). "released": the authors' code, Adam on the latent after the
#: scheduler's step, with the prediction of before it held fixed. "search": several noises are followed for a while, and
#: the one goes on whose clean estimate aligns best (arXiv 2501.09732), of those that can be heard by then. Nothing is
#: moved, so that nothing adversarial can be found, and no memory is needed for a gradient. Prompts do not count in the
#: choice: all candidates follow the prompt already, and what it leaves open is up to the conditions. It is the default
#: because a judge that none of these rules optimises hears and sees the most in its results (`laboratory.evaluate`).
#: Where it is given learning rates, the latents that were chosen move on as in "released".
RULES = {
    "search": Rule(
        "after",
        through_denoiser=False,
        optimiser=torch.optim.Adam,
        rates={},
        candidates={"audio": 16, "video": 8},
        compare="per_clip",
        clips="short",
        text_weight=0.0,
    ),
    "released": Rule("after", through_denoiser=False, optimiser=torch.optim.Adam, rates=PAPER_RATES),
    "paper": Rule(
        "before", through_denoiser=True, optimiser=torch.optim.SGD, rates=PAPER_RATES, prompt_rates=PROMPT_RATES
    ),
}


def filled(asked: Mapping, usual: Mapping) -> dict:
    """For every stream what is asked for; where that is None, what is usual, if anything is."""
    chosen = {stream: usual.get(stream) if value is None else value for stream, value in asked.items()}
    return {stream: value for stream, value in chosen.items() if value is not None}


@dataclass(frozen=True)
class Guidance:
    """Settings of the diffusion latent aligner.

    rule: a key of RULES.
    rates: learning rate of each stream's latent (lambda_1); 0 leaves that stream unguided. None: the rule's own.
    prompt_rates: learning rate of each stream's prompt embedding (lambda_2, eq. 17, guided prompt tuning), whose spaces
        differ as the generators do; a stream that is not named keeps its prompt. None: the rule's own.
    inner_steps: updates per denoising step (N of algorithm 1), at least 1.
    start, end: the part of the denoising steps taken that is guided, as fractions (see `window`). The released code
        warms up for 0.2.
    compare: a key of COMPARISONS, "mean" over clips as in the paper, or "per_clip", which carries timing. None: the
        rule's own.
    clips: a key of CLIP_SAMPLINGS, how recordings are cut into clips. None: the rule's own.
    candidates: how many noises are tried for each stream; one that is not named has one. None: the rule's own. A sound
        that is silent when the choice is made is chosen only where all are.
        chosen_at: the part of the steps after which one is chosen, above 0 and below 1.
    checkpointing: recompute activations in the backward pass instead of keeping them: less memory, more time, the same
        result.

    Raises AlignerError naming the first setting that cannot work.
    """

    rule: str = "search"
    rates: Mapping[str, float] | None = None
    prompt_rates: Mapping[str, float] | None = None
    inner_steps: int = 1
    start: float = 0.2
    end: float = 1.0
    compare: str | None = None
    clips: str | None = None
    checkpointing: bool = False
    candidates: Mapping[str, int] | None = None
    chosen_at: float = 0.4

    def __post_init__(self):
        self._require_choice("rule", RULES)
        for name in ("rates", "prompt_rates", "candidates", "compare", "clips"):
            if getattr(self, name) is None:
                object.__setattr__(self, name, copy(getattr(RULES[self.rule], name)))
        self._require_choice("compare", COMPARISONS)
        self._require_choice("clips", CLIP_SAMPLINGS)
        for kind, rates in (("latent", self.rates), ("prompt", self.prompt_rates)):
            for stream, rate in rates.items():
                if not (math.isfinite(rate) and rate >= 0):
                    raise AlignerError(f"The learning rate of the {stream} {kind} must be 0 or more, not {rate}.")
        if not isinstance(self.inner_steps, int) or self.inner_steps < 1:
            raise AlignerError(f"Guidance needs a whole number of inner steps, at least 1, not {self.inner_steps}.")
        for stream, number in self.candidates.items():
            if not isinstance(number, int) or number < 1:
                raise AlignerError(f"The candidates for {stream} must be a whole number, at least 1, not {number}.")
        if not 0 < self.chosen_at < 1:
            raise AlignerError(
                f"A candidate must be chosen after a part of the steps between 0 and 1, not {self.chosen_at}."
            )
        if not 0 <= self.start < self.end <= 1:
            raise AlignerError(
                f"The guidance window {self.start} to {self.end} is empty or outside 0 to 1. "
                "Give a start below the end, for example 0.2 to 1.0."
            )

    def _require_choice(self, name: str, choices: Iterable[str]) -> None:
        if getattr(self, name) not in choices:
            raise AlignerError(
                f"Guidance {name} {getattr(self, name)!r} is unknown. Choose one of: {', '.join(choices)}."
            )

    def window(self, steps: int) -> range:
        """The guided steps out of 0..steps-1.

        A start above 0 counts as the released code counts: the step that the warm-up's end falls on is not guided
        yet, so that 0.2 of 30 steps guides the last 23.

        Raises AlignerError when no step is left.
        """
        first = int(round(self.start * steps, 6)) + 1 if self.start > 0 else 0
        guided = range(first, math.ceil(round(self.end * steps, 6)))
        if not guided:
            raise AlignerError(
                f"The guidance window {self.start} to {self.end} holds none of the {steps} steps. "
                "Widen the window, take more steps or raise denoise."
            )
        return guided

    def choice(self, steps: int) -> int:
        """After how many steps one of the candidates is chosen: at least 1."""
        return max(1, int(round(self.chosen_at * steps, 6)))

    def candidates_of(self, streams: Iterable[str]) -> int:
        """How many noises are tried for streams that depend on each other."""
        return max((self.candidates.get(stream, 1) for stream in streams), default=1)

    @property
    def moves(self) -> bool:
        """Whether a gradient moves anything; without, candidates are chosen and nothing else."""
        return any(self.rates.values()) or any(self.prompt_rates.values())

    @property
    def needs_denoiser_gradient(self) -> bool:
        """Whether a guided step differentiates the network's prediction."""
        return RULES[self.rule].through_denoiser or any(self.prompt_rates.values())

    def of(self, streams: Iterable[str]) -> Guidance:
        """The same settings for these streams alone; other generators' rates and candidates cost nothing."""
        streams = tuple(streams)
        return replace(
            self,
            **{
                name: {stream: values[stream] for stream in streams if values.get(stream)}
                for name, values in (
                    ("rates", self.rates),
                    ("prompt_rates", self.prompt_rates),
                    ("candidates", self.candidates),
                )
            },
        )

    def require_effect(self, streams: Iterable[str], steps: int) -> None:
        """Raise AlignerError when these settings would move nothing, or in none of the steps."""
        streams = tuple(streams)
        if self.candidates_of(streams) > 1 and not self.moves:
            return
        if not any(rates.get(stream, 0) for rates in (self.rates, self.prompt_rates) for stream in streams):
            raise AlignerError(
                f"Guidance moves nothing: the learning rates of {' and '.join(streams)}, latent and "
                "prompt, are all 0. Try several candidates, raise a rate, or turn guidance off."
            )
        self.window(steps)
