"""Loading Stable Diffusion and motion modules: all layouts, parity with the library, memory."""

from __future__ import annotations

import json
import os
import shutil

import pytest
import torch
from safetensors.torch import load_file, save_file

from aligner.errors import CheckpointError
from aligner.generators.stable_diffusion import (
    load_stable_diffusion,
    save_motion_module,
    save_single_file,
)
from tests.live_bytes import LiveBytes

from .conftest import motion_adapter, same

TEXT = "cond_stage_model.transformer.text_model."

#: Tensors of original checkpoints that belong to no network.
UNREAD = {
    name: torch.zeros(3)
    for name in (
        "betas",
        "alphas_cumprod",
        "alphas_cumprod_prev",
        "sqrt_alphas_cumprod",
        "sqrt_one_minus_alphas_cumprod",
        "log_one_minus_alphas_cumprod",
        "sqrt_recip_alphas_cumprod",
        "sqrt_recipm1_alphas_cumprod",
        "posterior_variance",
        "posterior_log_variance_clipped",
        "posterior_mean_coef1",
        "posterior_mean_coef2",
        "model_ema.decay",
        "model_ema.num_updates",
        "model_ema.diffusion_modeltime_embed0weight",
        f"{TEXT}embeddings.position_ids",
        "cond_stage_model.logit_scale",
        "cond_stage_model.text_projection",
        "cond_stage_model.transformer.text_projection.weight",
        "denoiser.sigmas",
        "scale_factor",
        "logvar",
        "first_stage_model.loss.logvar",
        "first_stage_model.loss.discriminator.main.0.weight",
        "first_stage_model.model_ema.decay",
        "embedding_manager.string_to_param_dict.*",
    )
}


@pytest.fixture(scope="session")
def animated(small, mid_adapter):
    """The same parts as loaded by diffusers."""
    from diffusers import UNetMotionModel

    return UNetMotionModel.from_unet2d(small.unet, mid_adapter).eval()


def assert_loaded(model, small, unet):
    assert same(model.unet, unet) and same(model.vae, small.vae) and same(model.text_encoder, small.text_encoder)
    for network in (model.unet, model.vae, model.text_encoder):
        assert not any(module.training for module in network.modules())
        assert not any(weight.requires_grad for weight in network.parameters())
        assert not any(tensor.is_meta for tensor in (*network.parameters(), *network.buffers()))


@pytest.mark.parametrize("motion", ["motion_file", "motion_folder"])
@pytest.mark.parametrize("base", ["base_file", "base_folder"])
def test_all_mixes_of_files_and_folders(request, small, animated, base, motion):
    model = load_stable_diffusion(request.getfixturevalue(base), request.getfixturevalue(motion))
    assert_loaded(model, small, animated)
    assert type(model.unet) is type(animated) and model.unet.config.motion_max_seq_length == 12
    assert model.tokenizer("rain").input_ids == [49406, 2443, 49407] and model.tokenizer.model_max_length == 77
    assert model.scheduler_config["beta_schedule"] == "scaled_linear" and model.scheduler_config["steps_offset"] == 1


@pytest.mark.parametrize("base", ["base_file", "base_folder"])
def test_without_motion(request, small, base):
    model = load_stable_diffusion(str(request.getfixturevalue(base)))
    assert_loaded(model, small, small.unet)
    assert type(model.unet) is type(small.unet)


def test_a_tokenizer_without_limit_gets_the_text_encoders(tmp_path, base_folder):
    folder = shutil.copytree(base_folder, tmp_path / "x")
    settings = json.loads((folder / "tokenizer" / "tokenizer_config.json").read_text())
    del settings["model_max_length"]
    (folder / "tokenizer" / "tokenizer_config.json").write_text(json.dumps(settings))
    assert load_stable_diffusion(folder).tokenizer.model_max_length == 77


