"""Randomised looks: what they change, what they leave alone, and whose they are."""

from fractions import Fraction

import pytest
import torch

from aligner import views as views_module
from aligner.imagebind.clips import CLIP_SAMPLINGS
from aligner.signals import Frames, LatentFrames, Sound
from aligner.views import Views

RELEASED = CLIP_SAMPLINGS["released"]


def _views(*seeds, count=1):
    return Views([torch.Generator().manual_seed(seed) for seed in seeds], count)


# --- what a look changes --------------------------------------------------------------------------------------------

def test_sounds_become_louder_or_softer_each_by_itself():
    gains = _views(*range(64)).sound(torch.full((64, 100), 1e6)).mean(dim=1) / 1e6
    decibels = 20 * gains.log10()
    assert -6.01 < decibels.min() < -5 and 5 < decibels.max() < 6.01
    assert decibels.std() == pytest.approx(12 / 12**0.5, rel=0.2)  # spread evenly


def test_sounds_get_a_little_hiss():
    levels = _views(*range(64)).sound(torch.zeros(64, 2000)).std(dim=1)
    assert 0 < levels.min() < 0.002 and 0.008 < levels.max() < 0.0105


@pytest.mark.parametrize("shape", [(64, 3, 8, 8), (64, 5, 3, 8, 8)])
def test_pictures_become_brighter_or_darker_each_sample_by_itself(shape):
    seen = _views(*range(64)).pictures(torch.full(shape, 0.5))
    light = seen.flatten(1).mean(dim=1) / 0.5
    assert 0.84 < light.min() < 0.87 and 1.13 < light.max() < 1.16
    grain = seen.flatten(1).std(dim=1)
    assert 0 < grain.min() < 0.005 and 0.02 < grain.max() < 0.033


def test_all_pictures_of_a_sample_have_one_light(monkeypatch):
    monkeypatch.setattr(views_module, "_GRAIN", 0.0)
    means = _views(1, 2).pictures(torch.full((2, 5, 3, 4, 4), 0.5)).mean(dim=(2, 3, 4))
    assert torch.equal(means, means[:, :1].expand(-1, 5)) and means[0, 0] != means[1, 0]


@pytest.mark.parametrize("value", [0.0, 1.0])
def test_pictures_stay_between_0_and_1(value):
    seen = _views(*range(16)).pictures(torch.full((16, 3, 8, 8), value))
    assert seen.min() >= 0 and seen.max() <= 1


@pytest.mark.parametrize("count, clips", [(256, 1), (256, 16), (228, 3), (5, 2)])
def test_half_of_the_patches_are_seen_and_none_twice(count, clips):
    seen = _views(0, 1, 2).patches(count, clips)
    assert seen.shape == (3 * clips, round(count / 2)) and seen.dtype == torch.int64
    assert seen.min() >= 0 and seen.max() < count
    assert all(len(row.unique()) == len(row) for row in seen)
    if count > 5:
        assert len({tuple(row) for row in seen.tolist()}) == 3 * clips


def test_any_patch_may_be_seen():
    assert len(_views(*range(30)).patches(256, 1).unique()) == 256


def test_looks_differ_and_a_seed_makes_the_same_ones():
    first, again, other = _views(1), _views(1), _views(2)
    silence = torch.zeros(1, 50)
    one, two = first.sound(silence), first.sound(silence)
    assert torch.equal(one, again.sound(silence)) and torch.equal(two, again.sound(silence))
    assert not torch.equal(one, two) and not torch.equal(one, other.sound(silence))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_precision_is_kept(dtype):
    both = _views(1).sound(torch.zeros(1, 9, dtype=dtype)), _views(1).pictures(torch.zeros(1, 3, 2, 2, dtype=dtype))
    assert all(seen.dtype == dtype for seen in both)


# --- whose they are -------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("look", [
    lambda views, samples: views.sound(torch.ones(samples, 40)),
    lambda views, samples: views.pictures(torch.full((samples, 2, 3, 4, 4), 0.5)),
    lambda views, samples: views.patches(64, 2).unflatten(0, (samples, 2)),
], ids=["sound", "pictures", "patches"])
def test_what_a_sample_looks_like_does_not_depend_on_the_others(look):
    together = look(_views(7, 8, 9), 3)
    for k in range(3):
        assert torch.equal(together[k], look(_views(7 + k), 1)[0])
        assert torch.equal(together[k], look(_views(7, 8, 9).of(k), 1)[0])


def test_the_views_of_one_sample_use_its_generator_up():
    whole = _views(7, 8, count=3)
    one, silence = whole.of(1), torch.zeros(1, 9)
    assert one.count == 3
    assert not torch.equal(one.sound(silence), whole.of(1).sound(silence))


