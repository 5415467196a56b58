"""Continuation: a result longer than its generator makes, piece by piece.

Each piece begins with the end of the piece before. A mask keeps that end, and the rest is made
anew (MM-Diffusion, arXiv 2212.09478, replaces what overlaps in the same way).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import NamedTuple

import torch

from . import settings
from .binders.base import Binder
from .binders.several import Several
from .conditions.condition import Condition
from .conditions.timeline import Timeline
from .errors import AlignerError
from .generation import SEARCH, Generation, generate
from .generators.base import Generator, JointGenerator, Streams
from .guidance.rule import Rule, Step, Unguided
from .plan import make_plan, require_batch, require_seeds
from .timing.intervals import Interval


def exact(seconds: float) -> Fraction:
    """The seconds that a float stands for, to the thousandth."""
    return Fraction(seconds).limit_denominator(1000)


#: Between the seeds of two pieces: variations take those that follow a seed.
_NEXT_PIECE = 100_000
#: Seconds that a piece shares with the one before.
OVERLAP = exact(settings.OVERLAP.default)


@dataclass(frozen=True)
class Piece:
    """A part of a long result. start: by stream, its first position in time. interval: its seconds."""

    number: int
    start: dict[str, int]
    interval: Interval


@dataclass(frozen=True)
class Pieces:
    """How a result is made of pieces.

    lengths: by stream, the positions in time of a latent that one piece has. piece: seconds of a piece. seconds: of the
    result. overlap: the least seconds that a piece shares with the one before; the last one ends with the result.

    All times are rounded to whole frames, the longest part of a piece in which every stream has whole positions, so
    that streams stay in sync.

    Raises AlignerError for a result shorter than a piece, and for an overlap that leaves nothing to make.
    """

    lengths: dict[str, int]
    piece: Fraction
    seconds: Fraction
    overlap: Fraction

    def __post_init__(self):
        if self.seconds < self.piece:
            raise AlignerError(
                f"This model makes clips of {float(self.piece):g} s and longer ones, but none of "
                f"{float(self.seconds):g} s. Ask for more seconds."
            )
        if self.frames > self.frames_of_piece and not 0 < self._shared < self.frames_of_piece:
            raise AlignerError(
                f"Pieces of {float(self.piece):g} s cannot overlap by {float(self.overlap):g} s. Choose more than 0 "
                "and less than their length."
            )

    def __iter__(self) -> Iterator[Piece]:
        for number in range(self.count):
            first = min(number * (self.frames_of_piece - self._shared), self.frames - self.frames_of_piece)
            start = {stream: first * length // self.frames_of_piece for stream, length in self.lengths.items()}
            begin = first * self.piece / self.frames_of_piece
            yield Piece(number, start, Interval(float(begin), float(begin + self.piece)))

    @property
    def count(self) -> int:
        """As many as cover the result."""
        missing = self.frames - self.frames_of_piece
        return 1 + (math.ceil(missing / (self.frames_of_piece - self._shared)) if missing else 0)

    @property
    def frames_of_piece(self) -> int:
        """Of one piece."""
        return math.gcd(*self.lengths.values())

    @property
    def frames(self) -> int:
        """Of the result."""
        return round(self.seconds / self.piece * self.frames_of_piece)

    @property
    def length(self) -> Fraction:
        """Seconds of the whole frames of the result."""
        return self.frames * self.piece / self.frames_of_piece

    @property
    def _shared(self) -> int:
        """Frames that a piece shares with the one before."""
        return round(self.overlap / self.piece * self.frames_of_piece) or (1 if self.overlap > 0 else 0)

    def whole(self, stream: str) -> int:
        """The positions in time that a stream of the result has."""
        return self.frames * self.lengths[stream] // self.frames_of_piece


def generate_long(
    denoiser: Generator,
    prompts: Streams,
    *,
    seed: int,
    seconds: Fraction,
    overlap: Fraction = OVERLAP,
    given: Streams | None = None,
    batch: int = 1,
    rule: Rule = SEARCH,
    binder: Binder | Several | None = None,
    conditions: Sequence[Condition] = (),
    pair_weight: float = settings.PAIR_WEIGHT.default,
    reconstruction: float = 0.0,
    on_step: Callable[[Step], None] = lambda step: None,
) -> Generation:
    """Generate a result of `seconds`, piece by piece where the generator's own length is shorter.

    overlap: seconds of each piece that the piece before has made. given: by stream the clean latent (1 or batch, C, T,
    ...) of the whole result, which is kept; the other streams are made for it. conditions: a recording steers each
    piece by what it holds at the same time, and no piece after its end; the times of a timeline are those of the whole
    result. seed: piece n draws from seed + 100,000 n. The rest: see `generate`.

    Returns the whole result. Its scores are means over the pieces, its takes those of the last choice. Raises
    AlignerError before any sampling where a piece could not be made.
    """
    pieces = Pieces(_lengths(denoiser), denoiser.seconds, seconds, overlap)
    given = given or {}
    rule = rule if prompts else rule.without_prompts()
    # 1. What cannot work is refused before the first piece is made.
    require_seeds(seed + (pieces.count - 1) * _NEXT_PIECE, batch)
    _require_length(given, pieces)
    require_batch(conditions, batch)
    planned = [_steered(piece, pieces, rule, conditions, pair_weight) for piece in pieces]
    _require_reached(conditions, [steering for _, steering in planned], float(pieces.length))
    for its_rule, steering in planned:
        make_plan(its_rule, denoiser, binder, steering, pair_weight=pair_weight)
    # 2. Every piece keeps what is given, and the end of the piece before.
    whole: Streams = {}
    told: list[Scores] = []
    for piece, (its_rule, steering) in zip(pieces, planned):
        latents, masks = _kept(piece, pieces.lengths, given, whole)
        made = generate(
            denoiser,
            prompts,
            seed=seed + piece.number * _NEXT_PIECE,
            batch=batch,
            rule=its_rule,
            binder=binder,
            conditions=steering,
            pair_weight=pair_weight,
            latents=latents,
            masks=masks,
            reconstruction=reconstruction if given else 0.0,
            on_step=_counted(on_step, piece.number, pieces.count),
        )
        told.append(Scores(made.scores, made.score, made.synchrony))
        whole = {
            stream: _continued(whole.get(stream), new, piece.start[stream]) for stream, new in made.latents.items()
        }
    # 3. Join.
    with torch.no_grad():
        signals = {name: signal.finished() for name, signal in denoiser.render(whole).items()}
    return replace(
        made,
        signals=signals,
        latents=whole,
        scores=_means([each.scores for each in told]),
        score=_mean_score([each.score for each in told]),
        synchrony=_means([each.synchrony for each in told]),
    )


class Scores(NamedTuple):
    """What is known of a piece when it is made, see `Generation`."""

    scores: dict[str, torch.Tensor]
    score: torch.Tensor | None
    synchrony: dict[str, torch.Tensor]


def seconds_of(denoiser: JointGenerator, given: Streams, asked: float) -> Fraction:
    """The length of a result: what is asked for; where that is 0 as long as what is given, or else one clip.

    given: see `generate_long`. Only whole frames of it count. Raises AlignerError where what is given is shorter than
    what is asked for.
    """
    a_frame = {"video": 1, "audio": denoiser.samples // denoiser.frames}
    held = [latent.shape[2] // a_frame[stream] * denoiser.seconds / denoiser.frames for stream, latent in given.items()]
    longest = min(held, default=denoiser.seconds)
    if not asked:
        return longest
    seconds = exact(asked)
    if held and longest < seconds:
        raise AlignerError(
            f"What is given lasts {float(longest):.2f} s, but the result is to last {asked:g} s. Lower seconds, or set "
            "it to 0."
        )
    return seconds


def _require_length(given: Streams, pieces: Pieces) -> None:
    """Raise AlignerError for a stream that is shorter than the result."""
    for stream, latent in given.items():
        if latent.shape[2] < pieces.whole(stream):
            raise AlignerError(
                f"The {stream} that is given has {latent.shape[2]} positions in time, but the result has "
                f"{pieces.whole(stream)}. Give a longer one, or ask for fewer seconds."
            )


def _steered(
    piece: Piece, pieces: Pieces, rule: Rule, conditions: Sequence[Condition], pair_weight: float
) -> tuple[Rule, list[Condition]]:
    """The conditions that steer a piece, and by which rule. Where no recording reaches nothing steers."""
    if pieces.count == 1:
        return rule, list(conditions)
    steering = [_placed(piece.interval, each, float(pieces.length)) for each in conditions]
    alone = bool(conditions) and not any(each.weight for each in steering) and not pair_weight
    return Unguided() if alone else rule, steering


def _lengths(denoiser: Generator) -> dict[str, int]:
    """By stream, the positions in time of a latent."""
    noise = denoiser.start([torch.Generator().manual_seed(0)])
    return {stream: latent.shape[2] for stream, latent in noise.items()}


def _placed(interval: Interval, condition: Condition, seconds: float) -> Condition:
    """A condition with what it holds in an interval; of weight 0, which keeps its label, where it does not count."""
    embedding = condition.embedding
    if condition.timeline is None and embedding.spans is None and condition.onsets is None:
        return condition
    timeline = (condition.timeline or Timeline()).during(interval, embedding, seconds)
    return replace(condition, timeline=timeline) if timeline else replace(condition, weight=0.0, timeline=None)


def _require_reached(conditions: Sequence[Condition], by_piece: Sequence[Sequence[Condition]], seconds: float) -> None:
    """Raise AlignerError for a condition that counts nowhere in the whole result."""
    for condition, placed in zip(conditions, zip(*by_piece)):
        if not condition.weight or any(each.weight for each in placed):
            continue
        if condition.timeline:
            condition.timeline.require_within(seconds)
        raise AlignerError(
            f"A condition of {condition.embedding.modality} counts nowhere in the {seconds:g} s of the result: what it "
            "holds is over before it steers. Let its source begin earlier, or its target."
        )


def _kept(
    piece: Piece, lengths: dict[str, int], given: Streams, whole: Streams
) -> tuple[Streams | None, Streams | None]:
    """By stream what a piece begins with, and the mask that keeps it; None where nothing is kept."""
    latents, masks = {}, {}
    for stream, latent in given.items():
        latents[stream] = latent[:, :, piece.start[stream] : piece.start[stream] + lengths[stream]]
        masks[stream] = torch.zeros([1] * latent.dim())
    for stream, latent in whole.items():
        if stream not in given:
            end = latent[:, :, piece.start[stream] :]
            missing = lengths[stream] - end.shape[2]
            latents[stream] = torch.cat([end, end.new_zeros(*end.shape[:2], missing, *end.shape[3:])], dim=2)
            masks[stream] = torch.ones(1, 1, lengths[stream], *[1] * (latent.dim() - 3))
            masks[stream][:, :, : end.shape[2]] = 0
    return latents or None, masks or None


def _continued(whole: torch.Tensor | None, piece: torch.Tensor, start: int) -> torch.Tensor:
    return piece if whole is None else torch.cat([whole[:, :, :start], piece], dim=2)


def _counted(on_step: Callable[[Step], None], number: int, count: int) -> Callable[[Step], None]:
    """Pass steps on as parts of the whole run."""
    return lambda step: on_step(replace(step, passed=(number + step.passed) / count))


def _mean_score(by_piece: Sequence[torch.Tensor | None]) -> torch.Tensor | None:
    scores = [each for each in by_piece if each is not None]
    return torch.stack(scores).mean(dim=0) if scores else None


def _means(by_piece: Sequence[dict[str, torch.Tensor]]) -> dict[str, torch.Tensor]:
    """The mean of every pair over the pieces that have it; NaN where nothing begins in any of them."""
    pairs = dict.fromkeys(name for each in by_piece for name in each)
    return {name: torch.stack([each[name] for each in by_piece if name in each]).nanmean(dim=0) for name in pairs}
