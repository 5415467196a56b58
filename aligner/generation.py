"""Generate, guided by conditions: noise in; signals, latents, alignment curves and scores out."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import Any

import torch
from PIL import Image

from . import settings
from .binders.base import Binder
from .binders.several import Several, members_of
from .conditions.condition import Condition
from .errors import AlignerError
from .generators.base import Generator, Streams
from .generators.inpainting import Inpainting
from .generators.reconstruction import Reconstruction
from .guidance.choosing import Take, sheet_of
from .guidance.rule import Rule, Run, Step
from .guidance.search import Search
from .pictures import alignment_curve
from .plan import make_plan, require_batch, require_seeds
from .sampling import sample
from .tensors.checkpointing import checkpointed
from .tensors.determinism import repeatable
from .tensors.precision import full_precision

#: Points of an alignment curve: denoising step, counted from 1, and cosine similarity.
AlignmentCurve = list[tuple[int, float]]

#: The default rule, and that for a sound and a video of two generators that are made for each other.
SEARCH = Search()
JOINT_SEARCH = Search(candidates=settings.by_stream("candidates", settings.JOINT_CANDIDATES))


@dataclass(frozen=True)
class Generation:
    """What one run produced.

    signals: by stream the rendered result, a Sound or Frames, detached, exactly as long as asked for. latents,
    prompts: by stream the clean latents and the (tuned) prompt embeddings. curves: by pair the cosine at every guided
    step, averaged over the batch; after a mere search, at the choice and at the end. tried: by pair the cosines of all
    candidates at every choice. takes: the candidates at the last choice. chosen: the number of the first sample's.
    scores: by pair the cosines of the result (B,). score: their mean weighted as in the loss, (B,); None where nothing
    was compared. synchrony: by pair whose timing counts that of the result, (B,) in 0..1; NaN where nothing begins.
    """

    signals: dict[str, Any]
    latents: Streams
    prompts: Streams
    curves: dict[str, AlignmentCurve] = field(default_factory=dict)
    tried: dict[str, AlignmentCurve] = field(default_factory=dict)
    takes: Sequence[Take] = ()
    chosen: int = 0
    scores: dict[str, torch.Tensor] = field(default_factory=dict)
    score: torch.Tensor | None = None
    synchrony: dict[str, torch.Tensor] = field(default_factory=dict)

    def overview(self) -> Image.Image:
        """What steered the first sample.

        After a search these are its candidates at the last choice, otherwise the alignment over the denoising steps. An
        unguided run has one point, at its end.
        """
        if self.takes:
            return sheet_of(self.takes, self.chosen)
        return alignment_curve(self.curves or {pair: [float(score.mean())] for pair, score in self.scores.items()})


@torch.inference_mode(False)
def generate(
    denoiser: Generator,
    prompts: Streams,
    *,
    seed: int,
    batch: int = 1,
    rule: Rule = SEARCH,
    binder: Binder | Several | None = None,
    conditions: Sequence[Condition] = (),
    pair_weight: float = settings.PAIR_WEIGHT.default,
    latents: Streams | None = None,
    masks: Streams | None = None,
    reconstruction: float = 0.0,
    on_step: Callable[[Step], None] = lambda step: None,
) -> Generation:
    """Sample a batch of variations, steered by the conditions as the rule says.

    prompts: by stream (1 or batch, ...). rule: how to steer; `Unguided()` only scores the result. binder: what
    compares, or `Several` that do. pair_weight: the weight of pairs of generated streams, where there are several.
    seed: variation k draws its noise from seed + k, so that it can be made again alone. latents: by stream clean
    latents (1 or batch, ...) to start from, for a denoiser with denoise below 1, or to keep a part of. masks: by
    stream (1 or batch, 1 or C, T, ...) in 0..1, 1 where the latents are made anew and 0 where they are kept.
    reconstruction: how strongly the other streams of a coupled generator follow what is kept, see `Reconstruction`.
    on_step: called after every step; whatever it raises ends the run.

    Raises AlignerError before any sampling if rule, conditions, seed or latents leave nothing to do.

    >>> denoiser = load_audioldm("models/audioldm/audioldm-m-full").denoiser(seconds=5)
    >>> generate(denoiser, denoiser.prompts(["birds"]), seed=0, binder=binder,
    ...          conditions=[video_condition(binder, "clip.mp4")]).signals["audio"]
    """
    # 1. Plan: what is compared and done, refused here where it cannot work.
    require_seeds(seed, batch)
    prompts = _repeated(prompts, batch, denoiser)
    _require_prompts(prompts, denoiser)
    rule = rule if prompts else rule.without_prompts()
    require_batch(conditions, batch)
    latents = None if latents is None else _repeated(latents, batch, denoiser)
    if reconstruction and not masks:
        raise AlignerError("Reconstruction follows what is kept, and nothing is kept. Give masks, or set it to 0.")
    plan = make_plan(rule, denoiser, binder, conditions, pair_weight=pair_weight)

    # 2. Draw noise, on the CPU so that a seed means the same on every device.
    generators = [torch.Generator("cpu").manual_seed(seed + k) for k in range(batch)]
    if masks:
        denoiser = _keeping(denoiser, masks, latents, generators, reconstruction)
    start = denoiser.start(generators, latents)

    # 3. Sample by the rule.
    log = _Log(on_step)
    run = Run(plan.scope.of(denoiser), lambda: denoiser.start(generators, latents), log.record, plan.total)
    with repeatable(denoiser.device):
        with saving_memory(rule, denoiser, binder):
            state = sample(rule, run, start, prompts)

        # 4. Render and score.
        with torch.no_grad():
            signals = {name: signal.finished() for name, signal in denoiser.render(state.latents).items()}
            alignment = plan.scoring(signals) if plan.scoring else None

    # 5. Report.
    scores = alignment.scores if alignment else {}
    if log.tried and not rule.backward(denoiser.streams):
        log.add(log.curves, denoiser.steps, scores)
    return Generation(
        signals,
        state.latents,
        state.prompts,
        dict(log.curves),
        dict(log.tried),
        log.takes,
        log.chosen,
        scores,
        alignment.overall if alignment else None,
        alignment.synchrony if alignment else {},
    )


def _keeping(
    denoiser: Generator,
    masks: Streams,
    latents: Streams | None,
    generators: Sequence[torch.Generator],
    reconstruction: float,
) -> Inpainting:
    """The generator that keeps what the masks say."""
    if reconstruction:
        return Reconstruction.begun(denoiser, masks, latents, generators, scale=reconstruction)
    return Inpainting.begun(denoiser, masks, latents, generators)


class _Log:
    """Collects what steps report, and passes it on."""

    def __init__(self, on_step: Callable[[Step], None]):
        self.curves: dict[str, AlignmentCurve] = defaultdict(list)
        self.tried: dict[str, AlignmentCurve] = defaultdict(list)
        self.takes: Sequence[Take] = ()
        self.chosen = 0
        self._on_step = on_step

    def record(self, step: Step) -> None:
        if step.alignment:
            self.add(self.curves, step.index + 1, step.alignment.scores)
        for take in step.tried:
            self.add(self.tried, step.index + 1, take.alignment.scores)
        if step.tried:
            self.takes, self.chosen = step.tried, step.chosen
        self._on_step(step)

    @staticmethod
    def add(curves: dict[str, AlignmentCurve], step: int, scores: dict[str, torch.Tensor]) -> None:
        for label, score in scores.items():
            curves[label].append((step, score.mean().item()))


def _require_prompts(prompts: Streams, denoiser: Generator) -> None:
    """Raise AlignerError for a stream without its prompt."""
    missing = [stream for stream in denoiser.streams if prompts and stream not in prompts]
    if missing:
        raise AlignerError(f"There is no prompt embedding for {' and '.join(missing)}. Give one for every stream.")


def _repeated(tensors: Streams, batch: int, denoiser: Generator) -> Streams:
    for name, tensor in tensors.items():
        if name not in denoiser.streams:
            raise AlignerError(f"There is no stream {name!r} here. This model makes {', '.join(denoiser.streams)}.")
        if len(tensor) not in (1, batch):
            raise AlignerError(
                f"The {name} input holds {len(tensor)} samples; give 1 or as many as variations ({batch})."
            )
    # Cloned: another ComfyUI node hands over inference tensors, which autograd refuses.
    return {
        name: full_precision(tensor.detach().to(denoiser.device)).expand(batch, *tensor.shape[1:]).clone()
        for name, tensor in tensors.items()
    }


def saving_memory(rule: Rule, denoiser: Generator, binder: Binder | Several | None) -> AbstractContextManager:
    """Within the context, networks recompute activations where the rule asks for it."""
    passes = [*rule.backward(denoiser.streams).values(), *getattr(denoiser, "passes_back", {}).values()]
    if not any(passed.checkpointing for passed in passes):
        return nullcontext()
    blocks = [block for member in members_of(binder) for block in member.binder.blocks()]
    return checkpointed([*denoiser.checkpointable(), *blocks])
