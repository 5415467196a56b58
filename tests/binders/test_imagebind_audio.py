"""Waveforms to log-mel input, against torchaudio's Kaldi filter bank."""

from __future__ import annotations

import math
from fractions import Fraction

import pytest
import torch
import torchaudio

from aligner.binders.imagebind import audio
from aligner.binders.imagebind.audio import audio_input, fbank
from aligner.errors import AlignerError
from aligner.tensors.resampling import resampled
from aligner.timing.clips import clip_spans

SILENT = math.log(torch.finfo(torch.float32).eps)


def kaldi_fbank(waveform: torch.Tensor) -> torch.Tensor:
    """(n,) -> (128, frames), as ImageBind calls it."""
    return torchaudio.compliance.kaldi.fbank(
        waveform[None],
        htk_compat=True,
        sample_frequency=16000,
        use_energy=False,
        window_type="hanning",
        num_mel_bins=128,
        dither=0.0,
        frame_length=25,
        frame_shift=10,
    ).T


def upstream_input(waveform: torch.Tensor, spans) -> torch.Tensor:
    """(n,) at 16 kHz -> (S, 1, 128, 204), clip by clip, as described in ImageBind's paper and data loader."""
    inputs = []
    for start, end in spans:
        clip = waveform[int(start * 16000) : int(end * 16000)]
        mel = kaldi_fbank(clip - clip.mean())[:, :204]
        inputs.append((torch.nn.functional.pad(mel, (0, 204 - mel.shape[1])) + 4.268) / 9.138)
    return torch.stack(inputs).unsqueeze(1)


def tone(hertz: float, samples: int, rate: int = 16000, dtype=torch.float32) -> torch.Tensor:
    return 0.5 * torch.sin(2 * math.pi * hertz * torch.arange(samples, dtype=torch.float64) / rate).to(dtype)


@pytest.mark.parametrize("samples", [400, 559, 560, 16000, 33000])
def test_fbank_equals_kaldi(samples, normal):
    waveforms = torch.stack([0.1 * normal(samples), tone(440, samples), tone(7000, samples) + 0.25])
    expected = torch.stack([kaldi_fbank(waveform) for waveform in waveforms])
    torch.testing.assert_close(fbank(waveforms), expected, atol=1e-3, rtol=1e-5)


def test_fbank_gradient_equals_kaldi(normal, relative_error):
    waveform = (0.1 * normal(2000)).requires_grad_()
    direction = normal(128, 11)
    (ours,) = torch.autograd.grad((fbank(waveform[None])[0] * direction).sum(), waveform)
    (theirs,) = torch.autograd.grad((kaldi_fbank(waveform) * direction).sum(), waveform)
    assert relative_error(ours, theirs) < 1e-4


def test_fbank_gradient_is_the_slope(normal):
    waveform = (0.1 * normal(2, 720).double()).requires_grad_()
    assert torch.autograd.gradcheck(fbank, waveform, eps=1e-7, atol=1e-3, rtol=1e-4, fast_mode=True)


@pytest.mark.parametrize(
    "waveform",
    [torch.zeros(1, 16000), torch.full((1, 16000), 0.3), torch.eye(1, 16000)],
    ids=["zeros", "constant", "one click"],
)
def test_silence_has_finite_values_and_gradients(waveform):
    waveform = waveform.clone().requires_grad_()
    inputs = audio_input(waveform, 16000, clip_spans(1, 1, 1))
    inputs.sum().backward()
    assert inputs.isfinite().all() and waveform.grad.isfinite().all()


def test_digital_silence_is_the_floor():
    assert torch.allclose(fbank(torch.zeros(1, 400)), torch.tensor(SILENT))


@pytest.mark.parametrize("seconds, clip, count", [(10, 1, 10), (10.002, 1, 10), (4.3, 2, 3), (2.5, 2.2, 2)])
def test_input_equals_upstream_clip_by_clip(seconds, clip, count, normal):
    waveform = 0.1 * normal(round(seconds * 16000))
    spans = clip_spans(len(waveform) / 16000, clip, count)
    inputs = audio_input(waveform[None], 16000, spans)
    assert inputs.shape == (1, count, 1, 128, 204)
    torch.testing.assert_close(inputs[0], upstream_input(waveform, spans), atol=1e-4, rtol=1e-5)


def test_a_batch_equals_its_sounds_alone(normal):
    waveforms, spans = 0.1 * normal(3, 32000), clip_spans(2, 1, 3)
    alone = torch.cat([audio_input(waveform[None], 16000, spans) for waveform in waveforms])
    torch.testing.assert_close(audio_input(waveforms, 16000, spans), alone)


def test_the_waveform_is_left_as_it_was(normal):
    waveform = normal(1, 16000) + 5
    before = waveform.clone()
    audio_input(waveform, 16000, clip_spans(1, 1, 1))
    assert torch.equal(waveform, before)


@pytest.mark.parametrize("samples", [1, 100, 399, 400])
def test_very_short_sound_is_filled_up_with_zeros(samples):
    waveform = tone(1000, samples)[None].requires_grad_()
    inputs = audio_input(waveform, 16000, clip_spans(samples / 16000, 1, 1))
    padding = (0 - audio.MEAN) / audio.STD
    assert torch.allclose(inputs[..., 1:], torch.tensor(padding))
    inputs.sum().backward()
    assert waveform.grad.isfinite().all()


def test_a_clip_after_the_end_is_refused():
    with pytest.raises(AlignerError, match="after 1.000 s"):
        audio_input(torch.zeros(1, 16000), 16000, [(Fraction(1), Fraction(2))])


@pytest.mark.parametrize("rate", [8000, 11025, 22050, 44100, 48000, 96000])
def test_usual_rates_are_resampled_as_torchaudio_does(rate, normal):
    waveform = normal(2, rate // 4)
    assert torch.equal(resampled(waveform, rate, 16000), torchaudio.functional.resample(waveform, rate, 16000))


@pytest.mark.parametrize("rate", [44100, 47999, 22254, 1000])
def test_any_rate_keeps_pitch_and_length(rate):
    resulting = resampled(tone(300, 2 * rate, rate)[None], rate, 16000)[0]
    assert abs(len(resulting) - 32000) <= 1
    spectrum = torch.fft.rfft(resulting * torch.hann_window(len(resulting))).abs()
    assert spectrum.argmax() == 600  # half a hertz per bin


def test_half_precision_sound_becomes_float32():
    waveform = tone(440, 16000)[None].half().requires_grad_()
    inputs = audio_input(waveform, 16000, clip_spans(1, 1, 1))
    assert inputs.dtype == torch.float32
    inputs.sum().backward()
    assert waveform.grad.isfinite().all()


def test_constants_first_made_in_inference_mode_can_be_differentiated_through():
    audio._constants.cache_clear()
    with torch.inference_mode():
        fbank(torch.zeros(1, 400))
    waveform = tone(440, 400)[None].requires_grad_()
    fbank(waveform).sum().backward()
    assert waveform.grad.any()
