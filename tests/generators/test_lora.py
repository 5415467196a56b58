"""LoRA in all naming schemes: merged weights compared with weights computed by hand, and error messages."""

from __future__ import annotations

import itertools
import json
import math
from dataclasses import dataclass

import pytest
import torch
from safetensors.torch import save_file

from aligner.errors import AlignerError, CheckpointError
from aligner.generators.stable_diffusion import Lora, load_stable_diffusion
from aligner.generators.stable_diffusion.lora_names import places
from aligner.generators.stable_diffusion.networks import (
    empty_network,
    network_class,
    published_config,
)

from .conftest import motion_adapter

SPATIAL = "down_blocks.0.attentions.1.transformer_blocks.0.attn2."
TEMPORAL = "down_blocks.1.motion_modules.0.transformer_blocks.0.attn1."
ORIGINAL = "down_blocks.1.motion_modules.0.temporal_transformer.transformer_blocks.0.attention_blocks.0."
LAYER = "text_model.encoder.layers.1."
KOHYA = "lora_unet_down_blocks_0_attentions_1_transformer_blocks_0_attn2_to_k"


@dataclass
class Spelling:
    """The names of the two matrices (rank 2), and the component and weight that they change."""

    down: str
    up: str
    weight: str
    component: str = "unet"


def kohya(address, weight, component="unet"):
    return Spelling(f"{address}.lora_down.weight", f"{address}.lora_up.weight", weight, component)


def peft(address, weight, component="unet"):
    return Spelling(f"{address}.lora_A.weight", f"{address}.lora_B.weight", weight, component)


def dotted(address, weight, component="unet"):
    return Spelling(f"{address}.down.weight", f"{address}.up.weight", weight, component)


SPELLINGS = {
    "kohya": kohya(KOHYA, f"{SPATIAL}to_k.weight"),
    "kohya to_out": kohya(KOHYA.replace("to_k", "to_out_0"), f"{SPATIAL}to_out.0.weight"),
    "kohya ff": kohya(KOHYA.replace("attn2_to_k", "ff_net_0_proj"), SPATIAL.replace("attn2.", "ff.net.0.proj.weight")),
    "kohya text": kohya("lora_te_text_model_encoder_layers_1_mlp_fc1", f"{LAYER}mlp.fc1.weight", "text_encoder"),
    "peft": peft(f"unet.{SPATIAL}to_k", f"{SPATIAL}to_k.weight"),
    "peft to_out": peft(f"unet.{SPATIAL}to_out.0", f"{SPATIAL}to_out.0.weight"),
    "peft text": peft(f"text_encoder.{LAYER}self_attn.q_proj", f"{LAYER}self_attn.q_proj.weight", "text_encoder"),
    "peft motion": peft(f"unet.{TEMPORAL}to_v", f"{TEMPORAL}to_v.weight"),
    "peft text, one level less": peft(
        "text_encoder.encoder.layers.1.self_attn.q_proj", f"{LAYER}self_attn.q_proj.weight", "text_encoder"
    ),
    "layers": dotted(f"unet.{SPATIAL}to_k.lora", f"{SPATIAL}to_k.weight"),
    "processors": dotted(f"unet.{SPATIAL}processor.to_k_lora", f"{SPATIAL}to_k.weight"),
    "processors to_out": dotted(f"unet.{SPATIAL}processor.to_out_lora", f"{SPATIAL}to_out.0.weight"),
    "layers text": dotted(
        f"text_encoder.{LAYER}self_attn.out_proj.lora_linear_layer", f"{LAYER}self_attn.out_proj.weight", "text_encoder"
    ),
    "processors text": dotted(
        f"text_encoder.{LAYER}self_attn.to_out_lora", f"{LAYER}self_attn.out_proj.weight", "text_encoder"
    ),
    "AnimateDiff": dotted(f"{ORIGINAL}processor.to_q_lora", f"{TEMPORAL}to_q.weight"),
    "AnimateDiff to_out": dotted(f"{ORIGINAL}processor.to_out_lora", f"{TEMPORAL}to_out.0.weight"),
    "AnimateDiff module.": dotted(f"module.{ORIGINAL}processor.to_q_lora", f"{TEMPORAL}to_q.weight"),
    "AnimateDiff by diffusers": dotted(f"unet.{TEMPORAL}processor.to_q_lora", f"{TEMPORAL}to_q.weight"),
    "original names, kohya": kohya(
        "lora_unet_input_blocks_2_1_transformer_blocks_0_attn2_to_k", f"{SPATIAL}to_k.weight"
    ),
    "original names, dots": kohya(
        "diffusion_model.input_blocks.2.1.transformer_blocks.0.attn2.to_k", f"{SPATIAL}to_k.weight"
    ),
    "original names, peft": peft(
        "diffusion_model.input_blocks.2.1.transformer_blocks.0.attn2.to_out.0", f"{SPATIAL}to_out.0.weight"
    ),
    "original names, unet.": kohya("unet.input_blocks.2.1.transformer_blocks.0.attn2.to_k", f"{SPATIAL}to_k.weight"),
    "original names, convolution": kohya("diffusion_model.time_embed.0", "time_embedding.linear_1.weight"),
    "original names, text": kohya(
        f"text_encoders.clip_l.transformer.{LAYER}mlp.fc1", f"{LAYER}mlp.fc1.weight", "text_encoder"
    ),
    "original names, embedding": kohya(
        "text_encoders.clip_l.transformer.text_model.embeddings.position_embedding",
        "text_model.embeddings.position_embedding.weight",
        "text_encoder",
    ),
    "kohya text, as for SDXL": kohya(
        "lora_te1_text_model_encoder_layers_1_mlp_fc1", f"{LAYER}mlp.fc1.weight", "text_encoder"
    ),
    "LyCORIS": kohya(KOHYA.replace("lora_unet_", "lycoris_"), f"{SPATIAL}to_k.weight"),
    "peft with the adapter's name": Spelling(
        f"unet.{SPATIAL}to_k.lora_A.default.weight",
        f"unet.{SPATIAL}to_k.lora_B.default.weight",
        f"{SPATIAL}to_k.weight",
    ),
    "peft without weight": Spelling(
        f"unet.{SPATIAL}to_k.lora_A", f"unet.{SPATIAL}to_k.lora_B", f"{SPATIAL}to_k.weight"
    ),
    "processors without unet.": dotted(f"{SPATIAL}processor.to_k_lora", f"{SPATIAL}to_k.weight"),
    "AnimateDiff, kohya": kohya("lora_unet_" + f"{ORIGINAL}to_q".replace(".", "_"), f"{TEMPORAL}to_q.weight"),
    "AnimateDiff v3 adapter": dotted(f"{SPATIAL}processor.to_v_lora", f"{SPATIAL}to_v.weight"),
}


