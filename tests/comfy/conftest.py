"""The fixtures `comfyui` and `page`: a real server and its page, once for every ComfyUI on this machine."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Generator, Iterator
from contextlib import redirect_stdout

import pytest
import torch
from safetensors.torch import save_file

from aligner.binders.imagebind import save_imagebind
from laboratory.random_models import (
    load_random_imagebind,
    write_random_animatediff,
    write_random_audioldm,
)
from run import SetupError

from .. import chromium
from . import browser
from .client import Prompt
from .install import NOT_FOUND, find, python_for
from .native_prompts import NATIVE_LORA
from .prompts import animatediff, loaders
from .server import Server

try:
    FOUND = [pytest.param(comfyui, id=comfyui.version) for comfyui in find()]
except SetupError as error:
    raise pytest.UsageError(str(error)) from None


def pytest_addoption(parser: pytest.Parser) -> None:
    """Known where the command names this folder: `python3 run.py test tests/comfy --write`."""
    parser.addoption(
        "--write",
        action="store_true",
        help="Write locales/en and the graphs in web/docs/pictures as the server and its page have them now.",
    )


@pytest.fixture(scope="session", params=FOUND or [pytest.param(None, id="no-ComfyUI")])
def comfyui(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A running ComfyUI with this project's nodes."""
    if request.param is None:
        pytest.skip(NOT_FOUND)
    # The first installation takes minutes, and people should see it. Where tests run in several processes, only
    # stderr reaches the screen.
    capture = request.config.pluginmanager.getplugin("capturemanager")
    with capture.global_and_fixture_disabled(), redirect_stdout(sys.stderr):
        python_for(request.param)
    with Server(request.param, tmp_path_factory.mktemp("comfyui")) as server:
        yield server


@pytest.fixture(autouse=True)
def nothing_left_to_run(request: pytest.FixtureRequest) -> Iterator[None]:
    """What a failed test leaves in the queue must not keep the next ones waiting."""
    yield
    if isinstance(server := request.node.funcargs.get("comfyui"), Server):
        server.client.settle()


@pytest.fixture(scope="module")  # an open page keeps drawing
def page(comfyui: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[browser.Page]:
    """The server's page, open in a browser."""
    if not chromium.find():
        pytest.skip(chromium.NOT_FOUND)
    with browser.Page(comfyui.client.address, tmp_path_factory.mktemp("browser")) as page:
        yield page


@pytest.fixture(scope="session")
def random_models(comfyui: Server, tmp_path_factory: pytest.TempPathFactory) -> Prompt:
    """Loaders of small models with random weights, which a gradient moves far.

    A gradient moves the trained ones little, so that they show less of it.
    """
    models, written = comfyui.folder / "models", tmp_path_factory.mktemp("random")
    (models / "imagebind").mkdir(exist_ok=True)
    save_imagebind(load_random_imagebind(), models / "imagebind" / "random.safetensors")
    write_random_audioldm(models / "audioldm" / "audioldm-random")
    for source, place in zip(write_random_animatediff(written), ("diffusers", "animatediff_models")):
        shutil.copytree(source, models / place / "random")
    return loaders("random.safetensors", "audioldm-random") | animatediff(base="random", motion="random")


@pytest.fixture
def lora(comfyui: Server) -> Iterator[str]:
    """A random LoRA for the small SD 1.5, in ComfyUI's own names."""
    generator = torch.Generator().manual_seed(0)
    layer = "diffusion_model.middle_block.1.transformer_blocks.0.attn1.to_q"
    halves = {
        f"{layer}.lora_{name}.weight": torch.randn(shape, generator=generator)
        for name, shape in (("up", (64, 4)), ("down", (4, 64)))
    }
    file = comfyui.folder / "models" / "loras" / NATIVE_LORA
    file.parent.mkdir(exist_ok=True)
    save_file(halves, file)
    yield NATIVE_LORA
    file.unlink()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Show the server's last words beside a test that failed."""
    report = yield
    server = getattr(item, "funcargs", {}).get("comfyui")
    if report.failed and isinstance(server, Server):
        report.sections.append((f"ComfyUI {server.comfyui.version}", server.log_tail()))
    return report
