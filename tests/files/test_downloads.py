"""Downloads from a local server that behaves like the model hub."""

from __future__ import annotations

import errno
import hashlib
import importlib
import json
import sys
import threading
from collections.abc import Callable
from http.client import HTTPResponse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path, PureWindowsPath
from types import ModuleType, SimpleNamespace
from unittest.mock import MagicMock, patch

import pytest

import aligner
from aligner import errors
from aligner import files as files_package
from aligner.errors import AlignerError
from aligner.files import catalogue, downloads
from aligner.files.catalogue import OFFERS, Offer
from aligner.files.downloads import RemoteFile, download, hub_files

CONTENTS = {
    "config.json": b"{}",
    "unet/model.safetensors": bytes(range(256)) * 20000,
    "unet/model.bin": b"old",
    "vae/model.bin": b"only this",
    "picture.png": b"not wanted",
}


class Hub(ThreadingHTTPServer):
    """A local server with one repository.

    ranges: whether it supports Range requests. cut: it closes the connection after this many bytes. asked: the Range
    headers that it received. shift: the offset of its ranges from the requested ones. length: whether it sends
    Content-Length. type: the content type. listed: the paths in the repository.
    """

    daemon_threads = True
    ranges, cut, shift, length, type = True, None, 0, True, "application/octet-stream"

    def __init__(self):
        self.listed = list(CONTENTS)
        self.asked: list[str | None] = []
        super().__init__(("127.0.0.1", 0), _Answers)

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class _Answers(BaseHTTPRequestHandler):
    def do_GET(self):
        if self.path.startswith("/api/models/someone/model/tree/main"):
            contents = [(path, CONTENTS.get(path, b"anything")) for path in self.server.listed]
            entries = [
                {
                    "type": "file",
                    "oid": "0" * 40,
                    "size": len(content),
                    "path": path,
                    "lfs": {"oid": hashlib.sha256(content).hexdigest(), "size": len(content), "pointerSize": 1},
                }
                for path, content in contents
            ]
            folder = {"type": "directory", "oid": "0" * 40, "path": "unet"}
            return self.answer(200, json.dumps([folder, *entries]).encode())
        content = CONTENTS.get(self.path.removeprefix("/someone/model/resolve/main/"))
        if content is None:
            return self.answer(404, b"{}")
        asked = self.headers.get("Range")
        self.server.asked.append(asked)
        start = int(asked.removeprefix("bytes=").removesuffix("-")) if asked and self.server.ranges else 0
        if not start:
            return self.answer(200, content)
        if start >= len(content):
            return self.answer(416, b"no such bytes", span=f"*/{len(content)}")
        start += self.server.shift
        self.answer(206, content[start:], span=f"{start}-{len(content) - 1}/{len(content)}")

    def answer(self, status: int, content: bytes, span: str = "") -> None:
        self.send_response(status)
        if self.server.length:
            self.send_header("Content-Length", str(len(content)))
        if span:
            self.send_header("Content-Range", f"bytes {span}")
        self.send_header("Content-Type", self.server.type)
        self.end_headers()
        self.wfile.write(content[: self.server.cut])

    def log_message(self, *arguments) -> None:
        pass


@pytest.fixture
def hub(monkeypatch):
    with Hub() as server:
        monkeypatch.setattr(downloads, "HUB", server.address)
        threading.Thread(target=server.serve_forever, args=[0.02], daemon=True).start()
        yield server
        server.shutdown()


def big(hub: Hub, **changes) -> RemoteFile:
    content = CONTENTS["unet/model.safetensors"]
    return RemoteFile(
        **{
            "url": f"{hub.address}/someone/model/resolve/main/unet/model.safetensors",
            "path": "unet/model.safetensors",
            "size": len(content),
            "sha256": hashlib.sha256(content).hexdigest(),
        }
        | changes
    )


def nothing(done: int, total: int) -> None:
    pass


@pytest.fixture
def offline(monkeypatch):
    """Listings fail at once; without this huggingface_hub would retry for half a minute."""

    def fail(*arguments, **options) -> None:
        raise ConnectionError("no network")

    monkeypatch.setattr("huggingface_hub.HfApi.list_repo_tree", fail)


