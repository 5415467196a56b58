"""AudioLDM on components: parity with diffusers' own pipeline, strict loading, lengths."""

import json
import os
import shutil
import warnings
from fractions import Fraction

import pytest
import torch

from aligner.errors import AlignerError, CheckpointError
from aligner.generation import generate
from aligner.generators.audioldm import generator as generator_module
from aligner.generators.audioldm import load_audioldm
from aligner.generators.base import BackwardPass
from aligner.guidance.rule import Unguided
from laboratory.random_models import write_random_audioldm

PARTS = ("unet", "vae", "vocoder", "text_encoder")


@pytest.fixture(scope="module")
def pipeline(audioldm_folder):
    from diffusers import AudioLDMPipeline

    pipe = AudioLDMPipeline.from_pretrained(audioldm_folder, low_cpu_mem_usage=False)
    pipe.set_progress_bar_config(disable=True)
    return pipe


@pytest.mark.parametrize("cfg, negative, seconds", [(2.5, "", 2.0), (1.0, "", 1.0), (4.0, "noise, hum", 1.37)])
def test_unguided_equals_diffusers_pipeline(audioldm, pipeline, cfg, negative, seconds):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        expected = pipeline(
            "a dog barks",
            negative_prompt=negative or None,
            audio_length_in_s=seconds,
            num_inference_steps=5,
            guidance_scale=cfg,
            generator=torch.Generator().manual_seed(3),
        ).audios
    denoiser = audioldm.denoiser(seconds=seconds, steps=5, cfg=cfg, negative_prompt=negative)
    result = generate(denoiser, denoiser.prompts(["a dog barks"]), seed=3, rule=Unguided())
    actual = result.signals["audio"].waveform
    assert actual.abs().max() > 0.05
    torch.testing.assert_close(actual, torch.from_numpy(expected), atol=1e-4, rtol=0)


def test_length_is_exact_to_the_sample(audioldm):
    for seconds in (Fraction(1001, 1000), 0.011, Fraction(99, 100) + Fraction(1, 16000)):
        denoiser = audioldm.denoiser(seconds=seconds, steps=1)
        sound = generate(denoiser, denoiser.prompts([""]), seed=0, rule=Unguided()).signals["audio"]
        assert sound.waveform.shape == (1, round(seconds * 16000))


def test_a_prompt_of_any_length_is_encoded(audioldm):
    embedding = audioldm.encode_prompts(["", "rain " * 2000])
    assert embedding.shape == (2, 512) and torch.isfinite(embedding).all()
    torch.testing.assert_close(embedding.norm(dim=-1), torch.ones(2))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_runs(audioldm_folder, dtype):
    denoiser = load_audioldm(audioldm_folder, dtype=dtype).denoiser(seconds=0.5, steps=2)
    sound = generate(denoiser, denoiser.prompts(["wind"]), seed=0, rule=Unguided()).signals["audio"].waveform
    assert sound.dtype == torch.float32 and torch.isfinite(sound).all() and sound.abs().max() > 0


def test_a_loaded_model_does_not_depend_on_its_files(tmp_path, audioldm_folder):
    """Weights that stay mapped into memory change, or vanish, together with the file."""
    folder = _copy(audioldm_folder, tmp_path)
    model = load_audioldm(folder)
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    for path in folder.glob("*/*.safetensors"):
        with path.open("r+b") as file:
            file.seek(-2000, os.SEEK_END)
            file.write(bytes(2000))
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())


def test_loads_pytorch_bin_files(tmp_path, audioldm_folder):
    binary = write_random_audioldm(tmp_path / "bin", seed=1)
    _as_pytorch_bin(binary)
    assert not list(binary.rglob("*.safetensors"))
    model, original = load_audioldm(binary), load_audioldm(audioldm_folder)
    for (name, ours), theirs in zip(model.named_parameters(), original.parameters()):
        assert torch.equal(ours, theirs), name


def test_loads_old_attention_names_of_the_vae(tmp_path, audioldm_folder):
    """The published folders call the VAE's attention query, key, value and proj_attn."""
    from safetensors.torch import load_file, save_file

    folder = _copy(audioldm_folder, tmp_path)
    path = folder / "vae" / "diffusion_pytorch_model.safetensors"
    names = {".to_q.": ".query.", ".to_k.": ".key.", ".to_v.": ".value.", ".to_out.0.": ".proj_attn."}
    old = {}
    for key, value in load_file(path).items():
        for new_name, old_name in names.items():
            key = key.replace(new_name, old_name)
        old[key] = value
    assert any(".proj_attn." in key for key in old)
    save_file(old, path, metadata={"format": "pt"})
    model, original = load_audioldm(folder), load_audioldm(audioldm_folder)
    for (name, ours), theirs in zip(model.vae.named_parameters(), original.vae.parameters()):
        assert torch.equal(ours, theirs), name


