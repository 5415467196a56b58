"""Small models shared by all tests: the real classes and file layouts with random weights."""

import os

import pytest
import torch

from aligner.conditions.encoding import text_condition as encoded
from aligner.generators.animatediff import load_animatediff
from aligner.generators.audioldm import load_audioldm
from laboratory.random_models import (
    load_random_imagebind,
    write_random_animatediff,
    write_random_audioldm,
)

# Models this small lose more by sharing their work among threads than they gain, above all beside other processes.
torch.set_num_threads(1)
os.environ.setdefault("OMP_NUM_THREADS", "1")  # of the processes that tests start


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items):
    """Tests that share a ComfyUI server, or else a file's fixtures, run in one process."""
    for item in items:
        parameters = item.callspec.params if hasattr(item, "callspec") else {}
        server = parameters.get("comfyui")
        item.add_marker(pytest.mark.xdist_group(server.version if server else item.nodeid.split("::")[0]))


@pytest.fixture(scope="session")
def audioldm_folder(tmp_path_factory):
    return write_random_audioldm(tmp_path_factory.mktemp("audioldm"), seed=1)


@pytest.fixture(scope="session")
def audioldm(audioldm_folder):
    return load_audioldm(audioldm_folder)


@pytest.fixture(scope="session")
def animatediff_folders(tmp_path_factory):
    return write_random_animatediff(tmp_path_factory.mktemp("animatediff"), seed=1)


@pytest.fixture(scope="session")
def animatediff(animatediff_folders):
    return load_animatediff(*animatediff_folders)


@pytest.fixture(scope="session")
def exact_animatediff(animatediff_folders):
    return load_animatediff(*animatediff_folders, dtype=torch.float64)


@pytest.fixture(scope="session")
def binder():
    return load_random_imagebind(seed=2)


@pytest.fixture(scope="session")
def exact_audioldm(audioldm_folder):
    """In float64. Adam steps by the sign of a gradient, and random networks magnify what a flipped sign changes: in
    float32 two correct implementations drift apart within ten steps."""
    return load_audioldm(audioldm_folder, dtype=torch.float64)


@pytest.fixture(scope="session")
def exact_binder():
    return load_random_imagebind(seed=2).double()


@pytest.fixture(scope="session")
def text_condition(binder):
    return encoded(binder, "a dog barks")


@pytest.fixture(scope="session")
def two_conditions(binder):
    return _two_texts(binder)


@pytest.fixture(scope="session")
def exact_conditions(exact_binder):
    return _two_texts(exact_binder)


def _two_texts(binder):
    return [encoded(binder, text) for text in ("a dog barks", "rain on a roof")]


@pytest.fixture
def seeded():
    """A torch.Generator that always starts at the same place."""
    return torch.Generator().manual_seed(0)
