"""A hub that does not answer, or never ends: downloads give up within a stated time, and cancel at once."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from aligner.errors import AlignerError
from aligner.files import downloads
from aligner.files.downloads import RemoteFile, download, hub_files
from aligner.files.waiting import attended

#: Seconds in which a cancelled download must end.
CANCELLED_WITHIN = 2.0
SIZE = 2**20


class Cancelled(Exception):
    """What a host raises to end a download."""


class Hub(ThreadingHTTPServer):
    """A local server that stops somewhere. stalls: where; open: until it is set, the server stands still."""

    daemon_threads = True

    def __init__(self, stalls: str):
        self.stalls, self.open, self.pages = stalls, threading.Event(), 0
        super().__init__(("127.0.0.1", 0), _Answers)

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class _Answers(BaseHTTPRequestHandler):
    def do_GET(self):
        hub = self.server
        if hub.stalls == "before its answer":
            hub.open.wait()
        if hub.stalls == "never, with endless pages":
            hub.pages += 1
            return self.page(hub.pages)
        if hub.stalls == "in its header":
            self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Le")
            hub.open.wait()
        self.send_response(200)
        self.send_header("Content-Length", str(SIZE))
        self.send_header("Content-Type", "application/octet-stream")
        self.end_headers()
        self.wfile.write(bytes(1000))
        while hub.stalls == "byte by byte" and not hub.open.wait(0.05):
            self.wfile.write(b"0")
        hub.open.wait()

    def page(self, number: int) -> None:
        entry = {"type": "file", "oid": "0" * 40, "size": 1, "path": f"{number}.json"}
        content = json.dumps([entry]).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.send_header("Link", f'<{self.server.address}{self.path}>; rel="next"')
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *arguments) -> None:
        pass


@pytest.fixture
def hub(request, monkeypatch):
    with Hub(request.param) as server:
        monkeypatch.setattr(downloads, "HUB", server.address)
        threading.Thread(target=server.serve_forever, args=[0.02], daemon=True).start()
        yield server
        server.open.set()
        server.shutdown()


def fetched(hub: Hub, folder: Path, on_progress: Callable[[int, int], None]) -> None:
    download([RemoteFile(f"{hub.address}/file", "file.bin", SIZE, "0" * 64)], folder, on_progress)


def cancelled_after(seconds: float) -> Callable[..., None]:
    begin = time.monotonic()

    def on_progress(*numbers: int) -> None:
        if time.monotonic() > begin + seconds:
            raise Cancelled

    return on_progress


def seconds_of(work: Callable[[], object], error: type[BaseException], match: str | None = None) -> float:
    begin = time.monotonic()
    with pytest.raises(error, match=match):
        work()
    return time.monotonic() - begin


FILES = ["before its answer", "in its header", "in the file", "byte by byte"]
LISTS = ["before its answer", "in its header", "in the file", "never, with endless pages"]


@pytest.mark.parametrize("hub", FILES, indirect=True)
def test_a_download_is_cancelled_wherever_the_server_stalls(hub, tmp_path):
    seconds = seconds_of(lambda: fetched(hub, tmp_path, cancelled_after(0.5)), Cancelled)
    assert 0.5 < seconds < 0.5 + CANCELLED_WITHIN


@pytest.mark.parametrize("hub", LISTS, indirect=True)
def test_a_list_is_cancelled_wherever_the_server_stalls(hub, tmp_path):
    seconds = seconds_of(lambda: hub_files("someone/model", tmp_path, on_wait=cancelled_after(0.5)), Cancelled)
    assert 0.5 < seconds < 0.5 + CANCELLED_WITHIN


@pytest.mark.parametrize("hub", FILES[:3], indirect=True)
def test_a_download_gives_up_where_nothing_arrives(hub, tmp_path, monkeypatch):
    monkeypatch.setattr(downloads, "_TIMEOUT", 1)
    seconds = seconds_of(lambda: fetched(hub, tmp_path, lambda *numbers: None), AlignerError, "cannot be reached")
    assert seconds < 1 + CANCELLED_WITHIN


@pytest.mark.parametrize("hub", LISTS, indirect=True)
def test_a_list_gives_up_in_time(hub, tmp_path, monkeypatch):
    monkeypatch.setattr(downloads, "_LISTING_TIMEOUT", 1)
    seconds = seconds_of(
        lambda: hub_files("someone/model", tmp_path), AlignerError, r"cannot be reached \(.*within 1 s"
    )
    assert seconds < 1 + CANCELLED_WITHIN


@pytest.mark.parametrize("hub", ["in the file"], indirect=True)
def test_what_arrived_before_a_cancel_is_kept(hub, tmp_path):
    with pytest.raises(Cancelled):
        fetched(hub, tmp_path, cancelled_after(1.5))
    assert (tmp_path / "file.bin.download").is_file()


def test_what_work_raises_or_returns_reaches_who_waits():
    assert attended(lambda: 3, lambda: None) == 3
    with pytest.raises(KeyError):
        attended(lambda: {}["missing"], lambda: None)