def test_networks_compute_the_same(small, animated, base_file, motion_file):
    model = load_stable_diffusion(base_file, motion_file)
    latents, text = torch.randn(1, 4, 3, 8, 8), torch.arange(77)[None] % 64
    with torch.no_grad():
        expected = small.text_encoder(text).last_hidden_state
        torch.testing.assert_close(model.text_encoder(text).last_hidden_state, expected)
        prompts = expected.repeat_interleave(3, dim=0)
        torch.testing.assert_close(model.unet(latents, 5, prompts).sample, animated(latents, 5, prompts).sample)
        frame = latents[:, :, 0]
        torch.testing.assert_close(model.vae.decode(frame).sample, small.vae.decode(frame).sample)


def test_the_library_loads_our_file_alike(base_file, base_folder, small):
    from diffusers import AutoencoderKL, UNet2DConditionModel

    for cls, name in ((UNet2DConditionModel, "unet"), (AutoencoderKL, "vae")):
        network = cls.from_single_file(str(base_file), config=str(base_folder), subfolder=name, local_files_only=True)
        assert same(network, getattr(small, name))


@pytest.mark.parametrize("suffix", [".safetensors", ".ckpt"])
def test_motion_modules_survive_their_file(tmp_path, base_file, small, adapter, suffix):
    from diffusers import MotionAdapter, UNetMotionModel

    path = tmp_path / f"mm{suffix}"
    save_motion_module(path, adapter)
    model = load_stable_diffusion(base_file, path)
    expected = UNetMotionModel.from_unet2d(small.unet, adapter)
    # Only a file with metadata states the number of heads; the default is 8.
    assert same(model.unet, expected) and model.unet.config.motion_num_attention_heads == 8
    adapter.save_pretrained(tmp_path / "config")
    library = MotionAdapter.from_single_file(str(path), config=str(tmp_path / "config"), local_files_only=True)
    assert same(library, adapter)


def test_sizes_are_read_from_metadata(tmp_path, base_file, small):
    two_heads = motion_adapter(motion_num_attention_heads=2)
    save_motion_module(tmp_path / "mm.safetensors", two_heads)
    assert load_stable_diffusion(base_file, tmp_path / "mm.safetensors").unet.config.motion_num_attention_heads == 2
    metadata = {name: json.loads(text) for name, text in _metadata(base_file).items() if name != "format"}
    assert metadata["stable_diffusion_config"]["unet"]["block_out_channels"] == [16, 32]


@pytest.mark.parametrize("wrapped", [False, True])
@pytest.mark.parametrize("prefix", ["", "module."])
def test_published_layouts_of_motion_modules(tmp_path, base_file, motion_file, animated, wrapped, prefix):
    state = {prefix + name: tensor for name, tensor in load_file(motion_file).items()}
    state["animatediff_config"] = {"note": 1}
    torch.save({"state_dict": state, "epoch": 3} if wrapped else state, tmp_path / "mm.ckpt")
    assert same(load_stable_diffusion(base_file, tmp_path / "mm.ckpt").unet, animated)


@pytest.mark.parametrize("wrapped", [False, True])
@pytest.mark.parametrize("suffix", [".ckpt", ".pt", ".pth"])
def test_published_layouts_of_checkpoints(tmp_path, base_file, small, small_is_published, suffix, wrapped):
    state = {**load_file(base_file), **UNREAD}
    path = tmp_path / f"model{suffix}"
    torch.save({"state_dict": state, "global_step": 840000} if wrapped else state, path)
    assert_loaded(load_stable_diffusion(path), small, small.unet)


@pytest.mark.parametrize("suffix", [".ckpt", ".safetensors"])
@pytest.mark.parametrize("prefix", ["module.", "", "module.unet."])
def test_motion_modules_as_training_saves_them(tmp_path, base_file, small, animated, adapter, prefix, suffix):
    """AnimateDiff's train.py saves the whole U-Net, with the names of distributed training."""
    from diffusers import UNetMotionModel

    save_motion_module(tmp_path / "mm.safetensors", adapter)
    whole = {name: tensor for name, tensor in animated.state_dict().items() if ".motion_modules." not in name}
    state = {prefix + name: tensor for name, tensor in {**whole, **load_file(tmp_path / "mm.safetensors")}.items()}
    path = tmp_path / f"checkpoint{suffix}"
    if suffix == ".ckpt":
        torch.save({"epoch": 2, "global_step": 3, "state_dict": state}, path)
    else:
        save_file(state, path)
    assert same(load_stable_diffusion(base_file, path).unet, UNetMotionModel.from_unet2d(small.unet, adapter))


