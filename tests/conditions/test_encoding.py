"""What a user has, as conditions."""

from fractions import Fraction

import pytest
import torch

from aligner.conditions.encoding import (
    audio_condition,
    frames_condition,
    image_condition,
    prompt_conditions,
    text_condition,
    video_condition,
)
from aligner.demo.examples import EXAMPLE_VIDEO
from aligner.errors import AlignerError
from aligner.media import probe_video, read_frames, write_video


@pytest.mark.parametrize("clips, count", [("seconds", 2), ("spread", 5), ("short", 4)])
def test_a_file_and_its_frames_in_memory_are_the_same_condition(binder, clips, count):
    info = probe_video(EXAMPLE_VIDEO)
    frames = read_frames(EXAMPLE_VIDEO, range(len(info.frame_times))).permute(0, 3, 1, 2).float() / 255
    from_file = video_condition(binder, EXAMPLE_VIDEO, clips=clips)
    in_memory = frames_condition(binder, frames, info.fps, clips=clips)
    assert from_file.embedding.clips.shape == (1, count, 48)
    assert from_file.embedding.spans == in_memory.embedding.spans
    assert from_file.duration == in_memory.duration == 2
    torch.testing.assert_close(from_file.embedding.clips, in_memory.embedding.clips, atol=1e-5, rtol=0)


def test_only_the_frames_that_are_looked_at_are_read(binder, monkeypatch):
    import aligner.conditions.encoding

    asked = []

    def recording_read(source, indices):
        asked.extend(indices)
        return read_frames(source, indices)

    monkeypatch.setattr(aligner.conditions.encoding, "read_frames", recording_read)
    video_condition(binder, EXAMPLE_VIDEO, clips="seconds")
    assert len(asked) == 4 < len(probe_video(EXAMPLE_VIDEO).frame_times)


def test_a_video_of_one_frame_is_a_picture(binder, tmp_path):
    write_video(tmp_path / "still.mp4", torch.full((1, 33, 47, 3), 90, dtype=torch.uint8), 24)
    assert video_condition(binder, tmp_path / "still.mp4").embedding.modality == "image"
    assert frames_condition(binder, torch.rand(1, 3, 9, 5), Fraction(24)).embedding.modality == "image"


def test_a_sound_keeps_its_duration_and_ignores_its_channel_count(binder, seeded):
    mono = torch.randn(1, 24000, generator=seeded) * 0.1
    one, six = (audio_condition(binder, mono.expand(channels, -1), 16000) for channels in (1, 6))
    assert one.duration == Fraction(3, 2) and one.embedding.clips.shape == (1, 3, 48)
    torch.testing.assert_close(one.embedding.clips, six.embedding.clips, atol=1e-5, rtol=1e-5)


def test_text_beyond_77_tokens_is_cut_and_works(binder):
    long, longer = (text_condition(binder, "rain " * count) for count in (200, 300))
    assert torch.equal(long.embedding.clips, longer.embedding.clips)
    assert not torch.equal(long.embedding.clips, text_condition(binder, "rain").embedding.clips)


@pytest.mark.parametrize(
    "make, message",
    [
        (lambda b: text_condition(b, "  "), "empty"),
        (lambda b: audio_condition(b, torch.full((1, 16000), float("nan")), 16000), "NaN"),
        (lambda b: text_condition(b, None), "must be a text"),
        (lambda b: text_condition(b, "a dog\udcff"), "half of a character at position 6"),
        (lambda b: audio_condition(b, torch.zeros(1, 0), 16000), "empty"),
        (lambda b: audio_condition(b, torch.full((1, 16000), 1e38), 16000), "A sound lies in -1..1"),
        (lambda b: audio_condition(b, torch.zeros(1, 16000, dtype=torch.int64), 16000), "full scale is unknown"),
        (lambda b: audio_condition(b, torch.zeros(1, 16000), float("inf")), "sample rate"),
        (lambda b: image_condition(b, torch.zeros(3, 8, 8, device="meta")), "no values"),
        (lambda b: frames_condition(b, torch.zeros(2, 3, 8, 8, device="meta"), Fraction(24)), "no values"),
        (lambda b: image_condition(b, torch.full((3, 8, 8), float("nan"))), "NaN"),
        (lambda b: image_condition(b, torch.zeros(4, 8, 8)), "RGB"),
        (lambda b: frames_condition(b, torch.zeros(2, 3, 8, 8), 0), "frame rate"),
        (lambda b: frames_condition(b, torch.zeros(2, 3, 8, 8), Fraction(24), clips="all"), "seconds, spread"),
        (lambda b: frames_condition(b, torch.zeros(0, 3, 8, 8), Fraction(24)), "has no frames"),
    ],
)
def test_bad_input_names_itself(binder, make, message):
    with pytest.raises(AlignerError, match=message):
        make(binder)


def test_integers_are_scaled_by_the_range_of_their_type(binder):
    tone = (torch.arange(16000) * 0.3).sin()[None] * 0.5
    heard = audio_condition(binder, tone, 16000).embedding.mean()
    for integers in ((tone * 2**15).short(), (tone * 2**31).to(torch.int32), (tone * 2**15).short().numpy()):
        other = audio_condition(binder, integers, "16000").embedding.mean()
        assert torch.cosine_similarity(heard, other) > 0.999


def test_half_precision_inputs_work(binder):
    assert torch.isfinite(audio_condition(binder, torch.rand(2, 8000).half(), 16000).embedding.clips).all()
    assert torch.isfinite(image_condition(binder, torch.rand(3, 31, 17).half()).embedding.clips).all()


def test_prompts_that_streams_share_are_one_condition(binder):
    shared = prompt_conditions(binder, {"video": "a dog", "audio": "a dog"})
    assert [(condition.streams, condition.weight) for condition in shared] == [(("video", "audio"), 1.0)]
    apart = prompt_conditions(binder, {"video": "a dog", "audio": "rain"})
    assert [condition.streams for condition in apart] == [("video",), ("audio",)]
    assert [condition.streams for condition in prompt_conditions(binder, {"video": "a dog", "audio": " "})] == [
        ("video",)
    ]


def test_prompts_are_marked_as_the_generators_own(binder):
    (prompt,) = prompt_conditions(binder, {"audio": "rain"})
    assert prompt.prompt and not text_condition(binder, "rain").prompt
    assert torch.equal(prompt.embedding.clips, text_condition(binder, "rain").embedding.clips)


def test_conditions_say_which_binder_made_them(binder):
    made = [
        text_condition(binder, "rain"),
        audio_condition(binder, torch.rand(1, 8000), 16000),
        image_condition(binder, torch.rand(3, 8, 8)),
        frames_condition(binder, torch.rand(4, 3, 8, 8), Fraction(4)),
    ]
    assert {each.embedding.binder for each in made} == {binder.fingerprint} and binder.fingerprint


def test_recordings_are_cut_into_short_clips_by_default(binder):
    assert len(audio_condition(binder, torch.rand(1, 16000), 16000).embedding.spans) == 2
    assert len(frames_condition(binder, torch.rand(8, 3, 8, 8), Fraction(8)).embedding.spans) == 2
