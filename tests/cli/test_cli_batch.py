"""batch: from a manifest or a folder to results, their records, and a summary."""

import csv
import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from aligner.cli.keeping import Kept, keeping, loaded
from aligner.demo.examples import EXAMPLE_IMAGE, EXAMPLE_SOUND, EXAMPLE_VIDEO

ROOT = Path(__file__).resolve().parents[2]
#: A run of a few steps on the built-in models.
QUICK = ("--steps", "2", "--audio-candidates", "2")


@pytest.fixture
def clips(tmp_path):
    """A folder of three clips, and a file that is none."""
    folder = tmp_path / "clips"
    folder.mkdir()
    for name in ("one", "two", "three"):
        (folder / f"{name}.mp4").write_bytes(EXAMPLE_VIDEO.read_bytes())
    (folder / "notes.txt").write_text("no clip")
    return folder


@pytest.fixture
def written(tmp_path):
    """A function that writes a manifest, of rows as JSON Lines or of text as CSV."""

    def write(content):
        if isinstance(content, str):
            path = tmp_path / "shots.csv"
            path.write_text(content)
        else:
            path = tmp_path / "shots.jsonl"
            path.write_text("".join(json.dumps(row) + "\n" for row in content))
        return path

    return write


def records(folder):
    return {path.name.removesuffix(".json"): json.loads(path.read_text()) for path in folder.rglob("*.json")}


def table(folder):
    with (folder / "summary.csv").open(newline="") as file:
        return {row["output"]: row for row in csv.DictReader(file)}


def test_a_folder_of_clips_gets_sounds_that_single_commands_make_too(run, tmp_path, clips, capsys):
    results = tmp_path / "results"
    assert run("batch", clips, "-o", results, "--task", "v2a", "--overviews", *QUICK, "--prompt", "a thud") == 0
    assert run("v2a", clips / "one.mp4", "-o", tmp_path / "single.mp4", *QUICK, "--prompt", "a thud") == 0
    assert sorted(path.name for path in results.glob("*.mp4")) == ["one.mp4", "three.mp4", "two.mp4"]
    assert (results / "one.mp4").read_bytes() == (tmp_path / "single.mp4").read_bytes()
    said = capsys.readouterr()
    assert said.out.count("TOY models") == 2, "models are loaded once by the batch, and once by the single command"
    assert "3 made, " in said.err and " an hour" in said.err and "sampling" not in said.err.split("3 made")[0]
    record = records(results)["one.mp4"]
    assert record["status"] == "made" and record["seconds"] > 0 and record["versions"]["torch"]
    assert record["settings"]["prompt"] == "a thud" and record["settings"]["steps"] == 2
    assert set(record["scores"]) == {"audio ~ video"}
    row = table(results)["one.mp4"]
    assert (row["status"], row["task"], row["seed"]) == ("made", "v2a", "0")
    assert float(row["audio ~ video"]) == record["scores"]["audio ~ video"]
    for place in ("overviews", "spectrograms"):
        names = sorted(path.name for path in (results / place).iterdir())
        assert names == ["one.mp4.png", "three.mp4.png", "two.mp4.png"]


def test_what_is_there_stays_and_only_again_makes_it_anew(run, tmp_path, clips, capsys):
    results = tmp_path / "results"
    command = ("batch", clips, "-o", results, "--task", "v2a", *QUICK)
    assert run(*command) == 0
    (results / "two.mp4").unlink()
    before = {path.name: path.stat().st_mtime_ns for path in results.glob("*.mp4")}
    assert run(*command) == 0
    assert "3 results, 2 of them there already" in capsys.readouterr().out
    after = {path.name: path.stat().st_mtime_ns for path in results.glob("*.mp4")}
    assert before.items() < after.items() and set(after) == {"one.mp4", "two.mp4", "three.mp4"}
    assert run(*command, "--seed", "5") == 1
    said = capsys.readouterr()
    assert "one.mp4 was made with other options (seed: then 0, now 5)" in said.out
    assert {path.name: path.stat().st_mtime_ns for path in results.glob("*.mp4")} == after
    assert run(*command, "--seed", "5", "--again") == 0
    assert records(results)["one.mp4"]["settings"]["seed"] == 5


