"""Reading video: every container, clock, size and orientation gives the right frames at the right times."""

from __future__ import annotations

import io
import os
from fractions import Fraction

import av
import pytest
import torch

from aligner.errors import MediaError
from aligner.media import probe_video, read_frames

MILLISECONDS = Fraction(1, 1000)
UNEVEN = (0, 40, 80, 200, 240, 250, 400, 500, 700, 710)


@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv", ".ts"])
@pytest.mark.parametrize("b_frames", ["0", "3"])
def test_variable_rate_keeps_each_frames_time(tmp_path, make_video, index_of, suffix, b_frames):
    path = make_video(tmp_path / f"clip{suffix}", UNEVEN, MILLISECONDS, bf=b_frames)
    info = probe_video(path)
    assert info.frame_times.dtype == torch.float64
    torch.testing.assert_close(info.frame_times, torch.tensor(UNEVEN, dtype=torch.float64) / 1000)
    frames = read_frames(path, range(10))
    assert [index_of(frame) for frame in frames] == list(range(10))
    assert info.codec == "h264" and (info.width, info.height, info.copyable) == (64, 48, True)


@pytest.mark.parametrize(
    "name, codec",
    [("a.mp4", "libx265"), ("a.webm", "libvpx-vp9"), ("b.webm", "libvpx"), ("a.avi", "mpeg4"),
     ("b.avi", "mjpeg"), ("c.avi", "libx264"), ("a.mkv", "ffv1"), ("raw.h264", "libx264"),
     ("a.mov", "mpeg4"), ("a.mpg", "mpeg2video")],
)  # fmt: skip
def test_containers_and_codecs_agree_on_frames(tmp_path, make_video, index_of, name, codec):
    path = make_video(tmp_path / name, codec=codec)
    info = probe_video(path)
    assert len(info.frame_times) == 10
    torch.testing.assert_close(info.frame_times, torch.arange(10, dtype=torch.float64) / 25)
    assert info.duration == Fraction(10, 25) and info.fps == 25
    assert [index_of(frame) for frame in read_frames(path, range(10))] == list(range(10))
    with pytest.raises(MediaError, match="has 10 frames, but number 10"):
        read_frames(path, [10])


def test_duration_is_exact_and_counts_samples(tmp_path, make_video):
    ntsc = Fraction(1001, 30000)
    info = probe_video(make_video(tmp_path / "clip.mp4", range(7), ntsc, rate=1 / ntsc))
    assert info.duration == 7 * ntsc and info.fps == 1 / ntsc
    assert info.samples(16000) == round(7 * 1001 / 30000 * 16000)


def test_one_frame_lasts_as_long_as_it_says(tmp_path, make_video, index_of):
    path = make_video(tmp_path / "one.mp4", [0])
    info = probe_video(path)
    assert info.frame_times.tolist() == [0.0] and info.duration == Fraction(1, 25)
    assert index_of(read_frames(path, [0, 0])[1]) == 0


def test_any_order_and_repetition(tmp_path, make_video, index_of):
    path = make_video(tmp_path / "clip.mp4", bf="2")
    assert [index_of(frame) for frame in read_frames(path, [7, 2, 2, 9, 0])] == [7, 2, 2, 9, 0]
    assert read_frames(path, []).shape == (0, 48, 64, 3)
    with pytest.raises(MediaError, match="counted from 0, but -1"):
        read_frames(path, [3, -1])


def test_odd_sizes(tmp_path, make_video):
    path = make_video(tmp_path / "odd.mkv", range(2), size=(51, 35))
    assert (probe_video(path).width, probe_video(path).height) == (51, 35)
    assert read_frames(path, [1]).shape == (1, 35, 51, 3)


