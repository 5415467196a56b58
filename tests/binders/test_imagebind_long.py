"""Long recordings are embedded a few clips at a time: the same numbers in less memory."""

import weakref
from fractions import Fraction

import pytest
import torch

from aligner.binders.imagebind import embed_audio
from aligner.binders.imagebind.encode import CLIPS_AT_ONCE
from aligner.generators.signals import Frames, LatentFrames
from aligner.timing.clips import CLIP_SAMPLINGS


@pytest.mark.parametrize("name", ["seconds", "short"])
@pytest.mark.parametrize("samples, at_once", [(52000, 2), (52000, 3), (160001, 4), (9000, 4)])
def test_a_few_clips_at_a_time_are_the_same(binder, name, samples, at_once):
    waveform = (0.1 * torch.randn(2, samples, generator=torch.Generator().manual_seed(0))).requires_grad_()
    results = []
    for together in (None, at_once):
        embedding = embed_audio(binder, waveform, 16000, CLIP_SAMPLINGS[name], at_once=together)
        (gradient,) = torch.autograd.grad(embedding.clips[..., 0].sum(), waveform)
        results.append((embedding.clips, gradient, embedding.spans))
    (whole, gradient, spans), (parts, same_gradient, same_spans) = results
    assert spans == same_spans and torch.allclose(whole, parts, atol=1e-5)
    assert torch.allclose(gradient, same_gradient, atol=1e-3 * gradient.abs().max())


def test_few_frames_of_a_long_video_are_decoded_at_a_time(binder):
    """The numbers and the gradient equal those of all frames at once, which may not fit on the device."""
    latents = torch.rand(1, 3, 200, 8, 8, generator=torch.Generator().manual_seed(0)).requires_grad_()
    there, most = 0, 0

    def gone(size):
        nonlocal there
        there -= size

    def decode(frames):
        nonlocal there, most
        pictures = frames.repeat_interleave(8, dim=-1).repeat_interleave(8, dim=-2)
        weakref.finalize(pictures, gone, len(pictures))
        there += len(pictures)
        most = max(most, there)
        return pictures

    video = LatentFrames(latents, Fraction(8), decode, decode)
    parts = video.embed(binder, CLIP_SAMPLINGS["short"])
    whole = Frames(decode(latents[0].transpose(0, 1))[None], Fraction(8)).embed(binder, CLIP_SAMPLINGS["short"])
    assert parts.spans == whole.spans and len(parts.spans) == 50 and torch.allclose(parts.clips, whole.clips, atol=1e-5)
    gradients = [torch.autograd.grad(each.clips[..., 0].sum(), latents)[0] for each in (whole, parts)]
    assert torch.allclose(*gradients, atol=1e-3 * gradients[0].abs().max())

    del whole, parts
    there = most = 0
    with torch.no_grad():
        video.embed(binder, CLIP_SAMPLINGS["short"])
    assert 0 < most <= 2 * CLIPS_AT_ONCE
