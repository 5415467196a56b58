"""`python -m laboratory.evaluate` measures cells and writes the table."""

from __future__ import annotations

import json

import pytest
from PIL import Image

from laboratory import evaluate
from laboratory.evaluation import runs
from laboratory.evaluation.runs import DemoModels, real_features
from laboratory.world import scene


@pytest.fixture
def measured(monkeypatch, few_resamples, instruments, made_up_row):
    """The cells that are measured, (name, split, samples, folder). Their rows are made up."""
    asked: list[tuple] = []

    def rows_of(cell, models, split, samples, work=None):
        asked.append((cell.name, split, samples, work))
        right = cell.method == "default"
        return [made_up_row(index, right) for index in range(samples)]

    monkeypatch.setattr(evaluate, "rows_of", rows_of)
    monkeypatch.setattr(evaluate, "demo_models", lambda: DemoModels(None, None, instruments, "random weights"))
    real_features.cache_clear()
    return asked


@pytest.fixture
def tabulated(tmp_path, measured):
    """Runs with options and returns the table."""

    def run(*options: str) -> dict:
        evaluate.main(
            [
                *options,
                "--captions",
                "vague",
                "--samples",
                "8",
                "--work",
                str(tmp_path / "work"),
                "--output",
                str(tmp_path / "out"),
            ]
        )
        return json.loads((tmp_path / "out" / "test" / "table.json").read_text(encoding="utf-8"))

    return run


@pytest.mark.parametrize(
    "options, spelled",
    [
        (["--samples", "7"], "samples, at least 8"),
        (["--samples", "many"], "--samples"),
        (["--split", "train"], "train"),
        (["--tasks", "T2A"], "T2A"),
        (["--methods", "ours"], "ours"),
        (["--captions", "none"], "none"),
    ],
)
def test_bad_options_are_refused_before_models_are_loaded(options, spelled, monkeypatch, capsys):
    monkeypatch.setattr(evaluate, "demo_models", lambda: pytest.fail("models were loaded"))
    with pytest.raises(SystemExit) as caught:
        evaluate.main(options)
    assert caught.value.code == 2 and spelled in capsys.readouterr().err


def test_the_table_is_written_and_shown(tmp_path, measured, tabulated, capsys):
    table, work = tabulated("--tasks", "I2A", "--methods", "unguided", "default"), tmp_path / "work"
    assert measured == [
        ("I2A-unguided-vague", "test", 8, work),
        ("I2A-default-vague", "test", 8, work),
        ("I2A-unguided-vague", "test", 8, work),
    ]
    assert table.keys() == {"I2A-unguided-vague", "I2A-default-vague"}
    assert table["I2A-default-vague"]["gain"] == {"right": {"mean": 1.0, "low": 1.0, "high": 1.0}}
    assert "gain" not in table["I2A-unguided-vague"] and table["I2A-unguided-vague"]["frechet"] > 0
    text = (tmp_path / "out" / "test" / "table.md").read_text(encoding="utf-8")
    assert "| vague | default | 100 % (100–100) |" in text and text in capsys.readouterr().out


def test_earlier_cells_stay_in_the_table(tmp_path, tabulated):
    first = tabulated("--tasks", "I2A", "--methods", "default")
    both = tabulated("--tasks", "V2A", "--methods", "unguided")
    assert both == {**first, "V2A-unguided-vague": both["V2A-unguided-vague"]}
    text = (tmp_path / "out" / "test" / "table.md").read_text(encoding="utf-8")
    # In the order of the tasks, not of the measurements.
    assert text.index("**V2A**") < text.index("**I2A**")


def test_a_cell_that_is_measured_again_replaces_the_earlier_one(tmp_path, tabulated):
    first = tabulated("--tasks", "I2A", "--methods", "unguided", "default")
    spoilt = {**first, "I2A-default-vague": {**first["I2A-default-vague"], "seconds": 99.0}}
    (tmp_path / "out" / "test" / "table.json").write_text(json.dumps(spoilt), encoding="utf-8")
    assert tabulated("--tasks", "I2A", "--methods", "default") == first


@pytest.mark.parametrize("other", [{"settings": "other weights"}, {"samples": 16}])
def test_cells_of_other_settings_or_samples_leave_the_table(tmp_path, tabulated, other):
    first = tabulated("--tasks", "I2A", "--methods", "unguided", "default")
    stale = {**first, "I2A-unguided-vague": {**first["I2A-unguided-vague"], **other}}
    (tmp_path / "out" / "test" / "table.json").write_text(json.dumps(stale), encoding="utf-8")
    assert tabulated("--tasks", "I2A", "--methods", "default").keys() == {"I2A-default-vague"}


