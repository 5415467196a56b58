"""What a network returns is recorded and played again."""

import torch
from diffusers.models.modeling_outputs import Transformer2DModelOutput

from aligner.guidance.recording import Recording


def doubled(values, factor=None):
    return Transformer2DModelOutput(sample=values * 2)


def test_a_recorded_call_is_not_made_again():
    recording = Recording()
    first = recording.output(doubled, torch.arange(3.0)).sample
    recording.rewind(records=True)
    again = recording.output(doubled, torch.arange(3.0)).sample
    assert recording.evaluations == 1
    assert torch.equal(first, again) and again.data_ptr() != first.data_ptr()


def test_what_is_changed_in_place_afterwards_is_recorded_as_it_was():
    recording = Recording()
    recording.output(doubled, torch.ones(3)).sample.zero_()
    recording.rewind(records=True)
    assert torch.equal(recording.output(doubled, torch.ones(3)).sample, torch.full((3,), 2.0))


def test_another_input_ends_the_record():
    recording = Recording()
    for value in (1.0, 2.0, 3.0):
        recording.output(doubled, torch.tensor([value]))
    recording.rewind(records=True)
    recording.output(doubled, torch.tensor([1.0]))
    assert recording.evaluations == 3
    assert recording.output(doubled, torch.tensor([9.0])).sample == 18.0
    recording.output(doubled, torch.tensor([3.0]))
    assert recording.evaluations == 5


def test_inputs_of_every_kind_are_looked_at():
    recording = Recording()
    recording.output(doubled, torch.ones(2), factor={"scales": [torch.ones(2)]})
    recording.rewind(records=True)
    recording.output(doubled, torch.ones(2), factor={"scales": [torch.zeros(2)]})
    assert recording.evaluations == 2


def test_the_last_call_is_not_recorded():
    recording = Recording()
    recording.rewind(records=False)
    recording.output(doubled, torch.ones(2))
    recording.rewind(records=False)
    recording.output(doubled, torch.ones(2))
    assert recording.evaluations == 2
