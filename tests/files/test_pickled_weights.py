"""Files of torch.save with what training frameworks keep in them: weights are read, and no code runs."""

from __future__ import annotations

import argparse
import collections
import datetime
import os
import pathlib
import pickle
import subprocess
import sys
import types
import typing
from pathlib import Path

import numpy
import pytest
import torch
from safetensors.torch import save_file

from aligner.errors import CheckpointError
from aligner.files.weights import open_weights

WEIGHTS = {"layer.weight": torch.arange(6.0).reshape(2, 3), "layer.bias": torch.ones(2)}


@pytest.fixture
def framework(monkeypatch):
    """Make a class of a framework that is not installed, to be pickled. Loading must not need its module."""
    made = []

    def make(module, name, base=object):
        cls = type(name, (base,), {"__module__": module, "__qualname__": name})
        for end in range(1, module.count(".") + 2):
            part = ".".join(module.split(".")[:end])
            monkeypatch.setitem(sys.modules, part, types.ModuleType(part))
        setattr(sys.modules[module], name, cls)
        made.append(module.split(".")[0])
        return cls

    def forget():
        for module in [name for name in sys.modules if name.split(".")[0] in made]:
            monkeypatch.delitem(sys.modules, module)

    make.forget = forget
    return make


def read(path: Path) -> dict[str, torch.Tensor]:
    with open_weights(path) as weights:
        return {name: weights.take(name) for name in list(weights.shapes)}


def assert_weights(path: Path) -> None:
    found = read(path)
    assert found.keys() == WEIGHTS.keys() and all(torch.equal(found[name], WEIGHTS[name]) for name in WEIGHTS)


def lightning_notes(framework) -> dict:
    checkpoint = framework("pytorch_lightning.callbacks.model_checkpoint", "ModelCheckpoint")
    stopping = framework("lightning.pytorch.callbacks.early_stopping", "EarlyStopping")
    settings = framework("pytorch_lightning.utilities.parsing", "AttributeDict", dict)
    config = framework("omegaconf.dictconfig", "DictConfig")()
    config.__dict__.update(_metadata=typing.Any, _content={"lr": 1})
    kept = stopping()
    kept.best = numpy.float64(0.25)
    return {
        "epoch": 4,
        "pytorch-lightning_version": "1.4.2",
        "callbacks": {
            checkpoint: {"best_model_score": numpy.float32(0.5), "dirpath": pathlib.PurePosixPath("/logs")},
            "EarlyStopping{'monitor': 'loss'}": kept,
        },
        "hyper_parameters": settings(rate=1e-4, config=config, groups=collections.defaultdict(list, {1: [2]})),
        "arguments": argparse.Namespace(seed=1, started=datetime.datetime(2023, 1, 1)),
        "optimizer_states": [{"state": {0: {"exp_avg": torch.zeros(3)}}, "betas": numpy.arange(2)}],
    }


def test_weights_beside_the_notes_of_lightning(tmp_path, framework):
    torch.save({"state_dict": WEIGHTS, **lightning_notes(framework)}, tmp_path / "last.ckpt")
    framework.forget()
    assert_weights(tmp_path / "last.ckpt")
    assert not {"pytorch_lightning", "lightning", "omegaconf"} & set(sys.modules)


def test_what_stands_in_for_notes_is_forgotten_after_loading(tmp_path, framework):
    torch.save({"state_dict": WEIGHTS, **lightning_notes(framework)}, tmp_path / "last.ckpt")
    framework.forget()
    before = set(torch.serialization.get_safe_globals())
    read(tmp_path / "last.ckpt")
    assert set(torch.serialization.get_safe_globals()) == before  # torch keeps them in a set
    with pytest.raises(pickle.UnpicklingError):
        torch.load(tmp_path / "last.ckpt", weights_only=True)


@pytest.mark.parametrize("key", ["state_dict", "model", "params_ema"])
def test_weights_under_a_single_key(tmp_path, key):
    torch.save({key: WEIGHTS}, tmp_path / "x.pt")
    assert_weights(tmp_path / "x.pt")


def test_the_short_suffix_of_safetensors(tmp_path):
    save_file(WEIGHTS, tmp_path / "x.sft")
    assert_weights(tmp_path / "x.sft")


class Payload:
    """Unpickling it calls a function."""

    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call


@pytest.mark.parametrize("place", ["notes", "weights"])
@pytest.mark.parametrize("function", [os.mkdir, os.makedirs, subprocess.getoutput, exec, getattr])
def test_code_in_notes_and_weights_never_runs(tmp_path, framework, place, function):
    trace = tmp_path / "trace"
    arguments = {
        subprocess.getoutput: (f"mkdir {trace}",),
        exec: (f"import os; os.mkdir({str(trace)!r})",),
        getattr: ("text", "upper"),
    }
    payload = Payload(function, *arguments.get(function, (str(trace),)))
    content = {"state_dict": dict(WEIGHTS), **lightning_notes(framework)}
    (content if place == "notes" else content["state_dict"])["payload"] = payload
    torch.save(content, tmp_path / "evil.ckpt")
    framework.forget()
    with pytest.raises(CheckpointError, match="evil.ckpt is refused because loading it would run code"):
        read(tmp_path / "evil.ckpt")
    assert not trace.exists()


def test_a_call_in_a_frameworks_name_does_not_run(tmp_path, framework):
    called = []
    hook = framework("pytorch_lightning.evil", "hook")
    hook.__init__ = lambda self, *arguments: called.append(arguments)
    torch.save({"state_dict": WEIGHTS, "note": Payload(hook, 1)}, tmp_path / "x.ckpt")
    assert_weights(tmp_path / "x.ckpt")
    assert not called


def test_objects_among_the_weights_are_refused(tmp_path, framework):
    note = framework("pytorch_lightning.callbacks", "Note")()
    torch.save({"state_dict": {**WEIGHTS, "note": note}}, tmp_path / "x.ckpt")
    with pytest.raises(CheckpointError, match="x.ckpt holds more than named tensors"):
        read(tmp_path / "x.ckpt")


def test_old_formats_are_read_if_they_hold_plain_weights(tmp_path, framework):
    torch.save({"state_dict": WEIGHTS}, tmp_path / "old.ckpt", _use_new_zipfile_serialization=False)
    assert_weights(tmp_path / "old.ckpt")
    note = framework("pytorch_lightning.callbacks", "Note")()
    torch.save({"state_dict": WEIGHTS, "n": note}, tmp_path / "old.ckpt", _use_new_zipfile_serialization=False)
    with pytest.raises(CheckpointError, match="would run code"):
        read(tmp_path / "old.ckpt")
