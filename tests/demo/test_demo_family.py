"""The fingerprint of the demo models' weights."""

from __future__ import annotations

import pytest

from aligner.demo import family


@pytest.fixture
def weights(tmp_path, monkeypatch):
    """A folder of two files of weights that are none."""
    for name, content in (("judge.safetensors", b"1"), ("audioldm/unet/model.safetensors", b"2")):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(content)
    monkeypatch.setattr(family, "WEIGHTS", tmp_path)
    return tmp_path


def test_the_same_weights_have_the_same_fingerprint(weights):
    first = family.fingerprint()
    assert len(first) == 16 and set(first) <= set("0123456789abcdef")
    (weights / "audioldm" / "README.md").write_text("what it is", encoding="utf-8")
    assert family.fingerprint() == first


@pytest.mark.parametrize(
    "change",
    [
        lambda folder: (folder / "audioldm" / "unet" / "model.safetensors").write_bytes(b"3"),
        lambda folder: (folder / "judge.safetensors").rename(folder / "critic.safetensors"),
        lambda folder: (folder / "judge.safetensors").unlink(),
        lambda folder: (folder / "other.safetensors").write_bytes(b"1"),
    ],
    ids=["content", "name", "one less", "one more"],
)
def test_other_weights_have_another(weights, change):
    before = family.fingerprint()
    change(weights)
    assert family.fingerprint() != before