def test_frames_that_an_edit_list_hides_are_not_counted(tmp_path, make_video, index_of):
    """A trimmed MP4 keeps the frames before the cut, marked as hidden, to decode the rest."""
    whole, cut = make_video(tmp_path / "whole.mp4", bf="0"), tmp_path / "cut.mp4"
    with av.open(str(whole)) as source, av.open(str(cut), "w") as output:
        template = source.streams.video[0]
        stream = output.add_stream_from_template(template, opaque=True)
        step = round(Fraction(1, 25) / template.time_base)
        for packet in source.demux(template):
            if packet.size:
                packet.pts, packet.dts, packet.stream = packet.pts - 3 * step, packet.dts - 3 * step, stream
                output.mux(packet)
    info = probe_video(cut)
    torch.testing.assert_close(info.frame_times, torch.arange(7, dtype=torch.float64) / 25)
    assert [index_of(frame) for frame in read_frames(cut, range(7))] == list(range(3, 10))


@pytest.mark.parametrize("first_packet, first_frame", [(3, 8), (8, 16)])
def test_a_stream_cut_in_the_middle_begins_where_it_can_be_decoded(
    tmp_path, make_video, index_of, first_packet, first_frame
):
    """Packets before the first key frame, and pictures that refer to them, are never shown."""
    groups = {"x264-params": "keyint=8:min-keyint=8:open-gop=1:bframes=3:b-adapt=0:scenecut=0"}
    whole, cut = make_video(tmp_path / "whole.ts", range(18), **groups), tmp_path / "cut.ts"
    with av.open(str(whole)) as source, av.open(str(cut), "w") as output:
        template = source.streams.video[0]
        stream = output.add_stream_from_template(template, opaque=True)
        for place, packet in enumerate(source.demux(template)):
            if packet.size and place >= first_packet:
                packet.stream = stream
                output.mux(packet)
    times = probe_video(cut).frame_times
    torch.testing.assert_close(times, torch.arange(18 - first_frame, dtype=torch.float64) / 25)
    frames = read_frames(cut, range(len(times)))
    assert [index_of(frame) for frame in frames] == list(range(first_frame, 18))
    with pytest.raises(MediaError, match=f"has {len(times)} frames"):
        read_frames(cut, [len(times)])


def test_interlaced_video_is_counted_by_decoding(tmp_path, make_video):
    path = make_video(tmp_path / "clip.ts", range(6), size=(64, 64), **{"x264-params": "tff=1"})
    info = probe_video(path)
    assert len(info.frame_times) == 6 and info.timing.decode_order is None
    assert read_frames(path, [5]).shape == (1, 64, 64, 3)


def test_file_object_is_read_from_its_beginning_and_left_open(tmp_path, make_video, index_of):
    data = io.BytesIO(make_video(tmp_path / "clip.mp4", sound=(16000, 6400)).read_bytes())
    data.seek(100)
    info = probe_video(data)
    assert len(info.frame_times) == 10 and info.has_audio
    assert (info.audio_sample_rate, info.audio_channels) == (16000, 1)
    assert index_of(read_frames(data, [4])[0]) == 4
    assert not data.closed


def test_names_with_spaces_colons_and_other_alphabets(tmp_path, make_video):
    plain = make_video(tmp_path / "clip.mp4", range(2))
    windows_forbids = [] if os.name == "nt" else ["http:clip.mp4"]
    for name in ["my clip.mp4", "птица 鳥 é.mp4", "100%03d.mp4", *windows_forbids]:
        copy = tmp_path / name
        copy.write_bytes(plain.read_bytes())
        assert len(probe_video(copy).frame_times) == 2


def test_animations_are_videos_and_pictures_are_videos_of_one_frame(tmp_path):
    from PIL import Image

    pictures = [Image.new("RGB", (60, 40), (30 * index, 0, 0)) for index in range(3)]
    pictures[0].save(tmp_path / "a.gif", save_all=True, append_images=pictures[1:], duration=[100, 50, 200])
    info = probe_video(tmp_path / "a.gif")
    assert info.frame_times.tolist() == [0.0, 0.1, 0.15] and info.duration == Fraction(35, 100)
    assert read_frames(tmp_path / "a.gif", [2])[0, 0, 0].tolist() == [60, 0, 0]
    for name in ("b.png", "b.jpg", "b.webp"):
        pictures[0].save(tmp_path / name)
        assert len(probe_video(tmp_path / name).frame_times) == 1


