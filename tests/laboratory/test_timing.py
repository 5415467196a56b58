"""The judges of timing, on sounds and clips whose events are known."""

from __future__ import annotations

import pytest
import torch

from aligner.metrics import av_align_of_clip
from laboratory.evaluation.instruments import sound_of, video_of
from laboratory.evaluation.timing import OTHERS, beginnings, onset_f1, timing_rows, with_pair_leads
from laboratory.world import FPS, SAMPLE_RATE, clip, scene

INDICES = range(8)


@pytest.fixture(scope="module")
def clips():
    return [clip(scene("development", index)) for index in INDICES]


def test_every_event_of_the_world_begins_when_it_is_heard(clips):
    for each in clips:
        assert onset_f1(beginnings(each.waveform, SAMPLE_RATE), each.scene.times) == 1


def test_silence_has_no_beginning():
    assert beginnings(torch.zeros(SAMPLE_RATE), SAMPLE_RATE) == []
    assert beginnings(1e-4 * torch.randn(SAMPLE_RATE), SAMPLE_RATE) == []


@pytest.mark.parametrize(
    "found, events, f1",
    [
        ([0.5], [0.5], 1.0),
        ([0.6], [0.5], 1.0),
        ([0.65], [0.5], 0.0),
        ([], [0.5], 0.0),
        ([0.5, 1.0], [0.5], 2 / 3),
        ([0.5, 0.55], [0.5, 1.5], 0.5),
        ([0.45, 0.6], [0.5, 0.55], 1.0),
    ],
)
def test_f1_counts_each_time_once(found, events, f1):
    assert onset_f1(found, events) == pytest.approx(f1)


def test_a_result_is_held_against_other_clips_of_its_event(clips):
    waveforms = torch.stack([each.waveform for each in clips])
    rows = timing_rows({"audio": sound_of(waveforms)}, "video", "development", INDICES, clips)
    assert [row["onsets"] for row in rows] == [1.0] * len(clips)
    others = [clip(scene("development", 3 + 8 * k)).frames for k in range(1, OTHERS + 1)]
    by_hand = [av_align_of_clip(frames, FPS, waveforms[3], SAMPLE_RATE).matched for frames in others]
    own = av_align_of_clip(clips[3].frames, FPS, waveforms[3], SAMPLE_RATE).matched
    assert rows[3]["matched_lead"] == pytest.approx(own - sum(by_hand) / OTHERS)
    begun = beginnings(waveforms[3], SAMPLE_RATE)
    elsewhere = [onset_f1(begun, scene("development", 3 + 8 * k).times) for k in range(1, OTHERS + 1)]
    assert rows[3]["onsets_lead"] == pytest.approx(1 - sum(elsewhere) / OTHERS)


def test_a_video_has_no_beginnings_to_hear_and_is_held_against_other_sounds(clips):
    frames = torch.stack([each.frames for each in clips[:2]])
    rows = timing_rows({"video": video_of(frames)}, "audio", "development", INDICES[:2], clips[:2])
    others = [clip(scene("development", 1 + 8 * k)).waveform for k in range(1, OTHERS + 1)]
    by_hand = [av_align_of_clip(frames[1], FPS, sound, SAMPLE_RATE).matched for sound in others]
    own = av_align_of_clip(frames[1], FPS, clips[1].waveform, SAMPLE_RATE).matched
    lead = pytest.approx(own - sum(by_hand) / OTHERS)
    assert rows[1] == {"matched_lead": lead, "onsets": None, "onsets_lead": None}


@pytest.mark.parametrize("part", ["image", ""])
def test_pictures_and_pairs_have_no_timing_of_their_own(clips, part):
    waveforms = torch.stack([each.waveform for each in clips])
    nothing = {"matched_lead": None, "onsets": None, "onsets_lead": None}
    assert timing_rows({"audio": sound_of(waveforms)}, part, "development", INDICES, clips) == [nothing] * 8
    pictures = torch.stack([each.frames[:1] for each in clips])
    assert timing_rows({"video": video_of(pictures)}, "audio", "development", INDICES, clips) == [nothing] * 8


def test_made_together_a_pair_is_held_against_other_sounds_of_its_event(clips):
    """Real clips meet better than their videos meet the sounds of other clips."""
    frames, sounds = (torch.stack([getattr(each, part) for each in clips]) for part in ("frames", "waveform"))
    rows = timing_rows({"video": video_of(frames), "audio": sound_of(sounds)}, "", "development", INDICES, clips)
    matched = [av_align_of_clip(each.frames, FPS, each.waveform, SAMPLE_RATE).matched for each in clips]
    led = with_pair_leads([{**row, "judged": "ball" if index < 7 else "rain"} for index, row in enumerate(rows)])
    assert led[7]["matched_lead"] is None and sum(each["matched_lead"] for each in led[:7]) > 0
    alone = [{**rows[0], "judged": "ball"}, {"judged": "ball", "heard_at": [], "seen_at": []}]
    assert with_pair_leads(alone)[0]["matched_lead"] == pytest.approx(matched[0])
