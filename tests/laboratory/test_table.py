"""Figures of rows and the table of figures, compared with values by hand."""

from __future__ import annotations

import pytest
import torch

from laboratory.evaluation.cells import Cell
from laboratory.evaluation.table import TIMING, effective_events, gain, markdown, summary

pytestmark = pytest.mark.usefixtures("few_resamples")

REAL = torch.randn(40, 3, generator=torch.Generator().manual_seed(0))


def rows(right: list[bool], features: torch.Tensor = REAL, matched: list | None = None, cosine: float = 0.5):
    return [
        {
            "right": one,
            "judged": "bell" if k % 2 else "rain",
            "silent": not one,
            "cosine": cosine,
            "second": 0.1 * k,
            "matched": matched[k] if matched else None,
            "optimised": 0.25,
            "seconds": 1.0 + k,
            "features": features[k].tolist(),
        }
        for k, one in enumerate(right)
    ]


def test_figures_are_means_with_intervals():
    figures = summary(rows([True, False, True, True], matched=[0.0, 1.0, 0.5, 0.5]), REAL)
    assert figures["samples"] == 4 and figures["seconds"] == 2.5
    assert [figures[name]["mean"] for name in ("right", "silent", "matched")] == [0.75, 0.25, 0.5]
    assert figures["second"]["mean"] == pytest.approx(0.15)
    assert 0 <= figures["right"]["low"] < 0.75 < figures["right"]["high"] <= 1
    assert figures["cosine"] == {"mean": 0.5, "low": 0.5, "high": 0.5}  # equal values: no width
    assert figures["optimised"]["mean"] == 0.25


def test_a_missing_figure_is_left_out():
    assert "matched" not in summary(rows([True, False]), REAL)


def test_the_effective_number_of_events_is_that_of_right_results():
    assert summary(rows([True] * 4), REAL)["events"] == pytest.approx(2)
    assert summary(rows([True, False, True, False]), REAL)["events"] == pytest.approx(1)
    # A row of several draws names the event of the first one alone.
    assert "events" not in summary([row | {"right": 0.5} for row in rows([True] * 4)], REAL)
    assert effective_events(rows([True] * 3)) == pytest.approx(2 ** (2 / 3 * 0.5849625) * 2 ** (1 / 3 * 1.5849625))


def test_the_frechet_distance_compares_with_real_features():
    """The distance of equal features is 0. Shifted by 2 along one axis, it is 4."""
    assert summary(rows([True] * 40), REAL)["frechet"] == pytest.approx(0, abs=1e-4)
    shifted = REAL + torch.tensor([2.0, 0.0, 0.0])
    assert summary(rows([True] * 40, shifted), REAL)["frechet"] == pytest.approx(4, abs=1e-3)


def test_a_gain_is_the_difference_on_the_same_samples():
    """Two of four samples become right and one wrong: +1, +1, 0, -1."""
    figures = gain(rows([True, True, True, False]), rows([False, False, True, True]))
    assert figures["mean"] == 0.25
    assert -1 <= figures["low"] < 0.25 < figures["high"] <= 1


def test_a_constant_gain_has_an_interval_without_width():
    """The spread of the samples does not matter."""
    higher, lower = rows([True, False, True]), rows([True, False, True])
    for row, value in zip(higher, (0.0, 0.4, 0.9)):
        row["matched"] = value + 0.25
    for row, value in zip(lower, (0.0, 0.4, 0.9)):
        row["matched"] = value
    figures = gain(higher, lower, "matched")
    assert list(figures.values()) == pytest.approx([0.25, 0.25, 0.25])


def test_a_gain_over_other_samples_is_refused():
    with pytest.raises(ValueError):
        gain(rows([True, False]), rows([True]))


def test_the_table_has_a_section_for_each_task():
    interval = {"mean": 0.5, "low": 0.25, "high": 0.75}
    measured = dict.fromkeys(("right", "cosine", "second", *TIMING, "optimised"), interval)
    whole = {"seconds": 12.34, "frechet": 1.234, **measured}
    without_moments = {name: value for name, value in whole.items() if name not in TIMING}
    text = markdown(
        [
            (Cell("V2A", "unguided", "right"), whole),
            (Cell("V2A", "default", "right"), whole),
            (Cell("I2A", "paper", "vague"), without_moments),
        ]
    )
    head = [
        "| caption | steered | judge: right | judge: cosine | 2nd binder: cosine | AV-Align "
        "| AV-Align, lead | onset F1 | onset F1, lead | Fréchet | s / sample | *guiding binder* |",
        "|---|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    short = [line.replace("| AV-Align | AV-Align, lead | onset F1 | onset F1, lead ", "") for line in head[:1]]
    some = "0.50 (0.25–0.75)"
    figures = f"50 % (25–75) | {some} | {some} | {{0}}1.23 | 12.3 | {some} |"
    assert text.splitlines() == [
        "**V2A**",
        "",
        *head,
        f"| right | unguided | {figures.format(4 * f'{some} | ')}",
        f"| right | default | {figures.format(4 * f'{some} | ')}",
        "",
        "**I2A**",
        "",
        *short,
        "|---|---|---|---|---|---|---|---|",
        f"| vague | paper | {figures.format('')}",
    ]
    assert text.endswith("|\n")


def test_a_table_has_the_columns_that_are_asked_for():
    gained = {"mean": 0.5, "low": -0.25, "high": 0.755}
    columns = {"gain": "more", "seconds": "time"}
    text = markdown([(Cell("V2A", "default", "vague"), {"seconds": 1.0, "gain": gained})], columns)
    assert text.splitlines()[2:] == [
        "| caption | steered | more | time |",
        "|---|---|---|---|",
        "| vague | default | +50 (-25 to 76) | 1.0 |",
    ]
