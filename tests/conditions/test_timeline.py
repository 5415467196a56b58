"""Which seconds of a condition steer which seconds of the result."""

from dataclasses import replace
from fractions import Fraction

import pytest
import torch

from aligner.binders.base import Embedding
from aligner.conditions.condition import Condition
from aligner.conditions.timeline import Timeline
from aligner.errors import AlignerError
from aligner.guidance.distances import COMPARISONS
from aligner.guidance.objective import Objective, Observed
from aligner.guidance.pairs import Pair, pairs
from aligner.guidance.scoring import score
from aligner.timing.curves import Curve
from aligner.timing.intervals import Interval

#: Four clips of a second in four directions, and a result that lasts as long.
SPANS = tuple((float(k), float(k + 1)) for k in range(4))
RECORDING = Embedding(torch.eye(4)[None], SPANS, "video", "binder")


def heard(*directions: int) -> Embedding:
    """A result whose clips point in these directions."""
    return Embedding(torch.eye(4)[list(directions)][None], SPANS[: len(directions)], "audio", "binder")


def aligned(result: Embedding, *conditions: Condition, compare="per_clip", progress=None, within=None):
    given = {str(k): condition for k, condition in enumerate(conditions)}
    objective = Objective(
        lambda one, binder: one, {name: each.target for name, each in given.items()}, pairs(["audio"], given), compare
    )
    return objective.alignment(Observed({"audio": result}), progress, within)


def condition(timeline: Timeline | None = None, weight: float = 1.0, embedding: Embedding = RECORDING) -> Condition:
    return Condition(embedding, weight, timeline=timeline)


def test_a_part_of_the_condition_steers_another_part_of_the_result():
    placed = condition(Timeline(source=Interval(2.0, 4.0), target=Interval(1.0)))
    assert torch.equal(placed.target.clips, RECORDING.clips[:, 2:])
    assert placed.target.spans == ((1.0, 2.0), (2.0, 3.0))
    assert aligned(heard(0, 2, 3, 3), placed).scores["audio ~ 0"].item() == pytest.approx(1)
    assert aligned(heard(0, 1, 1, 0), placed).scores["audio ~ 0"].item() == pytest.approx(0)


def test_two_conditions_share_the_time():
    first, second = (
        condition(Timeline(target=Interval(*part)), embedding=heard(k, k, k, k))
        for k, part in enumerate([(0.0, 2.0), (2.0, None)])
    )
    followed, swapped = aligned(heard(0, 0, 1, 1), first, second), aligned(heard(1, 1, 0, 0), first, second)
    assert followed.loss.item() == pytest.approx(0) and followed.overall.item() == pytest.approx(1)
    assert swapped.loss.item() == pytest.approx(1), "half of the time each"
    assert swapped.weights == {"audio ~ 0": 0.5, "audio ~ 1": 0.5}


@pytest.mark.parametrize("compare", list(COMPARISONS))
def test_strength_is_how_much_each_second_counts(compare):
    embedding = heard(0, 0, 0, 0)
    falling = condition(Timeline(strength=Curve(((0.0, 1.0), (4.0, 0.0)))), embedding=embedding)
    alignment = aligned(heard(0, 1, 1, 1), falling, compare=compare)
    shares = torch.tensor([0.875, 0.625, 0.375, 0.125])
    if compare == "per_clip":
        wanted = shares[0] / shares.sum()
    else:
        wanted = torch.nn.functional.cosine_similarity(
            torch.stack([shares[0], shares[1:].sum()]), torch.tensor([1.0, 0.0]), dim=0
        )
    assert alignment.scores["audio ~ 0"].item() == pytest.approx(wanted.item())
    assert alignment.weights["audio ~ 0"] == pytest.approx(0.5)
    assert alignment.loss.item() == pytest.approx(0.5 * (1 - wanted.item()))


def test_half_of_a_clip_counts_half():
    half = condition(Timeline(target=Interval(0.0, 1.5)), embedding=heard(0, 0, 0, 0))
    assert aligned(heard(0, 1, 1, 1), half).scores["audio ~ 0"].item() == pytest.approx(1 / 1.5)


def test_a_curve_that_ends_within_a_clip_still_counts():
    early = condition(Timeline(strength=Curve(((0.0, 1.0), (0.4, 0.0)))), embedding=heard(0, 0, 0, 0))
    alignment = aligned(heard(0, 1, 1, 1), early)
    assert alignment.scores["audio ~ 0"].item() == pytest.approx(1)
    assert alignment.weights["audio ~ 0"] == pytest.approx(0.2 / 4)


