"""Optical flow after Farneback: where each pixel of a frame went.

Farneback, "Two-Frame Motion Estimation Based on Polynomial Expansion" (SCIA 2003). Around each pixel a picture is
taken for a quadratic polynomial; how the polynomials of two frames differ tells the shift between them, least squares
over a window make it steady, and a pyramid lets it be large.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F

#: The settings of published AV-Align: scales of the pyramid, iterations at each, side of the window, and the standard
#: deviation of the Gaussian in which a picture is taken for a polynomial.
_SCALES = (0.125, 0.25, 0.5, 1.0)
_ITERATIONS = 3
_WINDOW = 15
_SIGMA = 1.2
_RADIUS = 5

#: Scales at which a frame would be smaller than this, in pixels, are left out.
_SMALLEST_SIDE = 32
#: Added to a determinant, in grey levels of 0..255: what has no texture does not move.
_FLAT = 1e-3


def optical_flow(frames: torch.Tensor) -> torch.Tensor:
    """The flow from each frame to the next: grey frames (F, H, W) in 0..255 -> (F - 1, 2, H, W), x and y in pixels.

    As OpenCV's calcOpticalFlowFarneback with the settings of published AV-Align, but for the margins, where OpenCV
    trusts what it measures less, and for its rounding.
    """
    flow = None
    for scale in _SCALES:
        size = [round(side * scale) for side in frames.shape[1:]]
        if scale < 1 and min(size) < _SMALLEST_SIDE:
            continue
        expansion = _polynomials(_shrunk(frames, size, scale))
        before, after = expansion[:-1], expansion[1:]
        flow = torch.zeros_like(before[:, :2]) if flow is None else _enlarged(flow, size)
        for _ in range(_ITERATIONS):
            flow = _refined(flow, before, after)
    return flow


def _shrunk(frames: torch.Tensor, size: list[int], scale: float) -> torch.Tensor:
    """(F, H, W) -> (F, 1, h, w), blurred as much as the loss of pixels asks for."""
    sigma = (1 / scale - 1) / 2 or 0.8
    radius = max(round(5 * sigma) // 2, 1)
    offsets = torch.arange(-radius, radius + 1, dtype=frames.dtype, device=frames.device)
    kernel = torch.softmax(-offsets.square() / (2 * sigma**2), dim=0)[None]
    blurred = _separable(frames[:, None], kernel, kernel)
    return blurred if scale == 1 else F.interpolate(blurred, size=size, mode="bilinear")


def _enlarged(flow: torch.Tensor, size: list[int]) -> torch.Tensor:
    """The flow at the next larger scale, where it is twice as long."""
    return 2 * F.interpolate(flow, size=size, mode="bilinear")


def _polynomials(frames: torch.Tensor) -> torch.Tensor:
    """(F, 1, H, W) -> (F, 5, H, W): around each pixel f(x, y) is about c + bx x + by y + axx x^2 + ayy y^2 + axy x y.

    The five are bx, by, axx, ayy, axy. Under a Gaussian weight the terms, each less its mean, do not overlap, so that
    each coefficient is a weighted sum of the pixels.
    """
    offsets = torch.arange(-_RADIUS, _RADIUS + 1, dtype=frames.dtype, device=frames.device)
    weights = torch.softmax(-offsets.square() / (2 * _SIGMA**2), dim=0)
    variance = (weights * offsets.square()).sum()
    spread = (weights * (offsets.square() - variance).square()).sum()
    constant, slope, curve = weights, weights * offsets / variance, weights * (offsets.square() - variance) / spread
    sums = _separable(frames, torch.stack([constant, slope, curve]), torch.stack([constant, slope, curve]))
    sums = sums.unflatten(1, (3, 3))  # along y, along x
    return torch.stack([sums[:, 0, 1], sums[:, 1, 0], sums[:, 0, 2], sums[:, 2, 0], sums[:, 1, 1]], dim=1)


def _separable(frames: torch.Tensor, down: torch.Tensor, across: torch.Tensor) -> torch.Tensor:
    """(F, 1, H, W) with each of the kernels `down` (n, k) and then each of `across` (m, k): (F, n * m, H, W)."""
    radius = down.shape[1] // 2
    frames = F.pad(frames, (radius,) * 4, mode="replicate")
    frames = F.conv2d(frames, down[:, None, :, None])
    return F.conv2d(frames, across[:, None, None, :].repeat(len(down), 1, 1, 1), groups=len(down))


def _refined(flow: torch.Tensor, before: torch.Tensor, after: torch.Tensor) -> torch.Tensor:
    """One iteration: (N, 2, H, W) and both frames' polynomials -> (N, 2, H, W).

    Shifting a polynomial by d changes its slope by -2 A d. So A d = (slope before - slope after) / 2, where `after` is
    looked up where the flow so far leads to, and what it shifted already is added again.
    """
    after = _looked_up(after, flow)
    axx, ayy, axy = ((before[:, 2:] + after[:, 2:]) / 2).unbind(1)
    axy = axy / 2  # the matrix A is symmetric and holds it twice
    along_x, along_y = flow.unbind(1)
    slope_x, slope_y = ((before[:, :2] - after[:, :2]) / 2).unbind(1)
    slope_x, slope_y = slope_x + axx * along_x + axy * along_y, slope_y + axy * along_x + ayy * along_y
    sums = torch.stack(
        [
            axx**2 + axy**2,
            axy * (axx + ayy),
            ayy**2 + axy**2,
            axx * slope_x + axy * slope_y,
            axy * slope_x + ayy * slope_y,
        ],
        dim=1,
    )
    gxx, gxy, gyy, hx, hy = _window_mean(sums).unbind(1)
    determinant = gxx * gyy - gxy**2 + _FLAT
    return torch.stack([gyy * hx - gxy * hy, gxx * hy - gxy * hx], dim=1) / determinant[:, None]


def _window_mean(values: torch.Tensor) -> torch.Tensor:
    """The mean over the window around each pixel; margins are continued."""
    padded = F.pad(values, (_WINDOW // 2,) * 4, mode="replicate")
    # Strips, then columns of strips: 30 numbers a pixel instead of 225, and faster than pooling or convolving.
    return padded.unfold(2, _WINDOW, 1).mean(dim=-1).unfold(3, _WINDOW, 1).mean(dim=-1)


def _looked_up(values: torch.Tensor, flow: torch.Tensor) -> torch.Tensor:
    """(N, C, H, W) at each pixel's place plus its flow, between pixels interpolated, beyond the margins continued."""
    height, width = values.shape[2:]
    y, x = torch.meshgrid(
        *(torch.arange(side, dtype=flow.dtype, device=flow.device) for side in (height, width)), indexing="ij"
    )
    across, down = (2 * (x + flow[:, 0]) + 1) / width - 1, (2 * (y + flow[:, 1]) + 1) / height - 1
    return F.grid_sample(values, torch.stack([across, down], dim=-1), padding_mode="border", align_corners=False)