@pytest.fixture(scope="module")
def plain(base_file, motion_file):
    return load_stable_diffusion(base_file, motion_file)


@pytest.fixture
def load(base_file, motion_file):
    return lambda *loras, **options: load_stable_diffusion(base_file, motion_file, loras=loras, **options)


def weight_of(model, spelling):
    state = getattr(model, spelling.component).state_dict()
    short = spelling.weight.removeprefix("text_model.")
    return state[short if short in state else spelling.weight]


def matrices(normal, weight, rank=2):
    return normal(rank, *weight.shape[1:]), normal(weight.shape[0], rank)


def assert_only_changed(model, plain, spelling, expected):
    torch.testing.assert_close(weight_of(model, spelling), expected, atol=1e-6, rtol=1e-5)
    for component in ("unet", "vae", "text_encoder"):
        before = getattr(plain, component).state_dict()
        changed = [
            name
            for name, tensor in getattr(model, component).state_dict().items()
            if not torch.equal(tensor, before[name])
        ]
        assert len(changed) == (component == spelling.component), changed


@pytest.fixture
def normal():
    generator = torch.Generator().manual_seed(7)
    return lambda *shape: torch.randn(shape, generator=generator)


@pytest.mark.parametrize("spelling", SPELLINGS.values(), ids=SPELLINGS)
def test_every_spelling(tmp_path, plain, load, normal, spelling):
    weight = weight_of(plain, spelling)
    down, up = matrices(normal, weight)
    save_file({spelling.down: down, spelling.up: up}, tmp_path / "x.safetensors")
    assert_only_changed(load(Lora(tmp_path / "x.safetensors", -0.7)), plain, spelling, weight - 0.7 * up @ down)


def test_published_layout_of_motion_lora(tmp_path, plain, load, normal):
    spelling = SPELLINGS["AnimateDiff"]
    weight = weight_of(plain, spelling)
    down, up = matrices(normal, weight)
    torch.save({"state_dict": {spelling.down: down, spelling.up: up}, "epoch": 1}, tmp_path / "x.ckpt")
    assert_only_changed(load(Lora(tmp_path / "x.ckpt")), plain, spelling, weight + up @ down)


