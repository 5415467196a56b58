"""The benchmarks compare equal computations, refuse different ones, and count memory right. Speed is not tested."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace

import pytest
import torch
from torch.optim.optimizer import register_optimizer_step_pre_hook

from aligner.demo.examples import EXAMPLE_SOUND, EXAMPLE_VIDEO
from aligner.generators.mm_diffusion import CoupledUNet, MMDiffusion
from aligner.guidance.gradient import Paper, Released
from aligner.guidance.rule import Unguided
from aligner.guidance.search import Search
from aligner.plan import activation_bytes
from laboratory.benchmarks import (
    approximate_decoding,
    batch,
    binder_step,
    choosing,
    coupled_step,
    fakes,
    rules,
    video_memory,
)
from laboratory.benchmarks.coupled_step import COUNTED, CoupledScene
from laboratory.benchmarks.gpu import __main__ as gpu
from laboratory.benchmarks.gpu import generators as gpu_generators
from laboratory.benchmarks.gpu.row import Row
from laboratory.benchmarks.guided_step import (
    OurStep,
    ReleasedStep,
    observed,
    require_same,
)
from laboratory.benchmarks.measure import peak_bytes
from laboratory.benchmarks.scene import make_scene
from laboratory.benchmarks.video_memory import STEPS, NaiveStep, counted
from laboratory.benchmarks.video_scene import fake_video_scene, random_video_scene
from laboratory.random_imagebind import random_imagebind
from laboratory.random_models import IMAGEBIND_CONFIG
from run import ROOT

from ..generators.mm_diffusion.conftest import SMALL as SMALL_COUPLED

CPU = torch.device("cpu")


def test_the_table_of_steps_has_a_ratio_for_every_comparison():
    command = [
        sys.executable,
        "-m",
        "laboratory.benchmarks.guided_step",
        "--sizes",
        "small",
        "--seconds",
        "0.2",
        "--repetitions",
        "1",
        "--device",
        "cpu",
    ]
    ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    header, _, row = (
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in ran.stdout.splitlines()
        if line.startswith("|")
    )
    cells = dict(zip(header, row, strict=True))
    assert cells["size"] == "small"
    for column in ("time ratio", "memory ratio", "ours / parts"):
        assert 0 < float(cells[column].split()[0]) < float("inf")


def test_both_versions_compute_the_same_update():
    """In float64, where rounding is small. The mel filters of torchaudio are float32 even there."""
    scene = make_scene("small", seconds=1.2, seed=0, device=CPU, dtype=torch.float64)
    require_same(observed(OurStep(scene)), observed(ReleasedStep(scene)), tolerance=1e-5)


@pytest.mark.parametrize("part", ["before", "gradient", "after"])
def test_different_updates_are_refused(part):
    released = observed(ReleasedStep(make_scene("small", seconds=0.2, seed=0, device=CPU)))
    require_same(released, released)
    with pytest.raises(AssertionError, match="two versions differ"):
        require_same(replace(released, **{part: getattr(released, part) * 1.1}), released)


def test_a_gradient_of_zero_is_refused():
    released = observed(ReleasedStep(make_scene("small", seconds=0.2, seed=0, device=CPU)))
    still = replace(released, gradient=torch.zeros_like(released.gradient))
    with pytest.raises(AssertionError, match="zero"):
        require_same(still, still)


def test_only_the_released_version_leaves_gradients_on_weights():
    scene = make_scene("small", seconds=0.2, seed=0, device=CPU)
    released = ReleasedStep(scene)
    OurStep(scene)(), released()
    assert all(weight.grad is None for weight in scene.weights)
    assert all(
        weight.grad is not None for weight in (*released.vae.decoder.parameters(), *released.vocoder.parameters())
    )
    model = scene.denoiser.model
    for twin, original in ((released.vae, model.vae), (released.vocoder, model.vocoder)):
        assert all(a.data_ptr() == b.data_ptr() for a, b in zip(twin.parameters(), original.parameters()))


def test_peak_memory_counts_tensors_that_are_alive_at_once():
    weight = torch.ones(1000)

    def work():
        x = weight * 2  # 4,000 bytes, freed below
        x.view(10, 100)  # no memory of its own
        weight.view(10, 100)
        y = x + 1  # 8,000 bytes alive
        del x
        return y * 3  # 8,000 again

    assert peak_bytes(work, CPU, [weight]) == 8000


# --- the memory of a video's step -------------------------------------------------------------------------------------

SMALL, FULL = ("small", 4, 64, 64, torch.float32), ("full", 16, 512, 512, torch.float16)
VIDEO_STEPS = {step.name: step for step in STEPS}
TUNED = "latent and prompt, checkpointing"


@pytest.fixture(scope="module")
def small_scene():
    return fake_video_scene(*SMALL)


@pytest.fixture(scope="module")
def full_scene():
    return fake_video_scene(*FULL)


def test_our_step_needs_less_memory_than_the_naive_version(monkeypatch, capsys):
    compared = [NaiveStep.name, TUNED]
    monkeypatch.setattr(video_memory, "STEPS", [VIDEO_STEPS[name] for name in compared])
    video_memory.main(["--size", "small", "--frames", "4", "--height", "64", "--width", "64", "--dtype", "fp32"])
    header, _, *rows = (
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in capsys.readouterr().out.splitlines()
        if line.startswith("|")
    )
    assert header[:4] == ["step", "weights", "activations", "together"] and [row[0] for row in rows] == compared
    naive, ours = ([float(cell.split()[0]) for cell in row[1:4]] for row in rows)
    assert all(0 < mine < theirs for mine, theirs in zip(ours, naive))


@pytest.mark.parametrize("name", [NaiveStep.name, "latent, checkpointing, half decoding", TUNED])
def test_the_count_of_fakes_equals_that_of_real_tensors(name, small_scene, monkeypatch):
    monkeypatch.setattr(fakes, "flash_bytes", lambda query: 0)  # the CPU has no such workspace
    scene, step = random_video_scene(*SMALL, CPU), VIDEO_STEPS[name]
    weights = [tensor for network in scene.networks for tensor in (*network.parameters(), *network.buffers())]
    real = peak_bytes(lambda: step(scene), CPU, weights)
    need = counted(step, small_scene)
    assert need.activations == pytest.approx(real, rel=0.01)
    assert need.weights == sum(
        tensor.nbytes for network in step.on_device(scene) for tensor in (*network.parameters(), *network.buffers())
    )


def test_the_naive_version_has_the_same_gradients():
    scene = random_video_scene(*SMALL[:-1], torch.float64, CPU)
    naive, plain, frugal = (
        _gradients(lambda: VIDEO_STEPS[name](scene)) for name in (NaiveStep.name, "latent and prompt", TUNED)
    )
    assert [gradient.shape for gradient in naive] == [scene.latent.shape, scene.prompt.shape]
    for expected, *found in zip(naive, plain, frugal):
        assert expected.abs().max() > 0
        for gradient in found:
            torch.testing.assert_close(gradient, expected, rtol=1e-4, atol=1e-4 * expected.abs().max().item())


def _gradients(work):
    """The gradients of an optimiser's parameters, in their order."""
    seen = []

    def record(optimiser, *_):
        seen.extend(leaf.grad.clone() for group in optimiser.param_groups for leaf in group["params"])

    hook = register_optimizer_step_pre_hook(record)
    try:
        work()
    finally:
        hook.remove()
    return seen


