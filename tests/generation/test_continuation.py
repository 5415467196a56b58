"""Results that are longer than their generator makes."""

from dataclasses import replace
from fractions import Fraction

import pytest
import torch

from aligner.binders.base import sampling_of
from aligner.conditions.condition import Condition
from aligner.conditions.encoding import text_condition
from aligner.conditions.timeline import Timeline
from aligner.continuation import Pieces, generate_long, seconds_of
from aligner.errors import AlignerError
from aligner.generation import generate
from aligner.generators.mm_diffusion import MMDiffusion
from aligner.guidance.rule import Unguided
from aligner.guidance.search import Search
from aligner.timing.curves import Curve
from aligner.timing.intervals import Interval
from laboratory.random_models import load_random_imagebind

from ..generators.mm_diffusion.conftest import SMALL, random_network

#: 0.8 s of the small network at 10 frames a second, and 1.6 s.
PIECE, LONG = SMALL.seconds, Fraction(8, 5)
OVERLAP = Fraction(2, 5)
FEW = Search(candidates={"video": 2, "audio": 2}, at=0.5)


@pytest.fixture(scope="module")
def model():
    return MMDiffusion(random_network())


@pytest.fixture(scope="module")
def binder():
    return load_random_imagebind()


def made(model, **options):
    denoiser = model.denoiser(steps=3, sampler="ddim")
    chosen = {"seed": 1, "seconds": LONG, "overlap": OVERLAP, "rule": Unguided()} | options
    return generate_long(denoiser, {}, **chosen)


def test_pieces_cover_the_result_and_the_last_one_ends_with_it():
    pieces = Pieces({"video": 16, "audio": 25_600}, Fraction(8, 5), Fraction(4), Fraction(2, 5))
    assert [piece.start["video"] for piece in pieces] == [0, 12, 24]
    assert [piece.start["audio"] for piece in pieces] == [0, 19_200, 38_400]
    assert [piece.interval for piece in pieces] == [Interval(0.0, 1.6), Interval(1.2, 2.8), Interval(2.4, 4.0)]
    shorter = Pieces({"video": 16}, Fraction(8, 5), Fraction(2), Fraction(2, 5))
    assert [piece.start["video"] for piece in shorter] == [0, 4]


@pytest.mark.parametrize("seconds", ["1.61", "1.65", "1.7", "2.03", "2.4"])
@pytest.mark.parametrize("overlap", ["0.1", "0.25", "0.4", "0.79"])
def test_pieces_begin_with_whole_frames_and_each_adds_some(seconds, overlap):
    pieces = Pieces({"video": 16, "audio": 25_600}, Fraction(8, 5), Fraction(seconds), Fraction(overlap))
    starts = [piece.start["video"] for piece in pieces]
    assert [piece.start["audio"] for piece in pieces] == [1_600 * start for start in starts]
    assert starts == sorted(set(starts)) and starts[-1] + 16 == pieces.whole("video") == round(Fraction(seconds) * 10)


def test_one_clip_needs_no_overlap(model):
    assert made(model, seconds=PIECE, overlap=Fraction(2)).signals["video"].pixels.shape[1] == 8


def test_a_result_of_one_clip_is_that_of_generate(model):
    denoiser = model.denoiser(steps=3, sampler="ddim")
    alone = generate(denoiser, {}, seed=1, batch=2, rule=Unguided())
    long = made(model, seconds=PIECE, batch=2)
    assert all(torch.equal(long.latents[stream], alone.latents[stream]) for stream in alone.latents)


def test_a_longer_result_begins_with_the_first_piece_and_is_as_long_as_asked_for(model):
    first, long = made(model, seconds=PIECE), made(model)
    assert long.signals["video"].pixels.shape[1] == 16 and long.signals["audio"].waveform.shape[1] == 25_600
    assert torch.equal(long.latents["video"][:, :, :8], first.latents["video"])
    assert torch.equal(long.latents["audio"][:, :, :12_800], first.latents["audio"])
    assert long.latents["video"][:, :, 8:].std() > 0.1


def test_the_same_seed_gives_the_same_result_and_pieces_differ(model):
    one, other = made(model), made(model)
    assert all(torch.equal(one.latents[stream], other.latents[stream]) for stream in one.latents)
    assert not torch.equal(one.latents["video"][:, :, :4], one.latents["video"][:, :, 8:12])


@pytest.mark.parametrize("scale", [0.0, 3.0])
def test_what_is_given_stays_and_the_rest_is_made_for_it(model, scale):
    given = {"video": torch.rand(1, 3, 16, SMALL.side, SMALL.side) * 2 - 1}
    long = made(model, given=given, reconstruction=scale)
    torch.testing.assert_close(long.latents["video"], given["video"])
    assert long.latents["audio"].shape == (1, 1, 25_600)


def test_every_piece_is_searched_and_steps_count_for_the_whole_run(model, binder):
    steps = []
    long = made(model, rule=FEW, binder=binder, on_step=steps.append)
    assert [step.passed for step in steps] == sorted(step.passed for step in steps) and steps[-1].passed == 1
    assert sum(bool(step.tried) for step in steps) == 3
    assert list(long.scores) == ["video ~ generated audio"] and long.score.shape == (1,)


def recording(binder, seconds: float) -> Condition:
    """The condition of a sound."""
    embedding = binder.embed_audio(torch.randn(1, int(seconds * 16_000)) * 0.1, 16_000, sampling_of(binder, "short"))
    return Condition(embedding, duration=Fraction(seconds).limit_denominator(100))


@pytest.fixture
def steered(monkeypatch):
    """The conditions of every piece that is made."""
    import aligner.continuation as continuation

    steered, whole = [], continuation.generate

    def watched(*arguments, conditions, **options):
        steered.append(conditions)
        return whole(*arguments, conditions=conditions, **options)

    monkeypatch.setattr(continuation, "generate", watched)
    return steered


