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
from .optimisers import UnitSteps


#: Learning rates of the paper, section 4.1: AudioLDM 0.1, AnimateDiff 0.01. It gives none for prompts.
PAPER_RATES = {"audio": 0.1, "video": 0.01}


@dataclass(frozen=True)
class Rule:
    """One reading of the update.

    placement: the latent that moves, z_t "before" the scheduler's step or z_{t-1} "after" it.
    through_denoiser: whether the gradient also passes through the denoising network, or only through the decoder.
    optimiser: a fresh one for every denoising step.
    rates: learning rates of latents by stream. by_noise: whether they are multiplied by the noise that is left in the
    latent, from about 1 down to 0.
    views: how many randomised looks ImageBind takes (see `aligner.views`); 0: one exact look.
    recurrence: how often a step is taken: after each time but the last, its noise is added anew (time travel,
    arXiv 2201.09865 and 2303.09833).
    candidates: from how many noises sampling begins; of those the one goes on whose estimate aligns best (search over
    noises, arXiv 2501.09732). To choose changes nothing in a result, so that it cannot make it adversarial.
    """

    placement: Literal["before", "after"]
    through_denoiser: bool
    optimiser: type[torch.optim.Optimizer]
    rates: Mapping[str, float]
    by_noise: bool = False
    views: int = 0
    recurrence: int = 1
    candidates: int = 1


#: The two readings of the method. "paper": eq. 11 to 13, a plain gradient step on z_t, whose clean estimate depends on
#: it through the network too; the step is then taken with the prediction made before the update, which saves a second
#: pass through the network in every step. "released": the authors' code, Adam on the latent after the scheduler's
#: step, with the prediction of before it held fixed.
RULES = {
    "paper": Rule("before", through_denoiser=True, optimiser=torch.optim.SGD, rates=PAPER_RATES),
    "released": Rule("after", through_denoiser=False, optimiser=torch.optim.Adam, rates=PAPER_RATES),
    "robust": Rule("before", through_denoiser=True, optimiser=UnitSteps, rates={"audio": 0.1, "video": 0.1},
                   by_noise=True, views=2),
}


@dataclass(frozen=True)
class Guidance:
    """Settings of the diffusion latent aligner.

    rule: a key of RULES.
    rates: learning rate of each stream's latent (lambda_1); 0 leaves that stream unguided. None: the rule's own.
    prompt_rates: learning rate of each stream's prompt embedding (lambda_2, eq. 17, guided prompt tuning), whose spaces
        differ as the generators do; a stream that is not named keeps its prompt.
    inner_steps: updates per denoising step (N of algorithm 1), at least 1.
    start, end: the part of the denoising steps taken that is guided, as fractions (see `window`). The released code
        warms up for 0.2.
    compare: a key of COMPARISONS, "mean" over clips as in the paper, or "per_clip", which carries timing.
    clips: a key of CLIP_SAMPLINGS, how recordings are cut into clips.
    views: how many randomised looks ImageBind takes at every result; 0: one exact look. None: the rule's own.
    recurrence: how often each guided step is taken, with fresh noise in between. None: the rule's own.
    candidates: how many noises are tried; what follows one of them so far as to tell them apart costs no gradient.
        None: the rule's own. chosen_at: the part of the steps after which one is chosen, above 0 and below 1.
    checkpointing: recompute activations in the backward pass instead of keeping them: less memory, more time, the same
        result.

    Raises AlignerError naming the first setting that cannot work.
    """

    rule: str = "released"
    rates: Mapping[str, float] | None = None
    prompt_rates: Mapping[str, float] = field(default_factory=dict)
    inner_steps: int = 1
    start: float = 0.2
    end: float = 1.0
    compare: str = "mean"
    clips: str = "released"
    checkpointing: bool = False
    views: int | None = None
    recurrence: int | None = None
    candidates: int | None = None
    chosen_at: float = 0.4

    def __post_init__(self):
        for name, value, choices in (("rule", self.rule, RULES), ("compare", self.compare, COMPARISONS),
                                     ("clips", self.clips, CLIP_SAMPLINGS)):
            if value not in choices:
                raise AlignerError(f"Guidance {name} {value!r} is unknown. Choose one of: {', '.join(choices)}.")
        for name in ("rates", "views", "recurrence", "candidates"):
            if getattr(self, name) is None:
                object.__setattr__(self, name, getattr(RULES[self.rule], name))
        for kind, rates in (("latent", self.rates), ("prompt", self.prompt_rates)):
            for stream, rate in rates.items():
                if not (math.isfinite(rate) and rate >= 0):
                    raise AlignerError(f"The learning rate of the {stream} {kind} must be 0 or more, not {rate}.")
        if not isinstance(self.inner_steps, int) or self.inner_steps < 1:
            raise AlignerError(f"Guidance needs a whole number of inner steps, at least 1, not {self.inner_steps}.")
        for name, least in (("views", 0), ("recurrence", 1), ("candidates", 1)):
            value = getattr(self, name)
            if not isinstance(value, int) or value < least:
                raise AlignerError(f"Guidance {name} must be a whole number, at least {least}, not {value}.")
        if not 0 < self.chosen_at < 1:
            raise AlignerError(f"A candidate must be chosen after a part of the steps between 0 and 1, not "
                               f"{self.chosen_at}.")
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

    def choice(self, steps: int) -> int:
        """After how many steps one of the candidates is chosen: at least 1."""
        return max(1, int(round(self.chosen_at * steps, 6)))

    @property
    def moves(self) -> bool:
        """Whether a gradient moves anything; without, candidates are chosen and nothing else."""
        return any(self.rates.values()) or any(self.prompt_rates.values())

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
        if self.candidates > 1:
            return
        self.window(steps)
        streams = tuple(streams)
        if not any(rates.get(stream, 0) for rates in (self.rates, self.prompt_rates) for stream in streams):
            raise AlignerError(f"Guidance moves nothing: the learning rates of {' and '.join(streams)}, latent and "
                               "prompt, are all 0. Raise one, try several candidates, or turn guidance off.")