def test_a_failed_run_keeps_the_cells_that_it_measured(tmp_path, tabulated, monkeypatch):
    rows_of = evaluate.rows_of
    monkeypatch.setattr(
        evaluate, "rows_of", lambda cell, *others: rows_of(cell, *others) if cell.task == "V2A" else 1 / 0
    )
    with pytest.raises(ZeroDivisionError):
        tabulated("--tasks", "V2A", "I2A", "--methods", "unguided")
    table = json.loads((tmp_path / "out" / "test" / "table.json").read_text(encoding="utf-8"))
    assert table.keys() == {"V2A-unguided-vague"}


def test_each_split_has_its_own_table(tmp_path, tabulated):
    tabulated("--tasks", "I2A", "--methods", "unguided")
    tabulated("--tasks", "I2A", "--methods", "unguided", "--split", "development")
    assert {path.parent.name for path in (tmp_path / "out").rglob("table.md")} == {"test", "development"}


def test_the_real_clips_steer_no_result(measured, monkeypatch, instruments):
    drawn = []
    monkeypatch.setattr(runs, "scene", lambda split, index: drawn.append((split, index)) or scene(split, index))
    features = real_features(instruments.judge, "audio", "development", 16)
    assert features.shape == (16, 64) and len(features.unique(dim=0)) == 16
    assert len(set(drawn)) == 16 and all(split == "development" and index >= 10_000 for split, index in drawn)


def test_there_are_as_many_real_clips_as_results_and_they_are_drawn_once(tabulated, monkeypatch):
    """The Fréchet distance grows as samples get fewer."""
    drawn = []
    monkeypatch.setattr(runs, "scene", lambda split, index: drawn.append(index) or scene(split, index))
    tabulated("--tasks", "V2A", "I2A", "--methods", "unguided")
    assert len(drawn) == 8


def test_cells_of_older_code_are_confirmed_by_their_first_clips(tabulated, measured, tmp_path, capsys):
    """One cell comes out as it did, the rows of another have changed, and a third had other settings."""
    options = ("--tasks", "V2A", "--methods", "unguided", "default", "finished")
    tabulated(*options)
    path = tmp_path / "out" / "test" / "table.json"
    table = json.loads(path.read_text(encoding="utf-8"))
    for figures in table.values():
        figures["settings"] = figures["settings"].rpartition(" ")[0] + " 0123456789abcdef"
    table["V2A-default-vague"]["first"][3]["cosine"] += 0.1
    table["V2A-finished-vague"]["settings"] = "other " + table["V2A-finished-vague"]["settings"]
    path.write_text(json.dumps(table), encoding="utf-8")
    measured.clear()
    after = tabulated(*options, "--confirm")
    said = capsys.readouterr().out
    assert "V2A-unguided-vague: as before" in said and "V2A-default-vague: measured anew" in said
    assert "V2A-finished-vague:" not in said
    kept = {name for name, _, _, folder in measured if folder is None}
    assert kept == {"V2A-unguided-vague", "V2A-default-vague"}
    assert {name for name, _, _, folder in measured if folder} >= {"V2A-default-vague", "V2A-finished-vague"}
    assert not any("0123456789abcdef" in figures["settings"] for figures in after.values())


def test_gates_are_written_and_failures_are_printed(tmp_path, measured, monkeypatch, capsys):
    figures = {"zero-shot": {"sound to text": 0.5}, "reconstruction": {}, "generation": {}, "decibel": {}}
    figures["mm-diffusion"] = {"video": 0.9, "sound": 0.9, "agreement": 0.9, "events": 7.5}
    monkeypatch.setattr(evaluate, "gates", lambda models, split, samples: {**figures, "samples": samples})
    evaluate.main(["--gates", "--samples", "16", "--output", str(tmp_path)])
    assert json.loads((tmp_path / "test" / "gates.json").read_text(encoding="utf-8")) == {**figures, "samples": 16}
    assert "NOT HELD: zero-shot sound to text: 0.500, at least 0.95 is needed" in capsys.readouterr().out
    assert not measured and [path.name for path in (tmp_path / "test").iterdir()] == ["gates.json"]


def test_sheets_of_both_streams_and_all_tasks_are_drawn(tmp_path, measured, monkeypatch, capsys):
    drawn = []

    def sheet(models, what, split):
        drawn.append((what, split))
        return Image.new("RGB", (len(drawn), 1))

    monkeypatch.setattr(evaluate, "generation_sheet", sheet)
    monkeypatch.setattr(evaluate, "results_sheet", sheet)
    monkeypatch.setattr(evaluate, "demo_sheet", lambda models: sheet(models, "demo", "development"))
    evaluate.main(["--sheets", "--split", "development", "--output", str(tmp_path)])
    names = ["generated_audio", "generated_video", "results_V2A", "results_I2A", "results_A2V", "results_joint"]
    names.append("results_demo")
    assert drawn == [(name.split("_")[1], "development") for name in names] and not measured
    said = capsys.readouterr().out
    for width, name in enumerate(names, start=1):
        path = tmp_path / "development" / f"{name}.png"
        assert Image.open(path).size == (width, 1) and f"Wrote {path}" in said