def test_all_layers_of_published_loras_have_a_place_at_full_size():
    from diffusers import MotionAdapter, UNetMotionModel

    networks = {
        name: empty_network(network_class(name), published_config(name), "here") for name in ("unet", "text_encoder")
    }
    with torch.device("meta"):
        networks["unet"] = UNetMotionModel.from_unet2d(networks["unet"], MotionAdapter(), load_weights=False)
    levels = [
        *(f"down_blocks.{b}.{{}}.{k}" for b in range(4) for k in range(2)),
        "mid_block.{}.0",
        *(f"up_blocks.{b}.{{}}.{k}" for b in range(4) for k in range(3)),
    ]
    with_text = [place for place in levels if not place.startswith(("down_blocks.3", "up_blocks.0"))]
    block = "transformer_blocks.0"
    projections = [f"{block}.attn{n}.{part}" for n in (1, 2) for part in ("to_q", "to_k", "to_v", "to_out.0")]
    trained = [*projections, "proj_in", "proj_out", f"{block}.ff.net.0.proj", f"{block}.ff.net.2"]
    kohya_unet = [
        f"lora_unet_{place.format('attentions')}.{part}".replace(".", "_") for place in with_text for part in trained
    ]
    kohya_text = [
        f"lora_te_text_model_encoder_layers_{layer}_{part}"
        for layer in range(12)
        for part in (
            "self_attn_q_proj",
            "self_attn_k_proj",
            "self_attn_v_proj",
            "self_attn_out_proj",
            "mlp_fc1",
            "mlp_fc2",
        )
    ]
    adapter = [f"unet.{place.format('attentions')}.{part}" for place in with_text for part in projections]
    motion = [f"unet.{place.format('motion_modules')}.{part}" for place in levels for part in projections]
    assert [len(names) for names in (kohya_unet, kohya_text, adapter, motion)] == [192, 72, 128, 168]
    assert {*kohya_unet, *kohya_text, *adapter, *motion} <= places(networks).keys()


def test_alpha_is_relative_to_the_rank(tmp_path, plain, load, normal):
    spelling = SPELLINGS["kohya"]
    weight = weight_of(plain, spelling)
    down, up = matrices(normal, weight, rank=4)
    for alpha in (torch.tensor(1.0), torch.tensor([1.0])):
        save_file({spelling.down: down, spelling.up: up, f"{KOHYA}.alpha": alpha}, tmp_path / "x.safetensors")
        assert_only_changed(load(Lora(tmp_path / "x.safetensors", 2)), plain, spelling, weight + 0.5 * up @ down)


def test_alpha_in_pefts_settings(tmp_path, plain, load, normal):
    spelling = SPELLINGS["peft"]
    weight = weight_of(plain, spelling)
    down, up = matrices(normal, weight)
    settings = {
        "unet.lora_alpha": 6,
        "unet.r": 2,
        "unet.alpha_pattern": {},
        "unet.use_dora": False,
        "text_encoder.lora_alpha": 100,
    }
    save_file(
        {spelling.down: down, spelling.up: up},
        tmp_path / "x.safetensors",
        metadata={"lora_adapter_metadata": json.dumps(settings)},
    )
    assert_only_changed(load(Lora(tmp_path / "x.safetensors")), plain, spelling, weight + 3 * up @ down)


