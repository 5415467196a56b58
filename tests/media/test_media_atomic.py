"""A file appears under its final name complete or not at all."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
import torch

from aligner.errors import MediaError
from aligner.files.atomic import require_writable, written_whole
from aligner.files.weights import save_weights
from aligner.media import add_sound, mp4, write_audio, write_image, write_video
from run import ROOT

FRAMES = torch.zeros(60, 64, 64, 3, dtype=torch.uint8)


@pytest.mark.parametrize("interruption", [RuntimeError, KeyboardInterrupt])
@pytest.mark.parametrize("older", [None, b"an older result"])
def test_interruption_leaves_only_what_was_there(tmp_path, interruption, older):
    path = tmp_path / "out.bin"
    if older:
        path.write_bytes(older)
    with pytest.raises(interruption), written_whole(path) as temporary:
        temporary.write_bytes(b"half of it")
        raise interruption
    assert [entry.read_bytes() for entry in tmp_path.iterdir()] == ([older] if older else [])


def test_success_replaces_the_older_file(tmp_path):
    path = tmp_path / "out.bin"
    path.write_bytes(b"older")
    with written_whole(path) as temporary:
        assert temporary.parent == path.parent and temporary.suffix == path.suffix
        temporary.write_bytes(b"newer")
        assert path.read_bytes() == b"older"
    assert path.read_bytes() == b"newer" and list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("interruption", [RuntimeError, KeyboardInterrupt])
@pytest.mark.parametrize("encoded_anew", [False, True])
def test_interrupted_video_leaves_the_older_one(tmp_path, make_video, monkeypatch, interruption, encoded_anew):
    """The interruption occurs during the muxing of packets, when a part of the file is on disk."""
    source = make_video(tmp_path / "clip.mkv", codec="ffv1" if encoded_anew else "libx264")
    path, original = tmp_path / "out.mp4", mp4.sound_packets
    path.write_bytes(b"an older result")
    seen = []

    def interrupted(*args):
        for packet in original(*args):
            if len(seen) == 3:
                seen.extend(tmp_path.glob(".*"))
                raise interruption
            seen.append(packet)
            yield packet

    monkeypatch.setattr(mp4, "sound_packets", interrupted)
    with pytest.raises(interruption):
        add_sound(source, path, torch.zeros(1, 6400), 16000)
    assert len(seen) == 4, "no temporary file was being written"
    assert path.read_bytes() == b"an older result"
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["clip.mkv", "out.mp4"]


def test_missing_folders_are_made(tmp_path):
    write_audio(tmp_path / "a" / "b" / "out.wav", torch.zeros(1, 100), 16000)
    write_video(tmp_path / "c" / "out.mp4", FRAMES[:2], 25)
    assert (tmp_path / "a/b/out.wav").is_file() and (tmp_path / "c/out.mp4").is_file()


def test_impossible_places_say_so(tmp_path):
    (tmp_path / "file").write_bytes(b"")
    (tmp_path / "folder.wav").mkdir()
    with pytest.raises(MediaError, match="is a folder"):
        write_audio(tmp_path / "folder.wav", torch.zeros(1, 100), 16000)
    with pytest.raises(MediaError, match="cannot be created"):
        write_audio(tmp_path / "file" / "out.wav", torch.zeros(1, 100), 16000)


def test_a_refused_move_says_so_and_cleans_up(tmp_path, monkeypatch):
    def refuse(*_):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("aligner.files.atomic.os.replace", refuse)
    with pytest.raises(MediaError, match="close the programs"):
        write_audio(tmp_path / "out.wav", torch.zeros(1, 100), 16000)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["out.wav", "new/folders/out.wav", "new/../out.wav"])
def test_asking_whether_a_place_can_be_written_leaves_nothing_behind(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    require_writable(name)
    assert not list(tmp_path.iterdir())


def test_asking_keeps_what_is_there(tmp_path):
    (tmp_path / "out.wav").write_bytes(b"older")
    require_writable(tmp_path / "out.wav")
    assert (tmp_path / "out.wav").read_bytes() == b"older"


@pytest.mark.parametrize("name", ["", ".", "file/out.wav", "x" * 300 + "/out.wav"])
def test_places_that_cannot_be_written_say_so(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").touch()
    with pytest.raises(MediaError):
        require_writable(name)
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_an_error_about_another_file_is_not_blamed_on_the_target(tmp_path):
    with pytest.raises(FileNotFoundError), written_whole(tmp_path / "out.wav"):
        (tmp_path / "missing").open()


@pytest.mark.skipif(os.name == "nt", reason="Windows has no modes")
def test_a_file_is_as_readable_as_any_other(tmp_path):
    """safetensors writes files that only their owner can read."""
    (tmp_path / "usual").touch()
    with written_whole(tmp_path / "private") as temporary:
        os.close(os.open(temporary, os.O_CREAT | os.O_WRONLY, 0o600))
    assert (tmp_path / "private").stat().st_mode == (tmp_path / "usual").stat().st_mode


def test_a_block_that_writes_nothing_leaves_the_older_file(tmp_path):
    (tmp_path / "x").write_bytes(b"an older result")
    with pytest.raises(MediaError), written_whole(tmp_path / "x"):
        pass
    assert (tmp_path / "x").read_bytes() == b"an older result"


#: Names of 255 bytes, the most that file systems allow, in letters of one to four bytes.
LONG_NAMES = ["x" * 251, "é" * 125 + "x", "あ" * 83 + "xx", "🎵" * 62 + "xxx"]


@pytest.mark.parametrize("name", LONG_NAMES)
def test_names_fill_what_the_file_system_allows(tmp_path, name):
    assert len(os.fsencode(f"{name}.wav")) == 255
    write_audio(tmp_path / f"{name}.wav", torch.zeros(1, 100), 16000)
    write_video(tmp_path / f"{name}.mp4", FRAMES[:2], 25)
    write_image(tmp_path / f"{name}.png", torch.zeros(3, 8, 8))
    require_writable(tmp_path / f"{name}.jpg")
    assert sorted(path.stem for path in tmp_path.iterdir()) == [name] * 3


@pytest.mark.parametrize("name", ["x" * 252 + ".wav", "あ" * 84 + ".wav", "a\0b.wav", "a\ud800.wav"])
def test_names_that_the_file_system_cannot_hold_are_errors_in_a_sentence(tmp_path, name):
    for write in (lambda path: write_audio(path, torch.zeros(1, 100), 16000), require_writable):
        with pytest.raises(MediaError, match="cannot be written .*choose another name"):
            write(tmp_path / name)


@pytest.fixture
def full_disk():
    """No file can grow beyond 1000 bytes."""
    resource = pytest.importorskip("resource")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.usefixtures("full_disk")
@pytest.mark.parametrize("name", ["x.safetensors", "x.pt"])
def test_weights_on_a_full_disk_are_an_error_in_a_sentence(tmp_path, name):
    """Both libraries raise errors of their own."""
    with pytest.raises(MediaError, match=f"{name} cannot be written .*choose another place"):
        save_weights(tmp_path / name, {"a": torch.zeros(1000)}, {})
    assert not list(tmp_path.iterdir())


def test_a_file_that_cannot_be_removed_does_not_hide_what_went_wrong(tmp_path, monkeypatch):
    def refuse(*_, **__):
        raise PermissionError(30, "Read-only file system")

    with pytest.raises(MediaError, match="No space left"), written_whole(tmp_path / "x") as temporary:
        monkeypatch.setattr(type(temporary), "unlink", refuse)
        raise OSError(28, "No space left on device")


def test_what_a_killed_program_leaves_is_in_no_list_of_models(tmp_path):
    script = (
        "import os, signal, sys, safetensors.torch, torch; from aligner.files.weights import save_weights\n"
        "safetensors.torch.save_file = lambda state, path, **_: (path.touch(), os.kill(os.getpid(), signal.SIGKILL))\n"
        "save_weights(sys.argv[1], {'a': torch.zeros(1)}, {})\n"
    )
    subprocess.run([sys.executable, "-c", script, tmp_path / "kept.safetensors"], cwd=ROOT)
    (left,) = tmp_path.iterdir()
    assert left.name.startswith(".") and left.suffix == ".partial"
