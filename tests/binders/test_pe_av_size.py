"""PE-AV in the size of `large`, with random weights: it loads strictly, and a gradient passes through all of it."""

from __future__ import annotations

import json
import resource

import pytest
import torch

from aligner.binders.pe_av import load_pe_av
from laboratory.random_pe_av import write_random_pe_av_large

pytestmark = pytest.mark.slow

#: Of the published configuration, in millions: text, sound, video, and both together.
MILLIONS = {"text": 324, "audio": 284, "video": 576, "joint": 269}
RATE = 48_000


@pytest.fixture(scope="module")
def large(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models") / "pe-av-large"
    folder.mkdir()
    write_random_pe_av_large(folder)
    return load_pe_av(folder, dtype=torch.bfloat16)


def test_large_loads(large):
    counted = {name: sum(map(torch.Tensor.numel, part.parameters())) / 1e6 for name, part in large.named_children()}
    print(json.dumps(counted), "peak", resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20, "GiB")
    assert counted == pytest.approx(MILLIONS, rel=0.02)


def test_gradients_pass_through_large(large):
    sound = (0.1 * torch.randn(1, RATE)).requires_grad_(True)
    frames = torch.rand(2, 3, 64, 64).requires_grad_(True)
    large.embed_audio(sound, RATE, large.samplings["seconds"]).clips[..., 0].sum().backward()
    large.embed_frames(frames, torch.tensor([[0, 1]]), [(0, 1)], large.samplings["seconds"]).clips.sum().backward()
    assert sound.grad.any() and frames.grad.any()
    assert large.embed_text(["rain"]).heads["audio"].shape == (1, 1, 1024)
