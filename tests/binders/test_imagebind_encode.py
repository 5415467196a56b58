"""From media to embeddings: pooling, gradients, inference mode and bad input."""

from __future__ import annotations

import pytest
import torch

from aligner.binders.base import Embedding
from aligner.binders.imagebind import embed_audio, embed_frames, embed_image, embed_text
from aligner.binders.imagebind.audio import audio_input
from aligner.binders.imagebind.tokenizer import tokenize
from aligner.binders.imagebind.vision import clip_input, image_input
from aligner.errors import AlignerError
from aligner.timing.clips import CLIP_SAMPLINGS, clip_spans, frame_indices
from laboratory.random_imagebind import random_imagebind

RELEASED, UPSTREAM = CLIP_SAMPLINGS["seconds"], CLIP_SAMPLINGS["spread"]


@pytest.fixture
def frames():
    """2 s at 4 Hz of moving colours: (8, 3, 30, 40) in 0..1."""
    return torch.rand(8, 3, 30, 40, generator=torch.Generator().manual_seed(3))


def video_clips(sampling, frames: int = 8, rate: float = 4.0):
    spans = sampling.video.spans(frames / rate)
    return frame_indices(torch.arange(frames) / rate, spans, sampling.frames_per_clip), spans


def test_audio_embeds_each_clip(model, normal):
    waveform = 0.1 * normal(2, 40000)
    embedding = embed_audio(model, waveform, 16000, RELEASED)
    assert embedding.modality == "audio"
    assert embedding.spans == ((0.0, 1.0), (0.75, 1.75), (1.5, 2.5))
    inputs = audio_input(waveform, 16000, clip_spans(2.5, 1, 3))
    torch.testing.assert_close(embedding.clips, torch.stack([model.audio(sound) for sound in inputs]))
    torch.testing.assert_close(embedding.mean(), embedding.clips.mean(dim=1))


def test_the_number_of_clips_can_be_asked_for(model):
    vocoded = torch.zeros(1, 32032)
    assert embed_audio(model, vocoded, 16000, RELEASED).clips.shape[1] == 3
    embedding = embed_audio(model, vocoded, 16000, RELEASED, count=2)
    assert embedding.clips.shape[1] == 2 and embedding.spans[-1] == pytest.approx((1.002, 2.002))


def test_no_clips_at_all_are_refused(model):
    with pytest.raises(AlignerError, match="at least 1 clip"):
        embed_audio(model, torch.zeros(1, 16000), 16000, RELEASED, count=0)


def test_audio_at_another_rate_is_resampled(model, relative_error):
    seconds = torch.arange(88200, dtype=torch.float64) / 44100
    slow = torch.arange(32000, dtype=torch.float64) / 16000
    fast, plain = (torch.sin(2764.6 * t * (1 + t)).float()[None] for t in (seconds, slow))
    assert (
        relative_error(
            embed_audio(model, fast, 44100, RELEASED).mean(), embed_audio(model, plain, 16000, RELEASED).mean()
        )
        < 0.02
    )


def test_frames_embed_each_clip(model, frames):
    indices, spans = video_clips(RELEASED)
    embedding = embed_frames(model, frames, indices, spans, RELEASED)
    assert embedding.modality == "video" and embedding.spans == ((0.0, 1.0), (1.0, 2.0))
    clips = [clip_input(frames[chosen].transpose(0, 1)[None], "squash")[:, 0] for chosen in ([0, 3], [4, 7])]
    torch.testing.assert_close(embedding.clips, torch.stack([model.vision(clip) for clip in clips], dim=1))


def test_three_crops_are_averaged_within_their_clip(model, frames):
    """The mean over clips then equals upstream's mean over all clips and crops."""
    indices, spans = video_clips(UPSTREAM)
    embedding = embed_frames(model, frames, indices, spans, UPSTREAM)
    assert embedding.clips.shape[:2] == (1, 5)
    clips = frames[indices].transpose(1, 2)
    views = model.vision(clip_input(clips, "three").flatten(0, 1))
    torch.testing.assert_close(embedding.mean()[0], views.mean(dim=0))


def test_bytes_equal_floats(model, frames):
    pixels = (255 * frames).round().byte()
    indices, spans = video_clips(RELEASED)
    of_bytes, of_floats = (embed_frames(model, x, indices, spans, RELEASED) for x in (pixels, pixels / 255))
    torch.testing.assert_close(of_bytes.clips, of_floats.clips)
    torch.testing.assert_close(embed_image(model, pixels).clips, embed_image(model, pixels / 255).clips)


