"""TAESD's decoder from its published layouts, and guidance through it."""

import pytest
import torch
from diffusers import AutoencoderTiny

from aligner.conditions.encoding import text_condition
from aligner.errors import AlignerError, CheckpointError
from aligner.generation import generate
from aligner.generators.animatediff import load_animatediff
from aligner.generators.stable_diffusion import load_taesd, save_taesd
from aligner.guidance.gradient import Released
from aligner.guidance.rule import Unguided


@pytest.fixture(scope="module")
def tiny():
    torch.manual_seed(0)
    return AutoencoderTiny().eval()


@pytest.mark.parametrize("suffix", [".safetensors", ".pth"])
def test_a_file_decodes_as_the_library_does(tmp_path, tiny, suffix):
    save_taesd(tmp_path / f"taesd_decoder{suffix}", tiny.decoder)
    latents = torch.randn(2, 4, 8, 8)
    with torch.no_grad():
        assert torch.equal(load_taesd(tmp_path / f"taesd_decoder{suffix}")(latents), tiny.decode(latents).sample)


def test_a_folder_decodes_as_the_library_does(tmp_path, tiny):
    tiny.save_pretrained(tmp_path / "taesd")
    latents = torch.randn(1, 4, 8, 8)
    with torch.no_grad():
        assert torch.equal(load_taesd(tmp_path / "taesd")(latents), tiny.decode(latents).sample)


def test_the_original_names_count_the_clamp(tmp_path, tiny):
    from safetensors.torch import load_file

    save_taesd(tmp_path / "taesd_decoder.safetensors", tiny.decoder)
    names = load_file(tmp_path / "taesd_decoder.safetensors").keys()
    # The layers of TAESD's source: a clamp, then conv, three blocks, upsampling, conv without bias, and so on.
    assert (
        {"1.weight", "1.bias", "3.conv.0.weight", "5.conv.4.bias", "7.weight", "18.conv.0.weight", "19.weight"} <= names
        and "7.bias" not in names
        and "0.weight" not in names
    )


def test_guidance_may_look_through_it(tmp_path, tiny, animatediff_folders, binder):
    save_taesd(tmp_path / "taesd_decoder.safetensors", tiny.decoder)
    model = load_animatediff(*animatediff_folders, taesd=tmp_path / "taesd_decoder.safetensors")
    runs = []
    for decoding in ("exact", "taesd"):
        denoiser = model.denoiser(frames=2, height=64, width=64, steps=3, decoding=decoding)
        runs.append(
            [
                generate(
                    denoiser,
                    denoiser.prompts(["a dog"]),
                    seed=0,
                    binder=binder,
                    rule=rule,
                    conditions=[text_condition(binder, "a dog")],
                )
                for rule in (Unguided(), Released())
            ]
        )
    (exact_plain, exact_guided), (tiny_plain, tiny_guided) = runs
    assert torch.equal(exact_plain.signals["video"].pixels, tiny_plain.signals["video"].pixels)
    assert not torch.equal(exact_guided.latents["video"], tiny_guided.latents["video"])


def test_without_it_the_decoding_is_refused(animatediff):
    with pytest.raises(AlignerError, match="needs TAESD's decoder"):
        animatediff.denoiser(decoding="taesd")


def test_another_file_is_refused(tmp_path, tiny):
    from safetensors.torch import save_file

    save_file({"encoder.weight": torch.zeros(1)}, tmp_path / "other.safetensors")
    with pytest.raises(CheckpointError, match="is not TAESD's decoder"):
        load_taesd(tmp_path / "other.safetensors")
    with pytest.raises(CheckpointError, match="no AutoencoderTiny"):
        load_taesd(tmp_path)
    state = {name: tensor for name, tensor in tiny.decoder.state_dict().items() if "layers.3." not in name}
    save_file(
        {f"{int(name.split('.')[1]) + 1}.{name.split('.', 2)[2]}": tensor for name, tensor in state.items()},
        tmp_path / "cut.safetensors",
    )
    with pytest.raises(CheckpointError, match="missing: 4.conv.0.bias"):
        load_taesd(tmp_path / "cut.safetensors")