def test_a_manifest_mixes_tasks_and_options(run, tmp_path, written):
    manifest = written(
        [
            {"task": "v2a", "input": str(EXAMPLE_VIDEO), "output": "day/ball.wav", "seed": 3, "away-from": ["a", "b"]},
            {"task": "i2a", "input": str(EXAMPLE_IMAGE), "output": "still", "unguided": True, "seconds": 0.5},
            {"task": "a2i", "input": str(EXAMPLE_SOUND), "output": "seen.png", "video candidates": 2},
            {"task": "joint", "prompt": "rain, and a bell", "output": "both", "frames": 4, "unguided": "yes"},
            {"task": "mm-diffusion", "output": "coupled", "unguided": True},
        ]
    )
    results = tmp_path / "results"
    assert run("batch", manifest, "-o", results, "--steps", "2") == 0
    made = records(results)
    assert set(made) == {"ball.wav", "still.wav", "seen.png", "both.mp4", "coupled.mp4"}
    assert all(record["status"] == "made" for record in made.values())
    assert (results / "day" / "ball.wav").exists() and made["ball.wav"]["settings"]["away_from"] == ["a", "b"]
    assert made["both.mp4"]["settings"]["prompt"] == "rain, and a bell"


def test_a_failure_is_recorded_and_the_rest_goes_on(run, tmp_path, clips, written, capsys):
    manifest = written(f"input;output;prompt\n{clips}/one.mp4;a;\n{clips}/missing.mp4;b;\n{clips}/notes.txt;c;\n")
    results = tmp_path / "results"
    assert run("batch", manifest, "-o", results, "--task", "v2a", *QUICK) == 1
    said = capsys.readouterr()
    assert "2 of 3 results failed (b.mp4, c.mp4)" in said.err and "missing.mp4" in said.out
    made = records(results)
    assert made["a.mp4"]["status"] == "made" and made["b.mp4"]["status"] == made["c.mp4"]["status"] == "failed"
    assert "missing.mp4" in made["b.mp4"]["error"] and made["b.mp4"]["trace"] == ""
    assert table(results)["b.mp4"]["error"] == made["b.mp4"]["error"]
    (clips / "missing.mp4").write_bytes(EXAMPLE_VIDEO.read_bytes())
    (clips / "notes.txt").write_bytes(EXAMPLE_VIDEO.read_bytes())
    assert run("batch", manifest, "-o", results, "--task", "v2a", *QUICK) == 0
    assert {row["status"] for row in table(results).values()} == {"made"}


def test_shards_make_what_one_machine_makes(run, tmp_path, clips, capsys):
    command = ("batch", clips, "--task", "v2a", *QUICK)
    assert run(*command, "-o", tmp_path / "whole") == 0
    assert run(*command, "-o", tmp_path / "parts", "--shard", "2/2") == 0
    assert {name: row["status"] for name, row in table(tmp_path / "parts").items()} == {
        "one.mp4": "waiting",
        "three.mp4": "made",
        "two.mp4": "waiting",
    }
    assert run(*command, "-o", tmp_path / "parts", "--shard", "1/2") == 0
    for name in ("one.mp4", "two.mp4", "three.mp4"):
        assert (tmp_path / "whole" / name).read_bytes() == (tmp_path / "parts" / name).read_bytes()
    assert {row["status"] for row in table(tmp_path / "parts").values()} == {"made"}