def test_pictures_and_texts_have_one_clip_and_no_time(model, frames):
    pictures, texts = embed_image(model, frames[:3]), embed_text(model, ["a dog", "rain", ""])
    assert (pictures.modality, texts.modality) == ("image", "text")
    assert pictures.spans is texts.spans is None
    torch.testing.assert_close(pictures.clips, model.vision(image_input(frames[:3])).unsqueeze(1))
    torch.testing.assert_close(texts.clips, model.text(tokenize(["a dog", "rain", ""])).unsqueeze(1))


def test_gradients_flow_to_inputs_that_require_them(model, frames, normal):
    indices, spans = video_clips(RELEASED)
    for embed, x in (
        (lambda x: embed_audio(model, x, 16000, RELEASED), 0.1 * normal(1, 16000)),
        (lambda x: embed_image(model, x), frames[:1].clone()),
        (lambda x: embed_frames(model, x, indices, spans, RELEASED), frames.clone()),
    ):
        assert not embed(x).clips.requires_grad
        x.requires_grad_()
        embed(x).mean()[0, 0].backward()
        assert x.grad.isfinite().all() and x.grad.any()
        with torch.no_grad():
            assert not embed(x).clips.requires_grad


def test_only_frames_that_clips_show_get_a_gradient(model, frames):
    indices, spans = video_clips(RELEASED)
    frames = frames.requires_grad_()
    embed_frames(model, frames, indices, spans, RELEASED).mean()[0, 0].backward()
    assert frames.grad.flatten(1).any(dim=1).tolist() == [k in (0, 3, 4, 7) for k in range(8)]


def test_targets_made_in_inference_mode_can_be_compared_with_a_gradient(small_config, frames, normal):
    with torch.inference_mode():
        model = random_imagebind(small_config, seed=0)
        indices, spans = video_clips(RELEASED)
        pixels = frames.clone()
        targets = [
            embed_frames(model, pixels, indices, spans, RELEASED),
            embed_image(model, pixels),
            embed_audio(model, 0.1 * normal(1, 16000), 16000, RELEASED),
            embed_text(model, ["rain"]),
        ]
    waveform = (0.1 * normal(1, 16000)).requires_grad_()
    heard = embed_audio(model, waveform, 16000, RELEASED)
    loss = sum(torch.cosine_similarity(heard.mean(), target.mean()[:1]) for target in targets)
    loss.sum().backward()
    assert waveform.grad.any()


def test_the_same_input_gives_the_same_bytes(model, frames, normal):
    waveform = 0.1 * normal(1, 16000)
    for embed in (
        lambda: embed_audio(model, waveform, 16000, RELEASED),
        lambda: embed_image(model, frames),
        lambda: embed_text(model, ["rain"]),
    ):
        assert torch.equal(embed().clips, embed().clips)


def test_a_mean_is_over_clips():
    clips = torch.arange(6.0).view(1, 3, 2)
    assert Embedding(clips, None, "video", "binder").mean().tolist() == [[2.0, 3.0]]


@pytest.mark.parametrize(
    "waveform, message",
    [
        (torch.zeros(1, 0), "not empty"),
        (torch.zeros(16000), "shape"),
        (torch.zeros(1, 16000, dtype=torch.int16), "floats"),
        (torch.full((1, 16000), float("nan")), "NaN"),
        (torch.full((1, 16000), float("inf")), "infinite"),
    ],
)
def test_bad_sound_is_refused(model, waveform, message):
    with pytest.raises(AlignerError, match=message):
        embed_audio(model, waveform, 16000, RELEASED)


@pytest.mark.parametrize("rate", [0, -16000, 999])
def test_impossible_sample_rates_are_refused(model, rate):
    with pytest.raises(AlignerError, match="sample rate"):
        embed_audio(model, torch.zeros(1, 16000), rate, RELEASED)


@pytest.mark.parametrize(
    "pixels, message",
    [
        (torch.zeros(1, 4, 8, 8), "RGB"),
        (torch.zeros(1, 1, 8, 8), "RGB"),
        (torch.zeros(3, 8, 8), "shape"),
        (torch.zeros(0, 3, 8, 8), "shape"),
        (torch.zeros(1, 3, 0, 8), "shape"),
        (torch.zeros(1, 3, 8, 8, dtype=torch.int32), "uint8"),
        (torch.full((1, 3, 8, 8), float("nan")), "NaN"),
    ],
)
def test_bad_pixels_are_refused(model, pixels, message):
    with pytest.raises(AlignerError, match=message):
        embed_image(model, pixels)
    with pytest.raises(AlignerError, match=message):
        embed_frames(model, pixels, torch.tensor([[0, 0]]), clip_spans(1, 1, 1), RELEASED)


@pytest.mark.parametrize("texts", [[], "a bare string", [None], ["rain", 3]])
def test_bad_texts_are_refused(model, texts):
    with pytest.raises(AlignerError, match="list"):
        embed_text(model, texts)
