"""The benchmark compares equals, notices when it does not, and counts memory right. Speed is not tested."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from benchmarks.guided_step import OurStep, ReleasedStep, observed, require_same
from benchmarks.measure import peak_bytes
from benchmarks.scene import make_scene

CPU = torch.device("cpu")


def test_the_script_prints_a_ratio_for_everything_it_compares():
    command = [sys.executable, "-m", "benchmarks.guided_step", "--sizes", "small", "--seconds", "0.2",
               "--repetitions", "1", "--device", "cpu"]
    ran = subprocess.run(command, cwd=Path(__file__).parents[1], capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    header, _, row = ([cell.strip() for cell in line.strip("|").split("|")]
                      for line in ran.stdout.splitlines() if line.startswith("|"))
    cells = dict(zip(header, row, strict=True))
    assert cells["size"] == "small"
    for column in ("time ratio", "memory ratio", "ours / parts"):
        assert 0 < float(cells[column].split()[0]) < float("inf")


def test_both_versions_compute_the_same_update():
    """In float64, where rounding blurs little; torchaudio's mel filters are float32 even there."""
    scene = make_scene("small", seconds=1.2, seed=0, device=CPU, dtype=torch.float64)
    require_same(observed(OurStep(scene)), observed(ReleasedStep(scene)), tolerance=1e-5)


@pytest.mark.parametrize("part", ["before", "gradient", "after"])
def test_versions_that_differ_are_refused(part):
    released = observed(ReleasedStep(make_scene("small", seconds=0.2, seed=0, device=CPU)))
    require_same(released, released)
    with pytest.raises(AssertionError, match="two versions differ"):
        require_same(replace(released, **{part: getattr(released, part) * 1.1}), released)


def test_a_step_that_moves_nothing_is_refused():
    released = observed(ReleasedStep(make_scene("small", seconds=0.2, seed=0, device=CPU)))
    still = replace(released, gradient=torch.zeros_like(released.gradient))
    with pytest.raises(AssertionError, match="zero"):
        require_same(still, still)


def test_only_the_released_version_leaves_gradients_on_weights():
    scene = make_scene("small", seconds=0.2, seed=0, device=CPU)
    released = ReleasedStep(scene)
    OurStep(scene)(), released()
    assert all(weight.grad is None for weight in scene.weights)
    assert all(weight.grad is not None for weight in (*released.vae.decoder.parameters(),
                                                      *released.vocoder.parameters()))
    model = scene.denoiser.model
    for twin, original in ((released.vae, model.vae), (released.vocoder, model.vocoder)):
        assert all(a.data_ptr() == b.data_ptr() for a, b in zip(twin.parameters(), original.parameters()))


def test_peak_memory_is_what_is_alive_at_once():
    weight = torch.ones(1000)

    def work():
        x = weight * 2       # 4,000 bytes, freed below
        x.view(10, 100)      # no memory of its own
        weight.view(10, 100)
        y = x + 1            # 8,000 bytes alive
        del x
        return y * 3         # 8,000 again

    assert peak_bytes(work, CPU, [weight]) == 8000
