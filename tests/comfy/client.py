"""A small client of ComfyUI's HTTP and websocket interface."""

from __future__ import annotations

import json
import struct
import threading
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import websocket

HTTP_TIMEOUT = 60  # seconds
# The server's numbers for binary messages: an image with JSON metadata, and a text for a node.
PREVIEW_WITH_METADATA, TEXT = 4, 3

Prompt = dict[str, dict[str, Any]]


@dataclass(frozen=True)
class Event:
    """A message from the server: `type` is progress, executing, execution_error, ..., preview, or text."""

    type: str
    data: dict[str, Any]
    image: bytes = b""  # of a preview: a JPEG or PNG file

    @property
    def prompt_id(self) -> str | None:
        return self.data.get("prompt_id")


class PromptFailed(Exception):
    """A prompt did not run to success. `messages` maps event names, as execution_error, to their data."""

    def __init__(self, messages: dict[str, dict[str, Any]]) -> None:
        error = messages.get("execution_error")
        super().__init__(
            f"{error['node_type']}: {error['exception_message']}" if error else f"ended with {list(messages)}"
        )
        self.messages = messages


class PromptRefused(PromptFailed):
    """The server did not accept a prompt. `node_errors` maps node ids to what is wrong with them."""

    def __init__(self, answer: dict[str, Any]) -> None:
        self.messages, self.node_errors = {}, answer.get("node_errors", {})
        found = [
            f"{node['class_type']}: {said_of(error)}" for node in self.node_errors.values() for error in node["errors"]
        ]
        Exception.__init__(self, "\n".join(found) or json.dumps(answer))


def said_of(error: dict[str, Any]) -> str:
    """What the server says of an input that it refuses. Nodes say theirs by an exception."""
    return error["details"] if is_raised(error) else f"{error['message']}: {error['details']}"


def is_raised(error: dict[str, Any]) -> bool:
    """Whether a node raised an exception as the server asked it about its inputs."""
    return error["type"].startswith("exception_during")