def weights_of(model):
    return {f"{part}.{name}": tensor for part in PARTS for name, tensor in getattr(model, part).state_dict().items()}


def test_a_folder_that_holds_only_fp16_variants(tmp_path, audioldm, audioldm_folder):
    folder = shutil.copytree(audioldm_folder, tmp_path / "fp16")
    for path in list(folder.rglob("*.safetensors")):
        path.rename(path.with_name(f"{path.stem}.fp16.safetensors"))
    found, expected = weights_of(load_audioldm(folder)), weights_of(audioldm)
    assert found.keys() == expected.keys() and all(torch.equal(found[name], expected[name]) for name in expected)


@pytest.mark.parametrize("part", ["unet", "text_encoder"])
def test_shards_outside_the_folder_are_refused(tmp_path, audioldm_folder, part):
    folder = shutil.copytree(audioldm_folder, tmp_path / "x")
    (path,) = (folder / part).glob("*.safetensors")
    shutil.move(path, tmp_path / "outside.safetensors")
    index = {"metadata": {}, "weight_map": {"conv_in.weight": "../../outside.safetensors"}}
    path.with_name(f"{path.name}.index.json").write_text(json.dumps(index))
    with pytest.raises(CheckpointError, match="which is no file beside it. It was not loaded"):
        load_audioldm(folder)


def test_a_config_that_names_a_kernel_of_the_hub_loads_without_it(tmp_path, audioldm, audioldm_folder):
    folder = shutil.copytree(audioldm_folder, tmp_path / "x")
    config = json.loads((folder / "text_encoder" / "config.json").read_text())
    (folder / "text_encoder" / "config.json").write_text(json.dumps({**config, "attn_implementation": "evil/kernel"}))
    assert torch.equal(load_audioldm(folder).encode_prompts(["rain"]), audioldm.encode_prompts(["rain"]))


@pytest.mark.parametrize("prediction_type", ["v_prediction", "sample"])
def test_other_predictions_than_noise_equal_the_scheduler(exact_audioldm, prediction_type):
    """The clean estimate is the one that the scheduler itself steps from."""
    from diffusers import DDIMScheduler

    config = {**exact_audioldm.scheduler_config, "prediction_type": prediction_type}
    model = type(exact_audioldm)(
        exact_audioldm.unet,
        exact_audioldm.vae,
        exact_audioldm.vocoder,
        exact_audioldm.text_encoder,
        exact_audioldm.tokenizer,
        config,
    )
    denoiser = model.denoiser(seconds=0.5, steps=4)
    z = denoiser.start([torch.Generator().manual_seed(0)])
    output = denoiser.predict(z, denoiser.prompts(["rain"]), 1)
    scheduler = DDIMScheduler.from_config(config)
    scheduler.set_timesteps(4)
    expected = scheduler.step(output["audio"], scheduler.timesteps[1], z["audio"]).pred_original_sample
    torch.testing.assert_close(denoiser.x0(z, output, 1)["audio"], expected, atol=1e-6, rtol=1e-6)


def test_a_schedule_that_cannot_be_sampled_is_refused(audioldm):
    for change, message in (
        ({"prediction_type": "flow_prediction"}, "flow_prediction|prediction_type"),
        ({"rescale_betas_zero_snr": True, "timestep_spacing": "trailing", "steps_offset": 0}, "without signal"),
    ):
        model = type(audioldm)(
            audioldm.unet,
            audioldm.vae,
            audioldm.vocoder,
            audioldm.text_encoder,
            audioldm.tokenizer,
            {**audioldm.scheduler_config, **change},
        )
        with pytest.raises(AlignerError, match=message):
            model.denoiser(seconds=0.5, steps=4)