def test_killed_in_the_middle_it_goes_on_and_makes_nothing_twice(run, tmp_path, clips):
    results = tmp_path / "results"
    arguments = ("batch", str(clips), "-o", str(results), "--task", "v2a", *QUICK)
    with subprocess.Popen([sys.executable, "-m", "aligner", *arguments], cwd=ROOT, stderr=subprocess.DEVNULL) as begun:
        deadline = time.monotonic() + 120
        while not (results / "one.mp4.json").exists() or records(results)["one.mp4"]["status"] != "made":
            assert time.monotonic() < deadline and begun.poll() is None
            time.sleep(0.01)
        os.kill(begun.pid, signal.SIGKILL)
    (results / f".{'0' * 32}.mp4").write_bytes(b"half")
    finished = [name for name, record in records(results).items() if record["status"] == "made"]
    before = {name: (results / name).stat().st_mtime_ns for name in finished}
    assert run(*arguments) == 0
    after = {path.name: path.stat().st_mtime_ns for path in results.glob("*.mp4")}
    assert before.items() <= after.items() and len(after) == 3
    assert not list(results.rglob(".*"))


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("input\nclip.mp4\n", "Row 1 of .*The task is ''.*must be one of v2a"),
        ("task,input\nv2a,clip.mp4\nv2b,clip.mp4\n", "Row 2 of .*'v2b'"),
        ("task,input,colour\nv2a,clip.mp4,red\n", "Row 1 of .*v2a has no option colour"),
        ("task,input,steps\nv2a,clip.mp4,many\n", "Row 1 of .*steps.*'many'"),
        ("task,input,steps\nv2a,clip.mp4,0\n", "Row 1 of .*--steps must be between"),
        ("task,input,output\nv2a,clip.mp4,../out.mp4\n", "Row 1 of .*below the folder of results"),
        ("task,input\nv2a,a/clip.mp4\nv2a,b/Clip.mov\n", "Several rows of .*clip.mp4"),
        ("task,input,prompt\nv2a,clip.mp4,a dog, barks\n", "more cells than columns"),
        ("task,input\n", "has no rows"),
        ("task,input,unguided\nv2a,clip.mp4,perhaps\n", "Row 1 of .*true or false, not 'perhaps'"),
        ([{"task": "v2a"}], "Row 1 of .*no input"),
        ([{"task": "mm-diffusion", "input": "a.mp4"}], "Row 1 of .*mm-diffusion takes no input"),
        ([{"task": "joint", "prompt": "-x", "output": "a"}], "Row 1 of .*begins with a hyphen"),
        ([{"task": "v2a", "input": "clip.mp4", "overview": "a.png"}], "no option overview"),
        ([3], "Line 1 of .*must be an object"),
    ],
)
def test_wrong_manifests_are_refused_before_anything_is_made(refused, written, tmp_path, content, words):
    manifest = written(content)
    assert re.search(words, refused("batch", manifest, "-o", tmp_path / "results"))


def test_results_do_not_replace_what_they_are_made_for(refused, clips):
    assert "cannot be among what they are made for" in refused("batch", clips, "-o", clips, "--task", "v2a")
    manifest = clips / "shots.csv"
    manifest.write_text("task,input,output\nv2a,one.mp4,one.mp4\n")
    assert "one.mp4 would be overwritten by a result" in refused("batch", manifest, "-o", clips)
    # Also where another row reads it, and where the table would lie in place of the manifest.
    manifest.write_text("task,input,output\nv2a,one.mp4,two.mp4\nv2a,two.mp4,four.mp4\n")
    assert "two.mp4 would be overwritten by a result" in refused("batch", manifest, "-o", clips)
    manifest = manifest.rename(clips / "summary.csv")
    manifest.write_text("task,input,output\nv2a,one.mp4,five.mp4\n")
    assert "summary.csv would be overwritten by a result" in refused("batch", manifest, "-o", clips)


def test_files_of_others_are_not_replaced(run, tmp_path, clips, capsys):
    results = tmp_path / "results"
    results.mkdir()
    (results / "one.mp4").write_bytes(b"mine")
    (results / "two.mp4.json").write_text('{"mine": true}')
    command = ("batch", clips, "-o", results, "--task", "v2a", *QUICK, "--unguided", "--overviews")
    assert run(*command) == 1
    assert "one.mp4 or its record one.mp4.json is there, and not of this batch" in capsys.readouterr().out
    assert (results / "one.mp4").read_bytes() == b"mine" and json.loads((results / "two.mp4.json").read_text())["mine"]
    assert table(results)["three.mp4"]["status"] == "made"


def test_a_dot_in_a_name_begins_no_suffix(run, tmp_path, clips):
    (clips / "one.mp4").rename(clips / "take 1.5.mp4")
    assert run("batch", clips, "-o", tmp_path / "results", "--task", "v2a", *QUICK, "--shard", "1/3") == 0
    assert set(table(tmp_path / "results")) == {"take 1.5.mp4", "three.mp4", "two.mp4"}
    assert (tmp_path / "results" / "take 1.5.mp4").exists()


def test_a_result_that_was_changed_does_not_stop_the_summary(run, tmp_path, clips, capsys):
    command = ("batch", clips, "-o", tmp_path / "results", "--task", "v2a", *QUICK)
    assert run(*command) == 0
    (tmp_path / "results" / "one.mp4").write_bytes(b"")
    assert run(*command) == 0
    assert "No spectrogram of one.mp4" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--task", "joint"), "say what is made of its files"),
        (("--task", "i2a"), "holds no picture"),
        (("--task", "v2a", "--shard", "3/2"), "--shard takes I/N"),
        (("--task", "v2a", "--overview", "a.png"), "--overview names one file"),
        (("--task", "v2a", "--colour", "red"), "unrecognized arguments: --colour red"),
        (("--task", "v2a", "--workers", "2"), "--workers takes at least 1, and belongs to --ray"),
        (("--task", "v2a", "--ray", "local", "--workers", "0"), "--workers takes at least 1, and belongs to --ray"),
    ],
)
def test_wrong_options_are_refused(refused, clips, tmp_path, arguments, words):
    assert words in refused("batch", clips, "-o", tmp_path / "results", *arguments)


