"""Frames graded as HDR."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

import av
import numpy as np
from av.filter import Graph

#: H.273's codes of perceptual quantiser and hybrid log-gamma, by FFmpeg's names.
HDR = {"smpte2084": 16, "arib-std-b67": 18}
#: The codes of sRGB's primaries and curve, of BT.2020's matrix and primaries, and of limited range.
_BT709, _SRGB, _BT2020, _LIMITED = 1, 13, 9, 1


def graded(pictures: Sequence[np.ndarray], curve: str) -> list[av.VideoFrame]:
    """Pictures (H, W, 3) in sRGB as frames of 10 bits in BT.2020. curve: a key of HDR."""
    height, width, _ = pictures[0].shape
    graph = Graph()
    graph.link_nodes(
        graph.add_buffer(width=width, height=height, format="rgb24", time_base=Fraction(1, 10)),
        graph.add("scale", f"out_primaries=bt2020:out_transfer={curve}"),
        graph.add("format", "gbrp16le"),
        graph.add("scale", "out_color_matrix=bt2020nc:out_range=tv"),
        graph.add("format", "yuv420p10le"),
        graph.add("buffersink"),
    ).configure()
    frames = []
    for number, picture in enumerate(pictures):
        source = av.VideoFrame.from_ndarray(picture, format="rgb24")
        source.color_primaries, source.color_trc, source.pts = _BT709, _SRGB, number
        graph.push(source)
        frame = graph.pull()
        frame.colorspace, frame.color_range = _BT2020, _LIMITED
        frame.color_primaries, frame.color_trc = _BT2020, HDR[curve]
        frames.append(frame)
    return frames