@pytest.fixture
def conversions(monkeypatch):
    """A list with one entry per decoded frame that was converted to RGB."""
    from aligner.media.frames import Display

    counted, original = [], Display.shown
    monkeypatch.setattr(Display, "shown", lambda *args: counted.append(1) or original(*args))
    return counted


def test_only_the_asked_frames_are_converted(tmp_path, make_video, conversions):
    path = make_video(tmp_path / "clip.mp4", range(18))
    probe_video(path)
    assert not conversions
    assert read_frames(path, [3, 12, 3, 6]).shape == (4, 48, 64, 3)
    assert len(conversions) == 3


def test_four_frames_of_a_real_clip_do_not_cost_three_hundred(real_clip, conversions):
    frames = read_frames(real_clip("rain_drive_stereo_10s.mp4"), [0, 100, 200, 299])
    assert frames.shape == (4, 720, 1280, 3) and len(conversions) == 4
    assert frames.untyped_storage().nbytes() == 4 * 720 * 1280 * 3


def test_real_clips(real_clip):
    silent, rain = (
        probe_video(real_clip("hawk_silent_9s.mp4")),
        probe_video(real_clip("rain_drive_stereo_10s.mp4")),
    )
    assert (silent.width, silent.height, silent.duration, silent.has_audio) == (480, 360, 9, False)
    assert (rain.width, rain.height, rain.duration) == (1280, 720, 10)
    assert (rain.audio_sample_rate, rain.audio_channels) == (44100, 2)
    assert silent.fps == rain.fps == 30


def damaged(tmp_path, make_video):
    whole = make_video(tmp_path / "whole.mp4", size=(320, 240)).read_bytes()
    (tmp_path / "text.mp4").write_text("This is not a video.\n" * 40)
    (tmp_path / "empty.mp4").write_bytes(b"")
    (tmp_path / "cut.mp4").write_bytes(whole[: len(whole) // 2])


@pytest.mark.parametrize("name", ["text.mp4", "empty.mp4", "cut.mp4"])
def test_unreadable_files_say_so(tmp_path, make_video, name):
    damaged(tmp_path, make_video)
    for read in (probe_video, lambda path: read_frames(path, [0])):
        with pytest.raises(MediaError, match=f"{name} cannot be read"):
            read(tmp_path / name)


def test_what_is_no_video_says_so(tmp_path, make_sound):
    sound, _ = make_sound(tmp_path / "sound.wav", "pcm_s16le", 1, "mono", 16000, 800, "s16")
    with pytest.raises(MediaError, match="has no video stream"):
        probe_video(sound)
    with pytest.raises(MediaError, match="missing.mp4 is not a file"):
        probe_video(tmp_path / "missing.mp4")
    with pytest.raises(MediaError, match="is not a file"):
        probe_video(tmp_path)


def test_a_video_without_frames_says_so(tmp_path):
    for suffix in (".mkv", ".mp4"):
        path = tmp_path / f"hollow{suffix}"
        with av.open(str(path), "w") as output:
            stream = output.add_stream("libx264", rate=25)
            stream.width, stream.height = 64, 48
            output.start_encoding()
        with pytest.raises(MediaError, match="hollow"):
            probe_video(path)
        with pytest.raises(MediaError, match="hollow"):
            read_frames(path, [0])


def test_an_album_cover_is_not_a_video(tmp_path, make_sound):
    sound, _ = make_sound(tmp_path / "song.mp3", "libmp3lame", 2, "stereo", 44100, 44100, "s16p")
    cover = io.BytesIO()
    from PIL import Image

    Image.new("RGB", (32, 32), "red").save(cover, "JPEG")
    picture = b"\x00image/jpeg\x00\x03\x00" + cover.getvalue()
    frame = b"APIC" + len(picture).to_bytes(4, "big") + b"\x00\x00" + picture
    size = bytes((len(frame) >> shift) & 127 for shift in (21, 14, 7, 0))
    stripped = sound.read_bytes()
    sound.write_bytes(b"ID3\x03\x00\x00" + size + frame + stripped)
    with av.open(str(sound)) as container:
        assert container.streams.video, "the test's cover is not seen by FFmpeg"
    with pytest.raises(MediaError, match="has no video stream"):
        probe_video(sound)
