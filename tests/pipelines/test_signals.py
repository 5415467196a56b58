"""What pipelines return becomes sound and frames, with the rates that they know."""

from fractions import Fraction
from types import SimpleNamespace

import pytest
import torch

from aligner.errors import AlignerError
from aligner.pipelines.signals import fps_of, signals_of


def sounding(**parts):
    """A pipeline whose parts have configurations."""
    return SimpleNamespace(**{name: SimpleNamespace(config=SimpleNamespace(**each)) for name, each in parts.items()})


def test_pictures_are_videos_of_one_frame():
    pictures = torch.rand(1, 3, 4, 5)
    (video,) = signals_of({"images": pictures}, sounding(), None, None).values()
    assert torch.equal(video.pixels, pictures[:, None]) and video.seconds == 1


def test_frames_last_as_long_as_they_are_shown():
    signals = signals_of({"frames": torch.rand(1, 6, 3, 4, 5)}, sounding(), Fraction(3), None)
    assert signals["video"].seconds == 2
    with pytest.raises(AlignerError, match="Give fps"):
        signals_of({"frames": torch.rand(1, 6, 3, 4, 5)}, sounding(), None, None)


def test_a_sound_is_the_mean_of_its_channels_in_full_precision():
    stereo = torch.tensor([[[1.0, 0.0, 0.5], [0.0, 1.0, 0.5]]], dtype=torch.float16)
    (sound,) = signals_of({"audios": stereo}, sounding(vae={"sampling_rate": 3}), None, None).values()
    assert sound.waveform.dtype == torch.float32
    assert sound.waveform.tolist() == [[0.5, 0.5, 0.5]] and sound.seconds == 1
    (mono,) = signals_of({"audio": stereo[:, 0]}, sounding(vae={"sampling_rate": 3}), None, None).values()
    assert mono.waveform.tolist() == [[1.0, 0.0, 0.5]]


def test_the_last_part_that_makes_sound_knows_its_rate():
    sound = {"audio": torch.zeros(1, 10)}
    joint = sounding(audio_vae={"sample_rate": 16000}, vocoder={"output_sampling_rate": 24000}, vae={})
    assert signals_of(sound, joint, None, None)["audio"].sample_rate == 24000
    assert signals_of(sound, joint, None, 8000)["audio"].sample_rate == 8000
    with pytest.raises(AlignerError, match="Give sample_rate"):
        signals_of(sound, sounding(vae={}), None, None)


def test_frames_and_sound_of_one_output_are_two_streams():
    output = {"frames": torch.rand(1, 2, 3, 4, 4), "audio": torch.zeros(1, 2, 10)}
    assert set(signals_of(output, sounding(), Fraction(8), 100)) == {"video", "audio"}


def with_rate(frame_rate=25, num_frames=9):
    """A call of a pipeline that knows how fast its frames are shown."""


def without_rate(num_frames=9):
    """A call of a pipeline that does not."""


def pictures(width=8):
    """A call of a pipeline that makes pictures."""


def test_frames_per_second_are_those_given_or_those_of_the_call():
    def fps(pipeline, given=None, **call):
        return fps_of(SimpleNamespace(__call__=pipeline), call, given)

    assert fps(with_rate) == 25
    assert fps(with_rate, frame_rate=12.5) == Fraction(25, 2)
    assert fps(with_rate, 8, frame_rate=12.5) == 8
    assert fps(without_rate, 24000 / 1001) == Fraction(24000, 1001)
    assert fps(pictures) is None
    with pytest.raises(AlignerError, match="Give fps"):
        fps(without_rate)