@pytest.mark.parametrize("whole", [False, True])
@pytest.mark.parametrize("suffix", [".safetensors", ".bin"])
def test_motion_modules_as_diffusers_files(tmp_path, base_file, small, adapter, suffix, whole):
    """A MotionAdapter's file alone, without its config, and that of a whole UNetMotionModel."""
    from diffusers import UNetMotionModel

    expected = UNetMotionModel.from_unet2d(small.unet, adapter)
    state, path = (expected if whole else adapter).state_dict(), tmp_path / f"diffusion_pytorch_model{suffix}"
    save_file(state, path) if suffix == ".safetensors" else torch.save(state, path)
    loaded = load_stable_diffusion(base_file, path).unet
    assert same(loaded, expected) and loaded.config.motion_max_seq_length == 12


def test_a_motion_module_that_lacks_a_weight_is_refused_in_every_layout(tmp_path, base_file, mid_adapter):
    for name in ("pos_embed.pe", "ff.net.2.bias"):
        full = f"mid_block.motion_modules.0.transformer_blocks.0.{name}"
        save_file(
            {key: tensor for key, tensor in mid_adapter.state_dict().items() if key != full}, tmp_path / "x.safetensors"
        )
        with pytest.raises(CheckpointError, match=f"expected motion modules. missing: {full}\\."):
            load_stable_diffusion(base_file, tmp_path / "x.safetensors")


def test_a_file_without_metadata_has_the_published_sizes(tmp_path, base_file, small, small_is_published):
    save_file({**load_file(base_file), **UNREAD}, tmp_path / "model.safetensors")
    assert_loaded(load_stable_diffusion(tmp_path / "model.safetensors"), small, small.unet)


@pytest.mark.parametrize("suffix", [".safetensors", ".ckpt"])
@pytest.mark.parametrize("name", ["note", "control_model.time_embed.0.weight", "model.diffusion_model.adapter.weight"])
def test_tensors_that_no_network_reads_are_left_aside_and_named(tmp_path, base_file, small, name, suffix, request):
    state, path = {**load_file(base_file), name: torch.zeros(2, 2)}, tmp_path / f"model{suffix}"
    if suffix == ".ckpt":
        request.getfixturevalue("small_is_published")
        torch.save(state, path)
    else:
        save_file(state, path, metadata=_metadata(base_file))
    with pytest.warns(UserWarning, match=f"model{suffix} holds tensors that no network reads. .*aside: {name}\\."):
        assert_loaded(load_stable_diffusion(path), small, small.unet)


@pytest.mark.parametrize("stored", [torch.float16, torch.bfloat16, torch.float8_e4m3fn, torch.float8_e5m2])
def test_checkpoints_in_every_floating_point_format(tmp_path, base_file, stored):
    state = {name: tensor.to(stored) for name, tensor in load_file(base_file).items()}
    save_file(state, tmp_path / "x.safetensors", metadata=_metadata(base_file))
    loaded = load_stable_diffusion(tmp_path / "x.safetensors").unet
    expected = state["model.diffusion_model.out.2.weight"].float()
    assert torch.equal(loaded.get_parameter("conv_out.weight"), expected)


def test_known_tensors_that_no_network_reads_cause_no_warning(tmp_path, base_file, small, recwarn):
    save_file({**load_file(base_file), **UNREAD}, tmp_path / "model.safetensors", metadata=_metadata(base_file))
    assert_loaded(load_stable_diffusion(tmp_path / "model.safetensors"), small, small.unet)
    assert not [warning for warning in recwarn if "model.safetensors" in str(warning.message)]


def test_tensors_that_no_network_reads_in_a_folder_are_left_aside_and_named(tmp_path, base_folder, small):
    folder = shutil.copytree(base_folder, tmp_path / "x")
    path = folder / "unet" / "diffusion_pytorch_model.safetensors"
    save_file({**load_file(path), "ema.decay": torch.zeros(1)}, path, metadata={"format": "pt"})
    with pytest.warns(UserWarning, match="unet holds tensors that no network reads. .*aside: ema.decay"):
        assert_loaded(load_stable_diffusion(folder), small, small.unet)


