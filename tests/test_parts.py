"""Long work says how far it is, and ends where its host wants it to."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction

import pytest
import torch

from aligner.conditions.encoding import audio_condition, frames_condition
from aligner.generators.audioldm import log_mel as spectrogram
from aligner.generators.audioldm.log_mel import log_mel
from aligner.generators.windows import Windows
from aligner.media import read_frames, write_video
from aligner.parts import in_parts, listening, reached
from aligner.tensors import resampling
from aligner.tensors.resampling import resampled

SOUND = 0.1 * torch.randn(2, 44100 * 7 + 13, generator=torch.Generator().manual_seed(0))


class Ended(Exception):
    """What a host raises to end long work."""


def heard(work: Callable[[], object]) -> list[tuple[int, int]]:
    """What a listener hears of some work."""
    numbers: list[tuple[int, int]] = []
    with listening(lambda done, total: numbers.append((done, total))):
        work()
    return numbers


def ended(work: Callable[[], object], at: int) -> None:
    """Check that work ends where the listener raises."""
    calls: list[int] = []

    def listener(done: int, total: int) -> None:
        calls.append(done)
        if done == at:
            raise Ended

    with pytest.raises(Ended), listening(listener):
        work()
    assert calls[-1] == at


def test_each_part_is_counted_and_a_single_part_is_not():
    assert heard(lambda: list(in_parts("abc"))) == [(0, 3), (1, 3), (2, 3), (3, 3)]
    assert list(in_parts("abc")) == ["a", "b", "c"] and heard(lambda: list(in_parts("a"))) == []


def test_a_listener_hears_nothing_after_its_context():
    numbers = []
    with listening(lambda *each: numbers.append(each)), listening(lambda *each: None):
        reached(1, 2)
    reached(1, 2)
    assert not numbers


def test_windows_are_parts():
    work = lambda: Windows(8, 2).apply(torch.rand(1, 1, 80), lambda part: part)  # noqa: E731
    numbers = heard(work)
    assert numbers[0] == (0, 13) and numbers[-1] == (13, 13)
    ended(work, 5)


def test_clips_of_a_long_sound_are_parts(binder):
    work = lambda: audio_condition(binder, torch.rand(1, 16000 * 120), 16000)  # noqa: E731
    assert len(heard(work)) > 3
    ended(work, 1)


def test_clips_of_a_long_video_are_parts(binder):
    work = lambda: frames_condition(binder, torch.rand(400, 3, 8, 8), Fraction(4))  # noqa: E731
    assert len(heard(work)) > 3
    ended(work, 1)


def test_frames_that_are_read_are_parts(tmp_path):
    write_video(tmp_path / "clip.mp4", torch.zeros(9, 16, 16, 3, dtype=torch.uint8), 25)
    work = lambda: read_frames(tmp_path / "clip.mp4", [7])  # noqa: E731
    assert heard(work) == [(number, 8) for number in range(8)]
    ended(work, 3)


@pytest.mark.parametrize("at_once", [2**14, 50_000])
@pytest.mark.parametrize(
    "rate, target", [(44100, 16000), (8000, 16000), (96000, 16000), (16000, 44100), (47999, 16000)]
)
def test_a_long_sound_is_resampled_in_parts_that_show_no_seam(monkeypatch, rate, target, at_once):
    whole = resampled(SOUND, rate, target)
    monkeypatch.setattr(resampling, "_AT_ONCE", at_once)
    parts = resampled(SOUND, rate, target)
    assert parts.shape == whole.shape and torch.allclose(parts, whole, atol=1e-6)
    assert len(heard(lambda: resampled(SOUND, rate, target))) > 3
    ended(lambda: resampled(SOUND, rate, target), 2)


def test_a_long_spectrogram_is_made_in_parts_that_show_no_seam(monkeypatch):
    whole = log_mel(SOUND[:, : 160 * 900])
    monkeypatch.setattr(spectrogram, "_FRAMES_AT_ONCE", 64)
    assert torch.allclose(log_mel(SOUND[:, : 160 * 900]), whole, atol=1e-6)
    ended(lambda: log_mel(SOUND[:, : 160 * 900]), 2)
