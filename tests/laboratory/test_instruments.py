"""Instruments: the figures of a row, checked on real clips with networks of random weights."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from aligner.demo.events import EVENTS
from aligner.demo.judge import names
from aligner.metrics import av_align_of_clip
from aligner.timing.clips import CLIP_SAMPLINGS
from laboratory.evaluation.instruments import sound_of, video_of

NAMES = [event.name for event in EVENTS]


@pytest.fixture(scope="module")
def rows(instruments, sounds, frames):
    """The rows of sounds that videos steered."""
    return instruments.measured({"audio": sound_of(sounds)}, NAMES[:3], video_of(frames))


def test_rows_hold_the_judges_event_features_and_cosine(rows, random_judge, sounds, frames):
    heard, seen = random_judge.hear(sounds), random_judge.watch(frames)
    for k, row in enumerate(rows):
        assert row["event"] == NAMES[k] and row["judged"] == NAMES[heard.events[k]]
        assert row["right"] == (row["judged"] == NAMES[k])
        assert row["features"] == pytest.approx(heard.features[k].tolist(), abs=1e-5)
        cosine = F.cosine_similarity(heard.features[k], seen.features[k], dim=0).item()
        assert row["cosine"] == pytest.approx(cosine, abs=1e-5)


def test_a_sample_is_right_where_the_judge_names_the_wanted_event(instruments, random_judge, sounds, frames):
    wanted = [NAMES[number] for number in random_judge.hear(sounds).events]
    wanted[1] = next(name for name in NAMES if name != wanted[1])
    rows = instruments.measured({"audio": sound_of(sounds)}, wanted, video_of(frames))
    assert [row["right"] for row in rows] == [True, False, True]


def test_binders_compare_means_over_clips(rows, binder, sounds, frames):
    sampling = CLIP_SAMPLINGS["seconds"]
    with torch.no_grad():
        cosines = F.cosine_similarity(
            sound_of(sounds).embed(binder, sampling).mean(), video_of(frames).embed(binder, sampling).mean()
        )
    assert [row["optimised"] for row in rows] == pytest.approx(cosines.tolist(), abs=1e-5)
    # The fixture has one binder for both.
    assert [row["second"] for row in rows] == [row["optimised"] for row in rows]


def test_every_pair_has_its_own_av_align(rows, sounds, frames):
    for row, sound, video in zip(rows, sounds, frames):
        assert row["matched"] == av_align_of_clip(video, 8, sound, 16000).matched


def test_equal_signals_have_a_cosine_of_1(instruments, frames):
    """A picture that steers itself."""
    pictures = video_of(frames[:, 5:6])
    for row in instruments.measured({"video": pictures}, NAMES[:3], pictures):
        assert [row["cosine"], row["second"], row["optimised"]] == pytest.approx([1, 1, 1])


def test_a_picture_has_no_av_align_and_is_judged_as_a_still_video(instruments, sounds, frames):
    picture, still = frames[:, 5:6], frames[:, 5:6].expand(-1, 16, -1, -1, -1)
    for one in instruments.measured({"audio": sound_of(sounds)}, NAMES[:3], video_of(picture)):
        assert one["matched"] is None
    verdicts = [instruments.verdict(video_of(pixels)).logits for pixels in (picture, still)]
    assert torch.equal(*verdicts)


def test_two_generated_streams_are_right_where_the_judge_names_the_same_event(
    instruments, random_judge, sounds, frames
):
    seen, heard = random_judge.watch(frames), random_judge.hear(sounds)
    wanted = [NAMES[number] for number in seen.events]
    rows = instruments.measured({"video": video_of(frames), "audio": sound_of(sounds)}, wanted)
    assert [row["right"] for row in rows] == (seen.events == heard.events).tolist()
    for k, row in enumerate(rows):
        assert row["features"] == pytest.approx(seen.features[k].tolist(), abs=1e-5)  # of the first stream


@pytest.mark.parametrize("streams", [("audio",), ("video", "audio")])
def test_silence_is_never_right(instruments, random_judge, sounds, frames, streams):
    sounds = sounds * torch.tensor([[1.0], [1e-5], [0.0]])
    named = [NAMES[number] for number in random_judge.hear(sounds).events]
    signals = {"audio": sound_of(sounds), "video": video_of(frames)}
    rows = instruments.measured(
        {stream: signals[stream] for stream in streams}, named, signals["video"] if len(streams) == 1 else None
    )
    assert [row["silent"] for row in rows] == [False, True, True] and not any(row["right"] for row in rows[1:])
    if len(streams) == 1:
        assert rows[0]["right"], "an audible sample is still right"


def test_a_silent_sound_is_called_silence(random_judge, sounds, frames):
    quiet = sounds * torch.tensor([[1.0], [0.0], [1.0]])
    heard, seen = names(random_judge, sound_of(quiet)), names(random_judge, video_of(frames))
    assert heard[1] == "silence" and {heard[0], heard[2], *seen} <= set(NAMES)


def test_a_video_is_not_silent(instruments, sounds, frames):
    rows = instruments.measured({"video": video_of(frames)}, NAMES[:3], sound_of(0 * sounds))
    assert [row["silent"] for row in rows] == [False] * 3


def test_a_verdict_has_no_graph(instruments, sounds):
    assert not instruments.verdict(sound_of(sounds.clone().requires_grad_())).logits.requires_grad
