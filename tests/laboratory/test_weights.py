"""The fingerprint of the weights that measurements depend on, and the weights of the second binder."""

from __future__ import annotations

import pytest

from aligner.demo import family
from laboratory import weights
from laboratory.training.sizes import SECOND_BINDER
from laboratory.weights import fingerprint, load_second_imagebind


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder of two files in place of the demo's weights, and a third file in place of the second binder."""
    contents = {
        "demo/judge.safetensors": b"1",
        "demo/audioldm/unet/model.safetensors": b"2",
        "second.safetensors": b"3",
    }
    for name, content in contents.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(content)
    monkeypatch.setattr(family, "WEIGHTS", tmp_path / "demo")
    monkeypatch.setattr(weights, "SECOND_IMAGEBIND", tmp_path / "second.safetensors")
    return tmp_path


def test_the_same_weights_have_the_same_fingerprint(folder):
    first = fingerprint()
    assert len(first) == 16 and set(first) <= set("0123456789abcdef")
    (folder / "demo" / "audioldm" / "README.md").write_text("a card", encoding="utf-8")
    assert fingerprint() == first


@pytest.mark.parametrize(
    "change",
    [
        lambda folder: (folder / "demo" / "audioldm" / "unet" / "model.safetensors").write_bytes(b"4"),
        lambda folder: (folder / "second.safetensors").write_bytes(b"4"),
        lambda folder: (folder / "demo" / "judge.safetensors").rename(folder / "demo" / "critic.safetensors"),
        lambda folder: (folder / "demo" / "judge.safetensors").unlink(),
        lambda folder: (folder / "demo" / "other.safetensors").write_bytes(b"1"),
    ],
    ids=["content", "second binder", "name", "one less", "one more"],
)
def test_other_weights_have_another_fingerprint(folder, change):
    before = fingerprint()
    change(folder)
    assert fingerprint() != before


def test_the_second_binder_differs_from_the_one_that_guides():
    second, first = load_second_imagebind(), family.load_demo_imagebind()
    assert second.config == SECOND_BINDER and second.fingerprint != first.fingerprint
