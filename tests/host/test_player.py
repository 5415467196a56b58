"""The player of previews, without ComfyUI."""

from __future__ import annotations

import contextvars
import importlib.util
import subprocess
import sys
import threading
import time
from io import BytesIO
from pathlib import Path
from types import ModuleType

import pytest
from PIL import Image

HOST = Path(__file__).parents[2] / "nodes" / "host"
FAST = 200.0  # frames per second


def loaded(name: str) -> ModuleType:
    """A module of nodes/host that needs no ComfyUI; the package around it does."""
    spec = importlib.util.spec_from_file_location(name, HOST / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


PreviewPlayer, EncodedPreview = loaded("player").PreviewPlayer, loaded("encoded_preview").EncodedPreview


class Screen:
    """Remembers what was sent to it."""

    def __init__(self) -> None:
        self.sent: list[str] = []

    def __call__(self, frame: str) -> None:
        self.sent.append(frame)

    def wait_for(self, count: int) -> None:
        deadline = time.monotonic() + 10
        while len(self.sent) < count:
            assert time.monotonic() < deadline, f"only {self.sent} was sent"
            time.sleep(0.001)


def players() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "preview player"]


def test_frames_follow_each_other_and_begin_again():
    screen = Screen()
    with PreviewPlayer(screen) as player:
        player.play("abc", FAST)
        screen.wait_for(5)
    assert "".join(screen.sent[:5]) == "bcabc"  # the caller has shown a


def test_frames_come_at_the_rate_of_the_clip():
    screen, start = Screen(), time.monotonic()
    with PreviewPlayer(screen) as player:
        player.play("ab", 20)
        screen.wait_for(4)
    assert time.monotonic() - start >= 4 / 20


def test_another_clip_replaces_the_first_at_once():
    screen = Screen()
    with PreviewPlayer(screen) as player:
        player.play("ab", FAST)
        screen.wait_for(2)
        player.play("xyz", FAST)
        before = len(screen.sent)
        screen.wait_for(before + 3)
        assert screen.sent[before : before + 3] == ["y", "z", "x"]


def test_a_still_is_not_sent_again():
    screen = Screen()
    with PreviewPlayer(screen) as player:
        player.play("a", FAST)
        assert not players()
        player.play("ab", FAST)
        screen.wait_for(1)
        player.play("a", FAST)
        before = len(screen.sent)
        time.sleep(0.05)
        assert len(screen.sent) == before


@pytest.mark.parametrize("error", [None, ValueError, KeyboardInterrupt])
def test_nothing_is_sent_after_the_end_however_it_ends(error):
    screen = Screen()
    try:
        with PreviewPlayer(screen) as player:
            player.play("ab", FAST)
            screen.wait_for(2)
            if error:
                raise error
    except (ValueError, KeyboardInterrupt):
        pass
    before = len(screen.sent)
    player.play("xyz", FAST)
    time.sleep(0.05)
    assert len(screen.sent) == before and not players()


def test_who_receives_a_frame_may_end_the_player():
    sent = []

    def send(frame: str) -> None:
        sent.append(frame)
        player.stop()

    with PreviewPlayer(send) as player:
        player.play("ab", FAST)
        time.sleep(0.05)
    assert sent == ["b"]


def test_frames_are_sent_in_the_context_of_the_run():
    node, seen = contextvars.ContextVar("node"), Screen()
    node.set("7")
    with PreviewPlayer(lambda frame: seen(node.get(None))) as player:
        player.play("ab", FAST)
        seen.wait_for(1)
    assert seen.sent[0] == "7"


def test_a_player_does_not_keep_the_interpreter_alive():
    """Its context manager is never left here."""
    code = f"""import sys; sys.path.insert(0, {str(HOST)!r})
from player import PreviewPlayer
player = PreviewPlayer(lambda frame: None).__enter__()
player.play("ab", 100)"""
    subprocess.run([sys.executable, "-c", code], timeout=20, check=True)


def test_a_preview_is_encoded_once():
    preview, one, two = EncodedPreview.of(Image.new("RGB", (1024, 300), "red")), BytesIO(), BytesIO()
    preview.save(one, format="JPEG", quality=95, compress_level=1)
    preview.convert("L")  # another pack may look at it
    preview.save(two, format="JPEG", quality=50)
    assert one.getvalue() == two.getvalue() == preview.file
    assert Image.open(one).size == preview.size == (512, 150)