def partly(folder: Path, content: bytes) -> Path:
    """The partial file of an earlier download."""
    partial = folder / "unet" / "model.safetensors.download"
    partial.parent.mkdir(exist_ok=True)
    partial.write_bytes(content)
    return partial


BIG = CONTENTS["unet/model.safetensors"]
BY_HAND = r"fetch model\.safetensors elsewhere and put it at .*model\.safetensors\.$"


def test_a_repository_is_listed_without_what_is_there_twice(hub):
    files = {file.path: file for file in hub_files("someone/model", Path("here"), ("*.json", "*.bin", "*.safetensors"))}
    assert set(files) == {"config.json", "unet/model.safetensors", "vae/model.bin"}
    assert files["unet/model.safetensors"] == big(hub)


def test_everything_arrives_and_is_not_fetched_again(hub, tmp_path):
    files, seen = hub_files("someone/model", tmp_path, ("*.json", "*.safetensors")), []
    came = download(files, tmp_path, lambda *progress: seen.append(progress))
    assert {path.relative_to(tmp_path).as_posix(): path.read_bytes() for path in came} == {
        name: CONTENTS[name] for name in ("config.json", "unet/model.safetensors")
    }
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
        raise Cancelled(done)

    with pytest.raises(Cancelled) as cancelled:
        download([big(hub)], tmp_path, cancel)
    assert not (tmp_path / "unet/model.safetensors").exists()
    (partial,) = tmp_path.rglob("*.download")
    there = partial.stat().st_size
    assert 0 < there < big(hub).size and (there,) == cancelled.value.args
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
    with pytest.raises(AlignerError, match="other data than the announced file"):
        download([big(hub, **changes)], tmp_path, nothing)
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


def test_a_size_that_is_not_known_beforehand_is_told_by_the_server(hub, tmp_path):
    seen = []
    download([big(hub, size=None, sha256=None)], tmp_path, lambda *progress: seen.append(progress))
    assert {total for _, total in seen} == {big(hub).size}


def test_what_had_come_whole_is_kept_although_only_the_server_knows_the_size(hub, tmp_path):
    partly(tmp_path, BIG)
    (path,) = download([big(hub, size=None)], tmp_path, nothing)
    assert path.read_bytes() == BIG and hub.asked == [f"bytes={len(BIG)}-"]


@pytest.mark.parametrize("known", [True, False])
def test_more_than_the_whole_file_is_not_kept(hub, tmp_path, known):
    partly(tmp_path, BIG + b"more")
    (path,) = download([big(hub, size=len(BIG) if known else None)], tmp_path, nothing)
    assert path.read_bytes() == BIG and hub.asked[-1] is None


def test_a_server_that_goes_on_from_elsewhere_begins_again(hub, tmp_path):
    hub.shift = -1
    partly(tmp_path, BIG[:1000])
    (path,) = download([big(hub)], tmp_path, nothing)
    assert path.read_bytes() == BIG and hub.asked == ["bytes=1000-", None]


@pytest.mark.parametrize("size", [None, len(BIG)])
def test_nothing_is_put_together_that_no_checksum_vouches_for(hub, tmp_path, size):
    partly(tmp_path, b"of an older file")
    (path,) = download([big(hub, size=size, sha256=None)], tmp_path, nothing)
    assert path.read_bytes() == BIG and hub.asked == [None]


@pytest.mark.parametrize("ranges", [True, False])
def test_a_login_page_is_refused_and_what_had_come_stays(hub, tmp_path, ranges):
    hub.type, hub.ranges = "text/html; charset=utf-8", ranges
    partial = partly(tmp_path, BIG[:1000])
    with pytest.raises(AlignerError, match=f"answers with a web page .* {BY_HAND}"):
        download([big(hub)], tmp_path, nothing)
    assert partial.read_bytes() == BIG[:1000]
    partial.unlink()
    with pytest.raises(AlignerError, match="answers with a web page"):
        download([big(hub, size=None, sha256=None)], tmp_path, nothing)
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


