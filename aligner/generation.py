"""Generate, guided by conditions: noise in, signals, latents, alignment curve and scores out."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace

import torch

from .binders.base import Embedding, in_seconds, require_binder
from .binders.imagebind import ImageBind
from .conditions.condition import Condition, named
from .errors import AlignerError
from .generators.base import Denoiser, Streams
from .generators.signals import Signal
from .guidance.objective import Objective
from .guidance.pairs import pairs
from .guidance.rule import Guidance
from .sampling import Step, sample
from .tensors.checkpointing import checkpointed
from .tensors.determinism import repeatable
from .tensors.precision import full_precision
from .timing.clips import CLIP_SAMPLINGS, ClipSampling

#: Points of an alignment curve: denoising step, counted from 1, and cosine similarity.
Curve = list[tuple[int, float]]


@dataclass(frozen=True)
class Generation:
    """What one run produced.

    signals: per stream the rendered result, detached, exactly as long as asked for. latents, prompts: per stream the
    clean latents and the (tuned) prompt embeddings. curves: per pair the cosine at every guided step, averaged over
    the batch; where a candidate was chosen and nothing moved, at the choice and at the end. tried: per pair the cosines
    of all candidates at the choice. scores: per pair the cosine of the result itself (B,). score: one figure per sample
    (B,), weighted as the loss was; None where nothing was compared.
    """

    signals: dict[str, Signal]
    latents: Streams
    prompts: Streams
    curves: dict[str, Curve] = field(default_factory=dict)
    tried: dict[str, Curve] = field(default_factory=dict)
    scores: dict[str, torch.Tensor] = field(default_factory=dict)
    score: torch.Tensor | None = None


@torch.inference_mode(False)
def generate(
    denoiser: Denoiser,
    prompts: Streams,
    *,
    seed: int,
    batch: int = 1,
    binder: ImageBind | None = None,
    conditions: Sequence[Condition] = (),
    between: float = 1.0,
    guidance: Guidance | None = None,
    steer: bool = True,
    latents: Streams | None = None,
    on_step: Callable[[Step], None] = lambda step: None,
) -> Generation:
    """Sample a batch of variations, steered by the conditions where guidance is given.

    prompts: per stream (1 or batch, ...). between: the weight of pairs of generated streams, where there are several.
    Variation k draws its noise from seed + k, so that any one of them can be made again alone. latents: clean latents
    (1 or batch, ...) for a denoiser that was made to keep a part of them. Without guidance, or with steer off, the
    conditions only score the result: by the paper's comparison, or by the one that guidance names.

    Raises AlignerError before any sampling if the conditions, the window, the seed or the latents leave nothing to do.
    """
    require_seeds(seed, batch)
    prompts, latents = (_repeated(tensors, batch, denoiser) for tensors in (prompts, latents))
    steering = guidance.of(denoiser.streams) if guidance and steer else None
    # What steers nothing is still scored where there is something to compare.
    comparable = any(condition.weight for condition in conditions) or bool(
        binder and between and len(denoiser.streams) > 1
    )
    objective = (
        objective_of(denoiser, binder, conditions, between=between, guidance=guidance)
        if steering or comparable
        else None
    )
    if steering:
        steering.require_effect(denoiser.streams, denoiser.steps)
        _require_reach(denoiser, steering, objective)
    # The noise is drawn on the CPU so that a seed means the same on every device.
    generators = [torch.Generator("cpu").manual_seed(seed + k) for k in range(batch)]
    start, *others = _candidates(denoiser, generators, latents, _candidates_of(denoiser, steering, objective))
    curves, tried = defaultdict(list), defaultdict(list)

    def record(step: Step) -> None:
        for points, alignments in ((curves, [step.alignment] if step.alignment else []), (tried, step.tried)):
            for alignment in alignments:
                _add_points(points, step.index + 1, alignment.scores)
        on_step(step)

    with repeatable(denoiser.device):
        with saving_memory(denoiser, binder, steering):
            clean, tuned = sample(denoiser, start, prompts, steering, objective, others=others, on_step=record)
        with torch.no_grad():
            signals = {name: signal.finished() for name, signal in denoiser.render(clean).items()}
            alignment = objective(signals) if objective else None
    scores = alignment.scores if alignment else {}
    if tried and not steering.moves:
        _add_points(curves, denoiser.steps, scores)
    return Generation(signals, clean, tuned, dict(curves), dict(tried), scores, alignment and alignment.overall)


def _add_points(curves: dict[str, Curve], step: int, scores: dict[str, torch.Tensor]) -> None:
    for label, score in scores.items():
        curves[label].append((step, score.mean().item()))


def _candidates_of(denoiser: Denoiser, guidance: Guidance | None, objective: Objective | None) -> dict[str, int]:
    """How many noises are tried for each stream. Streams that depend on each other are tried together, and those that
    nothing compares need no choice."""
    return {
        stream: guidance.candidates_of(group) if guidance and objective.compared.intersection(group) else 1
        for group in denoiser.couplings
        for stream in group
    }


def _candidates(
    denoiser: Denoiser, generators: Sequence[torch.Generator], latents: Streams | None, numbers: dict[str, int]
) -> list[Streams]:
    """The latents that sampling may start from. The first hold all streams, later ones those of which more are
    tried."""
    noises = [denoiser.start(generators, latents) for _ in range(max(numbers.values()))]
    return [{stream: noise for stream, noise in noises[k].items() if k < numbers[stream]} for k in range(len(noises))]


def objective_of(
    denoiser: Denoiser,
    binder: ImageBind | None,
    conditions: Sequence[Condition],
    *,
    between: float = 1.0,
    guidance: Guidance | None = None,
) -> Objective:
    """What a run of `generate` with these arguments compares.

    Raises AlignerError if that is nothing, or a condition is not this binder's or counts nowhere in the result.
    """
    settings, targets = guidance or Guidance("released"), named(conditions)
    compared = pairs(denoiser.streams, targets, between=between)
    if binder is None:
        raise AlignerError("Conditions need ImageBind to compare with. Load it and connect it.")
    require_binder((condition.embedding for condition in conditions), binder.config.embed_dim, "the one that samples")
    sampling = CLIP_SAMPLINGS[settings.clips]
    for condition in conditions:
        if condition.timeline and condition.weight:
            condition.timeline.require_within(denoiser.seconds)
    for pair in compared:
        # Of a stream of another kind the first look tells.
        if pair.timeline and (spans := _spans(denoiser, pair.stream, sampling)):
            pair.strengths_over(spans)
    return Objective(
        lambda signal: signal.embed(binder, sampling),
        {name: _on(denoiser.device, condition.target) for name, condition in targets.items() if condition.weight},
        compared,
        settings.compare,
    )


def _spans(denoiser: Denoiser, stream: str, sampling: ClipSampling) -> list[tuple[float, float]]:
    """When the clips of a stream will be that are looked at, but for the fraction of a latent frame that a sound may be
    longer than asked for; none where that is unknown."""
    cut = {"audio": sampling.audio, "video": sampling.video}.get(stream)
    return list(in_seconds(cut.spans(float(denoiser.seconds)))) if cut else []


def _require_reach(denoiser: Denoiser, guidance: Guidance, objective: Objective) -> None:
    """Raise AlignerError unless there is something to choose, or some stream has a learning rate, is compared, and
    steps while guidance is on and a schedule of what it follows is not 0."""
    tried = max(_candidates_of(denoiser, guidance, objective).values())
    chosen_at = guidance.choice(denoiser.steps) / denoiser.steps
    if tried > 1 and not any(pair.weight_at(chosen_at) for pair in objective.pairs):
        raise AlignerError(
            f"A candidate is chosen after {chosen_at:.0%} of denoising, but there the schedules of all "
            "conditions are 0. Raise one there, or choose at another moment."
        )
    if tried > 1:
        _require_looks(denoiser, guidance, objective)
    if tried > 1 and not guidance.moves:
        return
    # Until a candidate is chosen nothing moves.
    first = guidance.choice(denoiser.steps) if tried > 1 else 0
    indices = [index for index in guidance.window(denoiser.steps) if index >= first]
    stepping = {stream for index in indices for stream in denoiser.stepping(index)}
    guided = {*guidance.rates, *guidance.prompt_rates} or set(guidance.candidates)
    if not guided & objective.compared & stepping:
        raise AlignerError(
            f"Guidance moves nothing: it would move {_listed(guided)}, but compares only "
            f"{_listed(objective.compared)}, and steps within its window"
            f"{' and after the choice' if first else ''} are taken only by {_listed(stepping)}. Widen "
            "the window, choose earlier, raise denoise, compare what is guided, or turn guidance off."
        )
    if not any(
        pair.weight_at(index / denoiser.steps) and guided.intersection(pair.streams, denoiser.stepping(index))
        for index in indices
        for pair in objective.pairs
    ):
        raise AlignerError(
            f"Guidance moves nothing{' after the choice' if first else ''}: as long as it would, the "
            "schedules of all conditions are 0. Raise one there, or widen the window."
        )


def _require_looks(denoiser: Denoiser, guidance: Guidance, objective: Objective) -> None:
    """Raise AlignerError if a piece that is chosen by itself lies between the clips, where all candidates are alike."""
    for stream in sorted(objective.compared) if len(denoiser.pieces) > 1 else ():
        spans = _spans(denoiser, stream, CLIP_SAMPLINGS[guidance.clips])
        for piece in denoiser.pieces:
            if spans and not any(map(piece.share, spans)):
                raise AlignerError(
                    f"Candidates are chosen piece by piece, but at {piece} none of them is looked at: "
                    f"clips {guidance.clips} leave gaps in so long a result. Choose clips short or "
                    "released."
                )


def _listed(streams: set[str]) -> str:
    return " and ".join(sorted(streams)) or "none"


def _on(device: torch.device, embedding: Embedding) -> Embedding:
    return replace(embedding, clips=full_precision(embedding.clips.detach().to(device)).clone())


def require_seeds(seed: int, batch: int = 1) -> None:
    """Raise AlignerError unless every variation can have a seed, counted up from the first."""
    if batch < 1:
        raise AlignerError(f"At least one variation must be made, not {batch}.")
    if not 0 <= seed <= 2**64 - batch:
        raise AlignerError(f"The seed must be between 0 and {2**64 - batch}, not {seed}.")


def _repeated(tensors: Streams | None, batch: int, denoiser: Denoiser) -> Streams | None:
    if tensors is None:
        return None
    for name, tensor in tensors.items():
        if name not in denoiser.streams:
            raise AlignerError(f"There is no stream {name!r} here. This model makes {', '.join(denoiser.streams)}.")
        if len(tensor) not in (1, batch):
            raise AlignerError(
                f"The {name} input holds {len(tensor)} samples; give 1 or as many as variations ({batch})."
            )
    # Cloned: what another ComfyUI node hands over is an inference tensor, which autograd refuses.
    return {
        name: full_precision(tensor.detach().to(denoiser.device)).expand(batch, *tensor.shape[1:]).clone()
        for name, tensor in tensors.items()
    }


def saving_memory(denoiser: Denoiser, binder: ImageBind | None, guidance: Guidance | None) -> AbstractContextManager:
    """Within the context networks recompute activations where guidance asks for it."""
    if guidance is None or not (guidance.checkpointing and guidance.moves):
        return nullcontext()
    return checkpointed([*denoiser.checkpointable(), *binder.blocks()])