@pytest.mark.parametrize("name, limit", [(TUNED, 10), ("latent, checkpointing", 6)])
def test_a_guided_step_at_full_size_fits_a_small_gpu_and_its_estimate_is_right(name, limit, full_scene):
    step = VIDEO_STEPS[name]
    need = counted(step, full_scene)
    assert need.weights < need.together < limit * 2**30
    estimate = activation_bytes(step.rule, full_scene.denoiser(), full_scene.binder, 1)
    assert estimate == pytest.approx(need.activations, rel=0.05)


def test_estimates_of_a_videos_memory_are_in_the_right_order(animatediff, binder):
    def estimate(rule, frames=16, decoding="exact", batch=1):
        return activation_bytes(rule, animatediff.denoiser(frames=frames, decoding=decoding), binder, batch)

    latent = Released(prompt_rates={}, checkpointing=False)
    tuned = Released(prompt_rates={"video": 0.01}, checkpointing=False)
    assert estimate(Search()) == estimate(Unguided()) > 0, "a search takes no gradient"
    rules = [Unguided(), latent.frugal(), latent, tuned, Paper(prompt_rates={"video": 0.01}, checkpointing=False)]
    order = [estimate(rule) for rule in rules]
    assert order == sorted(set(order))
    assert estimate(tuned.frugal(), batch=2) > estimate(tuned.frugal())
    assert estimate(latent, decoding="half") < estimate(latent)
    # Another generator's rates cost nothing.
    assert estimate(replace(latent, prompt_rates={"audio": 0.1})) == estimate(latent)


