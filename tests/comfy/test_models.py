"""Model files and folders in a real ComfyUI: found, loaded, refused, and kept out of inference mode."""

from __future__ import annotations

import json
import subprocess

import pytest

from aligner.binders.imagebind import save_imagebind
from laboratory.random_models import load_random_imagebind, write_random_audioldm
from run import ROOT

from . import checks_inside
from .checks_inside import CHECKS
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
    for name, node in ours.items():
        for input_name, options in inputs(node).items():
            assert options.get("tooltip"), f"{name}: {input_name}"
        assert node["description"] and all(node["output_tooltips"])


def test_the_page_speaks_english_as_the_nodes_do(comfyui: Server) -> None:
    """The other languages are compared with this file."""
    said = {
        name: {
            "display_name": node["display_name"],
            "description": node["description"],
            "inputs": {key: label(key, options["tooltip"]) for key, options in inputs(node).items()},
            "outputs": {
                str(k): label(*output) for k, output in enumerate(zip(node["output_name"], node["output_tooltips"]))
            },
        }
        for name, node in comfyui.client.object_info().items()
        if name.startswith("SeeingHearing")
    }
    assert json.loads((ROOT / "locales" / "en" / "nodeDefs.json").read_text(encoding="utf-8")) == said


def label(name: str, tooltip: str) -> dict[str, str]:
    return {"name": name.replace("_", " "), "tooltip": tooltip}


def inputs(node: dict) -> dict[str, dict]:
    """The options of every input of a node, by name."""
    return {
        name: options
        for group in ("required", "optional")
        for name, (_, options, *_) in node["input"].get(group, {}).items()
    }


@pytest.fixture(scope="module")
def checks(comfyui: Server) -> dict[str, str | None]:
    """How each of CHECKS went in this server's environment."""
    command = [python_for(comfyui.comfyui), checks_inside.__file__, comfyui.folder / "custom_nodes", NODE_PACK]
    # ComfyUI's folder on the path stands for being there, as its own main.py is.
    environment = server_environment() | {"PYTHONPATH": str(comfyui.comfyui.folder)}
    result = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300)
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout.splitlines()[-1])


@pytest.mark.parametrize("name", [check.__name__ for check in CHECKS])
def test_inside_comfyui(checks: dict[str, str | None], name: str) -> None:
    assert checks[name] is None, checks[name]


def _choices(info: dict, node: str) -> list[str]:
    kind, options = info[node]["input"]["required"]["model"]
    return kind if isinstance(kind, list) else options["options"]
