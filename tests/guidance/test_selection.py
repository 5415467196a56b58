"""What a search knows when it chooses, and what it says of its choice."""

import math
from dataclasses import replace

import pytest
import torch

from aligner.generation import generate
from aligner.guidance.choosing import mutual
from aligner.guidance.objective import Alignment, Comparison
from aligner.guidance.search import Search
from aligner.plan import make_plan


def onsets_at(*ticks, length):
    curve = torch.zeros(1, length)
    curve[:, list(ticks)] = 1.0
    return curve


def run(denoiser, binder, conditions, rule):
    """The steps of a run."""
    reported = []
    generate(
        denoiser,
        denoiser.prompts(["a dog"]),
        seed=0,
        binder=binder,
        conditions=conditions,
        rule=rule,
        on_step=reported.append,
    )
    return reported


def test_a_choice_is_reported_as_it_goes_on(audioldm, binder, text_condition):
    """Moved as a whole and by pieces, its meaning and its timing are those of the moved estimate."""
    denoiser = audioldm.denoiser(seconds=2, steps=5)
    conditions = [replace(text_condition, onsets=onsets_at(30, 150, length=200))]
    rule = Search(candidates={"audio": 2}, comparison=Comparison(audio_timing_weight=10.0))
    choice = next(step for step in run(denoiser, binder, conditions, rule) if step.tried)
    assert any(" s" in take.label for take in choice.tried)
    objective = make_plan(rule, denoiser, binder, conditions).scope.objective(rule)
    with torch.no_grad():
        true = objective(denoiser.render(choice.clean), (choice.index + 1) / denoiser.steps)
    torch.testing.assert_close(choice.alignment.loss, true.loss)
    torch.testing.assert_close(choice.alignment.scores["audio ~ text"], true.scores["audio ~ text"])


def test_a_candidate_means_what_it_sounds_like_where_it_is_moved_to(audioldm, binder, text_condition, monkeypatch):
    """The binder hears the sounds of the candidates moved by the seconds of their labels."""
    denoiser, heard = audioldm.denoiser(seconds=2, steps=5), []
    original = type(binder).embed_audio
    monkeypatch.setattr(
        type(binder),
        "embed_audio",
        lambda self, waveform, *others: heard.append(waveform.clone()) or original(self, waveform, *others),
    )
    conditions = [replace(text_condition, onsets=onsets_at(90, length=200))]
    rule = Search(candidates={"audio": 2}, comparison=Comparison(audio_timing_weight=10.0))
    steps = run(denoiser, binder, conditions, rule)
    number = next(k for k, step in enumerate(steps) if step.tried)
    estimates = [step.clean for step in steps[:number] if step.index == steps[number].index]
    for estimate, take, sound in zip(estimates, steps[number].tried, heard, strict=False):
        seconds = float(take.label.split(", ")[1].split()[0]) if " s" in take.label else 0.0
        with torch.no_grad():
            signal = denoiser.render(estimate)["audio"]
        assert torch.equal(sound, signal.moved([seconds]).waveform)


def test_a_long_result_may_follow_a_shorter_clip(audioldm, binder, text_condition):
    """Segments behind the end of the clip have nothing to be in sync with."""
    denoiser = audioldm.denoiser(seconds=6, steps=5, window_seconds=2.5)
    assert len(denoiser.segments) > 1
    conditions = [replace(text_condition, onsets=onsets_at(50, length=200))]
    steps = run(denoiser, binder, conditions, Search(candidates={"audio": 2}))
    assert any(step.tried for step in steps)


def test_earlier_choices_tell_no_moves(audioldm, binder, text_condition):
    denoiser = audioldm.denoiser(seconds=2, steps=10)
    conditions = [replace(text_condition, onsets=onsets_at(30, length=200))]
    rule = Search(candidates={"audio": 4}, funnel=((0.2, 2),), comparison=Comparison(audio_timing_weight=10.0))
    first, last = (step for step in run(denoiser, binder, conditions, rule) if step.tried)
    assert not any(" s" in take.label for take in first.tried)
    assert any(" s" in take.label for take in last.tried)


def alignments(given, between):
    """Of all pairs of videos and sounds (V, A): losses against conditions, and against each other."""
    return [
        Alignment(torch.tensor([one + other]), {}, {}, mutual=torch.tensor([other]))
        for ones, others in zip(given, between)
        for one, other in zip(ones, others)
    ]


def test_streams_that_prefer_each_other_are_chosen():
    """The third sound fits every video a little better than the first, which fits its own video alone."""
    between = [[0.30, 0.80, 0.29], [0.80, 0.80, 0.29], [0.80, 0.80, 0.29]]
    losses = torch.stack(mutual(alignments([[0.0] * 3] * 3, between), (3, 3)))[:, 0]
    assert losses.argmin() == 0


@pytest.mark.parametrize("weight", [0.1, 0.3, 0.5, 1.0, 3.0])
def test_a_condition_counts_as_much_as_its_weight(weight):
    """Half of the candidates show the condition's event; a pair of others prefers each other as much."""
    events = [0, 0, 0, 0, 1, 2, 3, 4]
    between = [[0.2 if one == other else 0.8 for other in events] for one in events]
    given = [[weight * ((one != 0) + (other != 0)) * 0.6 for other in events] for one in events]
    losses = torch.stack(mutual(alignments(given, between), (8, 8)))[:, 0].view(8, 8)
    # Four candidates of one event share their preference: it is worth log 4 of the temperature to be alone.
    best = divmod(int(losses.argmin()), 8)
    assert (events[best[0]] == 0 == events[best[1]]) == (weight * 1.2 > 0.1 * math.log(4))


def test_alone_candidates_keep_the_order_of_their_losses():
    losses = torch.tensor([0.4, -0.2, 0.9])
    plain = [Alignment(loss[None], {}, {}) for loss in losses]
    coupled = [Alignment(loss[None], {}, {}, mutual=loss[None]) for loss in losses]
    for several in (plain, coupled):
        assert torch.stack(mutual(several, (3,)))[:, 0].argsort().tolist() == losses.argsort().tolist()
