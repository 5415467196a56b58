"""How a generation is steered: a frozen set of choices, validated once."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

import torch

from .errors import AlignerError
from .imagebind.clips import CLIP_SAMPLINGS
from .losses import COMPARISONS


@dataclass(frozen=True)
class Rule:
    """One reading of the update.

    placement: the latent that moves, z_t "before" the scheduler's step or z_{t-1} "after" it.
    through_denoiser: whether the gradient also passes through the denoising network, or only through the decoder.
    optimiser: a fresh one for every denoising step.
    """

    placement: Literal["before", "after"]
    through_denoiser: bool
    optimiser: type[torch.optim.Optimizer]


#: The two readings of the method. "paper": eq. 11 to 13, a plain gradient step on z_t, whose clean estimate depends on
#: it through the network too; the step is then taken with the prediction made before the update, which saves a second
#: pass through the network in every step. "released": the authors' code, Adam on the latent after the scheduler's
#: step, with the prediction of before it held fixed.
RULES = {
    "paper": Rule("before", through_denoiser=True, optimiser=torch.optim.SGD),
    "released": Rule("after", through_denoiser=False, optimiser=torch.optim.Adam),
}

#: Learning rates of the paper, section 4.1: AudioLDM 0.1, AnimateDiff 0.01. It gives none for prompts.
PAPER_RATES = {"audio": 0.1, "video": 0.01}


@dataclass(frozen=True)
class Guidance:
    """Settings of the diffusion latent aligner.

    rule: a key of RULES.
    rates: learning rate of each stream's latent (lambda_1); 0 leaves that stream unguided.
    prompt_rates: learning rate of each stream's prompt embedding (lambda_2, eq. 17, guided prompt tuning), whose spaces
        differ as the generators do; a stream that is not named keeps its prompt.
    inner_steps: updates per denoising step (N of algorithm 1), at least 1.
    start, end: the part of the denoising steps taken that is guided, as fractions (see `window`). The released code warms
        up for 0.2.
    compare: a key of COMPARISONS, "mean" over clips as in the paper, or "per_clip", which carries timing.
    clips: a key of CLIP_SAMPLINGS, how recordings are cut into clips.
    checkpointing: recompute activations in the backward pass instead of keeping them: less memory, more time, the same
        result.

    Raises AlignerError naming the first setting that cannot work.
    """

    rule: str = "released"
    rates: Mapping[str, float] = field(default_factory=lambda: dict(PAPER_RATES))
    prompt_rates: Mapping[str, float] = field(default_factory=dict)
    inner_steps: int = 1
    start: float = 0.2
    end: float = 1.0
    compare: str = "mean"
    clips: str = "released"
    checkpointing: bool = False

    def __post_init__(self):
        for name, value, choices in (("rule", self.rule, RULES), ("compare", self.compare, COMPARISONS),
                                     ("clips", self.clips, CLIP_SAMPLINGS)):
            if value not in choices:
                raise AlignerError(f"Guidance {name} {value!r} is unknown. Choose one of: {', '.join(choices)}.")
        for kind, rates in (("latent", self.rates), ("prompt", self.prompt_rates)):
            for stream, rate in rates.items():
                if not (math.isfinite(rate) and rate >= 0):
                    raise AlignerError(f"The learning rate of the {stream} {kind} must be 0 or more, not {rate}.")
        if not isinstance(self.inner_steps, int) or self.inner_steps < 1:
            raise AlignerError(f"Guidance needs a whole number of inner steps, at least 1, not {self.inner_steps}.")
        if not 0 <= self.start < self.end <= 1:
            raise AlignerError(
                f"The guidance window {self.start} to {self.end} is empty or outside 0 to 1. "
                "Give a start below the end, for example 0.2 to 1.0.")

    def window(self, steps: int) -> range:
        """The guided steps out of 0..steps-1.

        A start above 0 counts as the released code counts: the step that the warm-up's end falls on is not guided
        yet, so that 0.2 of 30 steps guides the last 23.

        Raises AlignerError when no step is left.
        """
        first = int(round(self.start * steps, 6)) + 1 if self.start > 0 else 0
        guided = range(first, math.ceil(round(self.end * steps, 6)))
        if not guided:
            raise AlignerError(f"The guidance window {self.start} to {self.end} holds none of the {steps} steps. "
                               "Widen the window, take more steps or raise denoise.")
        return guided

    @property
    def needs_denoiser_gradient(self) -> bool:
        """Whether a guided step differentiates the network's prediction."""
        return RULES[self.rule].through_denoiser or any(self.prompt_rates.values())

    def of(self, streams: Iterable[str]) -> Guidance:
        """The same settings with the learning rates of these streams alone; other generators' rates cost nothing."""
        streams = tuple(streams)
        rates, prompt_rates = ({stream: rates[stream] for stream in streams if rates.get(stream)}
                               for rates in (self.rates, self.prompt_rates))
        return replace(self, rates=rates, prompt_rates=prompt_rates)

    def require_effect(self, streams: Iterable[str], steps: int) -> None:
        """Raise AlignerError when these settings would move nothing, or in none of the steps."""
        self.window(steps)
        streams = tuple(streams)
        if not any(rates.get(stream, 0) for rates in (self.rates, self.prompt_rates) for stream in streams):
            raise AlignerError(f"Guidance moves nothing: the learning rates of {' and '.join(streams)}, latent and "
                               "prompt, are all 0. Raise one, or turn guidance off.")