def test_memory_estimates_keep_their_order(audioldm):
    denoiser = audioldm.denoiser(seconds=10, steps=2)
    plain, recomputed, guided, tuned = (
        _bytes(denoiser.footprint(2, backward))
        for backward in (
            {},
            {"audio": BackwardPass(to_latents=False, to_prompt=False, checkpointing=True)},
            {"audio": BackwardPass(to_latents=False, to_prompt=False, checkpointing=False)},
            {"audio": BackwardPass(to_latents=False, to_prompt=True, checkpointing=False)},
        )
    )
    assert 0 < plain < recomputed < guided < tuned
    assert _bytes(denoiser.footprint(4)) == 2 * plain
    assert _bytes(denoiser.footprint(2, {"video": BackwardPass(True, True, False)})) == plain


def _bytes(footprint):
    return footprint.kept + footprint.passing


def test_a_tokenizer_without_words_is_refused(tmp_path, audioldm_folder):
    folder = _copy(audioldm_folder, tmp_path)
    for name in ("vocab.json", "merges.txt"):
        (folder / "tokenizer" / name).unlink()
    with pytest.raises(CheckpointError, match="tokenizer"):
        load_audioldm(folder)


@pytest.mark.parametrize(
    "place, content",
    [
        ("model_index.json", "[]"),
        ("tokenizer/vocab.json", "not json"),
        ("unet/config.json", '{"_class_name": "UNet2DConditionModel", "norm_num_groups": 0}'),
        ("vocoder/config.json", '{"upsample_rates": []}'),
    ],
)
def test_a_damaged_file_is_a_checkpoint_error(tmp_path, audioldm_folder, place, content):
    folder = _copy(audioldm_folder, tmp_path)
    (folder / place).write_text(content)
    with pytest.raises(CheckpointError):
        load_audioldm(folder)


def test_loading_leaves_the_hosts_settings_alone(audioldm_folder, tmp_path):
    from huggingface_hub.utils import (
        are_progress_bars_disabled,
        disable_progress_bars,
        enable_progress_bars,
    )
    from transformers.utils import logging

    state = torch.get_rng_state()
    disable_progress_bars()
    try:
        load_audioldm(write_random_audioldm(tmp_path / "again"))
        assert are_progress_bars_disabled() and logging.is_progress_bar_enabled()
    finally:
        enable_progress_bars()
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.parametrize(
    "settings, message",
    [
        ({"cfg": float("nan")}, "cfg"),
        ({"cfg": -1.0}, "cfg"),
        ({"cfg": float("inf")}, "cfg"),
        ({"denoise": 0.0}, "denoise"),
        ({"denoise": 1.5}, "denoise"),
        ({"seconds": 1e9}, "too many"),
    ],
)
def test_settings_that_cannot_be_sampled_name_themselves(audioldm, settings, message):
    with pytest.raises(AlignerError, match=message):
        audioldm.denoiser(**{"seconds": 1, "steps": 2} | settings)


@pytest.mark.parametrize("seconds", [0, -1.0, float("nan"), float("inf"), 1e-9])
def test_no_length_is_an_error(audioldm, seconds):
    with pytest.raises(AlignerError, match="longer than nothing"):
        audioldm.denoiser(seconds=seconds, steps=2)


@pytest.mark.parametrize("steps", [0, 2.5, 1000, 1001])
def test_steps_the_schedule_does_not_have_are_an_error(audioldm, steps):
    with pytest.raises(AlignerError, match="1000 timesteps"):
        audioldm.denoiser(seconds=1, steps=steps)


def test_a_folder_that_is_not_there(tmp_path):
    with pytest.raises(CheckpointError, match="no model folder"):
        load_audioldm(tmp_path / "nowhere")


def test_a_folder_without_index(tmp_path):
    with pytest.raises(CheckpointError, match="model_index.json"):
        load_audioldm(tmp_path)


def test_another_pipeline(tmp_path, audioldm_folder):
    folder = _copy(audioldm_folder, tmp_path)
    (folder / "model_index.json").write_text(json.dumps({"_class_name": "AudioLDM2Pipeline"}))
    with pytest.raises(CheckpointError, match="AudioLDM2Pipeline"):
        load_audioldm(folder)


def test_a_missing_component(tmp_path, audioldm_folder):
    folder = _copy(audioldm_folder, tmp_path)
    shutil.rmtree(folder / "vocoder")
    with pytest.raises(CheckpointError, match="vocoder"):
        load_audioldm(folder)


def test_a_missing_weight_file(tmp_path, audioldm_folder):
    folder = _copy(audioldm_folder, tmp_path)
    (folder / "unet" / "diffusion_pytorch_model.safetensors").unlink()
    with pytest.raises(CheckpointError, match="unet"):
        load_audioldm(folder)


