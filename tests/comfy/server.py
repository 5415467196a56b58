"""A real ComfyUI server, started headless on the CPU with this project and two other packs as its custom nodes."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import time
import urllib.error
from pathlib import Path

import psutil

from .client import Client
from .install import ComfyUI, python_for
from .packing import pack, unpack

NODE_PACK = "seeing-and-hearing"
#: The oldest version of ComfyUI that is supported.
OLDEST = "0.3.64"
#: A pack of somebody else, whose nodes use our sockets, one whose wires carry anything, and one with native models.
OTHER_PACKS = [Path(__file__).with_name(name) for name in ("other_pack.py", "hostile_pack.py", "native_pack")]
#: Settings of the page. It shows its templates to new users: they may open before they are loaded, and then stay empty.
#: Its small map covers a part of the graph.
PAGE = {"Comfy.TutorialCompleted": True, "Comfy.Minimap.Visible": False}
START_TIMEOUT = 180  # seconds; about 20 on two cores
STOP_TIMEOUT = 20


class Server:
    """A running server in a base directory of its own; use it as a context manager.

    Attributes:
        client: talks to the server.
        folder: ComfyUI's base directory, with custom_nodes, models, input and output.
        log_file: everything that the server prints.
    """

    def __init__(self, comfyui: ComfyUI, folder: Path) -> None:
        self.comfyui = comfyui
        self.folder = folder
        self.log_file = folder / "server.log"
        self.python = python_for(comfyui)
        self.port = free_port()
        for name in ("custom_nodes", "models", "input", "output", "user/default"):
            (folder / name).mkdir(parents=True)
        settings = folder / "user" / "default" / "comfy.settings.json"
        settings.write_text(json.dumps(PAGE), encoding="utf-8")
        # The tests run the files that users get.
        (folder / "packing").mkdir()
        unpack(pack(folder / "packing"), folder / "custom_nodes" / NODE_PACK)
        for other in OTHER_PACKS:
            (shutil.copytree if other.is_dir() else shutil.copy)(other, folder / "custom_nodes" / other.name)

    def __enter__(self) -> Server:
        with self.log_file.open("wb") as log:
            self._process = subprocess.Popen(
                self._command(),
                cwd=self.folder,
                env=server_environment(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        try:
            self.client = self._connect()
        except BaseException:
            self._stop()
            raise
        return self

    def __exit__(self, *exception: object) -> None:
        self.client.close()
        self._stop()

    def _command(self) -> list[str]:
        database = (self.folder / "user" / "comfyui.db").as_posix()
        return [
            str(self.python),
            str(self.comfyui.folder / "main.py"),
            "--cpu",
            "--port",
            str(self.port),
            "--base-directory",
            str(self.folder),
            "--database-url",
            f"sqlite:///{database}",
            "--disable-all-custom-nodes",
            "--whitelist-custom-nodes",
            NODE_PACK,
            *(other.name for other in OTHER_PACKS),
            "--disable-api-nodes",  # they and their parts of the page use the internet
        ]

    def _connect(self) -> Client:
        deadline = time.monotonic() + START_TIMEOUT
        while time.monotonic() < deadline and self._process.poll() is None:
            try:
                return Client(f"127.0.0.1:{self.port}")
            except (urllib.error.URLError, ConnectionError):
                time.sleep(0.2)
        raise RuntimeError(f"ComfyUI {self.comfyui.version} did not start:\n{self.log_tail()}")

    def _stop(self) -> None:
        self._process.terminate()
        try:
            self._process.wait(STOP_TIMEOUT)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    @property
    def is_oldest(self) -> bool:
        """Whether this is the oldest version that is supported. What depends on no version runs there in short."""
        return self.comfyui.version == OLDEST

    def put_input(self, file: Path) -> str:
        """Copy a file into ComfyUI's input folder; returns the name by which LoadVideo and others know it."""
        shutil.copy(file, self.folder / "input" / file.name)
        return file.name

    def resident_bytes(self) -> int:
        """Memory that the server occupies now. (On Windows a virtual environment's Python has a child.)"""
        process = psutil.Process(self._process.pid)
        return sum(part.memory_info().rss for part in (process, *process.children(recursive=True)))

    def log(self) -> str:
        return self.log_file.read_text(encoding="utf-8", errors="replace")

    def log_tail(self, lines: int = 40) -> str:
        return "\n".join(self.log().splitlines()[-lines:])


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def server_environment() -> dict[str, str]:
    """This process's environment without what would change the server's module search path; offline, one thread.

    Models as small as the tests' lose more by sharing their work among threads than they gain.
    """
    unwanted = {"PYTHONPATH", "PYTHONSAFEPATH", "PYTHONHOME"}
    inherited = {name: value for name, value in os.environ.items() if name not in unwanted}
    return inherited | {
        "PYTHONIOENCODING": "utf-8",
        "PYTHONUNBUFFERED": "1",
        "HF_HUB_OFFLINE": "1",
        "OMP_NUM_THREADS": "1",
    }
