"""Real sizes, in the layouts that artists have on their disks. Slow: `python -m pytest -m slow`."""

import sys
import time

import pytest
import torch

from aligner.generation import generate
from aligner.generators.animatediff import load_animatediff
from aligner.guidance.rule import Unguided

from .full_size import write_full_size

pytestmark = pytest.mark.slow
resource = pytest.importorskip("resource")


def test_a_full_size_checkpoint_and_motion_module_take_a_step(tmp_path, capsys):
    """One unguided step of 16 frames with classifier-free guidance, from files of 2.1 and 0.9 GB."""
    base, motion = write_full_size(tmp_path)
    started = time.perf_counter()
    model = load_animatediff(base, motion)
    loaded = time.perf_counter()
    denoiser = model.denoiser(frames=16, height=256, width=256, steps=1)
    frames = generate(denoiser, denoiser.prompts(["a dog barks"]), seed=0, rule=Unguided()).signals["video"].pixels
    finished = time.perf_counter()
    assert frames.shape == (1, 16, 3, 256, 256) and frames.isfinite().all()
    assert sum(parameter.numel() for parameter in model.unet.parameters()) > 1.3e9
    unit = 2**30 if sys.platform == "darwin" else 2**20
    with capsys.disabled():
        print(
            f"\nloading {loaded - started:.0f} s, one step and decoding {finished - loaded:.0f} s on "
            f"{torch.get_num_threads()} threads, at most "
            f"{resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit:.1f} GiB"
        )
