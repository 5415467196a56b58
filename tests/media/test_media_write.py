"""Writing video: pictures untouched where possible, times kept, sound exactly as long as the pictures."""

from __future__ import annotations

import io
from fractions import Fraction

import av
import pytest
import torch

from aligner.errors import AlignerError, MediaError
from aligner.media import (
    add_sound,
    probe_video,
    read_audio,
    read_frames,
    video,
    write_video,
)

RATE = 16000
UNEVEN = (0, 40, 80, 200, 240, 250, 400, 500, 700, 710)


def noise(samples: int, channels: int = 1) -> torch.Tensor:
    return 0.2 * torch.randn(channels, samples, generator=torch.Generator().manual_seed(0))


def packets(path) -> list[bytes]:
    with av.open(str(path)) as container:
        return [bytes(packet) for packet in container.demux(video=0) if packet.size]


def streams(path) -> list[tuple[str, str]]:
    with av.open(str(path)) as container:
        return [(stream.type, stream.codec_context.name) for stream in container.streams]


def assert_same_clock(result, source) -> None:
    before, after = probe_video(source), probe_video(result)
    torch.testing.assert_close(after.frame_times, before.frame_times)
    if av.library_versions["libavformat"] >= (62,):  # older ones read no durations from uneven MP4 with B-frames
        assert after.duration == before.duration
    with av.open(str(result)) as container:
        assert container.streams.video[0].start_time == 0
    assert read_audio(result)[0].shape[1] == before.samples(RATE)


@pytest.mark.parametrize("name, codec", [("a.mp4", "libx265"), ("b.mkv", "libx265"), ("c.mp4", "libsvtav1")])
@pytest.mark.parametrize("ticks", [tuple(range(0, 400, 40)), UNEVEN], ids=["even", "uneven"])
def test_other_video_of_mp4_is_copied_too(tmp_path, make_video, name, codec, ticks):
    source, result = make_video(tmp_path / name, ticks, Fraction(1, 1000), codec=codec), tmp_path / "out.mp4"
    add_sound(source, result, noise(6400), RATE)
    assert packets(result) == packets(source)
    assert_same_clock(result, source)
    assert streams(result) == [("video", streams(source)[0][1]), ("audio", "aac")]
    assert torch.equal(read_frames(result, range(10)), read_frames(source, range(10)))


@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv"])
@pytest.mark.parametrize("b_frames", ["0", "3"])
@pytest.mark.parametrize("ticks", [tuple(range(0, 400, 40)), UNEVEN, (0,)], ids=["even", "uneven", "one frame"])
def test_h264_is_copied_bit_by_bit(tmp_path, make_video, suffix, b_frames, ticks):
    source = make_video(tmp_path / f"clip{suffix}", ticks, Fraction(1, 1000), bf=b_frames)
    result = tmp_path / "out.mp4"
    add_sound(source, result, noise(probe_video(source).samples(RATE)), RATE)
    assert packets(result) == packets(source)
    assert_same_clock(result, source)
    assert streams(result) == [("video", "h264"), ("audio", "aac")]


def test_decode_times_of_copied_packets_ascend_and_precede_presentation(tmp_path, make_video):
    add_sound(make_video(tmp_path / "clip.mkv", bf="3"), tmp_path / "out.mp4", noise(6400), RATE)
    with av.open(str(tmp_path / "out.mp4")) as container:
        times = [(packet.dts, packet.pts) for packet in container.demux(video=0) if packet.size]
    assert any(later[1] < earlier[1] for earlier, later in zip(times, times[1:])), "the clip has no B-frames"
    assert all(earlier[0] < later[0] for earlier, later in zip(times, times[1:]))
    assert all(dts <= pts for dts, pts in times)


@pytest.mark.parametrize(
    "name, codec, size",
    [("a.webm", "libvpx-vp9", (64, 48)), ("b.webm", "libvpx", (64, 48)), ("c.avi", "mpeg4", (64, 48)),
     ("d.mkv", "ffv1", (51, 35)), ("e.h264", "libx264", (64, 48)), ("f.mov", "mjpeg", (64, 48))],
)  # fmt: skip
def test_everything_else_is_encoded_anew(tmp_path, make_video, index_of, name, codec, size):
    source, result = make_video(tmp_path / name, size=size, codec=codec), tmp_path / "out.mp4"
    add_sound(source, result, noise(6400), RATE)
    assert_same_clock(result, source)
    assert streams(result) == [("video", "h264"), ("audio", "aac")]
    with av.open(str(result)) as container:
        assert container.streams.video[0].codec_context.pix_fmt == "yuv420p"
    info = probe_video(result)
    assert (info.width, info.height) == tuple(side + side % 2 for side in size)
    assert [index_of(frame) for frame in read_frames(result, range(10))] == list(range(10))


