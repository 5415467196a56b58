"""A minute of sound by the built-in models has no audible seams, and memory does not grow with the length."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
import torch

from aligner.conditions.encoding import text_condition
from aligner.demo import family
from aligner.generation import generate
from aligner.generators.audioldm.log_mel import log_mel
from aligner.guidance.search import Search
from laboratory.world import SECONDS
from run import ROOT

MINUTE, RATE = 60, 16000
BLOCK = 800  # samples, 50 ms

#: A program that prints the peak memory of a run of so many seconds, guided by a gradient, in bytes.
PEAK = """
import sys, torch
from aligner.conditions.condition import Condition
from aligner.demo import family
from aligner.generation import generate
from aligner.guidance.gradient import Released
from psutil import Process
torch.set_num_threads(1)
binder, model = family.load_demo_imagebind(), family.load_demo_audioldm()
conditions, process, peak = [Condition(binder.embed_text(["rain falls"]))], Process(), 0
def watch(step):
    global peak
    peak = max(peak, process.memory_info().rss)
denoiser = model.denoiser(seconds=float(sys.argv[1]), steps=1, window_seconds=2.0)
rule = Released(prompt_rates={}, start=0.0, checkpointing=False)
generate(denoiser, denoiser.prompts(["a scene"]), seed=0, binder=binder, conditions=conditions, rule=rule,
         on_step=watch)
try:
    from resource import RUSAGE_SELF, getrusage
    peak = max(peak, getrusage(RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024))
except ImportError:
    pass
print(peak)
"""


@pytest.fixture(scope="module")
def minute():
    """A minute of sound that is chosen window by window, and the samples at which windows or segments begin or end."""
    binder, model, text = family.load_demo_imagebind(), family.load_demo_audioldm(), "a fire flares up and crackles"
    denoiser = model.denoiser(seconds=MINUTE, steps=6, window_seconds=SECONDS)
    sound = generate(
        denoiser,
        denoiser.prompts([text]),
        seed=0,
        binder=binder,
        conditions=[text_condition(binder, text)],
        rule=Search(candidates={"audio": 2}),
    ).signals["audio"]
    edges = {round(part.start * RATE) for part in denoiser.segments[1:]}
    spans = denoiser.windows.spans(denoiser.shape[1])
    edges |= {edge * model.compression * model.hop for span in spans for edge in span} - {0}
    return sound.waveform[0], sorted(edge for edge in edges if BLOCK < edge < MINUTE * RATE - BLOCK)


def test_the_sound_lasts_a_minute_without_silence(minute):
    waveform, edges = minute
    assert waveform.shape == (MINUTE * RATE,) and len(edges) > 60
    levels = waveform.unfold(0, 5 * RATE, 5 * RATE).square().mean(dim=1).sqrt()
    assert levels.min() > 1e-2 and waveform.abs().max() < 1  # pauses last a second at most


@pytest.mark.parametrize("jump", ["level", "spectrum"])
def test_seams_do_not_differ_from_other_moments(minute, jump):
    """The change within 100 ms where windows meet, and everywhere else."""
    waveform, edges = minute
    everywhere = torch.arange(BLOCK, len(waveform) - BLOCK, BLOCK // 2)
    near = torch.stack([(everywhere - edge).abs() for edge in edges]).amin(dim=0) < 2 * BLOCK
    at_seams, elsewhere = _jumps(waveform, torch.tensor(edges), jump), _jumps(waveform, everywhere[~near], jump)
    assert len(elsewhere) > 200
    for quantile, slack in ((0.5, 1.25), (0.95, 1.25)):
        assert at_seams.quantile(quantile) <= slack * elsewhere.quantile(quantile), quantile


def _jumps(waveform: torch.Tensor, places: torch.Tensor, kind: str) -> torch.Tensor:
    """The difference between the 50 ms before a sample and those after it, in decibels or in log-mel energies."""
    before, after = (
        torch.stack([waveform[start : start + BLOCK] for start in (places + shift).tolist()]) for shift in (-BLOCK, 0)
    )
    if kind == "level":
        return (20 * (before.square().mean(1).sqrt() / after.square().mean(1).sqrt()).log10()).abs()
    return (log_mel(before, 0.01).mean(dim=1) - log_mel(after, 0.01).mean(dim=1)).square().mean(dim=1).sqrt()


def test_memory_does_not_grow_with_the_length():
    # glibc keeps freed memory, unless every tensor is a memory segment of its own.
    environment = os.environ | {"MALLOC_MMAP_THRESHOLD_": "65536", "MALLOC_TRIM_THRESHOLD_": "65536"}
    short, long = (
        int(
            subprocess.run(
                [sys.executable, "-c", PEAK, str(seconds)],
                cwd=ROOT,
                check=True,
                timeout=300,
                capture_output=True,
                text=True,
                env=environment,
            ).stdout
        )
        for seconds in (5, 20)
    )
    assert long < 1.1 * short, f"{long / 2**20:.0f} MiB for 20 seconds, {short / 2**20:.0f} MiB for 5"
