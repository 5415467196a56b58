"""The benchmarks compare equals, notice when they do not, and count memory right. Speed is not tested."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch.optim.optimizer import register_optimizer_step_pre_hook

from aligner.demo.examples import EXAMPLE_SOUND, EXAMPLE_VIDEO
from aligner.guidance.rule import Guidance
from laboratory.benchmarks import approximate_decoding, fakes, rules, video_memory
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

CPU = torch.device("cpu")


def test_the_script_prints_a_ratio_for_everything_it_compares():
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
    ran = subprocess.run(command, cwd=Path(__file__).parents[1], capture_output=True, text=True)
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
    assert all(
        weight.grad is not None for weight in (*released.vae.decoder.parameters(), *released.vocoder.parameters())
    )
    model = scene.denoiser.model
    for twin, original in ((released.vae, model.vae), (released.vocoder, model.vocoder)):
        assert all(a.data_ptr() == b.data_ptr() for a, b in zip(twin.parameters(), original.parameters()))


def test_peak_memory_is_what_is_alive_at_once():
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


def test_the_script_counts_less_for_ours_than_for_the_naive_version(monkeypatch, capsys):
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
def test_fakes_are_counted_as_real_tensors_are(name, small_scene, monkeypatch):
    monkeypatch.setattr(fakes, "flash_bytes", lambda query: 0)  # a GPU's own, which real tensors do not take here
    scene, step = random_video_scene(*SMALL, CPU), VIDEO_STEPS[name]
    weights = [tensor for network in scene.networks for tensor in (*network.parameters(), *network.buffers())]
    real = peak_bytes(lambda: step(scene), CPU, weights)
    need = counted(step, small_scene)
    assert need.activations == pytest.approx(real, rel=0.01)
    assert need.weights == sum(
        tensor.nbytes for network in step.on_device(scene) for tensor in (*network.parameters(), *network.buffers())
    )


def test_the_naive_version_has_the_gradients_of_ours():
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
    """Those that an optimiser finds on its parameters, in their order."""
    seen = []

    def listen(optimiser, *_):
        seen.extend(leaf.grad.clone() for group in optimiser.param_groups for leaf in group["params"])

    hook = register_optimizer_step_pre_hook(listen)
    try:
        work()
    finally:
        hook.remove()
    return seen


@pytest.mark.parametrize("name, limit", [(TUNED, 10), ("latent, checkpointing", 6)])
def test_a_guided_step_at_full_size_fits_an_artists_card_and_the_estimate_knows(name, limit, full_scene):
    step = VIDEO_STEPS[name]
    need = counted(step, full_scene)
    assert need.weights < need.together < limit * 2**30
    assert full_scene.denoiser().activation_bytes(1, step.guidance) == pytest.approx(need.activations, rel=0.05)


def test_estimates_of_a_videos_memory_keep_their_order(animatediff):
    def estimate(frames=16, decoding="exact", batch=1, **guidance):
        denoiser = animatediff.denoiser(frames=frames, decoding=decoding)
        return denoiser.activation_bytes(batch, Guidance(**{"rule": "released"} | guidance) if guidance else None)

    tuned = {"prompt_rates": {"video": 0.01}}
    assert estimate(rule="search") == estimate(), "a search takes no gradient"
    order = [
        estimate(),
        estimate(checkpointing=True),
        estimate(start=0.1),
        estimate(**tuned),
        estimate(rule="paper", **tuned),
    ]
    assert order == sorted(set(order)) and order[0] > 0
    assert estimate(batch=2, **tuned, checkpointing=True) > estimate(**tuned, checkpointing=True)
    assert estimate(start=0.1, decoding="half") < estimate(start=0.1)
    # Another generator's rates cost nothing, and ImageBind counts where pictures are small and clips many.
    assert estimate(prompt_rates={"audio": 0.1}) == estimate(start=0.1)
    assert estimate(frames=1, clips="upstream") == estimate(frames=1, start=0.1)


def test_flash_attention_pads_a_motion_modules_rows():
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


def test_the_cost_of_every_rule_stands_beside_the_released_ones(capsys):
    rules.main(["--tasks", "V2A", "--batch", "1", "--steps", "3", "--repetitions", "1"])
    header, _, row = (
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in capsys.readouterr().out.splitlines()
        if line.startswith("|")
    )
    cells = dict(zip(header, row, strict=True))
    assert cells["task"] == "V2A" and len(cells) == 5
    assert all(float(cells[f"{name} / released"].split()[0]) > 0 for name in ("unguided", "paper", "default"))
