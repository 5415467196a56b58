"""Dense optical flow with Farneback's method.

Farneback, "Two-Frame Motion Estimation Based on Polynomial Expansion" (SCIA 2003). A quadratic polynomial approximates
the picture around each pixel. The difference of the polynomials of two frames gives the displacement. Least squares
over a window makes the estimate robust, and an image pyramid extends it to large displacements.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F

#: The settings of published AV-Align: scales of the pyramid, iterations at each scale, side of the window in pixels,
#: and the standard deviation and radius in pixels of the Gaussian weight of the polynomial expansion.
_SCALES = (0.125, 0.25, 0.5, 1.0)
_ITERATIONS = 3
_WINDOW = 15
_SIGMA = 1.2
_RADIUS = 5

#: Scales that make a side of the frame shorter than this, in pixels, are skipped.
_SMALLEST_SIDE = 32
#: Added to the determinant of the least squares (for grey levels of 0..255), so that the flow is 0 without texture.
_FLAT = 1e-3


def optical_flow(frames: torch.Tensor) -> torch.Tensor:
    """The flow from each frame to the next: grey frames (F, H, W) in 0..255 -> (F - 1, 2, H, W), x and y in pixels.

    Equals OpenCV's calcOpticalFlowFarneback with the settings of published AV-Align up to rounding, except near the
    borders, where OpenCV gives its measurements less weight.
    """
    sizes = {scale: [round(side * scale) for side in frames.shape[1:]] for scale in _SCALES}
    sizes = {scale: size for scale, size in sizes.items() if scale == 1 or min(size) >= _SMALLEST_SIDE}
    flow = frames.new_zeros(len(frames) - 1, 2, *next(iter(sizes.values())))
    for scale, size in sizes.items():
        expansion = _polynomials(_shrunk(frames, size, scale))
        before, after = expansion[:-1], expansion[1:]
        flow = _enlarged(flow, size)
        for _ in range(_ITERATIONS):
            flow = _refined(flow, before, after)
    return flow


def _shrunk(frames: torch.Tensor, size: list[int], scale: float) -> torch.Tensor:
    """Scale frames (F, H, W) down to `size`, with a Gaussian blur against aliasing: (F, 1, h, w)."""
    sigma = (1 / scale - 1) / 2 or 0.8
    radius = max(round(5 * sigma) // 2, 1)
    offsets = torch.arange(-radius, radius + 1, dtype=frames.dtype, device=frames.device)
    kernel = torch.softmax(-offsets.square() / (2 * sigma**2), dim=0)[None]
    blurred = _separable(frames[:, None], kernel, kernel)
    return blurred if scale == 1 else F.interpolate(blurred, size=size, mode="bilinear")


def _enlarged(flow: torch.Tensor, size: list[int]) -> torch.Tensor:
    """The flow at the next larger scale, where displacements are twice as long."""
    return 2 * F.interpolate(flow, size=size, mode="bilinear")


def _polynomials(frames: torch.Tensor) -> torch.Tensor:
    """Polynomial expansion: f(x, y) ~ c + bx x + by y + axx x^2 + ayy y^2 + axy x y around each pixel.

    (F, 1, H, W) -> (F, 5, H, W), the channels being bx, by, axx, ayy, axy. Under the Gaussian weight the terms, each
    minus its mean, are orthogonal, so that each coefficient is a weighted sum of the pixels.
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
    """Convolve (F, 1, H, W) with each vertical kernel `down` (n, k), then each horizontal one `across` (m, k).

    Returns (F, n * m, H, W). Borders are replicated.
    """
    radius = down.shape[1] // 2
    frames = F.pad(frames, (radius,) * 4, mode="replicate")
    frames = F.conv2d(frames, down[:, None, :, None])
    return F.conv2d(frames, across[:, None, None, :].repeat(len(down), 1, 1, 1), groups=len(down))


def _refined(flow: torch.Tensor, before: torch.Tensor, after: torch.Tensor) -> torch.Tensor:
    """One iteration: flow (N, 2, H, W) and the polynomials of both frames (N, 5, H, W) -> flow (N, 2, H, W).

    Shifting a polynomial by d changes its slope by -2 A d, so that A d = (slope before - slope after) / 2. `after` is
    sampled at the positions to which the current flow points; A times the current flow is added back.
    """
    after = _looked_up(after, flow)
    axx, ayy, axy = ((before[:, 2:] + after[:, 2:]) / 2).unbind(1)
    axy = axy / 2  # the symmetric matrix A contains it twice
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
    """The mean over the window around each pixel. Borders are replicated."""
    padded = F.pad(values, (_WINDOW // 2,) * 4, mode="replicate")
    # Rows, then columns: 30 terms per pixel instead of 225, and faster than pooling or convolution.
    return padded.unfold(2, _WINDOW, 1).mean(dim=-1).unfold(3, _WINDOW, 1).mean(dim=-1)


def _looked_up(values: torch.Tensor, flow: torch.Tensor) -> torch.Tensor:
    """Sample (N, C, H, W) at each pixel's position plus its flow: bilinear, with replicated borders."""
    height, width = values.shape[2:]
    y, x = torch.meshgrid(
        *(torch.arange(side, dtype=flow.dtype, device=flow.device) for side in (height, width)), indexing="ij"
    )
    across, down = (2 * (x + flow[:, 0]) + 1) / width - 1, (2 * (y + flow[:, 1]) + 1) / height - 1
    return F.grid_sample(values, torch.stack([across, down], dim=-1), padding_mode="border", align_corners=False)
