"""A batch on a local Ray cluster: the same results, also where a worker dies."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from aligner.demo.examples import EXAMPLE_VIDEO
from run import ROOT

CLIPS = tuple(f"clip{number}.mp4" for number in range(4))
QUICK = ("--task", "v2a", "--steps", "3", "--audio-candidates", "2")
#: Ray's workers are as important as other tests; alike in threads, their results are alike to the bit.
ENVIRONMENT = {"RAY_worker_niceness": "0", "RAY_USAGE_STATS_ENABLED": "0", "OMP_NUM_THREADS": "1"}


@pytest.fixture
def clips(tmp_path):
    folder = tmp_path / "clips"
    folder.mkdir()
    for name in CLIPS:
        (folder / name).write_bytes(EXAMPLE_VIDEO.read_bytes())
    return folder


def started(clips: Path, results: Path, *arguments: str) -> subprocess.Popen:
    command = [sys.executable, "-m", "aligner", "batch", str(clips), "-o", str(results), *QUICK, *arguments]
    return subprocess.Popen(
        command, cwd=ROOT, env=os.environ | ENVIRONMENT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )


def is_made(record: Path) -> bool:
    return record.exists() and json.loads(record.read_text())["status"] == "made"


def made(results: Path) -> dict[str, int]:
    """When each result was written, of those with a record."""
    return {name: (results / name).stat().st_mtime_ns for name in CLIPS if is_made(results / f"{name}.json")}


def workers(parent: int) -> list[psutil.Process]:
    """The processes of Ray that make results."""
    found = []
    for process in psutil.Process(parent).children(recursive=True):
        try:
            if "MapWorker" in process.cmdline()[0]:
                found.append(process)
        except (psutil.Error, IndexError):
            continue  # it has ended since
    return found


def test_a_killed_worker_comes_again_and_nothing_is_made_twice(clips, tmp_path, run):
    pytest.importorskip("ray.data", reason="Ray is not installed: pip install -r requirements-ray.txt")
    assert run("batch", clips, "-o", tmp_path / "plain", *QUICK) == 0
    results = tmp_path / "results"
    batch = started(clips, results, "--ray", "local", "--workers", "2")
    try:
        deadline = time.monotonic() + 300
        while not made(results):
            assert batch.poll() is None and time.monotonic() < deadline, batch.stdout.read()
            time.sleep(0.02)
        before, killed = made(results), workers(batch.pid)
        assert len(killed) == 2
        os.kill(killed[0].pid, signal.SIGKILL)
        assert batch.wait(timeout=300) == 0, batch.stdout.read()
    finally:
        batch.kill()
    after = made(results)
    assert set(after) == set(CLIPS) and before.items() <= after.items()
    assert len(before) < len(CLIPS), "the worker died too late to be missed"
    for name in CLIPS:
        assert (results / name).read_bytes() == (tmp_path / "plain" / name).read_bytes()


def test_without_ray_a_sentence_says_what_to_install(monkeypatch, run, clips, tmp_path, capsys):
    monkeypatch.setitem(sys.modules, "ray", None)
    assert run("batch", clips, "-o", tmp_path / "results", *QUICK, "--ray", "auto") == 1
    assert "--ray needs Ray: pip install" in capsys.readouterr().err
