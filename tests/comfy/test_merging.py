"""LoRAs merged by our loader and by ComfyUI's own code: the same addresses, and the same weights."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from aligner.generators.stable_diffusion import Lora, load_stable_diffusion, save_single_file
from aligner.generators.stable_diffusion.lora_names import places, split
from aligner.generators.stable_diffusion.original_names import original_text_names, original_unet_names

from . import merging_inside
from .install import python_for
from .server import Server, server_environment

STRENGTH = 0.7

#: The blocks of Stable Diffusion 1.5, narrow.
UNET = {
    "block_out_channels": (8, 16, 16, 16),
    "norm_num_groups": 4,
    "attention_head_dim": 2,
    "cross_attention_dim": 24,
}
VAE = {"block_out_channels": (4,), "norm_num_groups": 2}
TEXT = {"hidden_size": 24, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 2}

State = dict[str, torch.Tensor]


@dataclass(frozen=True)
class Merged:
    """A folder where ComfyUI has merged LoRAs, and the address of every weight that ComfyUI knows."""

    folder: Path
    keys: dict[str, str]

    @property
    def base(self) -> Path:
        return self.folder / "base.safetensors"


def random_like(*shape: int) -> torch.Tensor:
    return torch.randn(shape) * 0.3


def write_base(path: Path) -> None:
    from diffusers import AutoencoderKL, UNet2DConditionModel
    from transformers import CLIPTextConfig, CLIPTextModel

    networks = UNet2DConditionModel(**UNET), AutoencoderKL(**VAE), CLIPTextModel(CLIPTextConfig(**TEXT))
    with torch.no_grad():
        for network in networks:
            for parameter in network.parameters():
                parameter.copy_(random_like(*parameter.shape))
    save_single_file(path, *networks)


def plain(shape: tuple[int, ...]) -> State:
    up = random_like(shape[0], 2, *(1 for _ in shape[2:]))
    return {"lora_down.weight": random_like(2, *shape[1:]), "lora_up.weight": up, "alpha": torch.tensor(1.0)}


def with_core(shape: tuple[int, ...]) -> State:
    if len(shape) < 4:
        return plain(shape)
    return {
        "lora_down.weight": random_like(2, shape[1], 1, 1),
        "lora_mid.weight": random_like(2, 2, *shape[2:]),
        "lora_up.weight": random_like(shape[0], 2, 1, 1),
    }


def peft(shape: tuple[int, ...]) -> State:
    state = plain(shape)
    return {"lora_A.weight": state["lora_down.weight"], "lora_B.weight": state["lora_up.weight"]}


def peft_default(shape: tuple[int, ...]) -> State:
    return {name.replace(".weight", ".default.weight"): tensor for name, tensor in peft(shape).items()}


def bare_peft(shape: tuple[int, ...]) -> State:
    return {name.removesuffix(".weight"): tensor for name, tensor in peft(shape).items()}


def layers(shape: tuple[int, ...]) -> State:
    state = plain(shape)
    return {"lora.down.weight": state["lora_down.weight"], "lora.up.weight": state["lora_up.weight"]}


def linear_layers(shape: tuple[int, ...]) -> State:
    return {name.replace("lora.", "lora_linear_layer."): tensor for name, tensor in layers(shape).items()}


def dora_of_columns(shape: tuple[int, ...]) -> State:
    return plain(shape) | {"dora_scale": random_like(1, shape[1], *(1 for _ in shape[2:]))}


def dora_of_rows(shape: tuple[int, ...]) -> State:
    return plain(shape) | {"dora_scale": random_like(shape[0], *(1 for _ in shape[1:]))}


def loha(shape: tuple[int, ...]) -> State:
    rows, columns = shape[0], torch.Size(shape[1:]).numel()
    state = {"alpha": torch.tensor(3.0)}
    for k in (1, 2):
        state |= {f"hada_w{k}_a": random_like(rows, 2), f"hada_w{k}_b": random_like(2, columns)}
    return state


def loha_with_cores(shape: tuple[int, ...]) -> State:
    if len(shape) < 4:
        return loha(shape)
    state = {"alpha": torch.tensor(3.0)}
    for k in (1, 2):
        state |= {
            f"hada_w{k}_a": random_like(2, shape[0]),
            f"hada_w{k}_b": random_like(3, shape[1]),
            f"hada_t{k}": random_like(2, 3, *shape[2:]),
        }
    return state


def lokr(shape: tuple[int, ...]) -> State:
    rows, columns = shape[0] // 4, shape[1] // 4
    return {"lokr_w1": random_like(4, 4), "lokr_w2": random_like(rows, columns, *shape[2:]), "alpha": torch.tensor(9.0)}


def lokr_of_products(shape: tuple[int, ...]) -> State:
    rows, columns = shape[0] // 4, torch.Size(shape[1:]).numel() // 4
    return {
        "lokr_w1_a": random_like(4, 3),
        "lokr_w1_b": random_like(3, 4),
        "lokr_w2_a": random_like(rows, 2),
        "lokr_w2_b": random_like(2, columns),
        "alpha": torch.tensor(9.0),
    }


def dora_of_lokr(shape: tuple[int, ...]) -> State:
    return lokr_of_products(shape) | {"dora_scale": random_like(1, shape[1], *(1 for _ in shape[2:]))}


def difference(shape: tuple[int, ...]) -> State:
    return {"diff": random_like(*shape), "diff_b": random_like(shape[0])}


def replacement(shape: tuple[int, ...]) -> State:
    return {"set_weight": random_like(*shape)}


#: By name: what is stored for a matrix or kernel of a shape, and the start of the addresses.
KINDS: dict[str, tuple[Callable[[tuple[int, ...]], State], tuple[str, ...]]] = {
    "kohya": (plain, ("lora_unet_down_", "lora_unet_mid_", "lora_unet_up_", "lora_te_")),
    "kohya-original": (plain, ("lora_unet_input", "lora_unet_middle", "lora_unet_output", "lora_te1_")),
    "comfyui": (plain, ("diffusion_model.", "text_encoders.")),
    "lycoris": (plain, ("lycoris_",)),
    "cores": (with_core, ("lora_unet_input", "lora_unet_output")),
    "peft": (peft, ("unet.", "text_encoder.")),
    "peft-default": (peft_default, ("diffusion_model.",)),
    "peft-bare": (bare_peft, ("diffusion_model.",)),
    "layers": (layers, ("unet.", "text_encoder.")),
    "linear-layers": (linear_layers, ("unet.", "text_encoder.")),
    "dora-columns": (dora_of_columns, ("lora_unet_input", "lora_te_")),
    "dora-rows": (dora_of_rows, ("lora_unet_input", "lora_te_")),
    "loha": (loha, ("lora_unet_down", "lora_te_")),
    "loha-cores": (loha_with_cores, ("lora_unet_input",)),
    "lokr": (lokr, ("lora_unet_input_blocks_4", "lora_te_")),
    "lokr-products": (lokr_of_products, ("lora_unet_input_blocks_4", "lora_te_")),
    "lokr-dora": (dora_of_lokr, ("lora_unet_input_blocks_4", "lora_te_")),
    "differences": (difference, ("diffusion_model.", "lora_te_")),
    "replacements": (replacement, ("diffusion_model.middle_block",)),
}


def written(kind: str, keys: dict[str, str], shapes: dict[str, tuple[int, ...]]) -> State:
    """A LoRA of a kind that changes all matrices and kernels whose addresses have its spelling."""
    store, starts = KINDS[kind]
    state: State = {}
    for address, target in keys.items():
        if address.startswith(starts) and len(shapes[target]) >= 2:
            parts = store(shapes[target])
            if target.replace(".weight", ".bias") not in shapes:
                parts.pop("diff_b", None)
            state |= {f"{address}.{part}": tensor for part, tensor in parts.items()}
    return state


def norms(keys: dict[str, str], shapes: dict[str, tuple[int, ...]]) -> State:
    """A LoRA that changes all norms, as LyCORIS writes it, and a bias as ComfyUI names it."""
    found = [address for address, target in keys.items() if len(shapes[target]) == 1 and "lora_unet_down" in address]
    state = {f"{address}.w_norm": random_like(*shapes[keys[address]]) for address in found}
    state |= {f"{address}.b_norm": random_like(*shapes[keys[address]]) for address in found}
    return state | {"diffusion_model.out.2.bias.diff": random_like(4)}


def inside(comfyui: Server, folder: Path) -> None:
    command = [python_for(comfyui.comfyui), merging_inside.__file__, folder, str(STRENGTH)]
    environment = server_environment() | {"PYTHONPATH": str(comfyui.comfyui.folder)}
    result = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300)
    assert result.returncode == 0, result.stderr
    assert "ERROR" not in result.stderr, result.stderr


@pytest.fixture(scope="module")
def merged(comfyui: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Merged]:
    folder = tmp_path_factory.mktemp("merging")
    (folder / "loras").mkdir()
    with torch.random.fork_rng():
        torch.manual_seed(3)
        write_base(folder / "base.safetensors")
        inside(comfyui, folder)  # for the addresses alone
        (folder / "merged").rmdir()
        keys = json.loads((folder / "keys.json").read_text())
        shapes = {name: tuple(tensor.shape) for name, tensor in load_file(folder / "base.safetensors").items()}
        for kind in KINDS:
            save_file(written(kind, keys, shapes), folder / "loras" / f"{kind}.safetensors")
        save_file(norms(keys, shapes), folder / "loras" / "norms.safetensors")
    inside(comfyui, folder)
    yield Merged(folder, keys)


def original(component: str, network: torch.nn.Module) -> dict[str, str]:
    return {"unet": original_unet_names, "text_encoder": original_text_names}[component](network)


def test_every_address_that_comfyui_knows_names_the_same_weight(merged: Merged) -> None:
    model = load_stable_diffusion(merged.base)
    networks = {"unet": model.unet, "text_encoder": model.text_encoder}
    ours = {}
    known, names = places(networks), {name: original(name, network) for name, network in networks.items()}
    for address in merged.keys:
        meaning = split(f"{address}.diff")
        assert meaning is not None
        component, parameter = known[meaning[0]]
        ours[address] = names[component][parameter]
    assert ours == merged.keys and len(ours) > 1500


@pytest.mark.parametrize("kind", [*KINDS, "norms"])
def test_weights_are_merged_as_comfyui_merges_them(merged: Merged, kind: str) -> None:
    base, theirs = load_file(merged.base), load_file(merged.folder / "merged" / f"{kind}.safetensors")
    model = load_stable_diffusion(merged.base, loras=[Lora(merged.folder / "loras" / f"{kind}.safetensors", STRENGTH)])
    ours = {}
    for component in ("unet", "text_encoder"):
        network = getattr(model, component)
        state = network.state_dict()
        ours |= {name: state[key] for key, name in original(component, network).items()}
    changed = {name for name in ours if not torch.equal(ours[name], base[name])}
    assert changed == theirs.keys() and len(changed) > 5
    for name in changed:
        torch.testing.assert_close(ours[name], theirs[name], atol=1e-5, rtol=1e-5)
