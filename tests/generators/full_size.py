"""Random weights at full size, in the original layouts: for slow tests and measurements."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import torch

from aligner.files.atomic import written_whole
from aligner.generators.stable_diffusion.networks import (
    COMPONENTS,
    empty_network,
    network_class,
    published_config,
)
from aligner.generators.stable_diffusion.original_names import (
    original_motion_names,
    original_shape,
    original_text_names,
    original_unet_names,
    original_vae_names,
    same_positions,
)

Shapes = dict[str, tuple[int, ...]]


def write_full_size(folder: Path, seed: int = 0) -> tuple[Path, Path]:
    """Write sd15.safetensors (2.1 GB) and mm_sd_v15_v2.ckpt (0.9 GB), both float16. Returns their paths.

    The first is written tensor by tensor; the second takes its size in memory.
    """
    base, motion = Path(folder) / "sd15.safetensors", Path(folder) / "mm_sd_v15_v2.ckpt"
    generator = torch.Generator().manual_seed(seed)
    _write_safetensors(base, _base_shapes(), generator)
    with written_whole(motion) as partial:
        torch.save(dict(_motion_weights(generator)), partial)
    return base, motion


def _base_shapes() -> Shapes:
    names = {"unet": original_unet_names, "vae": original_vae_names, "text_encoder": original_text_names}
    shapes = {}
    for component in COMPONENTS:
        network = empty_network(network_class(component), published_config(component), Path(component))
        state = network.state_dict()
        shapes |= {
            original: original_shape(original, tuple(state[name].shape))
            for name, original in names[component](network).items()
        }
    return shapes


def _motion_weights(generator: torch.Generator) -> Iterator[tuple[str, torch.Tensor]]:
    """Version 2: a mid block, 32 positions. The positions are computed."""
    from diffusers import MotionAdapter
    from diffusers.models.embeddings import SinusoidalPositionalEmbedding

    adapter = empty_network(MotionAdapter, {}, Path("adapter"))
    state = adapter.state_dict()
    for name, original in original_motion_names(adapter).items():
        shape = tuple(state[name].shape)
        if copy := same_positions(original):
            positions = SinusoidalPositionalEmbedding(shape[2], shape[1]).pe.half()
            yield from ((original, positions), (copy, positions))
        else:
            yield original, _random(original, shape, generator)


def _random(name: str, shape: tuple[int, ...], generator: torch.Generator) -> torch.Tensor:
    """Weights that keep the variance, norms and biases that do nothing."""
    if len(shape) < 2:
        return torch.full(shape, float(name.endswith("weight")), dtype=torch.float16)
    fan_in = torch.Size(shape[1:]).numel()
    return (torch.randn(shape, generator=generator) * fan_in**-0.5).half()


def _write_safetensors(path: Path, shapes: Shapes, generator: torch.Generator) -> None:
    """The format is an 8-byte length, a JSON header of that length with every tensor's place, and the tensors."""
    header, end = {}, 0
    for name, shape in shapes.items():
        start, end = end, end + 2 * torch.Size(shape).numel()
        header[name] = {"dtype": "F16", "shape": shape, "data_offsets": [start, end]}
    encoded = json.dumps(header).encode()
    with written_whole(path) as partial, open(partial, "wb") as file:
        file.write(len(encoded).to_bytes(8, "little") + encoded)
        for name, shape in shapes.items():
            file.write(_random(name, shape, generator).numpy().tobytes())
