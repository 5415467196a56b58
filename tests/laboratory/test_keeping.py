"""Tensors kept in a file, and made anew when the function that makes them has changed."""

from __future__ import annotations

import pytest
import torch

from laboratory.training.keeping import kept


class Maker:
    """Makes squares of row numbers, and their halves in half precision. It records the batches that it made."""

    def __init__(self, plus: float = 0.0):
        self.plus, self.batches = plus, []

    def __call__(self, rows: torch.Tensor) -> dict[str, torch.Tensor]:
        assert not torch.is_grad_enabled()
        self.batches.append(rows.tolist())
        squares = rows[:, None].float().expand(-1, 2).square() + self.plus
        return {"squares": squares, "halves": (squares / 2).half()}


@pytest.fixture
def path(tmp_path):
    return tmp_path / "work" / "squares.pt"


def test_rows_are_made_eight_at_a_time_and_come_in_order(path):
    make = Maker()
    made = kept(path, 20, make)
    assert made.keys() == {"squares", "halves"} and made["halves"].dtype == torch.float16
    assert torch.equal(made["squares"], torch.arange(20.0)[:, None].expand(-1, 2).square())
    assert make.batches == [list(range(8)), list(range(8, 16)), list(range(16, 20))]


def test_kept_rows_are_not_made_again_except_the_first_eight(path):
    first, make = kept(path, 20, Maker()), Maker()
    again = kept(path, 20, make)
    assert make.batches == [list(range(8))]
    assert all(torch.equal(again[name], first[name]) for name in first)


def test_all_rows_are_made_anew_when_their_function_has_changed(path):
    kept(path, 20, Maker())
    changed = Maker(plus=1)
    made = kept(path, 20, changed)
    assert len(changed.batches) == 4 and made["squares"][19, 0] == 19**2 + 1
    unchanged = Maker(plus=1)
    kept(path, 20, unchanged)
    assert len(unchanged.batches) == 1, "the file should have been replaced"


@pytest.mark.parametrize("before, after", [(20, 12), (12, 20), (4, 20), (20, 4)])
def test_another_number_of_rows_is_made_anew(path, before, after):
    kept(path, before, Maker())
    assert [len(tensor) for tensor in kept(path, after, Maker()).values()] == [after, after]


@pytest.mark.parametrize(
    "changed",
    [
        lambda made: {**made, "squares": made["squares"].repeat(1, 2)},
        lambda made: {"others": made["squares"]},
    ],
    ids=["shape", "name"],
)
def test_another_shape_or_name_is_made_anew(path, changed):
    kept(path, 12, Maker())
    made = kept(path, 12, lambda rows: changed(Maker()(rows)))
    with torch.no_grad():
        expected = changed(Maker()(torch.arange(12)))
    assert made.keys() == expected.keys()
    assert all(torch.equal(made[name], expected[name]) for name in made)


def test_a_difference_of_rounding_does_not_make_rows_anew(path):
    """Another number of threads may change the last bit of half precision."""
    kept(path, 20, Maker())
    other = Maker()

    def rounded(rows: torch.Tensor) -> dict[str, torch.Tensor]:
        made = other(rows)
        return {**made, "halves": (made["halves"].view(torch.int16) + 1).view(torch.float16)}

    kept(path, 20, rounded)
    assert len(other.batches) == 1


def test_a_failure_leaves_the_old_file(path):
    def stopping(rows: torch.Tensor) -> dict[str, torch.Tensor]:
        return Maker(plus=1)(rows) if rows[0] == 0 else 1 / 0

    path.parent.mkdir()
    with pytest.raises(ZeroDivisionError):
        kept(path, 20, stopping)
    assert not list(path.parent.iterdir())
    kept(path, 20, Maker())
    before = path.read_bytes()
    with pytest.raises(ZeroDivisionError):
        kept(path, 20, stopping)
    assert list(path.parent.iterdir()) == [path] and path.read_bytes() == before