def test_an_estimate_in_half_precision_is_half_as_large():
    estimates = [
        activation_bytes(VIDEO_STEPS["latent"].rule, scene.denoiser(), scene.binder, 1)
        for scene in (fake_video_scene(*SMALL[:-1], dtype) for dtype in (torch.float32, torch.float16))
    ]
    assert estimates[1] == pytest.approx(estimates[0] / 2, rel=1e-6)


def test_the_workspace_of_flash_attention_is_padded():
    assert fakes.flash_bytes((4096, 8, 16, 40)) == 4 * 4096 * 8 * 128 * (64 + 1)
    assert fakes.flash_bytes((1, 1, 4096, 512)) == 0


# --- approximate decoding ---------------------------------------------------------------------------------------------


def test_approximate_decoding_is_compared_on_a_videos_latents(animatediff, binder):
    latents = approximate_decoding.encoded(animatediff, EXAMPLE_VIDEO, frames=9, side=64)
    assert latents.shape == (1, 4, 9, 8, 8)
    half, exact = (
        approximate_decoding.cosine(animatediff, binder, latents, EXAMPLE_SOUND, decode_approximately)
        for decode_approximately in (animatediff.decode_half, animatediff.decode)
    )
    assert -1 < half < 0.99 and exact > 1 - 1e-6


def test_the_table_of_rules_has_a_ratio_for_every_rule(capsys):
    rules.main(["--tasks", "V2A", "--batch", "1", "--steps", "3", "--repetitions", "1"])
    header, _, row = (
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in capsys.readouterr().out.splitlines()
        if line.startswith("|")
    )
    cells = dict(zip(header, row, strict=True))
    assert cells["task"] == "V2A" and len(cells) == 6
    assert all(
        float(cells[f"{name} / released"].split()[0]) > 0 for name in ("unguided", "paper", "finished", "default")
    )


@pytest.mark.parametrize("name", COUNTED)
def test_memory_of_a_coupled_step_is_counted_as_real_tensors_take_it(name, monkeypatch):
    monkeypatch.setattr(fakes, "flash_bytes", lambda query: 0)  # the CPU has no such workspace
    config, binder = SMALL_COUPLED, IMAGEBIND_CONFIG
    real = CoupledScene(
        MMDiffusion(CoupledUNet(config)).denoiser(steps=1, sampler="ddim"),
        random_imagebind(binder, 0),
        {
            "video": torch.randn(1, 3, config.frames, config.side, config.side),
            "audio": torch.randn(1, 1, config.samples),
        },
    )
    fake = coupled_step.fake_scene(torch.float32, config, binder)
    measured = peak_bytes(lambda: coupled_step.take(name, real), CPU, coupled_step.weights(real))
    assert coupled_step.counted(name, fake) == pytest.approx(measured, rel=0.02)


