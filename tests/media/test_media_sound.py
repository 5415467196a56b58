"""Reading and writing sound: all formats, channel counts and rates, exact to the sample."""

from __future__ import annotations

import wave

import pytest
import torch

from aligner.errors import AlignerError, MediaError
from aligner.media import read_audio, to_mono, write_audio


@pytest.mark.parametrize(
    "name, codec, layout, channels, rate, sample_format",
    [
        ("a.wav", "pcm_s16le", "mono", 1, 8000, "s16"),
        ("b.wav", "pcm_u8", "stereo", 2, 11025, "u8"),
        ("c.wav", "pcm_s32le", "stereo", 2, 96000, "s32"),
        ("d.wav", "pcm_f32le", "3.0", 3, 22050, "flt"),
        ("e.wav", "pcm_f64le", "quad", 4, 44100, "dbl"),
        ("f.flac", "flac", "5.1", 6, 48000, "s16"),
        ("g.mka", "pcm_s16le", "5.0", 5, 48000, "s16"),
    ],
)
def test_lossless_formats_are_exact(tmp_path, make_sound, name, codec, layout, channels, rate, sample_format):
    path, tones = make_sound(tmp_path / name, codec, channels, layout, rate, 3001, sample_format)
    waveform, read_rate = read_audio(path)
    assert waveform.dtype == torch.float32 and waveform.shape == (channels, 3001) and read_rate == rate
    torch.testing.assert_close(waveform, tones, atol=2 / 127 if sample_format == "u8" else 1e-4, rtol=0)


@pytest.mark.parametrize(
    "name, codec, rate",
    [("a.mp3", "libmp3lame", 44100), ("b.opus", "libopus", 48000), ("c.m4a", "aac", 44100)],
)
def test_encoder_padding_is_cut_off(tmp_path, make_sound, name, codec, rate):
    sample_format = "s16" if codec == "libopus" else "fltp"
    path, tones = make_sound(tmp_path / name, codec, 2, "stereo", rate, rate // 2 + 17, sample_format)
    waveform, _ = read_audio(path)
    # MP4 states lengths in milliseconds by default.
    assert abs(waveform.shape[1] - tones.shape[1]) <= (rate // 1000 if codec == "aac" else 0)
    middle = slice(4000, 16000)
    assert (waveform[:, middle] - tones[:, middle]).abs().max() < 0.1


def test_real_sound(real_clip):
    waveform, rate = read_audio(real_clip("rain_drive_stereo_10s.mp4"))
    assert waveform.shape == (2, 441000) and rate == 44100
    assert 0.01 < waveform.abs().max() < 1.5
    waveform, rate = read_audio(real_clip("bird_audio.wav"))
    assert waveform.shape == (2, 220500) and rate == 44100


@pytest.mark.parametrize("suffix", [".wav", ".flac"])
@pytest.mark.parametrize("channels", [1, 2, 3, 4, 5, 6])
def test_written_sound_reads_back_to_the_sample(tmp_path, suffix, channels):
    waveform = torch.rand(channels, 5003, generator=torch.Generator().manual_seed(channels)) * 1.8 - 0.9
    write_audio(tmp_path / f"out{suffix}", waveform, 16000)
    back, rate = read_audio(tmp_path / f"out{suffix}")
    assert rate == 16000 and back.shape == waveform.shape
    assert (back - waveform).abs().max() <= 0.5 / 32768
    write_audio(tmp_path / f"again{suffix}", back, 16000)
    assert (tmp_path / f"again{suffix}").read_bytes() == (tmp_path / f"out{suffix}").read_bytes()


def test_wav_is_plain_pcm_for_other_readers(tmp_path):
    write_audio(tmp_path / "out.wav", torch.full((2, 160), 0.5), 16000)
    with wave.open(str(tmp_path / "out.wav")) as file:
        assert (file.getnchannels(), file.getsampwidth(), file.getframerate(), file.getnframes()) == (
            2,
            2,
            16000,
            160,
        )


def test_loud_is_clipped_and_never_scaled(tmp_path):
    write_audio(tmp_path / "out.wav", torch.tensor([[0.5, 1.5, -3.0, -0.5]]), 16000)
    assert read_audio(tmp_path / "out.wav")[0].tolist() == [[0.5, 32767 / 32768, -1.0, -0.5]]


def test_half_precision_is_not_silence(tmp_path):
    write_audio(tmp_path / "out.wav", torch.full((1, 100), 0.5, dtype=torch.float16), 16000)
    assert read_audio(tmp_path / "out.wav")[0].unique().tolist() == [0.5]


def test_mono_is_the_mean():
    stereo = torch.stack([torch.ones(8), torch.zeros(8)])
    assert to_mono(stereo).tolist() == [[0.5] * 8]


def test_silent_videos_and_pictures_have_no_sound_to_read(tmp_path, make_video):
    with pytest.raises(MediaError, match="has no audio stream"):
        read_audio(make_video(tmp_path / "silent.mp4", range(3)))
    with pytest.raises(MediaError, match="is not a file"):
        read_audio(tmp_path / "missing.wav")


def test_unusable_sound_files_say_so(tmp_path):
    with wave.open(str(tmp_path / "empty.wav"), "wb") as file:
        file.setnchannels(1), file.setsampwidth(2), file.setframerate(16000)
    with pytest.raises(MediaError, match="empty.wav"):
        read_audio(tmp_path / "empty.wav")
    (tmp_path / "text.wav").write_text("no sound " * 50)
    with pytest.raises(MediaError, match="text.wav cannot be read"):
        read_audio(tmp_path / "text.wav")


def test_a_sound_file_with_nan_says_so(tmp_path, make_sound):
    path, _ = make_sound(tmp_path / "nan.wav", "pcm_f32le", 1, "mono", 16000, 500, "flt")
    data = bytearray(path.read_bytes())
    data[-4:] = b"\xff\xff\xff\xff"
    path.write_bytes(data)
    with pytest.raises(MediaError, match="NaN or infinite"):
        read_audio(path)


def test_more_channels_than_files_hold_become_one(tmp_path):
    waveform = torch.rand(8, 100) - 0.5
    write_audio(tmp_path / "out.wav", waveform, 16000)
    written, _ = read_audio(tmp_path / "out.wav")
    torch.testing.assert_close(written, waveform.mean(dim=0, keepdim=True), atol=1e-4, rtol=0)


@pytest.mark.parametrize(
    "name, waveform, rate, message",
    [
        ("out.mp3", torch.zeros(1, 10), 16000, ".wav or .flac"),
        ("out", torch.zeros(1, 10), 16000, ".wav or .flac"),
        ("out.wav", torch.tensor([[0.0, float("nan")]]), 16000, "NaN"),
        ("out.wav", torch.tensor([[0.0, float("inf")]]), 16000, "from 0 to inf"),
        ("out.wav", torch.zeros(1, 10, dtype=torch.int64), 16000, "full scale is unknown"),
        ("out.wav", torch.zeros(1, 0), 16000, r"\(1, 0\)"),
        ("out.wav", torch.zeros(10), 16000, r"\(channels, samples\)"),
        ("out.wav", torch.zeros(1, 10), 0, "sample rate"),
    ],
)
def test_unfit_sound_is_refused_and_leaves_nothing(tmp_path, name, waveform, rate, message):
    with pytest.raises(AlignerError, match=message):
        write_audio(tmp_path / name, waveform, rate)
    assert list(tmp_path.iterdir()) == []