def test_a_web_page_that_was_wanted_arrives(hub, tmp_path):
    hub.type = "text/html"
    (path,) = download([big(hub, path="page.html")], tmp_path, nothing)
    assert path.name == "page.html"


def test_a_size_that_nobody_knows_is_refused(hub, tmp_path):
    hub.length = False
    with pytest.raises(AlignerError, match=f"does not state the size of the file.* {BY_HAND}"):
        download([big(hub, size=None)], tmp_path, nothing)


def test_a_server_that_does_not_tell_the_size_is_held_to_the_one_announced(hub, tmp_path):
    hub.length, seen = False, []
    download([big(hub)], tmp_path, lambda *progress: seen.append(progress))
    assert {total for _, total in seen} == {len(BIG)} and seen[-1][0] == len(BIG)
    (tmp_path / "unet/model.safetensors").unlink()
    seen.clear()
    with pytest.raises(AlignerError, match=f"other data than the announced file.* {BY_HAND}"):
        download([big(hub, size=1000)], tmp_path, lambda *progress: seen.append(progress))
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]
    assert all(done <= total for done, total in seen)


def test_an_empty_file_arrives(hub, tmp_path, monkeypatch):
    monkeypatch.setitem(CONTENTS, "empty.txt", b"")
    (path,) = download(
        [RemoteFile(f"{hub.address}/someone/model/resolve/main/empty.txt", "empty.txt", 0)], tmp_path, nothing
    )
    assert path.read_bytes() == b""


def in_place_of_the_partial_file(folder: Path) -> Path:
    return folder / "unet" / "model.safetensors.download"


def in_place_of_the_file(folder: Path) -> Path:
    return folder / "unet" / "model.safetensors"


@pytest.mark.parametrize("blocked", [in_place_of_the_partial_file, in_place_of_the_file])
def test_a_folder_in_the_way_is_named(hub, tmp_path, blocked):
    path = blocked(tmp_path)
    path.mkdir(parents=True)
    with pytest.raises(AlignerError) as error:
        download([big(hub)], tmp_path, nothing)
    assert str(error.value).startswith(f"{path} cannot be used (")


def test_a_file_in_the_way_of_a_folder_is_named(hub, tmp_path):
    (tmp_path / "unet").write_text("not a folder")
    with pytest.raises(AlignerError) as error:
        download([big(hub)], tmp_path, nothing)
    assert str(error.value).startswith(f"{tmp_path / 'unet'} cannot be used (") and hub.asked == []


def test_what_cannot_be_deleted_is_named(hub, tmp_path, monkeypatch):
    def refuse(self: Path) -> None:
        raise PermissionError(errno.EACCES, "in use")

    monkeypatch.setattr(Path, "unlink", refuse)
    with pytest.raises(AlignerError, match=r"safetensors\.download cannot be used \(in use\)"):
        download([big(hub, sha256="0" * 64)], tmp_path, nothing)


def test_a_network_that_goes_away_is_not_taken_for_the_disk(hub, tmp_path, monkeypatch):
    def fail(self: HTTPResponse, size: int) -> bytes:
        raise OSError(errno.ENETUNREACH, "Network is unreachable")

    monkeypatch.setattr(HTTPResponse, "read1", fail)
    with pytest.raises(AlignerError, match=rf"cannot be reached \(.*Network is unreachable\).* {BY_HAND}"):
        download([big(hub)], tmp_path, nothing)


def test_a_disk_that_fails_is_not_taken_for_the_network(hub, tmp_path, monkeypatch):
    class Full:
        def __enter__(self):
            return self

        def __exit__(self, *exception):
            pass

        def write(self, piece):
            raise TimeoutError(errno.ETIMEDOUT, "the share does not answer")

    monkeypatch.setattr(downloads, "open", lambda *arguments: Full(), raising=False)
    with pytest.raises(AlignerError, match=r"safetensors\.download cannot be used \(the share does not answer\)"):
        download([big(hub)], tmp_path, nothing)


def test_a_drive_that_is_not_there_is_an_error():
    class Gone(PureWindowsPath):
        def exists(self) -> bool:
            return False

    with pytest.raises(AlignerError, match=r"^Z:\\models\\imagebind is on a drive that does not exist"):
        downloads._require_room(Gone("Z:\\models\\imagebind"), 1)


