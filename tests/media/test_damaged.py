"""Of damaged recordings what can be decoded is used, and a warning says so."""

from __future__ import annotations

import warnings
from contextlib import nullcontext
from fractions import Fraction

import av
import numpy as np
import pytest
import torch
from PIL import Image

from aligner.errors import MediaError
from aligner.media import add_sound, probe_video, read_audio, read_frames, write_audio, write_video

RATE = 16000


@pytest.fixture
def recording(tmp_path):
    """Sixty frames of noise with a tone, in a container that can be read from its middle."""

    def make(suffix: str):
        path, generator = tmp_path / f"whole{suffix}", torch.Generator().manual_seed(0)
        with av.open(str(path), "w") as output:
            video = output.add_stream("libx264", rate=25, options={"g": "10", "bf": "0"})
            video.width, video.height, video.pix_fmt = 96, 64, "yuv420p"
            audio = output.add_stream("aac", rate=RATE, layout="mono")
            for _ in range(60):
                noise = torch.randint(0, 255, (64, 96, 3), dtype=torch.uint8, generator=generator)
                frame = av.VideoFrame.from_ndarray(noise.numpy(), format="rgb24").reformat(format="yuv420p")
                output.mux(video.encode(frame))
            output.mux(video.encode(None))
            tone = 0.5 * np.sin(2 * np.pi * 440 * np.arange(60 * RATE // 25) / RATE)
            frame = av.AudioFrame.from_ndarray(tone[None].astype(np.float32), format="fltp", layout="mono")
            frame.sample_rate, frame.time_base, frame.pts = RATE, Fraction(1, RATE), 0
            output.mux(audio.encode(frame))
            output.mux(audio.encode(None))
        return path

    return make


def test_a_transport_stream_with_lost_packets_is_used(recording, tmp_path):
    data = bytearray(recording(".ts").read_bytes())
    packets = len(data) // 188
    for lost in (packets // 3, packets // 2):  # 188 bytes each
        data[lost * 188 : (lost + 4) * 188] = b""
    path = tmp_path / "lost.ts"
    path.write_bytes(data)
    with pytest.warns(UserWarning, match="lost.ts is damaged or cut short"):
        info = probe_video(path)
    count = len(info.frame_times)
    assert 40 <= count <= 60
    with pytest.warns(UserWarning, match="damaged"):
        assert read_frames(path, [0, count - 1]).shape == (2, 64, 96, 3)
        waveform, rate = read_audio(path)
    assert rate == RATE and waveform.shape[1] > 2 * RATE
    with pytest.warns(UserWarning, match="damaged"):
        add_sound(path, tmp_path / "out.mp4", torch.zeros(1, RATE), RATE)
    assert len(probe_video(tmp_path / "out.mp4").frame_times) == count


@pytest.mark.parametrize("suffix", [".mkv", ".ts", ".mp4"])
def test_a_file_that_ends_too_early_is_used_as_far_as_it_goes(recording, tmp_path, suffix):
    whole = recording(suffix)
    if suffix == ".mp4":  # its index must stand before what is cut off
        noise = torch.randint(0, 255, (60, 64, 96, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
        write_video(whole, noise, 25, torch.zeros(1, 38400), RATE)
    data = whole.read_bytes()
    path = tmp_path / f"cut{suffix}"
    path.write_bytes(data[: len(data) * 2 // 3])
    # Matroska and transport streams may end anywhere: nobody can say that more was to follow.
    with pytest.warns(UserWarning, match="damaged or cut short") if suffix == ".mp4" else nullcontext():
        info = probe_video(path)
        assert 20 < len(info.frame_times) < 60
        assert read_frames(path, [len(info.frame_times) - 1]).shape == (1, 64, 96, 3)


def test_a_sound_that_changes_its_rate_midway_is_used(tmp_path):
    """Transport streams can be joined byte by byte."""
    parts = []
    for number, rate in enumerate((48000, 44100)):
        path = tmp_path / f"{number}.ts"
        with av.open(str(path), "w") as output:
            stream = output.add_stream("aac", rate=rate, layout="mono" if number else "stereo")
            tone = 0.5 * np.sin(2 * np.pi * 440 * np.arange(rate) / rate).astype(np.float32)
            samples = tone[None].repeat(2 - number, axis=0)
            frame = av.AudioFrame.from_ndarray(samples, format="fltp", layout=stream.layout.name)
            frame.sample_rate, frame.time_base, frame.pts = rate, Fraction(1, rate), number * rate
            output.mux(stream.encode(frame))
            output.mux(stream.encode(None))
        parts.append(path.read_bytes())
    path = tmp_path / "joined.ts"
    path.write_bytes(b"".join(parts))
    waveform, rate = read_audio(path)
    assert rate == 48000 and waveform.shape[0] == 2
    assert waveform.shape[1] / rate == pytest.approx(2.0, abs=0.12)
    # The pitch of the second part is right.
    second = waveform[0, round(1.3 * rate) : round(1.8 * rate)]
    peak = torch.fft.rfft(second).abs().argmax().item() * rate / len(second)
    assert peak == pytest.approx(440, abs=4)


def test_what_has_nothing_to_decode_is_refused(tmp_path):
    write_audio(tmp_path / "a.wav", torch.zeros(1, 100), RATE)
    with pytest.raises(MediaError, match="no video stream"):
        probe_video(tmp_path / "a.wav")


@pytest.mark.parametrize(
    ("suffix", "codec"),
    [
        (".mp4", "libx264"),
        (".mkv", "libx264"),
        (".mp4", "libx265"),
        (".mov", "mjpeg"),
        (".avi", "mpeg4"),
    ]
    + [(".webm", "libvpx-vp9")],
)
def test_in_the_place_of_a_lost_frame_stands_the_one_before(make_video, index_of, tmp_path, suffix, codec):
    path = (
        make_video(tmp_path / f"clip{suffix}", codec=codec, g="1")
        if codec.startswith("lib")
        else make_video(tmp_path / f"clip{suffix}", codec=codec)
    )
    with av.open(str(path)) as container:
        places = [(packet.pos, packet.size) for packet in container.demux(video=0) if packet.size]
    times = probe_video(path).frame_times
    data = bytearray(path.read_bytes())
    begin, size = places[4]
    data[begin + 4 : begin + size] = bytes(size - 4)
    path.write_bytes(data)
    with pytest.warns(UserWarning, match="damaged"):
        torch.testing.assert_close(probe_video(path).frame_times, times)
        numbers = [index_of(frame) for frame in read_frames(path, range(10))]
    assert numbers[:4] == [0, 1, 2, 3] and numbers[5:] == [5, 6, 7, 8, 9]
    assert numbers[4] == 3
    add_sound(path, tmp_path / "out.mp4", torch.zeros(1, RATE), RATE)
    assert len(probe_video(tmp_path / "out.mp4").frame_times) == 10


@pytest.mark.parametrize("suffix", [".webp", ".avif"])
def test_animations_that_are_cut_off_are_used_as_far_as_they_go_or_refused(tmp_path, suffix):
    pictures = [Image.effect_noise((32, 32), 40 + 20 * number).convert("RGB") for number in range(6)]
    path = tmp_path / f"whole{suffix}"
    pictures[0].save(path, save_all=True, append_images=pictures[1:], duration=100)
    data = path.read_bytes()
    for part in (0.9, 0.6, 0.3, 0.05):
        cut = tmp_path / f"cut{suffix}"
        cut.write_bytes(data[: int(len(data) * part)])
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                assert 1 <= len(probe_video(cut).frame_times) <= 6
            except MediaError as error:
                assert f"cut{suffix}" in str(error)


def test_a_sound_without_a_decoder_does_not_count(make_video, tmp_path):
    path = make_video(tmp_path / "clip.mkv")
    add_sound(path, tmp_path / "heard.mp4", torch.zeros(1, RATE), RATE)
    with av.open(str(tmp_path / "heard.mp4")) as source, av.open(str(tmp_path / "heard.mkv"), "w") as output:
        streams = {stream: output.add_stream_from_template(stream) for stream in source.streams}
        for packet in source.demux():
            if packet.dts is not None:
                packet.stream = streams[packet.stream]
                output.mux(packet)
    unknown = tmp_path / "unknown.mkv"
    unknown.write_bytes((tmp_path / "heard.mkv").read_bytes().replace(b"A_AAC", b"A_ZZZ"))
    assert probe_video(tmp_path / "heard.mkv").has_audio and not probe_video(unknown).has_audio
    add_sound(unknown, tmp_path / "out.mp4", torch.zeros(1, RATE), RATE)
    with pytest.raises(MediaError, match="no decoder"):
        read_audio(unknown)
