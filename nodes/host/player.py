"""The player of previews: the page shows single pictures, so a thread sends the frames of a clip one by one."""

import contextvars
import threading
from collections.abc import Callable, Sequence
from typing import Any


class PreviewPlayer:
    """Sends the frames of the latest clip at its rate, again and again, until another clip comes or the run ends.

    send: takes a frame. It is called in a thread of its own, with the context of the first `play`; ComfyUI keeps there
    which node runs. After the end of the context manager nothing is sent.
    """

    def __init__(self, send: Callable[[Any], None]):
        self._send, self._changed = send, threading.Condition()
        self._frames: Sequence[Any] = ()
        self._pause, self._played, self._ended = 0.0, 0, True
        self._thread: threading.Thread | None = None

    def __enter__(self) -> "PreviewPlayer":
        self._ended = False
        return self

    def __exit__(self, *exception: object) -> None:
        self.stop()
        if self._thread:
            self._thread.join()
            self._thread = None

    def play(self, frames: Sequence[Any], fps: float) -> None:
        """Replace the clip. The caller has shown the first frame. A still or an ended player sends nothing."""
        with self._changed:
            self._frames, self._pause, self._played = frames, 1 / fps, 1
            if len(frames) > 1 and not self._ended and not self._thread:
                # A daemon does not keep the interpreter alive.
                run = contextvars.copy_context().run
                self._thread = threading.Thread(target=run, args=(self._play,), daemon=True, name="preview player")
                self._thread.start()
            self._changed.notify()

    def stop(self) -> None:
        """Send nothing more. It may be called in `send`, too."""
        with self._changed:
            self._ended, self._frames = True, ()
            self._changed.notify()

    def _play(self) -> None:
        with self._changed:
            while not self._ended:
                # A frame is sent while the lock is held: so none follows the end, and none of an old clip a new one.
                if len(self._frames) < 2:
                    self._changed.wait()
                elif not self._changed.wait(self._pause):
                    self._send(self._frames[self._played % len(self._frames)])
                    self._played += 1
