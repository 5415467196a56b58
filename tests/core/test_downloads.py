"""Downloads from a server of our own that behaves like the model hub."""

from __future__ import annotations

import hashlib
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from aligner import downloads
from aligner.downloads import RemoteFile, download, hub_files
from aligner.errors import AlignerError

CONTENTS = {"config.json": b"{}", "unet/model.safetensors": bytes(range(256)) * 20000, "unet/model.bin": b"old",
            "vae/model.bin": b"only this", "picture.png": b"not wanted"}


class Hub(ThreadingHTTPServer):
    """ranges: whether it can go on from the middle. cut: after how many bytes it hangs up. asked: ranges asked for."""

    daemon_threads = True
    ranges, cut = True, None

    def __init__(self):
        self.asked: list[str | None] = []
        super().__init__(("127.0.0.1", 0), _Answers)

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class _Answers(BaseHTTPRequestHandler):
    def do_GET(self):
        if self.path.startswith("/api/models/someone/model/tree/main"):
            entries = [{"type": "file", "oid": "0" * 40, "size": len(content), "path": path,
                        "lfs": {"oid": hashlib.sha256(content).hexdigest(), "size": len(content), "pointerSize": 1}}
                       for path, content in CONTENTS.items()]
            folder = {"type": "directory", "oid": "0" * 40, "path": "unet"}
            return self.answer(200, json.dumps([folder, *entries]).encode())
        content = CONTENTS.get(self.path.removeprefix("/someone/model/resolve/main/"))
        if content is None:
            return self.answer(404, b"{}")
        asked = self.headers.get("Range")
        self.server.asked.append(asked)
        if asked == f"bytes={len(content)}-":
            return self.answer(416, b"")
        start = int(asked.removeprefix("bytes=").removesuffix("-")) if asked and self.server.ranges else 0
        self.answer(206 if start else 200, content[start:], self.server.cut)

    def answer(self, status: int, content: bytes, cut: int | None = None) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        self.send_header("Content-Type", "application/json")
        self.end_headers()
        self.wfile.write(content[:cut])

    def log_message(self, *arguments) -> None:
        pass


@pytest.fixture
def hub(monkeypatch):
    with Hub() as server:
        monkeypatch.setattr(downloads, "HUB", server.address)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


def big(hub: Hub, **changes) -> RemoteFile:
    content = CONTENTS["unet/model.safetensors"]
    return RemoteFile(**{"url": f"{hub.address}/someone/model/resolve/main/unet/model.safetensors",
                         "path": "unet/model.safetensors", "size": len(content),
                         "sha256": hashlib.sha256(content).hexdigest()} | changes)


def nothing(done: int, total: int) -> None:
    pass


def test_a_repository_is_listed_without_what_is_there_twice(hub):
    files = {file.path: file for file in hub_files("someone/model", ("*.json", "*.bin", "*.safetensors"))}
    assert set(files) == {"config.json", "unet/model.safetensors", "vae/model.bin"}
    assert files["unet/model.safetensors"] == big(hub)


def test_everything_arrives_and_is_not_fetched_again(hub, tmp_path):
    files, seen = hub_files("someone/model", ("*.json", "*.safetensors")), []
    came = download(files, tmp_path, lambda *progress: seen.append(progress))
    assert {path.relative_to(tmp_path).as_posix(): path.read_bytes() for path in came} == {
        name: CONTENTS[name] for name in ("config.json", "unet/model.safetensors")}
    total = sum(file.size for file in files)
    assert seen == sorted(seen) and seen[-1] == (total, total)
    hub.asked.clear()
    assert download(files, tmp_path, nothing) == [] and hub.asked == []
    assert not list(tmp_path.rglob("*.download"))


class Cancelled(BaseException):
    pass


@pytest.mark.parametrize("ranges", [True, False])
def test_what_was_cancelled_goes_on_where_it_stopped(hub, tmp_path, ranges):
    hub.ranges = ranges

    def cancel(done: int, total: int) -> None:
        raise Cancelled

    with pytest.raises(Cancelled):
        download([big(hub)], tmp_path, cancel)
    assert not (tmp_path / "unet/model.safetensors").exists()
    (partial,) = tmp_path.rglob("*.download")
    there = partial.stat().st_size
    assert 0 < there < big(hub).size
    (path,) = download([big(hub)], tmp_path, nothing)
    assert path.read_bytes() == CONTENTS["unet/model.safetensors"]
    assert hub.asked[-1] == f"bytes={there}-"


def test_a_connection_that_ends_early_is_an_error_after_which_it_goes_on(hub, tmp_path):
    hub.cut = 3 * 2**20
    with pytest.raises(AlignerError, match="ended early|cannot be reached"):
        download([big(hub)], tmp_path, nothing)
    hub.cut = None
    download([big(hub)], tmp_path, nothing)
    assert hub.asked[-1] and (tmp_path / "unet/model.safetensors").read_bytes() == CONTENTS["unet/model.safetensors"]


@pytest.mark.parametrize("changes", [{"sha256": "0" * 64}, {"size": 5_120_001}])
def test_what_is_not_what_was_announced_is_deleted(hub, tmp_path, changes):
    with pytest.raises(AlignerError, match="not the file that was announced"):
        download([big(hub, **changes)], tmp_path, nothing)
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


def test_a_size_that_is_not_known_beforehand_is_told_by_the_server(hub, tmp_path):
    seen = []
    download([big(hub, size=None, sha256=None)], tmp_path, lambda *progress: seen.append(progress))
    assert {total for _, total in seen} == {big(hub).size}


def test_what_had_come_whole_is_kept_although_only_the_server_knows_the_size(hub, tmp_path):
    file = big(hub, size=None, sha256=None)
    (tmp_path / "unet").mkdir()
    (tmp_path / "unet/model.safetensors.download").write_bytes(CONTENTS["unet/model.safetensors"])
    (path,) = download([file], tmp_path, nothing)
    assert path.read_bytes() == CONTENTS["unet/model.safetensors"]


def test_a_folder_that_cannot_be_written_is_an_error(hub, tmp_path):
    (tmp_path / "unet/model.safetensors.download").mkdir(parents=True)
    with pytest.raises(AlignerError, match="cannot be written"):
        download([big(hub)], tmp_path, nothing)


def test_without_a_network_it_says_where_to_put_the_file(tmp_path):
    file = RemoteFile("http://127.0.0.1:9/model.bin", "model.bin")
    with pytest.raises(AlignerError, match=r"cannot be reached .* put it at .*model\.bin"):
        download([file], tmp_path, nothing)


def test_a_hub_that_does_not_have_it(hub):
    with pytest.raises(AlignerError, match=r"does not give someone/other \(404\)"):
        hub_files("someone/other")
    with pytest.raises(AlignerError, match=r"no longer holds \*\.onnx"):
        hub_files("someone/model", ("*.onnx",))


def test_a_full_disk_is_told_before_anything_comes(hub, tmp_path):
    with pytest.raises(AlignerError, match="GiB are needed. Make room first"):
        download([big(hub, size=2**60)], tmp_path, nothing)
    assert hub.asked == []