@pytest.mark.parametrize(
    "name", [name if name == "not guided" else pytest.param(name, marks=pytest.mark.slow) for name in COUNTED]
)
@pytest.mark.parametrize(
    "dtype", [torch.float16, pytest.param(torch.float32, marks=pytest.mark.slow)], ids=["fp16", "fp32"]
)
def test_the_room_for_a_coupled_step_suffices_in_the_published_size(name, dtype):
    """And not much more is asked for: what does not fit is refused."""
    scene = coupled_step.fake_scene(dtype)
    counted, (rule, sampler) = coupled_step.counted(name, scene), COUNTED[name]
    kept = coupled_step.keeping_the_video(scene, sampler).denoiser.passes_back if sampler else {}
    denoiser = scene.denoiser.model.denoiser(steps=20, sampler=sampler or "ddim")
    room = activation_bytes(rule, denoiser, scene.binder if rule.guides else None, 1, kept)
    assert 0.99 * counted <= room < 1.25 * counted


def test_a_coupled_step_has_a_ratio_for_every_rule():
    rows = list(coupled_step.timed(repetitions=1))
    assert [row[0] for row in rows] == ["released", "paper"]
    assert all(0 < float(row[-1].split()[0]) < float("inf") for row in rows)


def test_a_step_with_each_binder_has_a_ratio():
    rows = list(binder_step.timed(repetitions=1))
    assert [row[0] for row in rows] == ["ImageBind", "PE-AV", "CLAP"]
    assert all(0 < float(row[-1].split()[0]) < float("inf") for row in rows)


def test_a_choice_is_timed_beside_the_steps_before_it(capsys: pytest.CaptureFixture[str]):
    choosing.main(["--tasks", "--repetitions", "1", "--sizes", "small"])
    task, size, cost = capsys.readouterr().out.splitlines()[-1].split(" | ")
    assert (task, size) == ("| V2A", "small") and float(cost.split()[0]) > 0


def test_a_batch_makes_what_single_commands_make(capsys: pytest.CaptureFixture[str]):
    batch.main(["--clips", "1", "--steps", "2"])
    assert "the results are alike to the bit" in capsys.readouterr().out


# --- the check of a GPU -----------------------------------------------------------------------------------------------


def test_the_check_of_a_gpu_runs_small_where_there_is_none(tmp_path, monkeypatch):
    monkeypatch.setattr(gpu_generators, "GENERATORS", {"AudioLDM": gpu_generators.GENERATORS["AudioLDM"]})
    monkeypatch.setattr(gpu_generators, "_allocated", lambda device: 0)
    monkeypatch.setattr(gpu_generators, "PRECISIONS", {"bf16": torch.bfloat16})
    monkeypatch.setattr(video_memory, "STEPS", [VIDEO_STEPS["paper's rule"]])
    monkeypatch.setattr(coupled_step, "COUNTED", {"released": coupled_step.COUNTED["released"]})
    gpu.main(["--device", "cpu", "-o", str(tmp_path / "gpu")])
    rows = json.loads((tmp_path / "gpu.json").read_text())["rows"]
    assert {row["check"] for row in rows} == {
        "peak memory of a step",
        "the same seed twice",
        "score in half precision",
        "left on the device",
        "a sample",
    }
    assert all(row["value"] is not None and row["passed"] is not False and not row["note"] for row in rows)
    for subject in ("AnimateDiff, paper's rule", "AudioLDM small", "MM-Diffusion, released", "V2A", "A2V"):
        assert any(row["subject"].startswith(subject) for row in rows)
    assert (tmp_path / "gpu.md").read_text().count("\n| ") == len(rows) + 1


def test_a_check_that_fails_is_a_row_and_the_others_go_on(tmp_path, monkeypatch, capsys):
    def checks(device, *, full):
        return {"broken": lambda: iter([1 / 0]), "whole": lambda: iter([Row("a sample", "V2A", 1.5, "s")])}

    monkeypatch.setattr(gpu, "checks", checks)
    with pytest.raises(SystemExit):
        gpu.main(["--device", "cpu", "-o", str(tmp_path / "gpu")])
    broken, whole = json.loads((tmp_path / "gpu.json").read_text())["rows"]
    assert broken["passed"] is False and "ZeroDivisionError" in broken["note"] and whole["value"] == 1.5
    monkeypatch.setattr(gpu, "checks", lambda device, full: {"long": lambda: iter([Row("a sample", "V2A", 1.5, "s")])})
    (late,) = gpu.run(CPU, full=False, limit=-1)
    assert late.note == gpu.LATE