def test_a_recording_steers_what_happens_at_the_same_time(model, binder, steered):
    """The third piece begins after the recording has ended: nothing of it is left to follow there."""
    made(model, rule=FEW, binder=binder, conditions=[recording(binder, 0.7), text_condition(binder, "rain")])
    sources = [[each.timeline.source for each in conditions if each.timeline] for conditions in steered]
    assert sources == [[Interval(0.0, 0.8)], [Interval(0.4, 1.2)], []]
    assert [[bool(each.weight) for each in conditions] for conditions in steered] == [[True, True]] * 2 + [
        [False, True]
    ]


def test_scores_are_means_over_the_pieces_that_a_recording_reaches(model, binder):
    scored = made(model, rule=Unguided(), binder=binder, conditions=[recording(binder, 0.7)], pair_weight=0.0)
    assert list(scored.scores) == ["video ~ audio", "audio ~ audio"]
    torch.testing.assert_close(torch.stack(list(scored.scores.values())).mean(dim=0), scored.score)


def test_a_piece_that_no_recording_reaches_is_not_steered(model, binder):
    steps = []
    made(model, rule=FEW, binder=binder, conditions=[recording(binder, 0.7)], pair_weight=0.0, on_step=steps.append)
    assert sum(bool(step.tried) for step in steps) == 2


@pytest.mark.parametrize(
    "options, words",
    [
        (
            {"given": {"audio": torch.zeros(1, 1, 20_000)}},
            "audio that is given has 20000 positions .* result has 25600",
        ),
        ({"seconds": Fraction(1, 2)}, "makes clips of 0.8 s and longer ones"),
        ({"overlap": Fraction(4, 5)}, "cannot overlap by 0.8 s"),
        ({"overlap": Fraction(0)}, "cannot overlap by 0 s"),
        ({"seed": 2**64 - 1}, "seed must be between"),
    ],
)
def test_what_cannot_work_is_refused_before_sampling(model, options, words):
    with pytest.raises(AlignerError, match=words):
        made(model, on_step=lambda step: pytest.fail("it sampled"), **options)


def test_a_timeline_counts_the_seconds_of_the_whole_result(model, binder, steered):
    """Pieces are 0 to 0.8, 0.4 to 1.2 and 0.8 to 1.6 s. A text steers from 1 s on, the end of a recording up to 0.4."""
    late = replace(text_condition(binder, "rain"), timeline=Timeline(target=Interval(1.0)))
    early = replace(recording(binder, 2.0), timeline=Timeline(source=Interval(1.0), target=Interval(0.0, 0.4)))
    made(model, rule=FEW, binder=binder, conditions=[late, early])
    targets = [[each.timeline.target for each in conditions if each.weight] for conditions in steered]
    assert targets == [[Interval(0.0, 0.4)], [Interval(1.0 - 0.4)], [Interval(1.0 - 0.8)]]
    assert steered[0][1].timeline.source == Interval(1.0, 1.4)


def test_a_condition_keeps_its_label_in_every_piece(model, binder):
    texts = [
        replace(text_condition(binder, text), timeline=Timeline(target=Interval(*when)))
        for text, when in (("rain", (0.0, 0.4)), ("birds", (1.0, None)))
    ]
    scores = made(model, rule=FEW, binder=binder, conditions=texts).scores
    second = made(model, rule=FEW, binder=binder, conditions=[texts[1]]).scores
    assert {"video ~ text", "video ~ text 2"} <= set(scores) and "video ~ text" in second


@pytest.mark.parametrize(
    "timeline, words",
    [
        (Timeline(target=Interval(2.0)), "steers 2 s to the end, but the result lasts 1.6 s"),
        (Timeline(source=Interval(0.0, 0.4), strength=Curve(((1.0, 0.0), (1.1, 1.0)))), "audio counts nowhere"),
    ],
    ids=["after the result", "after its source"],
)
def test_a_timeline_that_counts_nowhere_is_refused(model, binder, timeline, words):
    placed = replace(recording(binder, 2.0), timeline=timeline)
    with pytest.raises(AlignerError, match=words):
        made(model, rule=FEW, binder=binder, conditions=[placed], on_step=lambda step: pytest.fail("it sampled"))


def test_a_condition_that_is_switched_off_may_count_nowhere(model, binder):
    placed = replace(recording(binder, 2.0), timeline=Timeline(target=Interval(2.0)), weight=0.0)
    assert made(model, rule=FEW, binder=binder, conditions=[placed]).signals


def test_a_wrong_batch_is_refused_before_sampling(model, binder):
    two = replace(text_condition(binder, "rain"), timeline=Timeline(target=Interval(1.0)))
    two = replace(two, embedding=two.embedding.mapped(lambda clips: clips.expand(2, -1, -1)))
    with pytest.raises(AlignerError, match="holds 2 text embeddings"):
        made(model, rule=FEW, binder=binder, conditions=[two], on_step=lambda step: pytest.fail("it sampled"))


def test_the_length_is_what_is_asked_for_or_given_or_one_clip(model):
    denoiser = model.denoiser()
    given = {"audio": torch.zeros(1, 1, 16_000)}
    assert seconds_of(denoiser, {}, 0.0) == PIECE and seconds_of(denoiser, given, 0.0) == 1
    assert seconds_of(denoiser, given, 0.9) == Fraction(9, 10)
    # A sound that was resampled may have one sample too many.
    assert seconds_of(denoiser, {"audio": torch.zeros(1, 1, 16_001)}, 0.0) == 1
    with pytest.raises(AlignerError, match="lasts 1.00 s, but the result is to last 2 s"):
        seconds_of(denoiser, given, 2.0)
