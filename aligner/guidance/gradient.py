"""Rules that move latents and prompt embeddings down the gradient of the loss.

Seeing and Hearing (arXiv 2402.17723), algorithm 1 and eq. 11 to 13 and 17, and the authors' released code.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace

import torch

from .. import settings
from ..errors import NOT_FINITE, AlignerError
from ..generators.base import BackwardPass, Streams
from ..generators.signals import Signal
from .objective import PUBLISHED, Alignment, Comparison, Objective
from .rule import Rule, Run, Scope, State

#: Gradients of a cosine are tiny, and half precision would flush them to zero on their way back. A power of two is
#: divided out again exactly before the update.
GRADIENT_SCALE = 2.0**10


@dataclass(frozen=True)
class Gradient(Rule):
    """What the gradient rules share.

    rates: learning rate of each stream's latent (lambda_1), 0 or more; a stream that is not named stays. The paper's,
    section 4.1: 0.1 for AudioLDM, 0.01 for AnimateDiff. prompt_rates: learning rate of each stream's prompt embedding
    (lambda_2, guided prompt tuning, eq. 17). The paper tunes prompts for video (section 3.2.4) and gives no rate; 0.01
    with the Adam of `Released` moves an embedding, whose entries are about 1, by some tenths in 20 steps.
    inner_steps: updates per denoising step (N of algorithm 1), at least 1. start, end: the part of the denoising steps
    that is guided, see `window`. checkpointing: recompute activations in the backward pass: less memory, more time,
    the same result.

    Raises AlignerError that names the first setting that cannot work.
    """

    rates: Mapping[str, float] = field(default_factory=lambda: settings.by_stream("rate", settings.GRADIENT))
    prompt_rates: Mapping[str, float] = field(
        default_factory=lambda: settings.by_stream("prompt_rate", settings.GRADIENT)
    )
    inner_steps: int = settings.INNER_STEPS.default
    start: float = settings.START.default
    end: float = settings.END.default
    checkpointing: bool = settings.CHECKPOINTING.default
    comparison: Comparison = PUBLISHED

    def __post_init__(self):
        for kind, rates in (("latent", self.rates), ("prompt", self.prompt_rates)):
            for stream, rate in rates.items():
                if not (math.isfinite(rate) and rate >= 0):
                    raise AlignerError(f"The learning rate of the {stream} {kind} must be 0 or more, not {rate}.")
        if not isinstance(self.inner_steps, int) or self.inner_steps < 1:
            raise AlignerError(f"inner_steps must be a whole number, at least 1, not {self.inner_steps}.")
        if not 0 <= self.start < self.end <= 1:
            raise AlignerError(
                f"The guided part of the steps, {self.start} to {self.end}, is empty or outside 0 to 1. "
                "Give a start below the end, for example 0.2 to 1.0."
            )

    def window(self, steps: int) -> range:
        """The guided steps out of 0..steps-1.

        A start above 0 counts as in the released code, i > int(0.2 * steps): the step at which the warm-up ends is not
        guided yet, and 0.2 of 30 steps guides the last 23. Raises AlignerError when no step is left.
        """
        first = int(round(self.start * steps, 6)) + 1 if self.start > 0 else 0
        guided = range(first, math.ceil(round(self.end * steps, 6)))
        if not guided:
            raise AlignerError(
                f"The guided part {self.start} to {self.end} holds none of the {steps} steps. "
                "Widen it, take more steps or raise denoise."
            )
        return guided

    def moved(self, streams: Iterable[str]) -> set[str]:
        """Those of the streams whose latent or prompt has a learning rate."""
        return {stream for stream in streams if self.rates.get(stream) or self.prompt_rates.get(stream)}

    def tunes_prompts(self, streams: Iterable[str]) -> bool:
        """Whether the prompt embedding of one of the streams has a learning rate."""
        return any(self.prompt_rates.get(stream) for stream in streams)

    def savings(self) -> Mapping[str, Rule]:
        return {
            "checkpointing on": self.frugal(),
            "audio_prompt_rate and video_prompt_rate of 0": replace(self, prompt_rates={}),
        }

    def frugal(self) -> Rule:
        return replace(self, checkpointing=True)

    def without_prompts(self) -> Rule:
        return replace(self, prompt_rates={})

    def require_effect(self, streams: Iterable[str], steps: int) -> None:
        streams = tuple(streams)
        if not self.moved(streams):
            raise AlignerError(
                f"Guidance moves nothing: the learning rates of {' and '.join(streams)} are 0, those of latents and "
                "those of prompts, if this model takes any. Raise a rate, search instead, or turn guidance off."
            )
        self.window(steps)

    def require_reach(self, scope: Scope, first: int = 0) -> None:
        """Raise AlignerError unless a moved stream is compared and steps within the window, from step `first` on."""
        denoiser = scope.denoiser
        self.require_move(scope.objective(self), denoiser.streams, denoiser.steps, denoiser.active_streams, first)

    def require_move(
        self,
        objective: Objective,
        streams: Iterable[str],
        steps: int,
        active_streams: Callable[[int], Collection[str]],
        first: int,
    ) -> None:
        """The same for any model. active_streams: those that a step takes."""
        indices = [index for index in self.window(steps) if index >= first]
        active = {stream for index in indices for stream in active_streams(index)}
        moved = self.moved(streams)
        after = " after the choice" if first else ""
        if not moved & objective.compared & active:
            raise AlignerError(
                f"Guidance moves nothing. It moves {_listed(moved)}, it compares {_listed(objective.compared)}, and "
                f"the streams with steps within its window{after} are: {_listed(active)}. Widen the window, choose "
                "earlier, raise denoise, compare what is guided, or turn guidance off."
            )
        if not any(
            pair.weight_at(index / steps) and moved.intersection(pair.streams, active_streams(index))
            for index in indices
            for pair in objective.pairs
        ):
            raise AlignerError(
                f"Guidance moves nothing{after}: the schedules of all conditions are 0 within its window. Raise one "
                "there, or widen the window."
            )

    def _look(self, run: Run, clean: Streams, index: int) -> tuple[Mapping[str, Signal], Alignment]:
        """Render a clean estimate and compare it: the loss of eq. 14 to 16."""
        rendered = run.render(clean)
        return rendered, run.objective(self)(rendered, index / run.denoiser.steps)

    def _groups(self, latents: Streams, prompts: Streams) -> list[dict]:
        """Every leaf with its learning rate, as optimisers take them."""
        return [
            {"params": [leaf], "lr": rates.get(stream, 0.0)}
            for rates, leaves in ((self.rates, latents), (self.prompt_rates, prompts))
            for stream, leaf in leaves.items()
        ]

    def _unconditional(self, run: Run, latents: Streams, prompts: Streams, index: int) -> Streams:
        """The half of classifier-free guidance that stays the same while only prompts move."""
        still: Streams = {}
        for group in run.denoiser.coupled_streams:
            own = {stream: latents[stream] for stream in group if stream in latents}
            tuned = any(prompts[stream].requires_grad for stream in group if stream in prompts)
            if tuned and not any(latent.requires_grad for latent in own.values()):
                still |= own
        return run.denoiser.unconditional(still, index) if still else {}


@dataclass(frozen=True)
class Released(Gradient):
    """The authors' released code: Adam on the latent after the scheduler's step.

    z_{t-1} = step(z_t, eps);  z0~ = (z_{t-1} - sqrt(1 - abar_t) eps) / sqrt(abar_t);  z_{t-1} <- Adam(grad L(z0~))

    Prediction and noise level stay those of before the step, and the gradient passes through decoder and binder only;
    with prompt_rates it passes through the denoising network as well. The optimiser is a fresh one at every step.
    """

    def backward(self, streams: Iterable[str]) -> Mapping[str, BackwardPass]:
        return {
            stream: BackwardPass(False, self.tunes_prompts([stream]), self.checkpointing)
            for stream in self.moved(streams)
        }

    def step(self, run: Run, state: State, index: int) -> State:
        if index not in self.window(run.denoiser.steps):
            return run.plain_step(state, index)
        denoiser, tuning = run.denoiser, self.tunes_prompts(state.prompts)
        # 1. Predict and take the scheduler's step. Only tuned prompts need the prediction's graph.
        y = _leaves(state.prompts, self.prompt_rates)
        unconditional = self._unconditional(run, state.latents, y, index)
        with torch.set_grad_enabled(tuning):
            output = denoiser.predict(state.latents, y, index, unconditional)
        with torch.no_grad():
            z = _leaves(denoiser.step(state.latents, output, index), self.rates)
        # 2. Move the new latents and the prompts.
        optimiser = torch.optim.Adam(self._groups(z, y))
        for inner in range(self.inner_steps):
            if inner and tuning:
                output = denoiser.predict(state.latents, y, index, unconditional)
            clean = state.clean | denoiser.x0(z, output, index)
            rendered, alignment = self._look(run, clean, index)
            _descend(optimiser, alignment.loss, index)
        clean = _copies(clean)
        run.report(index, clean, _detached(rendered), alignment.detached())
        return State(_copies(state.latents | z), _copies(y), clean)

    def moved_estimate(
        self, clean: Streams, look: Callable[[Streams], Alignment], index: int, reach: float
    ) -> tuple[Streams, Alignment]:
        """Move the clean estimate of a model whose sampler holds the latents: z0~ <- Adam(grad L(z0~)), N times.

        look: clean latents to their alignment, differentiable. reach: how far the clean estimate must move so that the
        next latent moves by 1. A sampler's step is z_{t-1} = z0~ + (sigma_{t-1} / sigma_t) (z_t - z0~) but for its
        noise, so that the reach is 1 / (1 - sigma_{t-1} / sigma_t) in the scale of the latents, and the rates mean what
        they mean above. Returns the moved estimate and its last alignment; raises AlignerError unless finite.
        """
        z = _leaves(clean, self.rates)
        optimiser = torch.optim.Adam(
            [{"params": [leaf], "lr": self.rates.get(stream, 0.0) * reach} for stream, leaf in z.items()]
        )
        for _ in range(self.inner_steps):
            alignment = look(z)
            _descend(optimiser, alignment.loss, index)
        return _copies(z), alignment.detached()


@dataclass(frozen=True)
class Paper(Gradient):
    """Algorithm 1 of the paper: a plain gradient step on z_t, through the denoising network, before the scheduler's.

    z0~ = (z_t - sqrt(1 - abar_t) eps(z_t, y, t)) / sqrt(abar_t)                                    (eq. 11)
    z_t <- z_t - lambda_1 grad_z L(z0~),  y <- y - lambda_2 grad_y L(z0~),  N times                 (eq. 13 and 17)
    z_{t-1} = step(z_t, eps(z_t, y, t))  of the moved z_t and y

    The last prediction is made anew: one more pass through the network per guided step.
    """

    def backward(self, streams: Iterable[str]) -> Mapping[str, BackwardPass]:
        return {
            stream: BackwardPass(bool(self.rates.get(stream)), self.tunes_prompts([stream]), self.checkpointing)
            for stream in self.moved(streams)
        }

    def step(self, run: Run, state: State, index: int) -> State:
        if index not in self.window(run.denoiser.steps):
            return run.plain_step(state, index)
        denoiser = run.denoiser
        # 1. Move latents and prompts down the gradient of the loss of the clean estimate.
        z, y = _leaves(state.latents, self.rates), _leaves(state.prompts, self.prompt_rates)
        unconditional = self._unconditional(run, z, y, index)
        optimiser = torch.optim.SGD(self._groups(z, y))
        for _ in range(self.inner_steps):
            output = denoiser.predict(z, y, index, unconditional)
            estimate = state.clean | denoiser.x0(z, output, index)
            rendered, alignment = self._look(run, estimate, index)
            _descend(optimiser, alignment.loss, index)
        # 2. Predict anew, for the moved latents and prompts, and take the scheduler's step.
        moved = State(_copies(z), _copies(y))
        with torch.no_grad():
            output = denoiser.predict(moved.latents, moved.prompts, index)
            clean = state.clean | denoiser.x0(moved.latents, output, index)
            latents = moved.latents | denoiser.step(moved.latents, output, index)
        run.report(index, _copies(estimate), _detached(rendered), alignment.detached())
        return State(latents, moved.prompts, clean)


#: The gradient rules by their names in `aligner.settings.RULE`.
RULES: dict[str, type[Gradient]] = {"code": Released, "paper": Paper}


def _descend(optimiser: torch.optim.Optimizer, loss: torch.Tensor, index: int) -> None:
    """One update. Samples of a batch do not see each other: the sum's gradient is each sample's own."""
    leaves = [leaf for group in optimiser.param_groups for leaf in group["params"] if leaf.requires_grad]
    # Where streams take turns, those that step now may all be unguided.
    gradients = (
        torch.autograd.grad(loss.sum() * GRADIENT_SCALE, leaves, allow_unused=True) if loss.requires_grad else ()
    )
    if not all(tensor.isfinite().all() for tensor in (loss, *gradients) if tensor is not None):
        raise AlignerError(f"The alignment loss or its gradient at step {index + 1} {NOT_FINITE}")
    for leaf, gradient in zip(leaves, gradients):
        leaf.grad = None if gradient is None else gradient / GRADIENT_SCALE
    optimiser.step()


def _leaves(tensors: Streams, rates: Mapping[str, float]) -> Streams:
    """Fresh leaves; those with a learning rate ask for a gradient."""
    return {name: tensor.detach().clone().requires_grad_(rates.get(name, 0) > 0) for name, tensor in tensors.items()}


def _copies(tensors: Streams) -> Streams:
    return {name: tensor.detach().clone() for name, tensor in tensors.items()}


def _detached(rendered: Mapping[str, Signal]) -> dict[str, Signal]:
    return {name: signal.detached() for name, signal in rendered.items()}


def _listed(streams: Iterable[str]) -> str:
    return " and ".join(sorted(streams)) or "none"