def test_uneven_times_survive_encoding(tmp_path, make_video):
    source = make_video(tmp_path / "clip.webm", UNEVEN, Fraction(1, 1000), codec="libvpx-vp9")
    add_sound(source, tmp_path / "out.mp4", noise(100), RATE)
    assert_same_clock(tmp_path / "out.mp4", source)


def test_turned_pictures_are_stored_upright(tmp_path, make_video, turn, index_of):
    source = turn(make_video(tmp_path / "clip.mp4"), 90)
    add_sound(source, tmp_path / "out.mp4", noise(6400), RATE)
    info = probe_video(tmp_path / "out.mp4")
    assert (info.width, info.height, info.geometry.as_stored) == (48, 64, True)
    shown, stored = read_frames(source, [3]).float(), read_frames(tmp_path / "out.mp4", [3]).float()
    assert (shown - stored).abs().mean() < 3
    assert_same_clock(tmp_path / "out.mp4", source)


@pytest.mark.parametrize("change", [-1, 1])
def test_a_decoder_that_disagrees_with_the_packets_is_noticed(tmp_path, make_video, monkeypatch, change):
    source, original = make_video(tmp_path / "clip.webm", codec="libvpx-vp9"), video.decoded_frames

    def altered(source):
        frames = list(original(source))
        yield from frames[:change] if change < 0 else frames + frames[:change]

    monkeypatch.setattr(video, "decoded_frames", altered)
    with pytest.raises(MediaError, match="the 10 frames that it announces"):
        add_sound(source, tmp_path / "out.mp4", noise(6400), RATE)
    assert [entry.name for entry in tmp_path.iterdir()] == ["clip.webm"]


