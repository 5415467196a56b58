"""Model files and folders in a real ComfyUI: found, loaded, refused, and kept out of inference mode."""

from __future__ import annotations

import subprocess
import textwrap

import pytest

from aligner.demo.random_models import load_random_imagebind, write_random_audioldm
from aligner.imagebind import save_imagebind

from .client import PromptFailed
from .install import python_for
from .prompts import cosine, loaders, text_to_sound
from .server import NODE_PACK, Server, server_environment


@pytest.fixture(scope="module")
def models(comfyui: Server) -> None:
    folder = comfyui.folder / "models"
    save_imagebind(load_random_imagebind(seed=7), folder / "imagebind" / "small.safetensors")
    (folder / "imagebind" / "broken.safetensors").write_bytes(b"not weights at all")
    write_random_audioldm(folder / "audioldm" / "audioldm-small", seed=7)


@pytest.mark.usefixtures("models")
def test_models_from_the_registered_folders(comfyui: Server) -> None:
    info = comfyui.client.object_info()
    assert "small.safetensors" in _choices(info, "SeeingHearingLoadImageBind")
    assert "audioldm-small" in _choices(info, "SeeingHearingLoadAudioLDM")
    outputs = comfyui.client.run(text_to_sound() | loaders("small.safetensors", "audioldm-small"))
    assert cosine(outputs) != cosine(comfyui.client.run(text_to_sound()))


@pytest.mark.usefixtures("models")
def test_a_broken_file_is_an_error_that_names_it(comfyui: Server) -> None:
    with pytest.raises(PromptFailed, match="broken.safetensors"):
        comfyui.client.run(text_to_sound() | loaders(imagebind="broken.safetensors"))


def test_inputs_explain_themselves(comfyui: Server) -> None:
    ours = {name: node for name, node in comfyui.client.object_info().items() if name.startswith("SeeingHearing")}
    assert len(ours) == 6
    for name, node in ours.items():
        for group in ("required", "optional"):
            for input_name, (_, options, *_) in node["input"].get(group, {}).items():
                assert options.get("tooltip"), f"{name}: {input_name}"
        assert node["description"] and all(node["output_tooltips"])


def test_a_module_moved_in_inference_mode_is_mended(comfyui: Server) -> None:
    run_inside(comfyui, """
        hosting = importlib.import_module(pack + ".nodes.hosting")
        network = torch.nn.Sequential(torch.nn.Conv1d(1, 2, 3), torch.nn.BatchNorm1d(2)).requires_grad_(False).eval()
        with torch.inference_mode():
            hosted = hosting.Hosted(torch.nn.Sequential(network))
            network.to(torch.float64)  # what another node's offload does to a module in inference mode
            assert network[0].weight.is_inference() and network[1].running_mean.is_inference()
            before = network[0].weight.data_ptr()
            hosting.load_on_device(hosted.patchers("0"))
            with torch.inference_mode(False):
                x = torch.ones(1, 1, 5, dtype=torch.float64, requires_grad=True)
                network(x).sum().backward()
        assert x.grad.abs().sum() > 0
        assert network[0].weight.data_ptr() == before and not network[0].weight.requires_grad
    """)


def test_images_of_every_kind_become_rgb(comfyui: Server) -> None:
    run_inside(comfyui, """
        convert = importlib.import_module(pack + ".nodes.convert")
        with torch.inference_mode():
            half = torch.rand(2, 5, 7, 3).half()
            grey, clear = torch.rand(1, 5, 7, 1), torch.cat([torch.zeros(1, 5, 7, 3), torch.zeros(1, 5, 7, 1)], -1)
            for image in (half, grey, clear, grey * 3 - 1):
                pixels = convert.pixels(image)
                assert pixels.shape == (len(image), 3, 5, 7) and pixels.dtype == torch.float32
                assert 0 <= pixels.min() and pixels.max() <= 1
            assert torch.equal(convert.pixels(clear), torch.ones(1, 3, 5, 7)), "what is transparent is white"
            sound, rate = convert.waveform({"waveform": torch.rand(1, 6, 100).half(), "sample_rate": 48000})
            assert sound.dtype == torch.float32 and (sound.shape, rate) == ((1, 6, 100), 48000)
        def refused(convert, value):
            try:
                convert(value)
            except ValueError as error:
                return type(error).__name__ == "AlignerError"
        for image in (torch.rand(1, 5, 7, 2), torch.rand(5, 7, 3), torch.zeros(1, 5, 7, 3, dtype=torch.uint8)):
            assert refused(convert.pixels, image)
        assert refused(convert.waveform, None)
        for empty_or_flat in (torch.zeros(1, 2, 0), torch.zeros(9)):
            assert refused(convert.waveform, {"waveform": empty_or_flat, "sample_rate": 16000})
        for rate in (float("nan"), float("inf"), 0.0, -1.0):
            assert refused(convert.exact_rate, rate)
        for rounded in (23.976023976, 23.976, 23.98):
            assert convert.exact_rate(rounded) == convert.Fraction(24000, 1001)
        assert [convert.exact_rate(rate) for rate in (1.0, 4.0, 24.0, 12.5, 1000.0)] == [1, 4, 24, 12.5, 1000]
    """)


def test_nothing_heavy_is_imported_with_the_nodes(comfyui: Server) -> None:
    run_inside(comfyui, """
        import comfy.model_patcher, comfy_api.latest, folder_paths
        before = set(sys.modules)
        importlib.import_module(pack)
        loaded = {name.split(".")[0] for name in set(sys.modules) - before}
        assert not loaded & {"diffusers", "transformers", "open_clip", "torchaudio", "torchvision", "scipy"}, loaded
    """)


def run_inside(server: Server, body: str) -> None:
    """Run Python in the server's environment, with ComfyUI and our nodes importable, as their package `pack`."""
    script = f"""
import importlib, sys, torch
sys.argv[1:] = ["--cpu"]
import comfy.options
comfy.options.enable_args_parsing()
sys.path.append({str(server.folder / "custom_nodes")!r})
pack = {NODE_PACK!r}
{textwrap.dedent(body)}
print("all is well")
"""
    result = subprocess.run([python_for(server.comfyui), "-c", script], cwd=server.comfyui.folder,
                            env=server_environment(), capture_output=True, text=True, timeout=300)
    assert "all is well" in result.stdout, result.stderr


def _choices(info: dict, node: str) -> list[str]:
    kind, options = info[node]["input"]["required"]["model"]
    return kind if isinstance(kind, list) else options["options"]