@pytest.mark.parametrize(
    "path",
    [
        "../../x.json",
        "/x.json",
        "unet/../../x.json",
        "..\\x.json",
        "C:x.json",
        "C:/x.json",
        "\\\\host\\x.json",
        "unet//x.json",
        ".. /x.json",
        "x\0.json",
    ],
)
def test_a_listing_that_leads_out_of_the_folder_is_refused(hub, tmp_path, path):
    hub.listed.append(path)
    with pytest.raises(AlignerError, match="outside of its folder"):
        download(hub_files("someone/model", tmp_path, ("*.json",)), tmp_path / "models", nothing)
    assert hub.asked == [] and not list(tmp_path.iterdir())


def test_an_early_end_says_where_to_put_the_file(hub, tmp_path):
    hub.cut = 3 * 2**20
    with pytest.raises(AlignerError, match=f"(ended early|cannot be reached).* {BY_HAND}"):
        download([big(hub)], tmp_path, nothing)


def test_without_a_network_it_says_where_to_put_the_file(tmp_path, offline):
    file = RemoteFile("http://127.0.0.1:9/model.bin", "model.bin")
    with pytest.raises(AlignerError) as error:
        download([file], tmp_path, nothing)
    assert "cannot be reached" in str(error.value)
    assert str(error.value).endswith(f"fetch model.bin elsewhere and put it at {tmp_path / 'model.bin'}.")
    with pytest.raises(AlignerError) as error:
        hub_files("someone/model", tmp_path / "model")
    assert "cannot be reached" in str(error.value)
    assert str(error.value).endswith(f"fetch model elsewhere and put it at {tmp_path / 'model'}.")


def test_a_hub_that_does_not_have_it(hub, tmp_path):
    with pytest.raises(AlignerError, match=r"does not give someone/other \(404\).* put it at .*other\.$"):
        hub_files("someone/other", tmp_path / "other")
    with pytest.raises(AlignerError, match=r"no longer holds \*\.onnx.* put it at .*model\.$"):
        hub_files("someone/model", tmp_path / "model", ("*.onnx",))


def test_a_full_disk_is_told_before_anything_comes(hub, tmp_path):
    with pytest.raises(AlignerError, match="GiB are needed. Make room first"):
        download([big(hub, size=2**60)], tmp_path, nothing)
    assert hub.asked == []


@pytest.fixture
def imported(monkeypatch, tmp_path) -> Callable[[str], ModuleType]:
    """Imports one of the nodes' modules with stand-ins for ComfyUI, whose models folder is tmp_path."""

    def files(kind: str) -> list[str]:
        return sorted(str(path.relative_to(tmp_path / kind)) for path in (tmp_path / kind).rglob("*") if path.is_file())

    root, api = Path(aligner.__file__).parent.parent, MagicMock()
    api.io.ComfyNode, api.ui.PreviewText = object, str
    api.io.NodeOutput = lambda *outputs, ui: (*outputs, ui)
    pack, nodes = ModuleType("pack"), ModuleType("pack.nodes")
    pack.__path__, nodes.__path__ = [str(root)], [str(root / "nodes")]
    modules = {
        "pack": pack,
        "pack.nodes": nodes,
        "pack.aligner": aligner,
        "pack.aligner.files": files_package,
        "pack.aligner.files.catalogue": catalogue,
        "pack.aligner.files.downloads": downloads,
        "pack.aligner.errors": errors,
        "comfy_api": MagicMock(),
        "comfy_api.latest": api,
        "comfy": MagicMock(),
        "comfy.utils": MagicMock(),
        "folder_paths": SimpleNamespace(get_folder_paths=lambda kind: [str(tmp_path / kind)], get_filename_list=files),
    }

    def load(name: str) -> ModuleType:
        with patch.dict(sys.modules, modules):
            return importlib.import_module(f"pack.nodes.loaders.{name}")

    return load


