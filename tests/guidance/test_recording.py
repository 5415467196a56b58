"""What a network returns is recorded and played again."""

import pytest
import torch
from diffusers.models.modeling_outputs import Transformer2DModelOutput

from aligner.guidance.recording import Recording


def doubled(values, factor=None):
    return Transformer2DModelOutput(sample=values * 2)


def calls(recording, *inputs, network=doubled):
    """A run that makes these calls."""
    return lambda: [recording.output(network, values).sample for values in inputs]


def values(*numbers):
    return [torch.full((3,), float(number)) for number in numbers]


def test_a_recorded_call_is_not_made_again():
    recording = Recording()
    (first,) = recording.play(calls(recording, *values(1)), records=True)
    (again,) = recording.play(calls(recording, *values(1)), records=True)
    assert recording.evaluations == 1
    assert torch.equal(first, again) and again.data_ptr() != first.data_ptr()


def test_what_is_changed_in_place_afterwards_is_recorded_as_it_was():
    recording = Recording()
    recording.play(calls(recording, *values(1)), records=True)[0].zero_()
    assert torch.equal(recording.play(calls(recording, *values(1)), records=True)[0], torch.full((3,), 2.0))


def test_calls_after_the_recorded_ones_are_made():
    recording = Recording()
    recording.play(calls(recording, *values(1, 2)), records=True)
    recording.play(calls(recording, *values(1, 2, 3)), records=True)
    recording.play(calls(recording, *values(1, 2, 3)), records=False)
    assert recording.evaluations == 3


def test_a_run_that_calls_something_else_begins_again_and_plays_nothing():
    recording, begun = Recording(), []
    recording.play(calls(recording, *values(1, 2, 3)), records=True)

    def other():
        begun.append(1)
        return calls(recording, *values(1, 9, 3))()

    assert [sample[0].item() for sample in recording.play(other, records=True)] == [2, 18, 6]
    assert len(begun) == 2 and recording.evaluations == 6
    # It would lead another way again.
    recording.play(other, records=True)
    assert len(begun) == 3 and recording.evaluations == 9


def test_one_changed_value_of_many_is_noticed():
    recording, many = Recording(), torch.zeros(50_000)
    recording.play(calls(recording, many), records=True)
    changed = many.clone()
    changed[12_345] = 1
    assert recording.play(calls(recording, changed), records=True)[0][12_345] == 2
    assert recording.evaluations == 2


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.int64, torch.bool])
def test_inputs_of_every_kind_are_looked_at(dtype):
    recording = Recording()

    def run(factor):
        return lambda: recording.output(doubled, torch.ones(2), factor={"scales": [factor.to(dtype)]})

    recording.play(run(torch.ones(2)), records=True)
    recording.play(run(torch.ones(2)), records=True)
    assert recording.evaluations == 1
    recording.play(run(torch.zeros(2)), records=True)
    assert recording.evaluations == 2


def test_random_numbers_that_a_network_draws_are_drawn_for_what_follows():
    recording = Recording()

    def run():
        torch.manual_seed(0)
        recording.output(lambda value: (torch.rand(3), doubled(value))[1], torch.ones(2))
        return torch.rand(3)

    first, again = (recording.play(run, records=True) for _ in range(2))
    assert torch.equal(first, again) and recording.evaluations == 1


def test_the_last_run_is_not_recorded():
    recording = Recording()
    recording.play(calls(recording, *values(1)), records=False)
    recording.play(calls(recording, *values(1)), records=False)
    assert recording.evaluations == 2


def test_whatever_a_run_raises_ends_it():
    recording = Recording()
    with pytest.raises(KeyboardInterrupt):
        recording.play(lambda: (_ for _ in ()).throw(KeyboardInterrupt), records=True)