@pytest.mark.parametrize(
    "address, name",
    [
        ("lora_unet_down_blocks_0_resnets_1_conv1", "down_blocks.0.resnets.1.conv1.weight"),
        ("lora_unet_conv_in", "conv_in.weight"),
        ("lora_unet_up_blocks_1_attentions_0_proj_in", "up_blocks.1.attentions.0.proj_in.weight"),
    ],
)
@pytest.mark.parametrize("kind", ["1 x 1 after", "flat", "mid"])
def test_convolutions(tmp_path, plain, load, normal, address, name, kind):
    spelling = kohya(address, name)
    weight = weight_of(plain, spelling)
    out, into, *kernel = weight.shape
    down, up, mid = normal(2, into, *kernel), normal(out, 2, 1, 1), None
    if kind == "flat":
        down, up = down.flatten(1), up.flatten(1)
    elif kind == "mid":
        down, up, mid = normal(2, into, 1, 1), normal(out, 3, 1, 1), normal(3, 2, *kernel)
    state = {spelling.down: down, spelling.up: up, f"{address}.alpha": torch.tensor(1.0)}
    save_file({**state, f"{address}.lora_mid.weight": mid} if kind == "mid" else state, tmp_path / "x.safetensors")
    # A chain of convolutions of a single pixel's impulse is the kernel itself, mirrored.
    pixel = torch.zeros(into, into, 5, 5)
    pixel[range(into), range(into), 2, 2] = 1
    if kind == "mid":
        chained = torch.conv2d(torch.conv2d(torch.conv2d(pixel, down), mid, padding=kernel[0] // 2), up)
    else:
        chained = torch.conv2d(
            torch.conv2d(pixel, down.reshape(2, into, *kernel), padding=kernel[0] // 2), up.reshape(out, 2, 1, 1)
        )
    reach = kernel[0] // 2
    change = chained[:, :, 2 - reach : 3 + reach, 2 - reach : 3 + reach].flip(2, 3).transpose(0, 1)
    assert_only_changed(load(Lora(tmp_path / "x.safetensors")), plain, spelling, weight + 0.5 * change)


CONV = "lora_unet_input_blocks_1_0_in_layers_2"
CONV_WEIGHT = "down_blocks.0.resnets.0.conv1.weight"


def entries(shape, entry):
    """A matrix or kernel, entry by entry."""
    return torch.tensor([entry(*at) for at in itertools.product(*map(range, shape))]).reshape(shape)


def test_loha_multiplies_two_products_entry_by_entry(tmp_path, plain, load, normal):
    spelling = kohya(KOHYA, f"{SPATIAL}to_k.weight")
    weight = weight_of(plain, spelling)
    a, b, c, d = normal(16, 3), normal(3, 24), normal(16, 3), normal(3, 24)
    state = {f"{KOHYA}.hada_{name}": matrix for name, matrix in zip(("w1_a", "w1_b", "w2_a", "w2_b"), (a, b, c, d))}
    save_file({**state, f"{KOHYA}.alpha": torch.tensor(1.5)}, tmp_path / "x.safetensors")
    expected = weight + 0.5 * entries(weight.shape, lambda i, j: (a[i] @ b[:, j]) * (c[i] @ d[:, j]))
    assert_only_changed(load(Lora(tmp_path / "x.safetensors")), plain, spelling, expected)


def test_loha_of_convolutions_has_cores(tmp_path, plain, load, normal):
    spelling = kohya(CONV, CONV_WEIGHT)
    weight = weight_of(plain, spelling)
    parts = [(normal(2, 16), normal(3, 16), normal(2, 3, 3, 3)) for _ in range(2)]
    state = {}
    for k, (a, b, core) in enumerate(parts, start=1):
        state |= {f"{CONV}.hada_w{k}_a": a, f"{CONV}.hada_w{k}_b": b, f"{CONV}.hada_t{k}": core}
    save_file(state, tmp_path / "x.safetensors")

    def entry(o, i, y, x):
        return math.prod(float(a[:, o] @ core[:, :, y, x] @ b[:, i]) for a, b, core in parts)

    expected = weight + entries(weight.shape, entry)
    assert_only_changed(load(Lora(tmp_path / "x.safetensors")), plain, spelling, expected)


@pytest.mark.parametrize("split", ["neither", "first", "second", "both"])
def test_lokr_fills_the_second_matrix_into_each_entry_of_the_first(tmp_path, plain, load, normal, split):
    spelling = kohya(KOHYA, f"{SPATIAL}to_k.weight")
    weight = weight_of(plain, spelling)
    state = {"alpha": torch.tensor(1.0)}
    if split in ("first", "both"):
        state |= {"lokr_w1_a": normal(2, 4), "lokr_w1_b": normal(4, 3)}
    else:
        state["lokr_w1"] = normal(2, 3)
    if split in ("second", "both"):
        state |= {"lokr_w2_a": normal(8, 2), "lokr_w2_b": normal(2, 8)}
    else:
        state["lokr_w2"] = normal(8, 8)
    save_file({f"{KOHYA}.{name}": tensor for name, tensor in state.items()}, tmp_path / "x.safetensors")
    first = state["lokr_w1"] if "lokr_w1" in state else state["lokr_w1_a"] @ state["lokr_w1_b"]
    second = state["lokr_w2"] if "lokr_w2" in state else state["lokr_w2_a"] @ state["lokr_w2_b"]
    # Alpha is relative to the rank of the second matrix, or else of the first. Whole matrices have none.
    scale = {"neither": 1, "first": 1 / 4, "second": 1 / 2, "both": 1 / 2}[split]
    expected = weight + scale * entries(weight.shape, lambda i, j: first[i // 8, j // 8] * second[i % 8, j % 8])
    assert_only_changed(load(Lora(tmp_path / "x.safetensors")), plain, spelling, expected)


@pytest.mark.parametrize("kind", ["kernel", "flat", "core"])
def test_lokr_of_convolutions(tmp_path, plain, load, normal, kind):
    spelling = kohya(CONV, CONV_WEIGHT)
    weight = weight_of(plain, spelling)
    first = normal(2, 4)
    if kind == "kernel":
        kernel = normal(8, 4, 3, 3)
        state = {"lokr_w2": kernel}
    elif kind == "flat":
        state = {"lokr_w2_a": normal(8, 2), "lokr_w2_b": normal(2, 36)}
        kernel = (state["lokr_w2_a"] @ state["lokr_w2_b"]).reshape(8, 4, 3, 3)
    else:
        state = {"lokr_w2_a": normal(2, 8), "lokr_w2_b": normal(3, 4), "lokr_t2": normal(2, 3, 3, 3)}
        kernel = torch.stack(
            [
                (state["lokr_w2_a"].T @ state["lokr_t2"][:, :, y, x] @ state["lokr_w2_b"])
                for y in range(3)
                for x in range(3)
            ],
            dim=-1,
        ).reshape(8, 4, 3, 3)
    state["lokr_w1"] = first
    save_file({f"{CONV}.{name}": tensor.contiguous() for name, tensor in state.items()}, tmp_path / "x.safetensors")
    expected = weight + entries(weight.shape, lambda o, i, y, x: first[o // 8, i // 4] * kernel[o % 8, i % 4, y, x])
    assert_only_changed(load(Lora(tmp_path / "x.safetensors")), plain, spelling, expected)


@pytest.mark.parametrize("strength", [1, 0.5])
@pytest.mark.parametrize("address, name", [(KOHYA, f"{SPATIAL}to_k.weight"), (CONV, CONV_WEIGHT)])
def test_dora_sets_the_norm_of_columns(tmp_path, plain, load, normal, address, name, strength):
    """Equation 5 of arXiv 2402.09353; of a convolution, an input channel is a column."""
    spelling = kohya(address, name)
    weight = weight_of(plain, spelling)
    down, up = normal(2, *weight.shape[1:]), normal(len(weight), 2)
    magnitude = normal(1, weight.shape[1], *(1 for _ in weight.shape[2:]))
    state = {spelling.down: down, spelling.up: up, f"{address}.alpha": torch.tensor(1.0)}
    save_file({**state, f"{address}.dora_scale": magnitude}, tmp_path / "x.safetensors")
    merged = weight + 0.5 * (up @ down.flatten(1)).reshape(weight.shape)
    for column in range(weight.shape[1]):
        merged[:, column] *= magnitude[0, column].item() / merged[:, column].norm()
    model = load(Lora(tmp_path / "x.safetensors", strength))
    assert_only_changed(model, plain, spelling, weight + strength * (merged - weight))


def test_dora_of_rows_divides_by_the_norms_of_the_base_as_comfyui_does(tmp_path, plain, load, normal):
    spelling = kohya(KOHYA, f"{SPATIAL}to_k.weight")
    weight = weight_of(plain, spelling)
    (down, up), magnitude = matrices(normal, weight), normal(16, 1)
    save_file({spelling.down: down, spelling.up: up, f"{KOHYA}.dora_scale": magnitude}, tmp_path / "x.safetensors")
    expected = torch.stack(
        [(row + change) * size / row.norm() for row, change, size in zip(weight, up @ down, magnitude)]
    )
    assert_only_changed(load(Lora(tmp_path / "x.safetensors")), plain, spelling, expected)


@pytest.mark.parametrize(
    "name, parameter, component",
    [
        (f"{KOHYA}.diff", f"{SPATIAL}to_k.weight", "unet"),
        (f"{CONV}.diff", CONV_WEIGHT, "unet"),
        (f"{CONV}.diff_b", CONV_WEIGHT.replace("weight", "bias"), "unet"),
        ("diffusion_model.out.0.bias.diff", "conv_norm_out.bias", "unet"),
        ("diffusion_model.out.0.w_norm", "conv_norm_out.weight", "unet"),
        (f"{KOHYA.removesuffix('attn2_to_k')}norm1.w_norm", SPATIAL.replace("attn2.", "norm1.weight"), "unet"),
        (f"{KOHYA.removesuffix('attn2_to_k')}norm1.b_norm", SPATIAL.replace("attn2.", "norm1.bias"), "unet"),
        ("lora_te_text_model_encoder_layers_1_layer_norm1.w_norm", f"{LAYER}layer_norm1.weight", "text_encoder"),
        (f"text_encoders.clip_l.transformer.{LAYER}mlp.fc1.diff_b", f"{LAYER}mlp.fc1.bias", "text_encoder"),
        (f"unet.{TEMPORAL}to_v.diff", f"{TEMPORAL}to_v.weight", "unet"),
    ],
)
def test_differences_are_added_as_they_are(tmp_path, plain, load, normal, name, parameter, component):
    spelling = Spelling("", "", parameter, component)
    weight = weight_of(plain, spelling)
    difference = normal(*weight.shape)
    save_file({name: difference}, tmp_path / "x.safetensors")
    model = load(Lora(tmp_path / "x.safetensors", 0.3))
    assert_only_changed(model, plain, spelling, weight + 0.3 * difference)


def test_a_set_weight_replaces_the_weight_at_any_strength_but_zero(tmp_path, plain, load, normal):
    spelling = kohya(KOHYA, f"{SPATIAL}to_k.weight")
    other = normal(16, 24)
    save_file({f"{KOHYA}.set_weight": other}, tmp_path / "x.safetensors")
    assert_only_changed(load(Lora(tmp_path / "x.safetensors", 0.3)), plain, spelling, other)
    assert torch.equal(weight_of(load(Lora(tmp_path / "x.safetensors", 0)), spelling), weight_of(plain, spelling))


def test_several_add_up_and_strength_zero_changes_nothing(tmp_path, plain, load, normal):
    spelling = SPELLINGS["kohya"]
    weight = weight_of(plain, spelling)
    down, up = matrices(normal, weight)
    path = tmp_path / "x.safetensors"
    save_file({spelling.down: down, spelling.up: up}, path)
    model = load(Lora(path, 0.5), Lora(str(path), 0), Lora(path, 0.25))
    assert_only_changed(model, plain, spelling, weight + 0.75 * up @ down)
    model = load(Lora(path, 0))
    assert torch.equal(weight_of(model, spelling), weight)
    assert not any(weight.requires_grad for weight in model.unet.parameters())


def test_products_are_computed_in_float32(tmp_path, plain, load, normal):
    spelling = SPELLINGS["kohya"]
    weight = weight_of(plain, spelling)
    down, up = (matrix.half() for matrix in matrices(normal, weight))
    save_file({spelling.down: down, spelling.up: up}, tmp_path / "x.safetensors")
    with torch.inference_mode():
        model = load(Lora(tmp_path / "x.safetensors", 0.3), dtype=torch.float16)
    expected = (weight.half().float() + 0.3 * up.float() @ down.float()).half()
    assert torch.equal(weight_of(model, spelling), expected) and not weight_of(model, spelling).is_inference()


def test_folders_take_lora_too(tmp_path, plain, base_folder, motion_folder, normal):
    spelling = SPELLINGS["AnimateDiff"]
    weight = weight_of(plain, spelling)
    down, up = matrices(normal, weight)
    save_file({spelling.down: down, spelling.up: up}, tmp_path / "x.safetensors")
    model = load_stable_diffusion(base_folder, motion_folder, loras=[Lora(tmp_path / "x.safetensors")])
    assert_only_changed(model, plain, spelling, weight + up @ down)


@pytest.mark.parametrize("strength", [math.nan, math.inf])
def test_strengths_must_be_finite(strength):
    with pytest.raises(AlignerError, match="x.safetensors is .*finite"):
        Lora("x.safetensors", strength)


def refused(load, path, state, message, metadata=None):
    save_file(state, path / "x.safetensors", metadata=metadata)
    with pytest.raises(CheckpointError, match=message) as caught:
        load(Lora(path / "x.safetensors"))
    assert len(str(caught.value)) < 2000


def pair(address, down=(2, 16), up=(16, 2)):
    return {f"{address}.lora_down.weight": torch.zeros(down), f"{address}.lora_up.weight": torch.zeros(up)}


@pytest.mark.parametrize(
    "address", ["lora_te2_text_projection", "text_encoder_2.text_model.x", "text_encoders.clip_g.transformer.x"]
)
def test_a_second_text_encoder_is_sdxls(tmp_path, load, address):
    state = {**pair(KOHYA, down=(2, 24)), **pair(address)}
    refused(load, tmp_path, state, "x.safetensors is a LoRA for SDXL.* Choose a LoRA for Stable Diffusion 1.5")


@pytest.mark.parametrize(
    "address",
    [
        "lora_unet_input_blocks_1_1_transformer_blocks_0_attn2_to_k",
        "lora_te1_text_model_encoder_layers_0_mlp_fc1",
        "diffusion_model.input_blocks.1.1.transformer_blocks.0.attn2.to_k",
    ],
)
def test_sdxl_is_told_by_its_shapes(tmp_path, load, address):
    refused(load, tmp_path, pair(address, down=(2, 2048)), r"for another model, for example SDXL: .*\(2, 2048\)")


@pytest.mark.parametrize(
    "name, kind",
    [
        ("lora_magnitude_vector", "DoRA in peft's layout"),
        ("oft_blocks", "OFT"),
        ("boft_blocks", "BOFT"),
        ("a1.weight", "GLoRA"),
        ("on_input", "IA3"),
        ("lora_B.bias", "LoRA with biases of its own"),
        ("reshape_weight", "LoRA that widens layers"),
        ("base_model.model.x", "LoRA in peft's own layout"),
    ],
)
def test_kinds_that_are_not_supported(tmp_path, load, name, kind):
    state = {**pair(KOHYA, down=(2, 24)), f"{KOHYA}.{name}": torch.zeros(2)}
    refused(load, tmp_path, state, f"is of the kind {kind}.* which is not supported. Choose a plain LoRA")


def test_layers_of_another_model_are_listed(tmp_path, load):
    others = {**pair("lora_unet_double_blocks_0_img_attn_qkv"), **pair("lora_unet_extra")}
    refused(load, tmp_path, others, "made for another model.*missing here: .*double_blocks.*extra")


@pytest.mark.parametrize(
    "extra",
    [
        pair("lora_unet_extra"),
        pair("lora_te1_text_projection"),
        {f"{KOHYA}.scalar": torch.ones(())},
        {"lora_unet_extra.alpha": torch.ones(())},
        {"anything.at.all": torch.ones(2)},
        {f"{KOHYA}.diff_b": torch.ones(16)},
    ],
)
def test_what_no_layer_reads_is_left_aside_and_named(tmp_path, plain, load, normal, extra):
    spelling = SPELLINGS["kohya"]
    weight = weight_of(plain, spelling)
    down, up = matrices(normal, weight)
    save_file({spelling.down: down, spelling.up: up, **extra}, tmp_path / "x.safetensors")
    with pytest.warns(UserWarning, match=f"x.safetensors holds tensors that no network reads.*{next(iter(extra))}"):
        model = load(Lora(tmp_path / "x.safetensors"))
    assert_only_changed(model, plain, spelling, weight + up @ down)


@pytest.mark.parametrize("name", ["bundle_emb.mytoken.string_to_param.*", "bundle_emb.mytoken.clip_l"])
def test_a_bundled_textual_inversion_is_left_aside_and_named(tmp_path, plain, load, normal, name):
    spelling = SPELLINGS["kohya"]
    weight = weight_of(plain, spelling)
    down, up = matrices(normal, weight)
    save_file({spelling.down: down, spelling.up: up, name: torch.ones(2, 24)}, tmp_path / "x.safetensors")
    with pytest.warns(UserWarning, match="x.safetensors brings textual inversions, which are left aside: mytoken"):
        model = load(Lora(tmp_path / "x.safetensors"))
    assert_only_changed(model, plain, spelling, weight + up @ down)


@pytest.mark.parametrize(
    "state",
    [
        pair(KOHYA, down=(2, 48)),
        pair(KOHYA, up=(48, 2)),
        pair(KOHYA, up=(16, 3)),
        pair(KOHYA, up=(16,)),
        {f"{KOHYA}.lora_down.weight": torch.zeros(2, 24)},
        {**pair(KOHYA, down=(2, 24)), f"{KOHYA}.alpha": torch.zeros(2)},
        {**pair(KOHYA, down=(0, 24), up=(16, 0)), f"{KOHYA}.alpha": torch.ones(())},
        {**pair(KOHYA, down=(2, 24)), f"{KOHYA}.lora_mid.weight": torch.zeros(2, 2, 3, 3)},
        {**pair(KOHYA, down=(2, 24)), f"{KOHYA}.hada_w1_a": torch.zeros(16, 2)},
        {**pair(KOHYA, down=(2, 24)), f"{KOHYA}.diff": torch.zeros(16, 24)},
        {**pair(KOHYA, down=(2, 24)), f"{KOHYA}.dora_scale": torch.zeros(16)},
        {**pair(KOHYA, down=(2, 24)), f"{KOHYA}.dora_scale": torch.zeros(1, 16)},
        {f"{KOHYA}.diff": torch.zeros(24, 16)},
        {f"{KOHYA}.set_weight": torch.zeros(16 * 24)},
        {f"{KOHYA}.hada_{name}": torch.zeros(16, 2) for name in ("w1_a", "w2_a", "w2_b")},
        {f"{KOHYA}.lokr_w1": torch.zeros(4, 4), f"{KOHYA}.lokr_w2_a": torch.zeros(4, 6)},
        {**pair(KOHYA, down=(2, 24)), f"unet.{SPATIAL}to_k.lora_A.weight": torch.zeros(2, 24)},
    ],
)
def test_matrices_of_another_shape_or_without_partner(tmp_path, load, state):
    refused(load, tmp_path, state, f"damaged or made for another model, for example SDXL: .*{KOHYA}")


def test_one_bad_layer_spoils_the_file_before_anything_is_merged(tmp_path, load, monkeypatch):
    monkeypatch.setattr("aligner.generators.stable_diffusion.single_file.SingleFile.fill", None)
    good = pair(KOHYA, down=(2, 24))
    refused(load, tmp_path, {**good, **pair("lora_unet_conv_in")}, "another model.*lora_unet_conv_in.lora_down")


def test_values_that_are_no_numbers(tmp_path, load):
    state = {name: torch.full_like(tensor, math.nan) for name, tensor in pair(KOHYA, down=(2, 24)).items()}
    refused(load, tmp_path, state, "x.safetensors changes .* to NaN or infinite values")


def test_motion_lora_needs_a_motion_module(tmp_path, base_file, load, normal):
    spelling = SPELLINGS["AnimateDiff"]
    state = {spelling.down: normal(2, 32), spelling.up: normal(32, 2)}
    refused(
        lambda lora: load_stable_diffusion(base_file, loras=[lora]),
        tmp_path,
        state,
        "is a motion LoRA, but there is no motion module",
    )


def test_motion_lora_for_modules_with_a_mid_block(tmp_path, base_file):
    motion_adapter(use_motion_mid_block=False).save_pretrained(tmp_path / "mm")
    name = ORIGINAL.replace("down_blocks.1", "mid_block")
    state = {f"{name}processor.to_q_lora.{half}.weight": torch.zeros(2, 32) for half in ("down", "up")}
    refused(
        lambda lora: load_stable_diffusion(base_file, tmp_path / "mm", loras=[lora]),
        tmp_path,
        state,
        "layers that are missing here: mid_block",
    )


def test_files_that_are_no_lora(tmp_path, base_file, motion_file, load):
    for path, kind in ((base_file, "a Stable Diffusion 1 checkpoint"), (motion_file, "a motion module")):
        with pytest.raises(CheckpointError, match=f"is {kind}, not a LoRA. Choose a LoRA"):
            load(Lora(path))
    refused(load, tmp_path, {"emb_params": torch.zeros(2)}, "is not a LoRA: emb_params")
    refused(load, tmp_path, {f"{KOHYA}.alpha": torch.zeros(())}, f"is not a LoRA: {KOHYA}.alpha")
    with pytest.raises(CheckpointError, match="no weight file"):
        load(Lora(tmp_path / "absent.safetensors"))


@pytest.mark.parametrize(
    "settings, message",
    [
        ('{"unet.use_rslora": true}', "unet.use_rslora, which is not supported"),
        ('{"alpha_pattern": {"to_k": 2}}', "trained with alpha_pattern"),
        ("[]", "metadata are damaged"),
        ("{", "metadata are damaged"),
        ('{"a":' * 200_000, "metadata are damaged .*nested too deeply"),
        ('{"lora_alpha": "many"}', "metadata are damaged"),
    ],
)
def test_settings_that_change_the_meaning(tmp_path, load, settings, message):
    refused(load, tmp_path, pair(KOHYA, down=(2, 24)), message, {"lora_adapter_metadata": settings})


@pytest.mark.parametrize("dtype", [torch.int8, torch.bool, torch.complex64])
def test_matrices_that_are_no_floats_are_refused(tmp_path, load, dtype):
    state = {name: weight.to(dtype) for name, weight in pair(KOHYA, down=(2, 24), up=(16, 2)).items()}
    refused(load, tmp_path, state, f"holds {dtype} in .* Choose a LoRA in fp32, bf16 or fp16")


def test_metadata_beyond_all_numbers_are_damaged(tmp_path, load):
    metadata = {"lora_adapter_metadata": '{"unet.lora_alpha": ' + "9" * 400 + "}"}
    refused(load, tmp_path, pair(KOHYA, down=(2, 24)), "its metadata are damaged", metadata)
