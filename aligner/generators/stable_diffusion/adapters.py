"""The ways in which LoRA files write down the change of a weight, and their equations.

Each is a function of the matrices by name. It returns the difference and, where `alpha` is relative to one, the rank.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch

Parts = Mapping[str, torch.Tensor]


def _lora(parts: Parts) -> tuple[torch.Tensor, int]:
    """LoRA (arXiv 2106.09685): up @ down. LoCon (arXiv 2309.14859) has a kernel between two 1 x 1 convolutions."""
    down, up = parts["lora_down"].flatten(1), parts["lora_up"].flatten(1)
    if "lora_mid" in parts:
        return torch.einsum("or,rshw,si->oihw", up, parts["lora_mid"], down), len(down)
    return up @ down, len(down)


def _loha(parts: Parts) -> tuple[torch.Tensor, int]:
    """LoHa (arXiv 2309.14859): the Hadamard product of two products of matrices."""
    first, second = (_product(parts, f"hada_w{k}", f"hada_t{k}") for k in (1, 2))
    return first * second, len(parts["hada_w1_b"])


def _lokr(parts: Parts) -> tuple[torch.Tensor, int | None]:
    """LoKr (arXiv 2309.14859): the Kronecker product of two matrices, each whole or a product itself."""
    first, second = (
        parts[name] if name in parts else _product(parts, name, f"lokr_t{name[-1]}") for name in ("lokr_w1", "lokr_w2")
    )
    rank = next((len(parts[f"{name}_b"]) for name in ("lokr_w2", "lokr_w1") if name not in parts), None)
    return torch.kron(first[..., None, None] if second.ndim == 4 else first, second.contiguous()), rank


def _product(parts: Parts, name: str, core: str) -> torch.Tensor:
    """a @ b or, with a core, its Tucker decomposition."""
    a, b = parts[f"{name}_a"], parts[f"{name}_b"]
    if core in parts:
        return torch.einsum("pqhw,po,qi->oihw", parts[core], a, b)
    return a @ b


_DIFFERENCES: dict[str, Callable[[Parts], tuple[torch.Tensor, int | None]]] = {
    "lora": _lora,
    "hada": _loha,
    "lokr": _lokr,
    "diff": lambda parts: (parts["diff"], None),
}

#: Parts that come with any kind.
_SCALES = ("alpha", "dora_scale")


def kinds(parts: Mapping[str, object]) -> set[str]:
    """The kinds of change that parts belong to, such as "lora"; empty where there are only scales."""
    return {name.split("_")[0] for name in parts if name not in _SCALES}


def changed(weight: torch.Tensor, parts: Parts, strength: float, alpha: float | None) -> torch.Tensor:
    """W + strength * alpha / rank * difference, or with `dora_scale` as in `_decomposed`. "set" replaces W.

    weight: on any device, also meta. parts: of one kind, of the precision and on the device of the weight. alpha:
    None: equal to the rank. Raises KeyError for a missing part and ValueError, RuntimeError or IndexError for shapes
    that do not fit.
    """
    (kind,) = kinds(parts)
    if kind == "set":
        return _shaped(parts["set"], weight)
    difference, rank = _DIFFERENCES[kind](parts)
    scale = alpha / rank if alpha is not None and rank else 1.0
    difference = _shaped(difference, weight)
    if "dora_scale" in parts:
        return _decomposed(weight, scale * difference, parts["dora_scale"], strength)
    return weight + strength * scale * difference


def _decomposed(
    weight: torch.Tensor, difference: torch.Tensor, magnitude: torch.Tensor, strength: float
) -> torch.Tensor:
    """DoRA (arXiv 2402.09353): W + difference, with the norm `magnitude` per column or, in LyCORIS, per row.

    As in ComfyUI, rows are divided by the norms of W, not by those of the sum, so that files look alike in both.
    """
    moved = weight + difference
    rows = magnitude.shape[0] == weight.shape[0]
    others = [axis for axis in range(weight.ndim) if axis != (0 if rows else 1)]
    norm = torch.linalg.vector_norm(weight if rows else moved, dim=others, keepdim=True) + torch.finfo(weight.dtype).eps
    if magnitude.shape != norm.shape:
        raise ValueError(f"a magnitude of shape {tuple(magnitude.shape)}")
    return weight + strength * (moved * (magnitude / norm) - weight)


def _shaped(difference: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    """A difference in the shape of its weight. Raises ValueError where only the number of elements fits."""
    fits = difference.shape == weight.shape or (
        min(difference.ndim, weight.ndim) >= 2 and difference.flatten(1).shape == weight.flatten(1).shape
    )
    if not fits or weight.numel() == 0:
        raise ValueError(f"a change of shape {tuple(difference.shape)}")
    return difference.reshape(weight.shape)