@pytest.mark.parametrize(
    "model, file, name",
    [
        ("ImageBind", "imagebind/imagebind_huge.pth", "imagebind_huge.pth"),
        ("ImageBind", "imagebind/imagebind_huge.safetensors", "imagebind_huge.safetensors"),
        (
            "Stable Diffusion 1.5",
            "checkpoints/sd15/v1-5-pruned-emaonly.safetensors",
            str(Path("sd15", "v1-5-pruned-emaonly.safetensors")),
        ),
        (
            "AnimateDiff motion module, version 3",
            "animatediff_models/old/v3_sd15_mm.ckpt",
            str(Path("old", "v3_sd15_mm.ckpt")),
        ),
        ("TAESD decoder", "vae_approx/taesd_decoder.pth", "taesd_decoder.pth"),
        ("AudioLDM, small", "audioldm/audioldm-s-full-v2/model_index.json", "audioldm-s-full-v2"),
        (
            "BLIP, captions for pictures",
            "captioners/blip-image-captioning-base/config.json",
            "blip-image-captioning-base",
        ),
        ("AudioLDM, small", "audioldm/audioldm-s-full-v2/vae/config.json", None),
        ("ImageBind", "imagebind/imagebind_huge.pth.download", None),
        ("Stable Diffusion 1.5", "checkpoints/v1-5-pruned.safetensors", None),
    ],
)
def test_what_the_loaders_list_already_is_found(imported, tmp_path, model, file, name):
    (tmp_path / file).parent.mkdir(parents=True)
    (tmp_path / file).write_bytes(b"here already")
    assert imported("download_model").listed_name(OFFERS[model]) == name


def test_a_file_of_the_very_name_is_found_first(imported, tmp_path):
    for path in ("a/imagebind_huge.pth", "imagebind_huge.pth", "imagebind_huge.safetensors", "a/other.pth"):
        (tmp_path / "imagebind" / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "imagebind" / path).write_bytes(b"here already")
    assert imported("download_model").listed_name(OFFERS["ImageBind"]) == "imagebind_huge.pth"


def test_the_index_file_of_a_folder_comes_last(hub, tmp_path):
    """Loaders list a folder by its index file: an incomplete folder stays unlisted."""
    offer = Offer("audioldm", "model", "5 MB", "MIT", "someone/model", "config.json")
    files = offer.files(tmp_path)
    assert [file.path for file in files] == ["model/unet/model.safetensors", "model/vae/model.bin", "model/config.json"]


def test_imagebind_is_checked(tmp_path):
    (file,) = OFFERS["ImageBind"].files(tmp_path)
    assert file.size == 4803584173
    assert file.sha256 == "d6f6c22bedcc90708448d5d2fbb7b2db9c73f505dc89bd0b2e09b23af1b62157"


@pytest.mark.parametrize(
    "model, path",
    [
        ("Stable Diffusion 1.5", Path("checkpoints", "v1-5-pruned-emaonly.safetensors")),
        ("AudioLDM, small", Path("audioldm", "audioldm-s-full-v2")),
    ],
)
def test_offline_an_offer_says_where_to_put_the_model(imported, tmp_path, offline, model, path):
    with pytest.raises(AlignerError) as error:
        imported("download_model").DownloadModel.execute(model, accept=True)
    assert str(error.value).endswith(f"fetch {path.name} elsewhere and put it at {tmp_path / path}.")


def test_the_node_tells_the_name_that_the_loader_lists_and_the_real_place(hub, imported, tmp_path, monkeypatch):
    node = imported("download_model")
    offer = Offer("imagebind", "imagebind_huge.pth", "5 MB", "MIT", big(hub, path="imagebind_huge.pth"))
    monkeypatch.setitem(node.OFFERS, "ImageBind", offer)
    name, told = node.DownloadModel.execute("ImageBind", accept=True)
    assert name == "imagebind_huge.pth" and f"is in {tmp_path / 'imagebind'} now (1 new)" in told
    (tmp_path / "imagebind" / "mine").mkdir()
    listed = Path("mine", "imagebind_huge.pth")
    (tmp_path / "imagebind" / "imagebind_huge.pth").rename(tmp_path / "imagebind" / listed)
    name, told = node.DownloadModel.execute("ImageBind", accept=True)
    assert name == str(listed) and told == f"{listed} is there already."
