"""The guided loop: diffusion sampling in which candidates are chosen, or the alignment gradient moves latents and
prompt embeddings."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch

from .errors import NOT_FINITE, AlignerError
from .generators.base import Denoiser, Streams
from .generators.signals import Signal
from .guidance import search
from .guidance.objective import Alignment, Objective
from .guidance.rule import RULES, Guidance

#: Gradients of a cosine are tiny; half precision would flush them to zero on their way back. A power of two
#: changes nothing else: it is divided out again before the update, exactly.
GRADIENT_SCALE = 2.0**10


@dataclass(frozen=True)
class Step:
    """What one denoising step reports: its index, the clean estimate and, where it is compared, how well it aligns.

    passed: the part of the run's steps that have been taken, above 0 and at most 1. Steps of candidates count, so that
    an index may come more than once. tried: when a candidate was chosen, how well all of them align.
    """

    index: int
    passed: float
    clean: Streams
    rendered: dict[str, Signal] | None = None
    alignment: Alignment | None = None
    tried: Sequence[Alignment] = ()


@torch.inference_mode(False)
def sample(
    denoiser: Denoiser,
    latents: Streams,
    prompts: Streams,
    guidance: Guidance | None = None,
    objective: Objective | None = None,
    *,
    others: Sequence[Streams] = (),
    on_step: Callable[[Step], None] = lambda step: None,
) -> tuple[Streams, Streams]:
    """Denoise, steered: algorithm 1 of the paper for any number of streams.

    latents: per stream the noisy latent that step 0 starts from. prompts: per stream the prompt embedding, shared by
    all steps and carried on when guidance tunes it. Without guidance this is plain sampling; with it, an objective is
    needed. A stream that the denoiser leaves out of a step keeps its latent and its last clean estimate. others: more
    latents of step 0, of which guidance chooses; each may hold only some streams.

    Returns the clean latents and the (tuned) prompt embeddings. Raises AlignerError if loss or gradient stop being
    finite; whatever on_step raises ends the run.
    """
    window = guidance.window(denoiser.steps) if guidance and guidance.moves else ()
    tried = len(others) * guidance.choice(denoiser.steps) if others else 0
    run = Run(denoiser, on_step, denoiser.steps + tried)
    z, y, clean, first = _copies(latents), _copies(prompts), {}, 0
    if others:
        first = guidance.choice(denoiser.steps)
        z, clean = search.best(run, [z, *map(_copies, others)], y, first, objective)
    for i in range(first, denoiser.steps):
        if i in window:
            z, y, clean = _guided_step(run, z, y, clean, i, guidance, objective)
        else:
            z, clean = run.plain_step(z, y, clean, i)
    return z, y


class Run:
    """A denoiser at work, and the count of the steps that it has taken."""

    def __init__(self, denoiser: Denoiser, on_step: Callable[[Step], None], steps: int):
        self.denoiser, self.on_step, self.steps, self.taken, self.clean = denoiser, on_step, steps, 0, {}

    def report(self, index: int, clean: Streams, rendered=None, alignment=None) -> None:
        self.taken += 1
        # A candidate may lack a stream, of which the last estimate is still worth a look.
        self.clean = self.clean | clean
        self.on_step(Step(index, self.taken / self.steps, self.clean, rendered, alignment))

    def report_choice(self, index: int, clean: Streams, alignment: Alignment, tried: Sequence[Alignment]) -> None:
        """alignment: of what was chosen. tried: of all that it was chosen from."""
        self.on_step(Step(index, self.taken / self.steps, clean, None, alignment, tried))

    @torch.no_grad()
    def plain_step(self, z: Streams, y: Streams, clean: Streams, i: int) -> tuple[Streams, Streams]:
        output = self.denoiser.predict(z, y, i)
        clean, z = clean | self.denoiser.x0(z, output, i), z | self.denoiser.step(z, output, i)
        self.report(i, clean)
        return z, clean


def _guided_step(run, z, y, clean, i, guidance, objective):
    """One denoising step whose latents and prompts move down the gradient of the loss, inner_steps times."""
    denoiser, rule = run.denoiser, RULES[guidance.rule]
    y = _leaves(y, guidance.prompt_rates)
    if rule.placement == "before":
        z = _leaves(z, guidance.rates)
    output = _predict(denoiser, z, y, i, guidance)
    # After the step, the latent is z_{t-1} while prediction and noise level stay those of t, as in the released code.
    moved = z if rule.placement == "before" else _leaves(_step(denoiser, z, output, i), guidance.rates)
    optimiser = _optimiser(rule, guidance, moved, y)
    for inner in range(guidance.inner_steps):
        if inner and guidance.needs_denoiser_gradient:
            output = _predict(denoiser, z, y, i, guidance)
        estimate = clean | denoiser.x0(moved, output, i)
        rendered = denoiser.render(estimate)
        alignment = objective(rendered, i / denoiser.steps)
        _descend(optimiser, alignment.loss, i)
    z = z | (_step(denoiser, z, output, i) if rule.placement == "before" else moved)
    clean = _copies(estimate)
    run.report(i, clean, {name: signal.detached() for name, signal in rendered.items()}, alignment.detached())
    return _copies(z), _copies(y), clean


def _predict(denoiser, z, y, i, guidance):
    with torch.set_grad_enabled(guidance.needs_denoiser_gradient):
        return denoiser.predict(z, y, i)


def _step(denoiser, z, output, i):
    with torch.no_grad():
        return denoiser.step(z, output, i)


def _optimiser(rule, guidance, latents, prompts):
    groups = [
        {"params": [leaf], "lr": rates.get(name, 0.0)}
        for rates, leaves in ((guidance.rates, latents), (guidance.prompt_rates, prompts))
        for name, leaf in leaves.items()
    ]
    return rule.optimiser(groups)


def _descend(optimiser, loss, i):
    """One update. Samples of a batch do not see each other: the sum's gradient is each sample's own."""
    leaves = [leaf for group in optimiser.param_groups for leaf in group["params"] if leaf.requires_grad]
    # Where streams take turns, those that move at this step may all be unguided.
    scaled = loss.sum() * GRADIENT_SCALE
    gradients = torch.autograd.grad(scaled, leaves, allow_unused=True) if loss.requires_grad else ()
    if not all(tensor.isfinite().all() for tensor in (loss, *gradients) if tensor is not None):
        raise AlignerError(f"The alignment loss or its gradient at step {i + 1} {NOT_FINITE}")
    for leaf, gradient in zip(leaves, gradients):
        leaf.grad = None if gradient is None else gradient / GRADIENT_SCALE
    optimiser.step()


def _copies(tensors: Streams) -> Streams:
    return {name: tensor.detach().clone() for name, tensor in tensors.items()}


def _leaves(tensors: Streams, rates) -> Streams:
    """Fresh leaves of which those with a learning rate ask for a gradient."""
    return {name: tensor.detach().clone().requires_grad_(rates.get(name, 0) > 0) for name, tensor in tensors.items()}