def test_the_schedule_is_over_denoising_and_not_of_the_result():
    fading = condition(Timeline(schedule=Curve(((0.0, 1.0), (1.0, 0.0)))), weight=2.0)
    wrong = heard(3, 3, 3, 2)
    whole = aligned(wrong, fading).loss
    assert aligned(wrong, fading, progress=0.0).loss == whole > 0
    assert aligned(wrong, fading, progress=0.75).loss.item() == pytest.approx(whole.item() / 4)
    assert aligned(wrong, fading, progress=1.0).loss == 0


def test_a_moment_at_which_nothing_counts_still_has_a_figure():
    fading = condition(Timeline(schedule=Curve(((0.0, 1.0), (1.0, 0.0)))))
    assert aligned(heard(0, 1, 3, 3), fading, progress=1.0).overall.item() == pytest.approx(0.75)


def test_what_lies_between_the_clips_is_an_error_and_not_nothing():
    gaps = replace(heard(0, 1, 2), spans=((0.0, 2.0), (4.0, 6.0), (8.0, 10.0)))
    between, beside = (condition(Timeline(target=Interval(*part))) for part in ((2.1, 3.9), (3.9, 4.1)))
    with pytest.raises(AlignerError, match="'1' steers 2.1 s to 3.9 s, but .* audio .* Choose clips short or seconds"):
        aligned(gaps, beside, between)
    assert aligned(gaps, beside).weights["audio ~ 0"] == pytest.approx(0.05 / 3)


def test_without_a_timeline_nothing_is_computed_otherwise():
    clips = torch.randn(2, 4, 4, generator=torch.Generator().manual_seed(0))
    result = Embedding(clips, SPANS, "audio", "binder")
    for compare, distance in COMPARISONS.items():
        assert torch.equal(aligned(result, condition(), compare=compare).loss, distance(result, RECORDING))


def test_a_segment_of_the_result_is_compared_by_itself():
    result = heard(0, 1, 0, 0)
    first, last = (aligned(result, condition(), within=part) for part in (Interval(0.0, 2.0), Interval(2.0)))
    assert first.loss.item() == pytest.approx(0) and last.loss.item() == pytest.approx(1), "as a short result"
    assert last.scores["audio ~ 0"].item() == pytest.approx(0)


def test_what_counts_nowhere_in_a_segment_weighs_nothing_there():
    early = condition(Timeline(target=Interval(0.0, 1.0)))
    assert aligned(heard(3, 3, 3, 3), early, within=Interval(2.0)).loss == 0


def test_a_source_shorter_than_a_clip_is_the_clip_that_it_lies_in():
    assert torch.equal(condition(Timeline(source=Interval(2.1, 2.3))).target.clips, RECORDING.clips[:, 2:3])


def test_a_picture_and_a_text_have_no_time_of_their_own():
    text = Embedding(torch.eye(4)[None, :1], None, "text", "binder")
    late = condition(Timeline(source=Interval(7.0), target=Interval(2.0)), embedding=text)
    assert late.target is text
    assert aligned(heard(1, 1, 0, 0), late).scores["audio ~ 0"].item() == pytest.approx(1)
    picture = replace(text, modality="image")
    assert aligned(picture, late).scores["audio ~ 0"].item() == pytest.approx(1)


def test_generated_pairs_have_no_timeline_and_follow_segments():
    objective = Objective(lambda one, binder: one, {}, [Pair("video", "audio", given=False)], "per_clip")
    streams = {"video": heard(0, 1, 2, 3), "audio": heard(0, 1, 1, 1)}
    assert objective.alignment(Observed(streams), within=Interval(0.0, 2.0)).loss.item() == pytest.approx(0)
    assert objective.alignment(Observed(streams), within=Interval(2.0)).loss.item() == pytest.approx(1)


def test_in_a_segment_generated_streams_are_both_averaged_there():
    objective = Objective(lambda one, binder: one, {}, [Pair("video", "audio", given=False)], "mean")
    streams = {"video": heard(0, 0, 1, 1), "audio": heard(0, 0, 2, 2)}
    assert objective.alignment(Observed(streams), within=Interval(0.0, 2.0)).loss.item() == pytest.approx(0)
    assert objective.alignment(Observed(streams), within=Interval(2.0)).loss.item() == pytest.approx(1)


