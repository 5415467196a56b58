"""The synchrony term: what it adds to the loss, and where it claims nothing."""

from dataclasses import replace

import pytest
import torch

from aligner.binders.base import Embedding
from aligner.conditions.condition import Condition
from aligner.conditions.timeline import Timeline
from aligner.errors import AlignerError
from aligner.guidance.objective import Comparison, Objective, Observed
from aligner.guidance.pairs import Pair, pairs
from aligner.guidance.synchrony_term import READING, PlacedOnsets, SynchronyTerm, placed_onsets
from aligner.synchrony import synchrony
from aligner.timing.curves import parse_curve
from aligner.timing.intervals import Interval

HOST = torch.device("cpu")
CLIP = torch.tensor([[[1.0, 0.0]]])


def curve(*ticks: int, length: int = 400) -> torch.Tensor:
    """Onsets at these ticks: (1, length)."""
    onsets = torch.zeros(1, length)
    onsets[:, list(ticks)] = 1.0
    return onsets


def condition(onsets, weight=1.0, **settings) -> Condition:
    return Condition(Embedding(CLIP, None, "video", "one"), weight, onsets=onsets, **settings)


class Heard:
    """A signal that means the same as its condition and begins at its own moments."""

    def __init__(self, onsets):
        self._onsets = onsets

    def onsets(self):
        return self._onsets


def objective(given: Condition, weight: float = 0.5) -> Objective:
    placed = placed_onsets(given, 4.0, HOST)
    term = SynchronyTerm({"audio": weight}, {"video": placed} if placed else {})
    embedding = Embedding(CLIP, None, "audio", "one")
    return Objective(
        lambda signal, binder: embedding, {"video": given.target}, pairs(["audio"], {"video": given}), "mean", term=term
    )


def aligned(given: Condition, onsets: torch.Tensor, progress: float | None = None):
    return objective(given)({"audio": Heard(onsets)}, progress)


def test_the_loss_grows_by_the_weight_of_what_is_out_of_sync():
    seen, heard = curve(80, 200), torch.cat([curve(80, 200), curve(140, 260), curve(80, 300)])
    alignment = aligned(condition(seen, 2.0), heard)
    expected = synchrony(heard, seen.expand(3, -1))
    torch.testing.assert_close(alignment.loss, 2.0 * 0.5 * (1 - expected))
    assert alignment.synchrony["audio ~ video"].tolist() == pytest.approx([1, 0, 0.5], abs=0.01)
    assert alignment.scores["audio ~ video"].tolist() == [1], "the cosine compares meaning alone"


@pytest.mark.parametrize("given", [condition(curve()), condition(None), condition(curve(80), -1.0)])
def test_nothing_is_claimed_for_what_has_no_onsets_or_repels(given):
    alignment = aligned(given, curve(20))
    assert alignment.loss.item() == 0
    assert all(values.isnan().all() for values in alignment.synchrony.values())


def test_a_signal_without_onsets_is_compared_by_its_meaning():
    assert objective(condition(curve(80)))({"audio": object()}).synchrony == {}


def test_streams_that_are_made_together_are_compared_unless_both_are_steady():
    pair = Pair("video", "audio", given=False)
    term = SynchronyTerm(READING)
    one, other = torch.cat([curve(80), curve(80), curve()]), torch.cat([curve(80), curve(), curve()])
    found = term.synchrony(pair, {"video": one, "audio": other})
    assert found[:2].tolist() == pytest.approx([1, 0]) and found[2].isnan()


def test_what_weighs_nothing_is_not_looked_at():
    """Frames are decoded to see their onsets."""
    together, sound = Pair("video", "audio", given=False), Pair("audio", "video")
    rendered = {"audio": Heard(curve(80)), "video": Heard(curve(80))}
    term = SynchronyTerm({"audio": 0.3, "video": 0.0}, {"video": PlacedOnsets(curve(80))})
    assert set(term.onsets(rendered, [together])) == set()
    assert set(term.onsets(rendered, [together, sound])) == {"audio"}
    assert set(SynchronyTerm({"audio": 0.3, "video": 0.1}).onsets(rendered, [together])) == {"audio", "video"}
    assert set(SynchronyTerm({"audio": 0.3}).onsets({"picture": Heard(curve(80))}, [Pair("picture", "text")])) == set()


def test_a_timeline_moves_the_onsets_and_weighs_them():
    later = Timeline(source=Interval(1.0, 2.0), target=Interval(2.5, 3.5))
    given = condition(curve(20, 150, 350), timeline=later)
    placed = placed_onsets(given, 4.0, HOST)
    assert placed.curve.shape == (1, 400) and placed.curve[0, 300] == 1
    assert placed.strength.nonzero().flatten().tolist() == list(range(250, 350))
    # What sounds before and after is none of its business, and it counts for a quarter of the result.
    alignment = aligned(given, torch.cat([curve(40, 300, 390), curve(40, 270, 390)]))
    assert alignment.synchrony["audio ~ video"].tolist() == pytest.approx([1, 0], abs=0.01)
    assert alignment.loss.tolist() == pytest.approx([0, 0.5 / 4], abs=0.01)


