"""Steering: what Steer Model attaches to a MODEL, and what it knows of every sampling."""

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from comfy import model_management
from comfy.patcher_extension import WrappersMP

from ...aligner.conditions.condition import Condition
from ...aligner.errors import AlignerError
from ...aligner.guidance.gradient import Released
from ...aligner.guidance.objective import Alignment, Objective
from ...aligner.guidance.rehearsal import Played, Rehearsed, choices_of, rehearse, require_choice
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
REMEMBERED = 8
#: How many values of a result are kept, by which it is known again.
_MARKS = 1024
#: Whether a gradient rule moves anything is asked before the number of steps is known.
_ANY_STEPS = 100


@dataclass
class SteeredRun:
    """What is known of one sampling.

    seed: of the result. repeatable: whether ComfyUI draws the noise from that seed alone. passed_over: why nothing was
    steered; "" where something was. rehearsed: what the search found. curve: by guided step, counted from 1, the mean
    alignment. evaluations: of the model. decodings: of clean estimates. marks: values of the result.
    """

    steps: int
    seed: int | None
    passed_over: str = ""
    repeatable: bool = True
    rehearsed: Rehearsed | None = None
    curve: list[tuple[int, float]] = field(default_factory=list)
    evaluations: int = 0
    decodings: int = 0
    marks: torch.Tensor | None = None

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
        _require_rule(rule, decoders)
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

    def run_of(self, samples: Sequence[torch.Tensor]) -> SteeredRun:
        """The sampling whose result these latents are, by stream; the last one where they were changed since.

        Raises AlignerError where nothing was sampled.
        """
        if not self.runs:
            raise AlignerError(
                "Nothing was sampled with this MODEL yet. Connect the LATENT of the sampler that samples it."
            )
        marks = _marks(packed(samples))
        same = [run for run in self.runs if run.marks is not None and torch.equal(run.marks, marks)]
        return same[-1] if same else self.runs[-1]

    def __call__(self, executor: Any, noise: torch.Tensor, *arguments: Any, **more: Any) -> torch.Tensor:
        sigmas, mask, seed = arguments[2], arguments[3], arguments[6]
        run = SteeredRun(len(sigmas) - 1, seed, _nothing_to_steer(noise, mask, seed))
        if run.passed_over:
            result = executor(noise, *arguments, **more)
        else:
            result = self._steered(run, executor, noise, arguments, more)
        run.marks = _marks(result)
        self.runs.append(run)
        return result

    def _steered(
        self, run: SteeredRun, executor: Any, noise: torch.Tensor, arguments: Sequence[Any], more: Mapping
    ) -> torch.Tensor:
        # 1. Plan: what the VAEs decode and what is compared, refused here where it cannot work.
        require_batch(self.conditions, len(noise))
        player = NativePlayer(executor, noise, arguments, more, self.decoders, self._load_binder)
        self._require_decoded(player)
        outcome = _outcome(player)
        objectives = [self._objective(outcome, phase) for phase in phases(self.rule) if phase.guides]
        # 2. Rehearse, and keep the best candidate.
        chosen, first = 0, 0
        if isinstance(self.rule, Search):
            player.require_steps()
            choices = choices_of(self.rule, player.steps, unfinished=player.unfinished)
            candidates = require_choice(self.rule, objectives[0], choices, player.steps)
            if candidates > 1:
                progress = RehearsalProgress(candidates, choices, player)
                run.rehearsed = rehearse(player, candidates, choices, objectives[0], progress.take)
                chosen, first = run.rehearsed.chosen, choices[-1].steps
        # 3. Play the best to its end. Gradients move its clean estimate on the way.
        guide = None
        if isinstance(moving := phases(self.rule)[-1], Released):
            guide = EstimateGradient(moving, objectives[-1], player, self.binder, first, run.add)
        result = player.finish(chosen, guide)
        run.seed, run.repeatable = player.noise.seed(chosen), player.noise.repeatable
        run.evaluations, run.decodings = player.evaluations, player.decodings
        return result

    def _objective(self, outcome: Played, phase: Rule) -> Objective:
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


def _require_rule(rule: Rule, decoders: Sequence[Decoder]) -> None:
    """Raise AlignerError for a rule that cannot steer from outside of a sampler."""
    moving = phases(rule)[-1]
    if isinstance(moving, Released):
        for decoder in decoders:
            if moving.rates.get(decoder.stream):
                decoder.require_gradient()
        moving.require_effect([decoder.stream for decoder in decoders], _ANY_STEPS)
    elif not isinstance(rule, Search) or moving.guides and moving is not rule:
        raise AlignerError(
            f"{type(moving).__name__} needs a denoising network of ours and cannot steer a MODEL. Connect Search "
            "Settings, or Gradient Settings with the rule released."
        )


def _require_decoders(conditions: Sequence[Condition], decoders: Sequence[Decoder]) -> None:
    """Raise AlignerError where no VAE decodes a stream that a condition names."""
    decoded = {decoder.stream for decoder in decoders}
    for stream in sorted({stream for each in conditions for stream in each.streams or ()} - decoded):
        socket = "audio_vae" if stream == AUDIO else "vae"
        raise AlignerError(f"A condition steers the {stream}, but no VAE decodes it. Connect its VAE to {socket}.")


def _nothing_to_steer(noise: torch.Tensor, mask: torch.Tensor | None, seed: int | None) -> str:
    """Why candidates would not differ; "" where they do."""
    if not noise.any():
        return "This sampler adds no noise, so that there is nothing to choose from. It sampled as usual."
    if mask is not None and not mask.any():
        return "The mask keeps everything, so that there is nothing to choose from."
    if seed is None:
        return "This sampler names no seed, so that candidates cannot be made. It sampled as usual."
    return ""


def _outcome(player: NativePlayer) -> Played:
    """What the VAEs make of the latents. The sound of a joint model may end a little before its frames, or after."""
    seconds = [decoder.seconds(player.shapes[number]) for number, decoder in player.decoders.items()]
    streams = tuple(decoder.stream for decoder in player.decoders.values())
    return Played(streams, max(seconds), model_management.get_torch_device())


def _marks(latent: torch.Tensor) -> torch.Tensor:
    """Some values of a latent, packed, by which it is known again."""
    flat = latent.detach().flatten().to("cpu", torch.float32)
    return flat[:: max(1, flat.numel() // _MARKS)].clone()
