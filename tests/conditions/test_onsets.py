"""When things begin in what conditions are made of."""

from dataclasses import replace
from fractions import Fraction

import av
import pytest
import torch
from PIL import Image

from aligner.conditions import onsets as module
from aligner.conditions.blending import blended
from aligner.conditions.encoding import (
    audio_condition,
    frames_condition,
    image_condition,
    text_condition,
    video_condition,
)
from aligner.conditions.onsets import seen
from aligner.conditions.saved import load_conditions, save_conditions
from aligner.errors import AlignerError
from aligner.media import write_video
from aligner.synchrony import heard_in_parts, heard_onsets, seen_onsets, synchrony

RATE, FPS = 16_000, 25


def clicks(times, seconds: float) -> torch.Tensor:
    waveform = torch.zeros(1, round(seconds * RATE))
    for time in times:
        begin = round(time * RATE)
        waveform[:, begin : begin + 800] = torch.linspace(0.5, 0, 800)[: waveform.shape[1] - begin]
    return waveform


def flashes(times, seconds: float, fps: float = FPS) -> torch.Tensor:
    """(F, 3, 48, 64)."""
    clock = (torch.arange(round(seconds * fps)) + 0.5) / fps
    light = sum(torch.where(clock >= time, (-(clock - time) / 0.2).exp(), torch.zeros(())) for time in times)
    frames = torch.full((len(clock), 3, 48, 64), 0.2)
    frames[..., 12:36, 16:48] += 0.6 * torch.as_tensor(light).clamp(max=1)[:, None, None, None]
    return frames


def test_a_sound_has_its_onsets_however_long_it_is(binder):
    times = (0.5, 59.98, 60.5, 119.0, 125.0)
    waveform = clicks(times, 130.7)
    part_by_part, whole = heard_in_parts(waveform, RATE), heard_onsets(waveform, RATE)
    assert part_by_part.shape == whole.shape
    torch.testing.assert_close(part_by_part, whole, atol=1e-4, rtol=0)
    short = clicks([0.5], 1.2)
    given = audio_condition(binder, short.expand(2, -1), RATE).onsets
    torch.testing.assert_close(given, heard_onsets(short, RATE))


def test_frames_have_their_onsets_however_they_are_cut(binder):
    frames = flashes([0.8, 3.2], 5)
    given = frames_condition(binder, frames, Fraction(FPS)).onsets
    torch.testing.assert_close(given, seen_onsets(frames[None], FPS))
    assert given.shape == (1, 500)


def test_a_file_has_the_onsets_of_its_frames(binder, tmp_path):
    frames = (flashes([0.8, 1.6], 3) * 255).round().byte().permute(0, 2, 3, 1)
    write_video(tmp_path / "clip.mp4", frames, Fraction(FPS))
    given = video_condition(binder, tmp_path / "clip.mp4").onsets
    assert synchrony(given, seen_onsets(flashes([0.8, 1.6], 3)[None], FPS)) > 0.97


def test_a_file_with_uneven_times_has_its_onsets_when_they_are_shown(binder, tmp_path):
    """Half of the frames are left out in the first second, as a phone does in the dark."""
    frames = (flashes([0.5, 1.5], 3) * 255).round().byte().permute(0, 2, 3, 1)
    with av.open(str(tmp_path / "clip.mp4"), "w") as container:
        stream = container.add_stream("mpeg4", rate=FPS, width=64, height=48, pix_fmt="yuv420p")
        for number in [*range(0, 25, 2), *range(25, 75)]:
            frame = av.VideoFrame.from_ndarray(frames[number].numpy(), format="rgb24")
            frame.pts, frame.time_base = number, Fraction(1, FPS)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    given = video_condition(binder, tmp_path / "clip.mp4").onsets
    even = seen_onsets(flashes([0.5, 1.5], 3)[None], FPS)
    by_shift = {shift: synchrony(given.roll(shift, 1), even).item() for shift in range(-50, 50)}
    best = max(by_shift, key=by_shift.get)
    assert by_shift[best] > 0.7 and abs(best) <= 4


@pytest.mark.parametrize("delays", [[100, 1900], [100, 100, 4000], [2000, 100, 100]])
def test_an_animation_with_long_holds_has_its_onsets(binder, tmp_path, delays):
    """The picture changes after the first delay, whatever follows."""
    pictures = [Image.new("RGB", (64, 48), colour) for colour in ("black", "white", "red")[: len(delays)]]
    pictures[0].save(tmp_path / "clip.gif", save_all=True, append_images=pictures[1:], duration=delays, loop=0)
    given = video_condition(binder, tmp_path / "clip.gif").onsets
    assert given.shape[1] > 100 and (given >= 0).all()


def test_onsets_belong_to_as_many_recordings_as_are_embedded(binder):
    text = text_condition(binder, "a bell")
    assert replace(text, onsets=torch.zeros(1, 50)).onsets is not None
    with pytest.raises(AlignerError, match="onsets of a condition are those of 2 recordings, but it holds 1"):
        replace(text, onsets=torch.zeros(2, 50))


def test_a_mask_hides_onsets(binder):
    frames = torch.cat([flashes([0.5], 2), flashes([1.4], 2)], dim=3)
    mask = torch.zeros(1, 48, 128)
    mask[..., 64:] = 1
    right = frames_condition(binder, frames, Fraction(FPS), mask=mask).onsets
    assert synchrony(right, seen_onsets(flashes([1.4], 2)[None], FPS)) > 0.9
    assert synchrony(right, seen_onsets(flashes([0.5], 2)[None], FPS)) < 0.1


def test_what_has_no_time_has_no_onsets(binder):
    picture = flashes([0.5], 0.04)
    for condition in (
        text_condition(binder, "a bell"),
        image_condition(binder, picture[0]),
        frames_condition(binder, picture, Fraction(FPS)),
    ):
        assert condition.onsets is None


def test_frames_are_looked_at_a_few_at_a_time(monkeypatch):
    sizes, differences = [], module.differences
    monkeypatch.setattr(module, "differences", lambda frames: sizes.append(frames.shape[1]) or differences(frames))
    frames = flashes([0.8], 4)
    parts = [(torch.arange(first, min(first + 30, 100)), frames[first : first + 30]) for first in range(0, 100, 30)]
    found = seen(iter(parts), torch.arange(100), FPS)
    assert max(sizes) == 31
    torch.testing.assert_close(found, seen_onsets(frames[None], FPS))


@pytest.fixture
def sound(binder):
    return audio_condition(binder, clicks([0.5], 1), RATE)


def test_onsets_are_saved_with_their_condition(sound, binder, tmp_path):
    save_conditions(tmp_path / "some.safetensors", [sound, text_condition(binder, "a bell")])
    loaded = load_conditions(tmp_path / "some.safetensors")
    assert torch.equal(loaded[0].onsets, sound.onsets) and loaded[1].onsets is None


def test_a_blend_has_the_onsets_of_the_only_one_that_attracts(sound, binder):
    text = text_condition(binder, "a bell")
    assert torch.equal(blended([sound, text]).onsets, sound.onsets)
    assert blended([sound, replace(sound, weight=0.5)]).onsets is None
    assert blended([replace(sound, weight=-0.2), text]).onsets is None
