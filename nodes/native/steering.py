"""Steering: what Steer Model attaches to a MODEL, and what it knows of every sampling."""

import math
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from comfy import model_management
from comfy.patcher_extension import WrappersMP

from ...aligner.conditions.condition import Condition
from ...aligner.errors import AlignerError
from ...aligner.guidance.gradient import Released
from ...aligner.guidance.objective import Alignment, Objective
from ...aligner.guidance.rehearsal import Rehearsed, RehearsedOutcome, choices_of, rehearse, require_choice
from ...aligner.guidance.rule import Rule, comparison_of
from ...aligner.guidance.search import Search
from ...aligner.plan import objective_of, phases, require_batch, require_conditions
from ..host.encoding import BINDER_BYTES
from ..host.managed_model import ManagedModel, load_on_device
from .decoding import AUDIO, VIDEO, Decoder
from .gradient import EstimateGradient
from .player import KEY, NativePlayer, packed
from .progress import RehearsalProgress

#: How many samplings are remembered for their reports.
REMEMBERED = 4
#: How many values of a result are kept, by which it is known again.
_MARKS = 1024
#: Latents that nodes kept in half precision are still known again.
_SAME = 1e-2


@dataclass
class SteeredRun:
    """What is known of one sampling.

    seed: of the result. repeatable: whether ComfyUI draws the noise from that seed alone. passed_over: why nothing was
    steered; "" where something was. rehearsed: what the search found. curve: by guided step, counted from 1, the mean
    alignment. notes: further sentences for the user. evaluations: of the model. decodings: of clean estimates. marks:
    values of the result.
    """

    steps: int
    seed: int | None
    passed_over: str = ""
    repeatable: bool = True
    rehearsed: Rehearsed | None = None
    curve: list[tuple[int, float]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    evaluations: int = 0
    decodings: int = 0
    marks: torch.Tensor = field(default_factory=lambda: torch.empty(0))

    def add(self, index: int, alignment: Alignment) -> None:
        """Remember a guided step."""
        self.curve.append((index + 1, alignment.overall.mean().item()))

    @property
    def score(self) -> float:
        """The last mean alignment that was seen; NaN where nothing was compared."""
        if self.curve:
            return self.curve[-1][1]
        return self.rehearsed.best.alignment.overall.mean().item() if self.rehearsed else float("nan")


class Steering:
    """An OUTER_SAMPLE wrapper: it plays the sampler of a MODEL several times and returns what fits the conditions.

    Raises AlignerError where conditions, binder, rule and VAEs do not fit each other.
    """

    def __init__(
        self,
        binder: ManagedModel,
        conditions: Sequence[Condition],
        rule: Rule,
        decoders: Sequence[Decoder],
        pair_weight: float,
    ):
        self.binder, self.conditions, self.rule = binder, list(conditions), rule
        self.decoders, self.pair_weight = decoders, pair_weight
        self.runs: deque[SteeredRun] = deque(maxlen=REMEMBERED)
        self.moving = _moving(rule, decoders)
        _require_decoders(require_conditions(self.conditions, binder.model), decoders)

    def attached(self, model: Any) -> Any:
        """A clone of a MODEL that is steered. Raises AlignerError for one that is steered already."""
        steered = model.clone()
        wrappers = steered.wrappers.setdefault(WrappersMP.OUTER_SAMPLE, {})
        if KEY in wrappers:
            raise AlignerError(
                "This MODEL is steered already. Connect all conditions to one Steer Model, one Encode Condition after "
                "the other."
            )
        # What resets itself for every sampling, such as EasyCache, must be called for each candidate: it comes inside.
        steered.wrappers[WrappersMP.OUTER_SAMPLE] = {KEY: [self], **wrappers}
        return steered

    def run_of(self, samples: Sequence[torch.Tensor]) -> tuple[SteeredRun, bool]:
        """The sampling whose result these latents are, by stream, and whether they are it still.

        Where latents were changed since it is the last one. Raises AlignerError where nothing was sampled.
        """
        if not self.runs:
            raise AlignerError(
                "Nothing was sampled with this MODEL. Connect the LATENT of the sampler that samples it, and let that "
                "take a step: a denoise of 0 takes none."
            )
        marks = _marks(packed(samples))
        nearest = min(reversed(self.runs), key=lambda run: _distance(run.marks, marks))
        known = _distance(nearest.marks, marks) <= _SAME
        return nearest if known else self.runs[-1], known

    def __call__(self, executor: Any, noise: torch.Tensor, *arguments: Any, **more: Any) -> torch.Tensor:
        sigmas, mask, seed = arguments[2], arguments[3], arguments[6]
        searches = isinstance(self.rule, Search)
        run = SteeredRun(len(sigmas) - 1, seed, _nothing_to_choose(noise, mask, seed) if searches else "")
        if run.steps < 1 or run.passed_over and self.moving is None:
            result = executor(noise, *arguments, **more)
        else:
            result = self._steered(run, executor, noise, arguments, more)
        run.marks = _marks(result)
        self.runs.append(run)
        return result

    def _steered(
        self, run: SteeredRun, executor: Any, noise: torch.Tensor, arguments: Sequence[Any], more: Mapping
    ) -> torch.Tensor:
        # 1. Plan: what the VAEs decode, what is compared and when, refused here where it cannot work.
        require_batch(self.conditions, len(noise))
        player = NativePlayer(executor, noise, arguments, more, self.decoders, self._load_binder)
        self._require_decoded(player)
        outcome = _outcome(player)
        candidates, choices, guide = 1, [], None
        if isinstance(self.rule, Search) and not run.passed_over:
            objective = self._objective(outcome, self.rule)
            player.compared = objective.compared
            choices = choices_of(self.rule, player.steps, unfinished=player.unfinished)
            candidates = require_choice(self.rule, objective, choices, player.steps)
        if self.moving and candidates > 1 and player.unfinished:
            run.notes.append("It ends with noise and is chosen at its end. Gradients move the sampler that follows.")
        elif self.moving:
            first = choices[-1].steps if candidates > 1 else 0
            moved = self._objective(outcome, self.moving)
            guide = EstimateGradient(self.moving, moved, player, self.binder, first, run.add)
        # 2. Rehearse, and keep the best candidate.
        chosen = 0
        if candidates > 1:
            progress = RehearsalProgress(candidates, choices, player)
            run.rehearsed = rehearse(player, candidates, choices, objective, progress.take)
            chosen, run.repeatable = run.rehearsed.chosen, player.noise.repeatable
            progress.choose(chosen, run.rehearsed.best)
        # 3. Play the best to its end. Gradients move its clean estimate on the way.
        result = player.finish(chosen, guide)
        run.seed = player.noise.seed(chosen)
        run.evaluations, run.decodings = player.evaluations, player.decodings
        return result

    def _objective(self, outcome: RehearsedOutcome, phase: Rule) -> Objective:
        return objective_of(
            outcome, self.binder.model, self.conditions, comparison_of(phase), pair_weight=self.pair_weight
        )

    def _load_binder(self) -> None:
        """Bring what embeds the streams onto the device, after a decoder may have pushed it out."""
        load_on_device(self.binder.patchers_for(*(decoder.stream for decoder in self.decoders)), BINDER_BYTES)

    def _require_decoded(self, player: NativePlayer) -> None:
        """Raise AlignerError for a condition that steers a stream which no VAE decodes."""
        missing = [
            VIDEO if len(shape) == 5 else AUDIO
            for number, shape in enumerate(player.shapes)
            if number not in player.decoders
        ]
        if missing and any(condition.streams is None for condition in self.conditions):
            raise AlignerError(
                f"This MODEL makes {' and '.join(missing)} as well, and the conditions steer it, but no VAE decodes "
                "it. Connect its VAE, or choose in streams of Encode Condition what is steered."
            )


def _moving(rule: Rule, decoders: Sequence[Decoder]) -> Released | None:
    """The gradient rule that moves the clean estimate, if there is one. Prompts do not move: their encoder is gone.

    Raises AlignerError for a rule that cannot steer from outside of a sampler.
    """
    last = phases(rule)[-1]
    if isinstance(last, Released):
        for decoder in decoders:
            if last.rates.get(decoder.stream):
                decoder.require_gradient()
        return replace(last, prompt_rates={})
    if not isinstance(rule, Search) or last.guides and last is not rule:
        raise AlignerError(
            f"{type(last).__name__} needs a denoising network of ours and cannot steer a MODEL. Connect Search "
            "Settings, or Gradient Settings with the rule code."
        )
    return None


def _require_decoders(conditions: Sequence[Condition], decoders: Sequence[Decoder]) -> None:
    """Raise AlignerError where no VAE decodes a stream that a condition names."""
    decoded = {decoder.stream for decoder in decoders}
    for stream in sorted({stream for each in conditions for stream in each.streams or ()} - decoded):
        socket = "audio_vae" if stream == AUDIO else "vae"
        raise AlignerError(f"A condition steers the {stream}, but no VAE decodes it. Connect its VAE to {socket}.")


def _nothing_to_choose(noise: torch.Tensor, mask: torch.Tensor | None, seed: int | None) -> str:
    """Why candidates would not differ; "" where they do."""
    if not noise.any():
        return "This sampler adds no noise, so that there is nothing to choose from."
    if mask is not None and not mask.any():
        return "The mask keeps everything, so that there is nothing to choose from."
    if seed is None:
        return "This sampler names no seed, so that candidates cannot be made."
    return ""


def _outcome(player: NativePlayer) -> RehearsedOutcome:
    """What the VAEs make of the latents. The sound of a joint model may end a little before its frames, or after."""
    seconds = [decoder.seconds(player.shapes[number]) for number, decoder in player.decoders.items()]
    streams = tuple(decoder.stream for decoder in player.decoders.values())
    return RehearsedOutcome(streams, max(seconds), model_management.get_torch_device())


def _distance(first: torch.Tensor, second: torch.Tensor) -> float:
    """The largest difference of two latents' marks, in parts of the largest value."""
    if first.shape != second.shape:
        return math.inf
    return float((first - second).abs().max() / first.abs().max().clamp(min=1e-6))


def _marks(latent: torch.Tensor) -> torch.Tensor:
    """Some values of a latent, packed, by which it is known again."""
    flat = latent.detach().flatten().to("cpu", torch.float32)
    return flat[:: max(1, flat.numel() // _MARKS)].clone()
