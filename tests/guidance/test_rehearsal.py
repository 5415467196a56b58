"""Rehearsals follow candidates of a model that samples by itself, and play the best again."""

from dataclasses import dataclass, field

import pytest
import torch

from aligner.errors import AlignerError
from aligner.guidance.gradient import Released
from aligner.guidance.objective import Alignment
from aligner.guidance.rehearsal import choices_of, rehearse, require_choice
from aligner.guidance.search import Choice, Search, passes, rehearsed_steps

STEPS = 10


@dataclass
class Level:
    """A signal that is a number: its loss."""

    loss: torch.Tensor
    silent: bool = False

    def part(self, within):
        return Silence(torch.full((len(self.loss),), self.silent))


@dataclass
class Silence:
    silent: torch.Tensor


@dataclass
class Toy:
    """A player whose candidates have given losses, by the number of steps. It counts what is asked of it."""

    losses: dict
    silent: tuple = ()
    steps: int = STEPS
    held: set = field(default_factory=set)
    most: int = 0
    taken: list = field(default_factory=list)

    def follow(self, candidate, until):
        self.held.add(candidate)
        self.most = max(self.most, len(self.held))
        self.taken.append((candidate, until))
        losses = self.losses[until][candidate]
        return {"audio": Level(torch.atleast_1d(torch.tensor(losses)), candidate in self.silent)}

    def forget(self, candidate):
        self.held.remove(candidate)

    def finish(self, candidate):
        return f"the result of {candidate}"


@dataclass
class Judge:
    """An objective whose loss is the signal's."""

    compared: set = field(default_factory=lambda: {"audio"})
    pairs: tuple = ()

    def __call__(self, signals, progress):
        loss = signals["audio"].loss
        return Alignment(loss, {"audio ~ text": 1 - loss}, {"audio ~ text": 1.0})


ONCE = (Choice(4, 1),)


def _best(losses, silent=(), choices=ONCE, **settings):
    player = Toy(losses, silent, **settings)
    found = rehearse(player, len(next(iter(losses.values()))), choices, Judge())
    return player, found


def test_the_lowest_loss_is_chosen_and_two_records_are_held_at_most():
    player, found = _best({4: [0.5, 0.2, 0.9, 0.2]})
    assert found.chosen == 1 and player.held == {1} and player.most == 2
    assert [float(take.alignment.loss) for take in found.takes] == pytest.approx([0.5, 0.2, 0.9, 0.2])


def test_silence_is_passed_over_unless_all_are_silent():
    assert _best({4: [0.5, 0.2, 0.9]}, silent=(1,))[1].chosen == 0
    assert _best({4: [0.5, 0.2, 0.9]}, silent=(0, 1, 2))[1].chosen == 1


def test_a_batch_is_chosen_as_a_whole():
    assert _best({4: [[0.1, 0.9], [0.4, 0.4]]})[1].chosen == 1


def test_a_funnel_follows_only_the_best_further():
    losses = {2: [0.4, 0.3, 0.1, 0.2], 5: [9.0, 0.6, 0.8, 0.5]}
    player, found = _best(losses, choices=[Choice(2, 3), Choice(5, 1)])
    assert found.chosen == 3
    assert sorted(player.taken[:4]) == [(0, 2), (1, 2), (2, 2), (3, 2)]
    assert sorted(player.taken[4:]) == [(1, 5), (2, 5), (3, 5)]
    assert float(found.takes[0].alignment.loss) == pytest.approx(0.4), "a dropped candidate shows its last judgement"


def test_every_judged_candidate_is_reported():
    seen = []
    rehearse(Toy({4: [0.5, 0.2]}), 2, [Choice(4, 1)], Judge(), lambda *take: seen.append(take))
    assert [candidate for candidate, _ in seen] == [0, 1]
    assert [float(take.alignment.loss) for _, take in seen] == pytest.approx([0.5, 0.2])


def test_a_loss_that_is_not_finite_is_an_error():
    with pytest.raises(AlignerError, match="not finite"):
        _best({4: [0.5, float("nan")]})


def test_steps_are_counted_with_those_of_all_candidates():
    assert rehearsed_steps(4, [Choice(4, 1)]) == 16 and passes(4, [Choice(4, 1)], 10) == 4 * 4 + 6
    assert passes(16, [Choice(2, 4), Choice(4, 1)], 20) == 16 * 2 + 4 * 2 + 16


@pytest.mark.parametrize(("steps", "chosen_after"), [(1, 1), (4, 1), (6, 2), (8, 2), (9, 3), (20, 8), (30, 12)])
def test_distilled_models_are_chosen_after_two_steps_at_most(steps, chosen_after):
    assert choices_of(Search(at=0.4), steps) == [Choice(chosen_after, 1)]


def test_the_first_of_two_experts_is_chosen_at_its_end():
    assert choices_of(Search(at=0.4), 10, unfinished=True) == [Choice(10, 1)]
    funnel = Search(at=0.4, funnel=[(0.2, 4)])
    assert choices_of(funnel, 10, unfinished=True) == [Choice(2, 4), Choice(10, 1)]


def test_one_candidate_is_nothing_to_choose_from():
    with pytest.raises(AlignerError, match="nothing to choose from"):
        require_choice(Search(candidates={"audio": 1}), Judge(), [], STEPS)
    assert require_choice(Search(candidates={"audio": 1}, then=Released()), Judge(), [], STEPS) == 1
    assert require_choice(Search(candidates={"audio": 5, "video": 9}), Judge(), [], STEPS) == 5


def test_schedules_that_are_zero_at_the_choice_are_an_error():
    class Never:
        def weight_at(self, progress):
            return float(progress > 0.5)

    judge = Judge(pairs=(Never(),))
    with pytest.raises(AlignerError, match="schedules of all conditions are 0"):
        require_choice(Search(), judge, [Choice(4, 1)], STEPS)
    assert require_choice(Search(), judge, [Choice(6, 1)], STEPS) == 16