class Client:
    """One connection to a ComfyUI server; it collects every event that concerns its own prompts."""

    def __init__(self, address: str) -> None:
        self.address = address
        self.client_id = uuid.uuid4().hex
        self.events: list[Event] = []
        self._arrival = threading.Condition()
        self._connected = True
        url = f"ws://{address}/ws?clientId={self.client_id}"
        self._socket = websocket.create_connection(url, timeout=HTTP_TIMEOUT)
        # Must be the first message: it asks for previews that say which node and prompt they belong to.
        self._socket.send(json.dumps({"type": "feature_flags", "data": {"supports_preview_metadata": True}}))
        self._socket.settimeout(None)
        self._listener = threading.Thread(target=self._listen, daemon=True)
        self._listener.start()

    def close(self) -> None:
        self._socket.abort()  # wakes the listener
        self._listener.join()
        self._socket.shutdown()

    def object_info(self) -> dict[str, Any]:
        """Every node that the server knows: its inputs and outputs by node id."""
        return self._request("/object_info")

    def web_file(self, pack: str, path: str) -> bytes:
        """A file of what a node pack shows on the page, such as a help page."""
        return self._bytes(f"/extensions/{pack}/{path}")

    def system_stats(self) -> dict[str, Any]:
        return self._request("/system_stats")

    def queue(self, prompt: Prompt) -> str:
        """Queue a prompt and return its id. Raises PromptRefused."""
        try:
            return self._request("/prompt", {"prompt": prompt, "client_id": self.client_id})["prompt_id"]
        except urllib.error.HTTPError as error:
            if error.code != 400:
                raise
            raise PromptRefused(json.load(error)) from None

    def wait(self, prompt_id: str, timeout: float = 300) -> dict[str, Any]:
        """Wait until a prompt has ended, well or not, and return its entry in the server's history."""
        self.wait_for(lambda event: ended(event, prompt_id), timeout)
        return self.history(prompt_id)

    def history(self, prompt_id: str) -> dict[str, Any]:
        """What the server remembers of a prompt that has ended: its status and outputs."""
        return self._request(f"/history/{prompt_id}")[prompt_id]

    def run(self, prompt: Prompt, timeout: float = 300) -> dict[str, Any]:
        """Queue a prompt, wait for its end and return what its output nodes gave, by node id.

        Raises PromptRefused, or PromptFailed if it ended with an error or an interrupt.
        """
        entry = self.wait(self.queue(prompt), timeout)
        if entry["status"]["status_str"] != "success":
            raise PromptFailed(dict(entry["status"]["messages"]))
        return entry["outputs"]

    def wait_for(self, matches: Callable[[Event], bool], timeout: float = 60, since: int = 0) -> Event:
        """Return the first event, past or future, for which `matches(event)` is true.

        since: how many of the first events do not count.
        """
        deadline = time.monotonic() + timeout
        seen = since
        with self._arrival:
            while True:
                found = next(filter(matches, self.events[seen:]), None)
                if found:
                    return found
                seen = len(self.events)
                if not self._connected:
                    raise ConnectionError("the server closed the connection")
                if not self._arrival.wait(deadline - time.monotonic()):
                    raise TimeoutError(f"waited {timeout} s; the last events were {self.events[-5:]}")

    def events_of(self, prompt_id: str, type: str) -> list[Event]:
        return [event for event in self.events if event.prompt_id == prompt_id and event.type == type]

    def interrupt(self) -> None:
        self._request("/interrupt", {})

    def settle(self, timeout: float = 120) -> None:
        """End whatever the server runs or has in its queue, and wait until it does nothing."""
        deadline = time.monotonic() + timeout
        while any((queue := self._request("/queue")).values()):
            if time.monotonic() > deadline:
                raise TimeoutError(f"the server still runs after {timeout} s: {queue}")
            self._request("/queue", {"clear": True})
            self.interrupt()
            time.sleep(0.2)

    def free(self) -> None:
        """Ask the server to unload every model and forget its cached results."""
        self._request("/free", {"unload_models": True, "free_memory": True})

    def _request(self, path: str, payload: dict[str, Any] | None = None) -> Any:
        body = self._bytes(path, None if payload is None else json.dumps(payload).encode())
        return json.loads(body) if body else None

    def _bytes(self, path: str, data: bytes | None = None) -> bytes:
        headers = {"Content-Type": "application/json"}
        request = urllib.request.Request(f"http://{self.address}{path}", data, headers)
        with urllib.request.urlopen(request, timeout=HTTP_TIMEOUT) as response:
            return response.read()

    def _listen(self) -> None:
        try:
            while message := self._socket.recv():
                with self._arrival:
                    self.events.append(event_from(message))
                    self._arrival.notify_all()
        except (websocket.WebSocketException, OSError):
            pass  # all of these mean that the connection has ended
        finally:
            with self._arrival:
                self._connected = False
                self._arrival.notify_all()


def event_from(message: str | bytes) -> Event:
    """Read a websocket message.

    A preview holds: kind, length of the metadata, metadata (JSON), image. A text holds: kind, length of the node's id,
    id, text.
    """
    if isinstance(message, str):
        content = json.loads(message)
        return Event(content["type"], content["data"])
    kind, length = struct.unpack_from(">II", message)
    if kind == TEXT:
        return Event("text", {"node": message[8 : 8 + length].decode(), "text": message[8 + length :].decode()})
    if kind != PREVIEW_WITH_METADATA:
        return Event(f"binary {kind}", {})
    return Event("preview", json.loads(message[8 : 8 + length]), message[8 + length :])


def ended(event: Event, prompt_id: str) -> bool:
    """Whether an event is the server's last one about a prompt: it executes no node of it."""
    return event.type == "executing" and event.data["node"] is None and event.prompt_id == prompt_id


def workflow_to_prompt(workflow: dict[str, Any], object_info: dict[str, Any]) -> Prompt:
    """Turn a graph, as the page saves it, into the prompt that the page would queue for it."""
    from comfy_cli.workflow_to_api import convert_ui_to_api

    return convert_ui_to_api(workflow, object_info)
