"""Colour: decoded frames as what a screen shows, 8-bit RGB on white."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import torch

from ..errors import MediaError

if TYPE_CHECKING:
    from av.filter import Graph
    from av.video.frame import VideoFrame

#: Codes of ITU-T H.273 and FFmpeg. Primaries that RGB of a screen has, or nearly; 0 to 2 are unknown.
_SCREEN_PRIMARIES = (0, 1, 2, 5, 6, 7)
#: Transfer characteristics of high dynamic range: perceptual quantiser and hybrid log-gamma.
_HIGH_DYNAMIC_RANGE = (16, 18)


#: FFmpeg's code of a matrix that a frame does not state, and the height in pixels from which it is that of BT.709.
_UNSTATED, _HD = 2, 720


class Screen:
    """Shows frames of one video, all at one size. width, height: in pixels, of the stored picture."""

    def __init__(self, width: int, height: int):
        self.width, self.height = width, height
        self._converters: dict[tuple, Graph] = {}

    def shown(self, frame: VideoFrame) -> torch.Tensor:
        """A frame as uint8 (H, W, 3). Transparent parts are white, as those of pictures are."""
        see_through = any(component.is_alpha for component in frame.format.components)
        format = "rgba" if see_through else "rgb24"
        if _is_wide(frame):
            shown = torch.from_numpy(self._narrowed(frame, format).to_ndarray())
        else:
            shown = self._converted(frame, format)
        return _on_white(shown) if see_through else shown

    def _converted(self, frame: VideoFrame, format: str) -> torch.Tensor:
        # Matrix and range are those that the frame states.
        matrix = "ITU709" if _is_untagged_hd(frame) else None
        return torch.from_numpy(
            frame.to_ndarray(
                width=self.width,
                height=self.height,
                format=format,
                src_colorspace=matrix,
                dst_colorspace="DEFAULT",
            )
        )

    def _narrowed(self, frame: VideoFrame, format: str) -> VideoFrame:
        """The frame in the colours of a screen. Making the converter takes FFmpeg some seconds."""
        kind = (frame.format.name, frame.width, frame.height, frame.color_trc)
        if kind not in self._converters:
            self._converters[kind] = _converter(frame, self.width, self.height, format)
        converter = self._converters[kind]
        converter.push(frame)
        return cast("VideoFrame", converter.pull())


def _is_wide(frame: VideoFrame) -> bool:
    return frame.color_trc in _HIGH_DYNAMIC_RANGE or frame.color_primaries not in _SCREEN_PRIMARIES


def _is_untagged_hd(frame: VideoFrame) -> bool:
    """Whether players take the matrix of BT.709 for a frame, as they do for HD that states none."""
    return frame.colorspace == _UNSTATED and frame.height >= _HD and not frame.format.is_rgb


def _on_white(pixels: torch.Tensor) -> torch.Tensor:
    """uint8 (H, W, 4) RGBA -> (H, W, 3) RGB."""
    pixels = pixels.float()
    opacity = pixels[..., 3:] / 255
    return (pixels[..., :3] * opacity + 255 * (1 - opacity)).round().to(torch.uint8)


def _converter(frame: VideoFrame, width: int, height: int, format: str) -> Graph:
    """FFmpeg's conversion to the primaries of a screen: relative colorimetric, brighter than white is white.

    Raises MediaError for a build of PyAV whose FFmpeg cannot.
    """
    import av
    from av.filter import Graph

    curve = "iec61966-2-1" if frame.color_trc in _HIGH_DYNAMIC_RANGE else "bt709"
    graph = Graph()
    chain = (
        graph.add_buffer(width=frame.width, height=frame.height, format=frame.format, time_base=frame.time_base),
        graph.add("scale", f"w={width}:h={height}:out_primaries=bt709:out_transfer={curve}"),
        # Through 16 bits; directly to 8, saturated colours are less accurate.
        graph.add("format", "gbrap16le" if format == "rgba" else "gbrp16le"),
        graph.add("format", format),
        graph.add("buffersink"),
    )
    try:
        graph.link_nodes(*chain).configure()
    except av.FFmpegError as error:
        raise MediaError(
            "This video has the colours of HDR or of a wide gamut, and this build of PyAV cannot convert them. Update "
            "it (pip install -U av), or convert the video to SDR first."
        ) from error
    return graph