def test_scores_respect_timelines():
    placed = condition(Timeline(source=Interval(0.0, 1.0), target=Interval(3.0)))
    scores = score([Condition(heard(1, 1, 1, 0))], [placed], "per_clip")
    cosines, overall = {label: each.item() for label, each in scores.cosines.items()}, scores.overall
    assert cosines == {"audio ~ video": pytest.approx(1)} and overall == pytest.approx(1)
    with pytest.raises(AlignerError, match="steers 3 s to the end, but the result lasts 2 s"):
        score([Condition(heard(1, 1), duration=2)], [placed])


@pytest.mark.parametrize(
    "make, message",
    [
        (lambda: Interval(-1.0), "must start at 0 s"),
        (lambda: Interval(2.0, 2.0), "2 s to 2 s does not"),
        (lambda: Timeline(strength=Curve(((0.0, 0.0),))), "strength of this timeline is 0 everywhere"),
        (lambda: Timeline(schedule=Curve(((0.0, 0.0),))), "schedule of this timeline is 0 everywhere"),
        (lambda: Timeline(schedule=Curve(((2.0, 0.0), (3.0, 1.0)))), "schedule .* 0 everywhere.* between 0 and 1"),
        (lambda: Timeline(schedule=Curve(((-1.0, 1.0), (0.0, 0.0)))), "schedule .* 0 everywhere.* between 0 and 1"),
        (
            lambda: Timeline(target=Interval(2.3)).require_within(Fraction(23, 10)),
            "steers 2.3 s to the end, but the result lasts 2.3 s",
        ),
        (
            lambda: condition(Timeline(source=Interval(4.5))).target,
            "ends at 4 s, before its source, 4.5 s to the end, begins",
        ),
        (
            lambda: Timeline(target=Interval(2.0), strength=Curve(((0.0, 1.0), (2.0, 0.0)))).require_within(4.0),
            "steers 2 s to the end, but its strength is 0 all that time",
        ),
        (
            lambda: Timeline(target=Interval(5.0, 6.0)).require_within(4.0),
            "steers 5 s to 6 s, but the result lasts 4 s",
        ),
    ],
)
def test_a_timeline_that_cannot_be_is_an_error_that_says_why(make, message):
    with pytest.raises(AlignerError, match=message):
        make()


def test_a_piece_of_the_result_takes_its_part_of_the_timeline():
    rising = Curve(((0.0, 0.0), (4.0, 1.0)))
    whole = Timeline(source=Interval(1.0, 4.0), target=Interval(0.5, 3.0), strength=rising)
    own = whole.during(Interval(2.0, 4.0), RECORDING, 4.0)
    assert own.source == Interval(2.5, 3.5) and own.target == Interval(0.0, 1.0)
    assert own.strength.at(0.0) == pytest.approx(0.5)
    assert Timeline().during(Interval(2.0, 4.0), RECORDING, 4.0) == replace(
        Timeline(source=Interval(2.0, 4.0)), strength=Curve(((-2.0, 1.0),))
    )


@pytest.mark.parametrize(
    "timeline, piece",
    [
        (Timeline(target=Interval(0.0, 1.0)), (1.0, 2.0)),
        (Timeline(target=Interval(3.0)), (1.0, 2.0)),
        (Timeline(strength=Curve(((1.0, 1.0), (1.5, 0.0)))), (2.0, 3.0)),
        (Timeline(source=Interval(3.0)), (2.0, 3.0)),
    ],
    ids=["before", "after", "of no strength", "after the recording"],
)
def test_nothing_counts_in_a_piece_that_a_timeline_does_not_reach(timeline, piece):
    assert timeline.during(Interval(*piece), RECORDING, 5.0) is None


def test_a_part_of_a_clip_steers_the_piece_that_holds_it():
    """The clip from 0 to 1 s: its last fifth is chosen, and steers from 2 s on."""
    narrow = Timeline(source=Interval(0.8, 1.0), target=Interval(2.0))
    assert narrow.during(Interval(0.0, 2.0), RECORDING, 5.0) is None
    own = narrow.during(Interval(1.5, 3.5), RECORDING, 3.5)
    assert own.placed(RECORDING).spans == (pytest.approx((-0.3, 0.7)),)


def test_a_clip_that_outlasts_the_result_steers_its_end():
    late = Timeline(target=Interval(3.75))
    assert late.during(Interval(2.5, 4.0), RECORDING, 4.0).source == Interval(0.0, 0.25)


def test_the_onsets_of_what_has_no_time_begin_where_a_piece_does():
    own = Timeline(target=Interval(1.0)).during(Interval(2.0, 4.0), replace(RECORDING, spans=None), 4.0)
    assert own.source == Interval(1.0, 3.0) and own.target == Interval(0.0)