def only_variants(folder, variant):
    """Rename the weights as `save_pretrained(..., variant=variant)` does."""
    for path in [path for path in folder.rglob("*") if path.suffix in (".safetensors", ".bin")]:
        path.rename(path.with_name(f"{path.stem}.{variant}{path.suffix}"))
    return folder


@pytest.mark.parametrize("variant", ["fp16", "bf16", "mine"])
def test_folders_that_hold_only_a_variant(tmp_path, base_folder, motion_folder, small, animated, variant):
    base = only_variants(shutil.copytree(base_folder, tmp_path / "base"), variant)
    motion = only_variants(shutil.copytree(motion_folder, tmp_path / "motion"), variant)
    assert_loaded(load_stable_diffusion(base, motion), small, animated)


def test_plain_weights_go_before_variants_and_the_most_exact_variant_before_others(tmp_path, base_folder, small):
    folder = shutil.copytree(base_folder, tmp_path / "x")
    plain = folder / "unet" / "diffusion_pytorch_model.safetensors"
    for variant in ("fp16", "fp32"):
        shutil.copy(plain, plain.with_name(f"{plain.stem}.{variant}.safetensors"))
    halved = {name: tensor / 2 for name, tensor in load_file(plain).items()}
    save_file(halved, plain.with_name(f"{plain.stem}.fp16.safetensors"), metadata={"format": "pt"})
    assert_loaded(load_stable_diffusion(folder), small, small.unet)
    plain.unlink()
    assert_loaded(load_stable_diffusion(folder), small, small.unet)


@pytest.mark.parametrize("variant", [None, "fp16"])
def test_folders_in_shards(tmp_path, base_folder, small, variant):
    folder = shutil.copytree(base_folder, tmp_path / "x")
    shutil.rmtree(folder / "unet")
    small.unet.save_pretrained(folder / "unet", max_shard_size="100KB", variant=variant)
    assert len(list((folder / "unet").glob("*.safetensors"))) > 1
    assert_loaded(load_stable_diffusion(folder), small, small.unet)


@pytest.mark.parametrize("variant", [None, "fp16"])
@pytest.mark.parametrize("place", ["../stolen.safetensors", "sub/x.safetensors", "..\\x", "/etc/hostname", 3])
def test_shards_outside_the_folder_are_refused(tmp_path, base_folder, small, variant, place):
    folder = shutil.copytree(base_folder, tmp_path / "x")
    shutil.rmtree(folder / "unet")
    small.unet.save_pretrained(folder / "unet", max_shard_size="100KB", variant=variant)
    (index,) = (folder / "unet").glob("*.index*.json")
    content = json.loads(index.read_text())
    content["weight_map"] = {**content["weight_map"], "conv_in.weight": place}
    index.write_text(json.dumps(content))
    with pytest.raises(CheckpointError, match="which is no file beside it. It was not loaded"):
        load_stable_diffusion(folder)


@pytest.mark.parametrize("entry", ["attn_implementation", "_attn_implementation"])
def test_a_config_that_names_a_kernel_of_the_hub_loads_without_it(tmp_path, base_folder, small, entry):
    folder = shutil.copytree(base_folder, tmp_path / "x")
    config = json.loads((folder / "text_encoder" / "config.json").read_text())
    (folder / "text_encoder" / "config.json").write_text(json.dumps({**config, entry: "evil/kernel"}))
    assert_loaded(load_stable_diffusion(folder), small, small.unet)


def test_short_names_of_the_text_encoder(tmp_path, base_file, small, small_is_published):
    state = {
        name.replace(TEXT, "cond_stage_model.transformer."): tensor for name, tensor in load_file(base_file).items()
    }
    state["cond_stage_model.transformer.embeddings.position_ids"] = torch.arange(77)
    torch.save(state, tmp_path / "nai.ckpt")
    assert_loaded(load_stable_diffusion(tmp_path / "nai.ckpt"), small, small.unet)