def test_the_same_options_in_another_order_are_the_same(run, tmp_path, clips, capsys):
    command = ("batch", clips, "-o", tmp_path / "results", "--task", "v2a", "--shard", "1/3")
    assert run(*command, "--seed", "7", *QUICK) == 0
    assert run(*command, *QUICK, "--seed=07") == 0
    assert capsys.readouterr().out.count("1 results, 1 of them there already") == 1


def test_the_table_says_what_waits_and_what_failed_for_which_input(run, tmp_path, written):
    manifest = written(f"task,input,output,prompt,seed\nv2a,{EXAMPLE_VIDEO},a.wav,rain,4\nv2a,gone.mp4,b.wav,wind,5\n")
    assert run("batch", manifest, "-o", tmp_path / "results", "--shard", "2/2", *QUICK) == 1
    waiting, lost = table(tmp_path / "results").values()
    assert (waiting["status"], waiting["input"], waiting["seed"]) == ("waiting", str(EXAMPLE_VIDEO), "4")
    assert (lost["status"], Path(lost["input"]).name, lost["seed"]) == ("failed", "gone.mp4", "5")


def test_files_that_only_their_suffixes_tell_apart_get_a_result_each(run, tmp_path, clips):
    (clips / "one.mov").write_bytes(EXAMPLE_VIDEO.read_bytes())
    (clips / "folder.mp4").mkdir()
    assert run("batch", clips, "-o", tmp_path / "results", "--task", "v2a", *QUICK, "--shard", "5/5") == 0
    assert set(table(tmp_path / "results")) == {"one.mov.mp4", "one.mp4.mp4", "three.mp4", "two.mp4"}


@pytest.mark.parametrize(
    ("outputs", "words"),
    [
        (("a.wav", "a.wav/b.wav"), "a.wav of"),
        (("a" * 250 + ".wav", "b.wav"), "a name of more than 250 bytes is too long"),
    ],
)
def test_outputs_that_no_folder_can_hold_are_refused(refused, tmp_path, written, outputs, words):
    manifest = written([{"task": "v2a", "input": str(EXAMPLE_VIDEO), "output": each} for each in outputs])
    assert words in refused("batch", manifest, "-o", tmp_path / "results")


def test_a_table_in_capitals_with_semicolons_is_read_and_a_column_named_twice_refused(refused, run, tmp_path, written):
    manifest = written(f"Task;Input;Output;Prompt\nv2a;{EXAMPLE_VIDEO};a.wav;rain, wind\n")
    assert run("batch", manifest, "-o", tmp_path / "results", *QUICK) == 0
    assert records(tmp_path / "results")["a.wav"]["settings"]["prompt"] == "rain, wind"
    twice = written(f"task,input,Input\nv2a,{EXAMPLE_VIDEO},b.mp4\n")
    assert "has several columns input" in refused("batch", twice, "-o", tmp_path / "results")


def test_models_stay_while_this_command_or_the_last_one_uses_them():
    made, kept = [], Kept()

    def load(name):
        made.append(name)
        return name

    for name in ("a", "b", "a", "b", "c", "a"):
        with keeping(kept):
            assert loaded(load, name) == name
    assert made == ["a", "b", "c", "a"] and sorted(kept.models.values()) == ["a", "c"]


def test_what_ended_the_program_three_times_fails_and_the_others_go_on(run, tmp_path, clips, capsys):
    results = tmp_path / "results"
    command = ("batch", clips, "-o", results, "--task", "v2a", *QUICK)
    assert run(*command) == 0
    record = json.loads((results / "one.mp4.json").read_text())
    (results / "one.mp4.json").write_text(json.dumps(record | {"status": "working", "attempts": 3}))
    assert run(*command) == 1
    assert "The program ended 3 times while this was made." in capsys.readouterr().out
    assert table(results)["one.mp4"]["status"] == "failed" and run(*command) == 0


def test_a_name_that_is_no_text_is_refused(refused, tmp_path, written):
    manifest = written([{"task": "v2a", "input": str(EXAMPLE_VIDEO), "output": "\udc80.wav"}])
    assert "is no text in UTF-8: rename the file" in refused("batch", manifest, "-o", tmp_path / "results")