# --- embeddings -----------------------------------------------------------------------------------------------------

def _sound(values):
    return Sound(values, 16000, values.shape[1])


def _video(values):
    return Frames(values, Fraction(4))


def _latents(values):
    """Latents that are decoded by repeating them: (B, 3, F, 8, 8) to pictures of 16 x 16."""
    def decode(latents):
        return latents.sigmoid().repeat_interleave(2, dim=2).repeat_interleave(2, dim=3)
    return LatentFrames(values, Fraction(4), decode, decode)


#: How a stream is made of values, and three samples' values: two seconds each, or a picture.
STREAMS = {"sound": (_sound, lambda draw: 0.3 * torch.randn(3, 32000, generator=draw)),
           "picture": (_video, lambda draw: torch.rand(3, 1, 3, 16, 16, generator=draw)),
           "video": (_video, lambda draw: torch.rand(3, 8, 3, 16, 16, generator=draw)),
           "latent picture": (_latents, lambda draw: torch.randn(3, 3, 1, 8, 8, generator=draw)),
           "latents": (_latents, lambda draw: torch.randn(3, 3, 8, 8, 8, generator=draw))}


@pytest.fixture(params=STREAMS)
def stream(request, seeded):
    """How a stream is made of values, and values."""
    make, draw = STREAMS[request.param]
    return make, draw(seeded)


def test_an_embedding_is_the_mean_of_its_looks(stream, binder):
    make, values = stream
    once, thrice = _views(1, 2, 3), _views(1, 2, 3, count=3)
    if values.ndim == 5 and values.shape[1 if make is _video else 2] > 1:
        # Videos are looked at one by one: all looks at one, then all looks at the next.
        alone = [[make(values[k:k + 1]).embed(binder, RELEASED, once.of(k)).clips for _ in range(3)] for k in range(3)]
        looks = [torch.cat(each) for each in zip(*alone)]
    else:
        looks = [make(values).embed(binder, RELEASED, once).clips for _ in range(3)]
    mean = make(values).embed(binder, RELEASED, thrice)
    torch.testing.assert_close(mean.clips, torch.stack(looks).mean(dim=0), atol=1e-5, rtol=1e-5)
    assert (looks[0] - looks[1]).abs().max() > 1e-4
    exact = make(values).embed(binder, RELEASED)
    assert mean.clips.shape == exact.clips.shape and mean.spans == exact.spans and mean.modality == exact.modality


@pytest.mark.parametrize("sampling", CLIP_SAMPLINGS)
def test_a_sample_is_seen_as_it_would_be_alone(stream, binder, sampling):
    make, values = stream
    together = make(values).embed(binder, CLIP_SAMPLINGS[sampling], _views(4, 5, 6, count=2)).clips
    for k in range(3):
        alone = make(values[k:k + 1]).embed(binder, CLIP_SAMPLINGS[sampling], _views(4 + k, count=2)).clips
        torch.testing.assert_close(together[k], alone[0], atol=1e-4, rtol=1e-4)


def test_looks_that_change_nothing_are_the_exact_look(stream, binder, monkeypatch):
    for name in ("_DECIBEL", "_BRIGHTNESS", "_HISS", "_GRAIN"):
        monkeypatch.setattr(views_module, name, 0.0)
    monkeypatch.setattr(views_module, "_SEEN", 1.0)
    make, values = stream
    seen, exact = (make(values).embed(binder, RELEASED, views).clips for views in (_views(1, 2, 3, count=2), None))
    torch.testing.assert_close(seen, exact, atol=1e-4, rtol=1e-4)


def test_the_gradient_comes_through_and_is_each_samples_own(stream, binder):
    make, values = stream
    values.requires_grad_()
    clips = make(values).embed(binder, RELEASED, _views(1, 2, 3, count=2)).clips
    gradient, = torch.autograd.grad(clips[1, :, 0].sum(), values)
    assert gradient.isfinite().all() and gradient[1].abs().max() > 0
    assert not gradient[0].any() and not gradient[2].any()


@pytest.mark.parametrize("kind, asked", [("sound", [(228, 2)] * 2), ("picture", [(256, 1)] * 2),
                                         ("video", [(256, 2)] * 6)])
def test_every_look_asks_for_the_patches_of_its_clips(kind, asked, binder, seeded):
    """Two looks at two seconds, which are two clips; videos are looked at one by one."""
    class Recorded(Views):
        def patches(self, count, clips):
            calls.append((count, clips))
            return super().patches(count, clips)

        def of(self, sample):
            return Recorded(self.generators[sample:sample + 1], self.count)

    calls, (make, draw) = [], STREAMS[kind]
    make(draw(seeded)).embed(binder, RELEASED, Recorded(_views(1, 2, 3).generators, 2))
    assert calls == asked
