"""Frechet distance of two sets of features under a Gaussian model of each."""

from __future__ import annotations

import torch

from .features import checked_sets


def frechet_distance(a: torch.Tensor, b: torch.Tensor) -> float:
    """|mean_a - mean_b|^2 + tr(C_a + C_b - 2 (C_a C_b)^(1/2)), with the unbiased covariances C of the rows.

    See Heusel et al. (arXiv 1706.08500), eq. 6. FID, FAD, FVD and FD are this distance on the features of different
    networks. It is 0 for equal sets. It is biased upwards for small sets, most of all with fewer rows than
    dimensions, so compare only values from sets of the same size.

    a, b: features (N, d) and (M, d).
    Raises AlignerError for fewer than 2 rows, different widths, or values that are not finite.
    """
    a, b = checked_sets(a, b, least=2)
    mean_a, mean_b = a.mean(dim=0), b.mean(dim=0)
    root_a, root_b = _covariance_root(a - mean_a), _covariance_root(b - mean_b)
    # With C_a = A'A and C_b = B'B the eigenvalues of C_a C_b are the squared singular values of A B'. This avoids the
    # square root of a matrix, and eigenvalues that rounding makes negative if a covariance lacks full rank.
    trace_of_root = torch.linalg.svdvals(root_a @ root_b.T).sum()
    distance = (mean_a - mean_b).square().sum() + root_a.square().sum() + root_b.square().sum() - 2 * trace_of_root
    return max(distance.item(), 0.0)  # for equal sets the rounding error can be negative


def _covariance_root(centred: torch.Tensor) -> torch.Tensor:
    """R with R'R = the covariance of centred rows (N, d): (min(N, d), d)."""
    return torch.linalg.qr(centred / (len(centred) - 1) ** 0.5, mode="r").R
