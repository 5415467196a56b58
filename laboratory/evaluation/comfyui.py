"""A small client of a running ComfyUI. It needs no package."""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.parse
import urllib.request
import uuid
from pathlib import Path
from typing import Any

from aligner.errors import AlignerError

#: Nodes by name: {"class_type": ..., "inputs": ...}.
Prompt = dict[str, dict[str, Any]]

#: Seconds: between two looks whether a prompt has ended, and the longest answer.
_PAUSE, _TIMEOUT = 0.05, 60


class ComfyUI:
    """A running ComfyUI. Methods raise AlignerError where it does not answer or refuses what it is asked.

    address: host and port, "127.0.0.1:8188".
    """

    def __init__(self, address: str):
        self.address = address

    @property
    def version(self) -> str:
        return self._json("/system_stats")["system"]["comfyui_version"]

    def upload(self, path: Path) -> str:
        """Send a file into the folder for temporary files. Returns the name by which Load Image or Load Audio finds it.

        A file of that name is replaced.
        """
        boundary = uuid.uuid4().hex
        parts = [
            _part(boundary, b"temp", 'name="type"'),
            _part(boundary, b"true", 'name="overwrite"'),
            _part(boundary, path.read_bytes(), f'name="image"; filename="{path.name}"'),
            f"--{boundary}--\r\n".encode(),
        ]
        self._bytes("/upload/image", b"".join(parts), f"multipart/form-data; boundary={boundary}")
        return f"{path.name} [temp]"

    def run(self, prompt: Prompt) -> dict[str, dict]:
        """Run a prompt to its end. Returns what its output nodes show, by their names in the prompt."""
        number = self._json("/prompt", json.dumps({"prompt": prompt}).encode())["prompt_id"]
        while not (history := self._json(f"/history/{number}")):
            time.sleep(_PAUSE)
        status = history[number]["status"]
        if status["status_str"] != "success":
            raise AlignerError(f"A prompt failed in ComfyUI: {_reason(status['messages'])}")
        return history[number]["outputs"]

    def file(self, entry: dict[str, str]) -> bytes:
        """The content of a file that an output node shows."""
        names = {name: entry[name] for name in ("filename", "subfolder", "type")}
        return self._bytes(f"/view?{urllib.parse.urlencode(names)}")

    def _json(self, path: str, data: bytes | None = None) -> dict:
        return json.loads(self._bytes(path, data))

    def _bytes(self, path: str, data: bytes | None = None, kind: str = "application/json") -> bytes:
        request = urllib.request.Request(f"http://{self.address}{path}", data, {"Content-Type": kind})
        try:
            with urllib.request.urlopen(request, timeout=_TIMEOUT) as response:
                return response.read()
        except urllib.error.HTTPError as error:
            answer = error.read().decode(errors="replace")
            raise AlignerError(f"ComfyUI refuses {path}. Has it these nodes? It answers: {answer}") from error
        except OSError as error:
            raise AlignerError(f"No ComfyUI answers at {self.address}. Start it, or give its --address.") from error


def _part(boundary: str, content: bytes, names: str) -> bytes:
    """A part of a form that is sent as multipart/form-data."""
    return f"--{boundary}\r\nContent-Disposition: form-data; {names}\r\n\r\n".encode() + content + b"\r\n"


def _reason(messages: list[list]) -> str:
    """Why a prompt failed, from the events that ComfyUI remembers of it."""
    for _, data in messages:
        if "exception_message" in data:
            return f"{data['node_type']}: {data['exception_message']}"
    return "it was interrupted."