def test_a_schedule_counts_as_for_the_distance():
    fading = Timeline(schedule=parse_curve("0: 1, 1: 0"))
    given = condition(curve(80), timeline=fading)
    assert aligned(given, curve(200), 0.75).loss.item() == pytest.approx(0.5 * 0.25, abs=1e-3)


def test_an_interval_is_compared_by_its_own_onsets():
    whole = objective(condition(curve(80, 300)))
    observed = whole.observed({"audio": Heard(curve(80, 200))})
    first, second = (whole.alignment(observed, within=Interval(*each)) for each in ((0, 1.5), (2.5, None)))
    assert first.synchrony["audio ~ video"].item() == pytest.approx(1) and second.synchrony["audio ~ video"].item() == 0


@pytest.mark.parametrize("timeline", [None, Timeline(target=Interval(0, 3))], ids=["whole", "three quarters"])
def test_a_segment_weighs_meaning_and_timing_as_a_short_result_does(timeline):
    """Of two equal segments the first one: whatever the timeline says of it counts in both parts alike."""
    short, long = (
        Embedding(torch.tensor([[[0.6, 0.8]] * n]), tuple((k, k + 1) for k in range(n)), "audio", "one") for n in (2, 4)
    )
    given = condition(curve(80, 300), timeline=timeline)
    whole = objective(given)
    within = whole.alignment(Observed({"audio": long}, {"audio": curve(150, 300)}), within=Interval(0, 2))
    alone = objective(condition(curve(80, length=200)))
    expected = alone.alignment(Observed({"audio": short}, {"audio": curve(150, length=200)}))
    assert within.loss.item() == pytest.approx(expected.loss.item(), abs=1e-4) and expected.loss.item() > 0.8
    last = whole.alignment(Observed({"audio": long}, {"audio": curve(150, 390)}), within=Interval(2, None))
    assert last.weights["audio ~ video"] == (0.5 if timeline else 1.0)


@pytest.mark.parametrize("stream", ["audio", "video"])
def test_variants_are_out_of_sync_as_each_alone(stream):
    pair = [Pair("video", "audio", 2.0, given=False), Pair("audio", "clip")]
    term = SynchronyTerm({"video": 0.5, "audio": 2.0}, {"clip": PlacedOnsets(torch.cat([curve(150), curve(90)]))})
    onsets = {"video": torch.cat([curve(120, 250)] * 2), "audio": torch.cat([curve(150, 280), curve()])}
    variants = torch.stack([onsets[stream].roll(shift, 1) for shift in (0, -30, 50)])
    of_stream = [each for each in pair if stream in each.streams]
    weights = [term.weight_of(each, None) for each in of_stream]
    for variant, found in zip(variants, term.out_of_sync(pair, onsets, stream, variants, None)):
        changed = onsets | {stream: variant}
        apart = [(1 - term.synchrony(each, changed)).nan_to_num(0) for each in of_stream]
        torch.testing.assert_close(found, sum(map(torch.mul, apart, map(torch.tensor, weights))) / sum(weights))


def test_variants_know_strength():
    given = condition(curve(150, 350), timeline=Timeline(target=Interval(1.0, 3.0), source=Interval(1.0, 3.0)))
    whole, heard = objective(given), {"audio": curve(100, 180)}
    variants = torch.stack([heard["audio"].roll(shift, 1) for shift in (0, -30, 50)])
    for variant, found in zip(variants, whole.out_of_sync(Observed({}, heard), "audio", variants)):
        torch.testing.assert_close(found, 1 - whole.term.synchrony(whole.pairs[0], {"audio": variant}))


def test_the_gradient_moves_a_sound_towards_its_moment():
    onsets = (0.5 * curve(82) + 0.5 * curve(90)).requires_grad_()
    aligned(condition(curve(80)), onsets).loss.sum().backward()
    assert onsets.grad[0, 80] < onsets.grad[0, 90]


def test_a_weight_that_cannot_work_is_refused():
    for weight in (-1.0, float("nan"), float("inf")):
        for name in ("audio_timing_weight", "video_timing_weight"):
            with pytest.raises(AlignerError, match=f"{name} must be a number, 0 or more"):
                Comparison(**{name: weight})


def test_onsets_that_are_no_curve_are_refused():
    good = condition(curve(80))
    for onsets, message in (
        (torch.zeros(4), "shape"),
        (torch.zeros(1, 0), "shape"),
        (torch.full((1, 5), 2.0), "0..1"),
        (torch.full((1, 5), torch.nan), "0..1"),
        (torch.zeros(1, 5, dtype=torch.int64), "floats"),
    ):
        with pytest.raises(AlignerError, match=message):
            replace(good, onsets=onsets)


def test_placed_onsets_are_those_of_the_condition_where_nothing_moves_them():
    seen = curve(80)
    assert isinstance(placed := placed_onsets(condition(seen), 4.0, HOST), PlacedOnsets)
    assert torch.equal(placed.curve, seen) and placed.strength is None
