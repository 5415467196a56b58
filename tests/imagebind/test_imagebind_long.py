"""Long recordings are embedded a few clips at a time: the same numbers in less memory."""

import pytest
import torch

from aligner.imagebind import embed_audio
from aligner.imagebind.clips import CLIP_SAMPLINGS


@pytest.mark.parametrize("name", ["released", "short"])
@pytest.mark.parametrize("samples, at_once", [(52000, 2), (52000, 3), (160001, 4), (9000, 4)])
def test_a_few_clips_at_a_time_are_the_same(binder, name, samples, at_once):
    waveform = (0.1 * torch.randn(2, samples, generator=torch.Generator().manual_seed(0))).requires_grad_()
    results = []
    for together in (None, at_once):
        embedding = embed_audio(binder, waveform, 16000, CLIP_SAMPLINGS[name], at_once=together)
        gradient, = torch.autograd.grad(embedding.clips[..., 0].sum(), waveform)
        results.append((embedding.clips, gradient, embedding.spans))
    (whole, gradient, spans), (parts, same_gradient, same_spans) = results
    assert spans == same_spans and torch.allclose(whole, parts, atol=1e-5)
    assert torch.allclose(gradient, same_gradient, atol=1e-3 * gradient.abs().max())
