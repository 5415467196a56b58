"""Pictures and sound are on one clock: a file and the same recording stored in another way are alike."""

from __future__ import annotations

from fractions import Fraction

import av
import numpy as np
import pytest
import torch

from aligner.media import add_sound, probe_video, read_audio, read_frames
from aligner.media.clock import beginning
from aligner.metrics import audio_onsets

RATE, FPS, SECONDS = 16000, 10, 3
#: Seconds at which something clicks.
CLICKS = (0.5, 1.3, 2.2)
CONTAINERS = (".mp4", ".mkv", ".mov", ".ts", ".webm")


def clicks(times=CLICKS, seconds: float = SECONDS) -> np.ndarray:
    wave = np.zeros((1, round(seconds * RATE)), np.float32)
    for time in times:
        at = round(time * RATE)
        wave[0, at : at + 800] = 0.7 * np.sin(2 * np.pi * 900 * np.arange(800) / RATE) * np.linspace(1, 0, 800)
    return wave


def recorded(path, pieces, video_late: float = 0.0, pictures: int = FPS * SECONDS):
    """A file of grey pictures and of pieces of sound at their times: (seconds, samples (1, n))."""
    sound_codec = "libopus" if path.suffix == ".webm" else "aac"
    rate = 48000 if path.suffix == ".webm" else RATE
    with av.open(str(path), "w") as output:
        video = output.add_stream(
            "libvpx-vp9" if path.suffix == ".webm" else "libx264",
            rate=FPS,
            options={"bf": "0"} if path.suffix != ".webm" else {},
        )
        video.width, video.height, video.pix_fmt = 64, 48, "yuv420p"
        video.codec_context.time_base = Fraction(1, 1000)
        audio = output.add_stream(sound_codec, rate=rate, layout="mono")
        for number in range(pictures):
            frame = av.VideoFrame.from_ndarray(np.full((48, 64, 3), 40 + 6 * number, np.uint8), format="rgb24")
            frame = frame.reformat(format="yuv420p")
            frame.pts, frame.time_base = round(1000 * (number / FPS + video_late)), Fraction(1, 1000)
            output.mux(video.encode(frame))
        output.mux(video.encode(None))
        for start, samples in pieces:
            frame = av.AudioFrame.from_ndarray(np.repeat(samples, rate // RATE, axis=1), format="fltp", layout="mono")
            frame.sample_rate, frame.time_base, frame.pts = rate, Fraction(1, rate), round(start * rate)
            output.mux(audio.encode(frame))
        output.mux(audio.encode(None))
    return path


def onsets(path) -> list[float]:
    waveform, rate = read_audio(path)
    return [float(onset) for onset in audio_onsets(waveform.mean(dim=0), rate)]


@pytest.mark.parametrize("suffix", CONTAINERS)
@pytest.mark.parametrize("late", [0.25, 0.936])
def test_a_sound_that_begins_later_is_heard_later(tmp_path, suffix, late):
    whole = recorded(tmp_path / f"whole{suffix}", [(0, clicks())])
    sound = clicks((1.3, 2.2))
    later = recorded(tmp_path / f"later{suffix}", [(late, sound[:, round(late * RATE) :])])
    assert onsets(later) == pytest.approx(onsets(whole)[1:], abs=0.05)
    assert torch.equal(probe_video(later).frame_times, probe_video(whole).frame_times)


@pytest.mark.parametrize("suffix", CONTAINERS)
def test_pictures_that_begin_later_are_seen_later(tmp_path, suffix):
    """The first picture stands from the beginning on."""
    late = recorded(tmp_path / f"late{suffix}", [(0, clicks())], video_late=0.5, pictures=25)
    info = probe_video(late)
    assert info.frame_times[:3].tolist() == pytest.approx([0, 0.6, 0.7], abs=0.07)  # an encoder's lead-in
    assert float(info.duration) == pytest.approx(3.0, abs=0.07)
    assert onsets(late) == pytest.approx(CLICKS, abs=0.09)
    add_sound(late, tmp_path / "out.mp4", torch.from_numpy(clicks()), RATE)
    assert probe_video(tmp_path / "out.mp4").frame_times[:3].tolist() == pytest.approx([0, 0.6, 0.7], abs=0.07)


@pytest.mark.parametrize("suffix", [".mkv", ".ts", ".mp4", ".mov"])
def test_gaps_between_packets_are_silence(tmp_path, suffix):
    sound = clicks()
    gap = with_gap(tmp_path / f"gap{suffix}", sound)
    whole = recorded(tmp_path / "whole.mkv", [(0, sound)])
    assert onsets(gap) == pytest.approx(onsets(whole), abs=0.03)
    assert read_audio(gap)[0].shape[1] == pytest.approx(read_audio(whole)[0].shape[1], abs=2100)


def with_gap(path, sound):
    """The packets of a sound without those of 0.75 s to 1.15 s, where it is silent."""
    source = recorded(path.with_name("source.mkv"), [(0, sound)])
    with av.open(str(source)) as container, av.open(str(path), "w") as output:
        streams = {stream.index: output.add_stream_from_template(stream, opaque=True) for stream in container.streams}
        for packet in container.demux():
            if not packet.size or packet.stream.type == "audio" and 0.75 < packet.pts * packet.time_base < 1.15:
                continue
            packet.stream = streams[packet.stream.index]
            output.mux(packet)
    return path


def test_a_sound_of_a_file_without_pictures_begins_with_its_first_sample(tmp_path):
    path = tmp_path / "late.mka"
    with av.open(str(path), "w", format="matroska") as output:
        stream = output.add_stream("pcm_s16le", rate=RATE, layout="mono")
        frame = av.AudioFrame.from_ndarray((clicks() * 32767).astype(np.int16), format="s16", layout="mono")
        frame.sample_rate, frame.time_base, frame.pts = RATE, Fraction(1, RATE), 2 * RATE
        output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
    assert beginning(path) == 2
    assert read_audio(path)[0].shape[1] == SECONDS * RATE


def test_overlapping_packets_are_cut_and_clocks_that_begin_anew_are_joined(tmp_path):
    tone = np.arange(RATE, dtype=np.int16)[None]

    def pcm(name, *starts):
        path = tmp_path / name
        with av.open(str(path), "w", format="matroska") as output:
            stream = output.add_stream("pcm_s16le", rate=RATE, layout="mono")
            stream.codec_context.time_base = Fraction(1, RATE)
            for start in starts:
                frame = av.AudioFrame.from_ndarray(tone, format="s16", layout="mono")
                frame.sample_rate, frame.time_base, frame.pts = RATE, Fraction(1, RATE), round(start * RATE)
                output.mux(stream.encode(frame))
            output.mux(stream.encode(None))
        return read_audio(path)[0]

    overlapped = pcm("overlap.mka", 0, 0.75)
    assert overlapped.shape[1] == round(1.75 * RATE)
    assert torch.equal(overlapped[:, RATE:], torch.from_numpy(tone[:, RATE // 4 :]).float() / 32768)
    assert pcm("jitter.mka", 0, 1.004).shape[1] == 2 * RATE


def test_the_default_tracks_are_taken(tmp_path):
    """Matroska marks them; here the second of each kind."""
    from av.stream import Disposition

    path = tmp_path / "tracks.mkv"
    with av.open(str(path), "w") as output:
        videos = [output.add_stream("libx264", rate=FPS) for _ in range(2)]
        sounds = [output.add_stream("pcm_s16le", rate=RATE, layout="mono") for _ in range(2)]
        for stream in videos:
            stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for stream in (*videos, *sounds):
            stream.disposition = Disposition.default if stream in (videos[1], sounds[1]) else Disposition(0)
        for number, stream in enumerate(videos):
            frame = av.VideoFrame.from_ndarray(np.full((48, 64, 3), 200 * number, np.uint8), format="rgb24")
            output.mux(stream.encode(frame.reformat(format="yuv420p")))
            output.mux(stream.encode(None))
        for number, stream in enumerate(sounds):
            samples = np.full((1, RATE), 8192 * number, np.int16)
            frame = av.AudioFrame.from_ndarray(samples, format="s16", layout="mono")
            frame.sample_rate = RATE
            output.mux(stream.encode(frame))
            output.mux(stream.encode(None))
    assert read_frames(path, [0]).float().mean() == pytest.approx(200, abs=4)
    assert read_audio(path)[0].mean() == pytest.approx(0.25, abs=1e-3)
