"""Long recordings in overlapping windows."""

import pytest
import torch

from aligner.errors import AlignerError
from aligner.generators.windows import Windows

WINDOWS = Windows(16, 4)


@pytest.mark.parametrize("count", [17, 20, 28, 29, 64, 375])
def test_windows_cover_everything_and_overlap_enough(count):
    spans = WINDOWS.spans(count)
    assert spans[0][0] == 0 and spans[-1][1] == count and all(end - start == 16 for start, end in spans)
    assert all(end - start >= 4 for (_, end), (start, _) in zip(spans, spans[1:]))
    assert len(spans) == -(-(count - 16) // 12) + 1, "no more than are needed"


def test_what_fits_into_a_window_is_done_in_one_piece():
    whole = torch.randn(1, 2, 16)
    assert WINDOWS.spans(16) == [(0, 16)] and WINDOWS.spans(5) == [(0, 5)]
    assert WINDOWS.apply(whole, lambda part: part) is whole


@pytest.mark.parametrize("count", [16, 40, 100])
def test_segments_part_in_the_middle_of_what_windows_share(count):
    segments = WINDOWS.segments(count)
    assert [k for segment in segments for k in range(*segment)] == list(range(count))
    assert len(segments) == len(WINDOWS.spans(count))
    for (start, end), (first, last) in zip(segments, WINDOWS.spans(count)):
        assert first <= start < end <= last


@pytest.mark.parametrize("axis, result_axis, scale", [(2, None, 1), (1, 2, 3)])
def test_where_windows_agree_nothing_changes(axis, result_axis, scale):
    whole = torch.randn(2, 50, 50)

    def function(part):
        longer = part.repeat_interleave(scale, dim=axis)
        return longer if result_axis is None else longer.movedim(axis, result_axis)

    found = WINDOWS.apply(whole, function, axis=axis, result_axis=result_axis, scale=scale)
    assert torch.allclose(found, function(whole), atol=1e-6)


def test_windows_fade_into_each_other():
    """Each says its number: between them it rises evenly, without a jump."""
    numbers = iter(range(9))
    found = WINDOWS.apply(torch.zeros(1, 1, 40), lambda part: part + next(numbers))[0, 0]
    assert found[:12].eq(0).all() and found[-12:].eq(2).all()
    steps = found.diff()
    assert (steps >= 0).all() and steps.max() <= 0.25


def test_more_than_the_scale_is_cut():
    """As of a vocoder, which gives a few samples too many."""
    found = WINDOWS.apply(torch.ones(1, 1, 40), lambda part: torch.cat([part, 100 + part[..., :3]], dim=2))
    assert torch.allclose(found, torch.ones(1, 1, 40))


def test_the_gradient_is_that_of_the_whole():
    whole = torch.randn(1, 1, 40, requires_grad=True)
    (gradient,) = torch.autograd.grad(WINDOWS.apply(whole, torch.sin).square().sum(), whole)
    (wanted,) = torch.autograd.grad(torch.sin(whole).square().sum(), whole)
    assert torch.allclose(gradient, wanted, atol=1e-6)


def test_one_window_at_a_time_is_kept_for_the_gradient():
    """Each is computed again in the backward pass."""
    calls = []
    whole = torch.zeros(1, 1, 40, requires_grad=True)
    found = WINDOWS.apply(whole, lambda part: calls.append(part.requires_grad) or part.exp())
    assert len(calls) == 3
    found.sum().backward()
    assert len(calls) == 6


@pytest.mark.parametrize("length, overlap", [(4, 0), (4, 4), (1, 1)])
def test_windows_must_overlap(length, overlap):
    with pytest.raises(AlignerError, match="cannot overlap"):
        Windows(length, overlap)