def test_saving_an_animated_unet_leaves_motion_out(tmp_path, base_file, small, animated):
    save_single_file(tmp_path / "again.safetensors", animated, small.vae, small.text_encoder)
    assert load_file(tmp_path / "again.safetensors").keys() == load_file(base_file).keys()


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
@pytest.mark.parametrize("base, motion", [("base_file", "motion_file"), ("base_folder", "motion_folder")])
def test_weights_are_cast(request, small, animated, base, motion, dtype):
    model = load_stable_diffusion(request.getfixturevalue(base), request.getfixturevalue(motion), dtype=dtype)
    assert {
        tensor.dtype
        for network in (model.unet, model.vae, model.text_encoder)
        for tensor in network.state_dict().values()
    } == {dtype}
    assert_loaded(model, small, animated)


@pytest.mark.parametrize("base, motion", [("base_file", "motion_file"), ("base_folder", "motion_folder")])
def test_weights_loaded_in_inference_mode_can_be_differentiated_through(request, base, motion):
    with torch.inference_mode():
        model = load_stable_diffusion(request.getfixturevalue(base), request.getfixturevalue(motion))
    assert not any(
        tensor.is_inference()
        for network in (model.unet, model.vae, model.text_encoder)
        for tensor in (*network.parameters(), *network.buffers())
    )
    latents = torch.randn(1, 4, 2, 8, 8, requires_grad=True)
    model.unet(latents, 5, torch.randn(2, 77, 24)).sample.square().sum().backward()
    assert latents.grad.any()


@pytest.mark.parametrize("base, motion", [("base_file", "motion_file"), ("base_folder", "motion_folder")])
def test_the_model_outlives_its_files(request, tmp_path, small, animated, base, motion):
    files = []
    for name in (base, motion):
        source, target = request.getfixturevalue(name), tmp_path / name
        copied = shutil.copytree(source, target) if source.is_dir() else shutil.copy(source, target)
        files.append(copied if source.is_dir() else copied.rename(copied.with_suffix(".safetensors")))
    model = load_stable_diffusion(*files)
    for path in tmp_path.rglob("*.safetensors"):
        with open(path, "r+b") as file:
            file.write(b"\xff" * os.path.getsize(path))
    assert_loaded(model, small, animated)


@pytest.mark.parametrize("suffix", [".safetensors", ".ckpt"])
def test_loading_holds_one_model_and_one_tensor(tmp_path, base_file, motion_file, small_is_published, suffix):
    paths = {"base": base_file, "mm": motion_file}
    if suffix == ".ckpt":
        for name, source in paths.items():
            paths[name] = tmp_path / f"{name}.ckpt"
            torch.save(load_file(source), paths[name])
    sizes = [tensor.nbytes for source in (base_file, motion_file) for tensor in load_file(source).values()]
    with LiveBytes() as live:
        load_stable_diffusion(paths["base"], paths["mm"], dtype=torch.float16)
    # The file is in float32. A memory-mapped .ckpt counts in full until its tensors are taken.
    held = sum(sizes) if suffix == ".ckpt" else sum(sizes) / 2
    assert 0.99 * held < live.peak < held + 2.1 * max(sizes)


def test_nothing_is_drawn_from_the_global_generator(base_file, motion_file):
    torch.manual_seed(0)
    expected = torch.get_rng_state()
    load_stable_diffusion(base_file, motion_file)
    assert torch.equal(torch.get_rng_state(), expected)


def test_an_interrupted_save_leaves_the_old_file(tmp_path, base_file, small, monkeypatch):
    path = tmp_path / "model.safetensors"
    shutil.copy(base_file, path)

    def interrupt(state, partial, metadata):
        partial.write_bytes(b"half")
        raise KeyboardInterrupt

    monkeypatch.setattr("safetensors.torch.save_file", interrupt)
    with pytest.raises(KeyboardInterrupt):
        save_single_file(path, small.unet, small.vae, small.text_encoder)
    assert path.read_bytes() == base_file.read_bytes() and list(tmp_path.iterdir()) == [path]


def _metadata(path):
    from safetensors import safe_open

    with safe_open(path, framework="pt") as file:
        return file.metadata()
