"""Model files and folders in a real ComfyUI: found, loaded, refused, and kept out of inference mode."""

from __future__ import annotations

import json
import subprocess

import pytest

from aligner.binders.imagebind import save_imagebind
from laboratory.random_models import load_random_imagebind, write_random_audioldm

from . import checks_inside
from .checks_inside import CHECKS
from .client import PromptFailed
from .install import python_for
from .prompts import choices, cosine, loaders, text_to_sound
from .server import NODE_PACK, Server, server_environment


@pytest.fixture(scope="module")
def models(comfyui: Server) -> None:
    folder = comfyui.folder / "models"
    save_imagebind(load_random_imagebind(seed=7), folder / "imagebind" / "small.safetensors")
    (folder / "imagebind" / "broken.safetensors").write_bytes(b"not weights at all")
    write_random_audioldm(folder / "audioldm" / "audioldm-small", seed=7)


@pytest.mark.usefixtures("models")
def test_models_from_the_registered_folders(comfyui: Server) -> None:
    assert "small.safetensors" in choices(comfyui, "SeeingHearingLoadImageBind", "model")
    assert "audioldm-small" in choices(comfyui, "SeeingHearingLoadAudioLDM", "model")
    outputs = comfyui.client.run(text_to_sound() | loaders("small.safetensors", "audioldm-small"))
    assert cosine(outputs) != cosine(comfyui.client.run(text_to_sound()))


@pytest.mark.usefixtures("models")
def test_a_broken_file_is_an_error_that_names_it(comfyui: Server) -> None:
    with pytest.raises(PromptFailed, match="broken.safetensors"):
        comfyui.client.run(text_to_sound() | loaders(imagebind="broken.safetensors"))


@pytest.fixture(scope="module")
def checks(comfyui: Server) -> dict[str, str | None]:
    """The result of each of CHECKS in this server's environment."""
    command = [python_for(comfyui.comfyui), checks_inside.__file__, comfyui.folder / "custom_nodes", NODE_PACK]
    # ComfyUI's own main.py finds its modules in its folder.
    environment = server_environment() | {"PYTHONPATH": str(comfyui.comfyui.folder)}
    result = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300)
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout.splitlines()[-1])


@pytest.mark.parametrize("name", [check.__name__ for check in CHECKS])
def test_inside_comfyui(checks: dict[str, str | None], name: str) -> None:
    assert checks[name] is None, checks[name]
