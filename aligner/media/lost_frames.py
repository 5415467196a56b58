"""Frames that a damaged video has lost: as in players, the frame before stays on the screen in their place."""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from typing import TYPE_CHECKING

from .container import Source, warn_of_damage

if TYPE_CHECKING:
    from av.packet import Packet
    from av.video.frame import VideoFrame


class LostFrames:
    """Gives every packet of a video a frame.

    Decoders give frames in the order of their times. A packet with an earlier time than the next frame has lost its
    own. Videos whose packets are no frames, such as interlaced ones of two packets a frame, pass unchanged.

    usable: whether every packet is a frame with its presentation time.
    """

    def __init__(self, source: Source, usable: bool):
        self._source, self._usable = source, usable
        self._due: list[int] = []
        self._last: VideoFrame | None = None

    def expect(self, packet: Packet) -> None:
        """Take note of a packet before it is decoded."""
        if not packet.size or packet.is_discard:
            return
        if packet.pts is None or packet.pts in self._due or (self._last and packet.pts <= self._time_of_last()):
            self._usable = False
        else:
            heapq.heappush(self._due, packet.pts)

    def filled(self, frame: VideoFrame) -> Iterator[VideoFrame]:
        """The last frame in the place of each one lost before this one, and this one."""
        if frame.interlaced_frame or frame.pts not in self._due:
            self._usable = False
        if self._usable:
            yield from self._repeated(before=frame.pts)
            heapq.heappop(self._due)
        self._last = frame
        yield frame

    def rest(self) -> Iterator[VideoFrame]:
        """The last frame in the place of each one lost at the end."""
        if self._usable:
            yield from self._repeated()

    def _repeated(self, before: int | None = None) -> Iterator[VideoFrame]:
        while self._due and (before is None or self._due[0] < before):
            time = heapq.heappop(self._due)
            if self._last is not None:  # a video begins with its first frame that can be decoded
                warn_of_damage(self._source)
                self._last.pts = time
                yield self._last

    def _time_of_last(self) -> int:
        assert self._last is not None and self._last.pts is not None
        return self._last.pts