def test_pixels_that_are_not_square_keep_their_shape(tmp_path):
    with av.open(str(tmp_path / "wide.mkv"), "w") as output:
        stream = output.add_stream("mpeg4", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        stream.codec_context.sample_aspect_ratio = Fraction(4, 3)
        output.mux(stream.encode(av.VideoFrame(64, 48, "yuv420p")))
        output.mux(stream.encode(None))
    for name in ("wide.mkv", "out.mp4"):
        info = probe_video(tmp_path / name)
        assert (info.width, info.height) == (85, 48) if name == "wide.mkv" else (86, 48)  # padded to an even size
        add_sound(tmp_path / "wide.mkv", tmp_path / "out.mp4", noise(640), RATE)


def test_the_sound_of_the_source_is_replaced(tmp_path, make_video):
    source = make_video(tmp_path / "clip.mp4", sound=(48000, 19200))
    add_sound(source, tmp_path / "out.mp4", torch.zeros(2, 6400), RATE)
    assert streams(tmp_path / "out.mp4") == [("video", "h264"), ("audio", "aac")]
    waveform, rate = read_audio(tmp_path / "out.mp4")
    assert rate == RATE and waveform.shape == (2, 6400) and waveform.abs().max() < 1e-3


@pytest.mark.parametrize("samples", [1, 6399, 6400, 9000])
def test_sound_is_cut_or_continued_by_silence(tmp_path, make_video, samples):
    source = make_video(tmp_path / "clip.mp4")
    add_sound(source, tmp_path / "out.mp4", torch.full((1, samples), 0.3), RATE)
    assert read_audio(tmp_path / "out.mp4")[0].shape[1] == 6400


@pytest.mark.parametrize("rate, channels", [(8000, 1), (16000, 1), (22050, 2), (44100, 2), (48000, 6)])
def test_sound_comes_back_in_time_and_level(tmp_path, make_video, rate, channels):
    source = make_video(tmp_path / "clip.mp4")
    time = torch.arange(round(0.4 * rate)) / rate
    tone = (0.5 * torch.sin(2 * torch.pi * 60 * time)).expand(channels, -1)  # low enough for a subwoofer's channel
    add_sound(source, tmp_path / "out.mp4", tone, rate)
    back, back_rate = read_audio(tmp_path / "out.mp4")
    assert back_rate == rate and back.shape == tone.shape
    assert (back - tone).square().mean() < tone.square().mean() / 300, "less than 25 dB above its own noise"


def test_real_clips_get_sound_of_their_length(tmp_path, real_clip):
    for name, samples in (("hawk_silent_9s.mp4", 144000), ("rain_drive_stereo_10s.mp4", 160000)):
        source, result = real_clip(name), tmp_path / name
        add_sound(source, result, noise(samples - 37), RATE)
        assert packets(result) == packets(source)
        assert_same_clock(result, source)
        assert read_audio(result)[0].shape == (1, samples)


def test_source_and_destination_may_be_the_same_file(tmp_path, make_video):
    path = make_video(tmp_path / "clip.mp4")
    pictures = packets(path)
    add_sound(path, path, noise(6400), RATE)
    assert packets(path) == pictures and read_audio(path)[0].shape == (1, 6400)
    assert [entry.name for entry in tmp_path.iterdir()] == ["clip.mp4"]


def test_file_object_as_source(tmp_path, make_video):
    data = io.BytesIO(make_video(tmp_path / "clip.mp4").read_bytes())
    add_sound(data, tmp_path / "out.mp4", noise(6400), RATE)
    assert packets(tmp_path / "out.mp4") == packets(tmp_path / "clip.mp4")


def test_same_input_gives_same_bytes(tmp_path, make_video):
    source = make_video(tmp_path / "clip.webm", codec="libvpx-vp9")
    for name in ("a.mp4", "b.mp4"):
        add_sound(source, tmp_path / name, noise(6400), RATE)
    assert (tmp_path / "a.mp4").read_bytes() == (tmp_path / "b.mp4").read_bytes()


@pytest.mark.parametrize("fps", [25, 24.0, 29.97, Fraction(30000, 1001), Fraction(1, 2)])
@pytest.mark.parametrize("size", [(36, 64), (35, 51), (1, 1)])
def test_written_frames_come_back(tmp_path, fps, size):
    frames = torch.zeros(5, *size, 3, dtype=torch.uint8)
    frames[:] = torch.tensor([200, 60, 30], dtype=torch.uint8)
    write_video(tmp_path / "out.mp4", frames, fps, noise(100), RATE)
    info = probe_video(tmp_path / "out.mp4")
    assert info.duration == 5 / Fraction(fps).limit_denominator(1001)
    assert (info.height, info.width) == tuple(side + side % 2 for side in size)
    back = read_frames(tmp_path / "out.mp4", [0, 4]).float()
    assert (back - frames[0, 0, 0]).abs().max() <= 4, "colours changed"
    assert read_audio(tmp_path / "out.mp4")[0].shape[1] == info.samples(RATE)


def test_silent_video_has_one_stream(tmp_path):
    write_video(tmp_path / "out.mp4", torch.zeros(3, 32, 32, 3, dtype=torch.uint8), 10)
    assert streams(tmp_path / "out.mp4") == [("video", "h264")]


def test_index_stands_before_the_data(tmp_path):
    write_video(tmp_path / "out.mp4", torch.zeros(3, 32, 32, 3, dtype=torch.uint8), 10, noise(10), RATE)
    data = (tmp_path / "out.mp4").read_bytes()
    assert data.index(b"moov") < data.index(b"mdat")


@pytest.mark.parametrize(
    "frames, fps, message",
    [
        (torch.zeros(0, 8, 8, 3, dtype=torch.uint8), 25, "not empty"),
        (torch.zeros(2, 8, 8, 3), 25, "uint8"),
        (torch.zeros(2, 3, 8, 8, dtype=torch.uint8), 25, r"\(N, H, W, 3\)"),
        (torch.zeros(2, 8, 8, 3, dtype=torch.uint8), 0, "frame rate"),
        (torch.zeros(2, 8, 8, 3, dtype=torch.uint8), float("nan"), "frame rate"),
    ],
)
def test_unfit_frames_are_refused(tmp_path, frames, fps, message):
    with pytest.raises(MediaError, match=message):
        write_video(tmp_path / "out.mp4", frames, fps)
    assert list(tmp_path.iterdir()) == []


def test_a_rate_that_mp4_lacks_is_resampled(tmp_path, make_video):
    add_sound(make_video(tmp_path / "clip.mp4"), tmp_path / "out.mp4", noise(10), 192_000)
    assert probe_video(tmp_path / "out.mp4").audio_sample_rate == 96_000


def test_unfit_sound_is_refused(tmp_path, make_video):
    source = make_video(tmp_path / "clip.mp4")
    for name, waveform, rate, message in (
        ("out.avi", noise(10), RATE, ".mp4"),
        ("out.mp4", torch.full((1, 10), float("nan")), RATE, "NaN"),
        ("out.mp4", torch.zeros(1, 0), RATE, "not be empty"),
    ):
        with pytest.raises(AlignerError, match=message):
            add_sound(source, tmp_path / name, waveform, rate)
    assert [entry.name for entry in tmp_path.iterdir()] == ["clip.mp4"]


def test_a_missing_encoder_says_so(tmp_path, monkeypatch):
    monkeypatch.setattr("aligner.media.mp4.H264_ENCODER", "no_such_encoder")
    with pytest.raises(MediaError, match="lacks the encoder no_such_encoder"):
        write_video(tmp_path / "out.mp4", torch.zeros(1, 8, 8, 3, dtype=torch.uint8), 25)
    assert list(tmp_path.iterdir()) == []