@pytest.mark.parametrize("component", ["unet", "vae", "vocoder", "text_encoder"])
def test_a_truncated_weight_file(tmp_path, audioldm_folder, component):
    folder = _copy(audioldm_folder, tmp_path)
    (path,) = (folder / component).glob("*.safetensors")
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(CheckpointError, match=component):
        load_audioldm(folder)


@pytest.mark.parametrize("component", ["unet", "vae", "vocoder", "text_encoder"])
def test_missing_and_unexpected_keys_list_themselves(tmp_path, audioldm_folder, component):
    from safetensors.torch import load_file, save_file

    folder = _copy(audioldm_folder, tmp_path)
    (path,) = (folder / component).glob("*.safetensors")
    weights = load_file(path)
    lost = sorted(key for key in weights if key.endswith("weight"))[0]
    weights["stray.weight"] = weights.pop(lost)
    save_file(weights, path, metadata={"format": "pt"})
    with pytest.raises(CheckpointError) as caught:
        load_audioldm(folder)
    assert lost in str(caught.value) and "stray.weight" in str(caught.value)


@pytest.mark.parametrize(
    "component, name",
    [
        ("unet", "diffusion_pytorch_model"),
        ("vae", "diffusion_pytorch_model"),
        ("vocoder", "pytorch_model"),
        ("text_encoder", "pytorch_model"),
    ],
)
def test_a_pickle_that_wants_to_run_code_is_refused(tmp_path, audioldm_folder, component, name):
    folder = _copy(audioldm_folder, tmp_path)
    for weights in (folder / component).glob("*.safetensors"):
        weights.unlink()
    witness = tmp_path / "it_ran"
    torch.save({"conv_in.weight": _Malicious(str(witness))}, folder / component / f"{name}.bin")
    with pytest.raises(CheckpointError, match=component):
        load_audioldm(folder)
    assert not witness.exists()


class _Malicious:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return open, (self.path, "w")


def _copy(folder, tmp_path):
    return shutil.copytree(folder, tmp_path / "copy")


def _as_pytorch_bin(folder):
    from safetensors.torch import load_file

    for path in folder.rglob("*.safetensors"):
        torch.save(
            load_file(path),
            path.with_name(
                path.name.replace("model.safetensors", "model.bin")
                if path.name.startswith("diffusion")
                else "pytorch_model.bin"
            ),
        )
        path.unlink()


def test_a_long_sound_in_windows_is_as_long_as_asked(audioldm):
    denoiser = audioldm.denoiser(seconds=5.01, steps=2, window_seconds=2.0)
    sound = generate(denoiser, denoiser.prompts(["a dog barks"]), seed=0, rule=Unguided()).signals["audio"]
    assert sound.waveform.shape == (1, round(5.01 * 16000)) and len(denoiser.segments) > 2
    whole = audioldm.denoiser(seconds=5.01, steps=2)
    assert _bytes(denoiser.footprint(1)) < _bytes(whole.footprint(1))


@pytest.mark.parametrize("seconds", [0.5, -1.0, float("nan")])
def test_windows_that_are_too_short_are_named(audioldm, seconds):
    with pytest.raises(AlignerError, match="A window must last 2 s or longer"):
        audioldm.denoiser(seconds=5, steps=2, window_seconds=seconds)


def test_a_long_sound_is_encoded_in_windows(audioldm, monkeypatch):
    sound = 0.1 * torch.randn(1, 8 * 16000, generator=torch.Generator().manual_seed(0))
    whole = audioldm.encode(sound)
    monkeypatch.setattr(generator_module, "ENCODED_TOGETHER", 4.0)
    seen, encode = [], audioldm.vae.encode
    monkeypatch.setattr(audioldm.vae, "encode", lambda mel: seen.append(mel.shape[2]) or encode(mel))
    parts = audioldm.encode(sound)
    assert len(seen) > 1 and max(seen) <= 4 * 100 and parts.shape == whole.shape
    assert (parts - whole).abs().mean() < 0.2 * whole.std()


def test_what_is_encoded_decodes_to_a_sound_of_its_length(audioldm):
    """The length of a mel frame, to the next latent frame; whatever the weights."""
    for samples in (500, 16000, 20001):
        latent = audioldm.encode(0.1 * torch.randn(2, samples, generator=torch.Generator().manual_seed(0)))
        assert latent.shape == (2, *audioldm.latent_shape(max(samples, 1024))) and latent.dtype == torch.float32
        assert audioldm.vocode(audioldm.decode(latent)).shape[1] >= samples
