"""Files and choices that a real ComfyUI meets: odd entries, names that are gone, files that are replaced."""

from __future__ import annotations

import datetime
import os
import time
from pathlib import Path
from typing import Any

import pytest

from aligner.binders.imagebind import save_imagebind
from laboratory.random_models import load_random_imagebind, write_random_audioldm

from .client import Prompt, PromptFailed, PromptRefused
from .prompts import (
    DEMO,
    STEERED,
    choices,
    condition,
    cosine,
    gradient,
    loaders,
    node,
    search,
    sound_to_video,
    text_to_sound,
)
from .server import Server

#: Seconds in which the page's question about all nodes must be answered.
ANSWERED_WITHIN = 15.0


@pytest.fixture(scope="module")
def odd(comfyui: Server) -> Path:
    """A models folder with a good model of every kind of list and odd entries beside it."""
    models = comfyui.folder / "models"
    write_random_audioldm(models / "audioldm" / "good", seed=7)
    save_imagebind(load_random_imagebind(seed=7), models / "imagebind" / "good.safetensors")
    for kind, index in (
        ("audioldm", "model_index.json"),
        ("diffusers", "model_index.json"),
        ("animatediff_models", "config.json"),
        ("captioners", "config.json"),
    ):
        (models / kind / "folder" / index).mkdir(parents=True)
        (models / kind / "noise").mkdir()
        (models / kind / "noise" / index).write_bytes(bytes(range(256)))
        for name in ("pipe", "gone", "locked"):
            (models / kind / name).mkdir()
        if hasattr(os, "mkfifo"):
            os.mkfifo(models / kind / "pipe" / index)
        (models / kind / "gone" / index).symlink_to(models / "nowhere")
        (models / kind / "locked" / index).touch(mode=0)
    if hasattr(os, "mkfifo"):
        os.mkfifo(models / "imagebind" / "pipe.pth")
    (models / "imagebind" / "gone.pth").symlink_to(models / "nowhere")
    (models / "imagebind" / "folder.pth").mkdir()
    return models


@pytest.mark.usefixtures("odd")
def test_odd_entries_cost_neither_a_node_nor_the_page(comfyui: Server) -> None:
    begin = time.monotonic()
    nodes = comfyui.client.object_info()
    assert time.monotonic() - begin < ANSWERED_WITHIN
    assert sum(name.startswith("SeeingHearing") for name in nodes) == 34
    assert "good" in choices(comfyui, "SeeingHearingLoadAudioLDM", "model")
    assert not {"folder", "pipe", "gone"} & set(choices(comfyui, "SeeingHearingLoadAudioLDM", "model"))
    assert not {"folder", "pipe", "gone"} & set(choices(comfyui, "SeeingHearingLoadCaptioner", "model"))


@pytest.mark.usefixtures("odd")
def test_a_list_says_what_it_leaves_out(comfyui: Server) -> None:
    comfyui.client.object_info()
    assert "model_index.json is left out: it is no regular file" in comfyui.log()


@pytest.mark.usefixtures("odd")
@pytest.mark.parametrize("name", ["pipe.pth", "gone.pth"])
def test_a_file_that_is_none_is_an_error_that_names_it(comfyui: Server, name: str) -> None:
    with pytest.raises(PromptFailed, match=f"'{name}' in models/imagebind is no file that can be read"):
        comfyui.client.run(text_to_sound() | loaders(imagebind=name))


def refused_or_failed(server: Server, prompt: Prompt) -> str:
    """What a prompt is refused for: by ComfyUI, as its later versions do for lists, or by our node."""
    with pytest.raises((PromptRefused, PromptFailed)) as error:
        server.client.run(prompt)
    return str(error.value)


GONE = ["folder.pth", "../good.safetensors", "..\\good.safetensors", "/etc/passwd", "a\0b.pth", "", "no.pth", "\ud800"]


LOADERS = {
    "LoadImageBind": "model",
    "LoadAudioLDM": "model",
    "LoadCaptioner": "model",
    "Lora": "lora",
    "LoadTunedPrompt": "file",
    "LoadConditions": "file",
}


@pytest.mark.usefixtures("odd")
@pytest.mark.parametrize("loader", LOADERS)
def test_a_model_that_is_gone_is_an_error_that_lists_the_others(comfyui: Server, loader: str) -> None:
    for name in GONE:
        values = {"precision": "auto", "strength": 1.0, LOADERS[loader]: name}
        prompt = {
            "load": node(f"SeeingHearing{loader}", **values),
            "out": node("PreviewAny", source=["load", 0]),
        }
        message = refused_or_failed(comfyui, prompt)
        assert f"is no longer a choice of {LOADERS[loader]}" in message or "Value not in list" in message


OTHERS: dict[str, tuple[Prompt, str]] = {
    "precision": (
        text_to_sound() | {"binder": node("SeeingHearingLoadImageBind", model=DEMO, precision="int4")},
        "int4",
    ),
    "length": (text_to_sound(length="banana"), "banana"),
    "streams": (text_to_sound() | {"condition": condition(text="a dog", streams="smell")}, "smell"),
    "clips": (text_to_sound() | {"condition": condition(text="a dog", clips="tiny")}, "tiny"),
    "rule": (text_to_sound(**STEERED) | gradient(rule="newest"), "newest"),
    "compare": (text_to_sound(**STEERED) | search(compare="by_eye"), "by_eye"),
    "decoding": (sound_to_video(decoding="none"), "none"),
    "model": ({"get": node("SeeingHearingDownloadModel", model="Everything", accept=True)}, "Everything"),
    "kind": (
        {"demo": node("SeeingHearingLoadDemoModel", kind="smell"), "out": node("PreviewAny", source=["demo", 3])},
        "smell",
    ),
}


@pytest.mark.parametrize("name", OTHERS)
def test_a_choice_that_is_gone_is_never_silently_another(comfyui: Server, name: str) -> None:
    prompt, value = OTHERS[name]
    message = refused_or_failed(comfyui, prompt)
    assert f"'{value}' is no longer a choice of {name}. Take one of " in message or "Value not in list" in message


def test_a_model_file_that_was_replaced_is_loaded_anew(comfyui: Server) -> None:
    file = comfyui.folder / "models" / "imagebind" / "replaced.safetensors"
    prompt = text_to_sound(guided=False) | loaders(imagebind=file.name)
    file.parent.mkdir(exist_ok=True)
    scores = []
    for seed in (1, 2, 1):
        save_imagebind(load_random_imagebind(seed=seed), file)
        os.utime(file, (1e9, 1e9))  # a copy may keep the time of its original
        scores.append(cosine(comfyui.client.run(prompt)))
    assert scores[0] == scores[2] != scores[1]


def test_a_model_folder_that_was_replaced_is_loaded_anew(comfyui: Server) -> None:
    folder = comfyui.folder / "models" / "audioldm" / "replaced"
    scores = []
    for seed in (1, 2, 1):
        write_random_audioldm(folder, seed=seed)
        scores.append(cosine(comfyui.client.run(text_to_sound(guided=False) | loaders(audioldm="replaced"))))
    assert scores[0] == scores[2] != scores[1]


def saved(prefix: Any) -> Prompt:
    return {
        **loaders(),
        "condition": condition(text="a dog barks"),
        "save": node("SeeingHearingSaveConditions", conditions=["condition", 0], filename_prefix=prefix),
    }


@pytest.mark.parametrize(
    "prefix",
    ["a\0b", "a\nb", "a\ud800", "CON", "nul.x", "a/com1/b", "LPT9", "a*", "a?", "a<b", "a>b", 'a"b', "a|b", "a:b"]
    + ["a.", "a./b", "a ", "a /b", "...", "x" * 240, "あ" * 80, "y" * 256 + "/b"],
)
def test_names_that_some_system_forbids_are_refused(comfyui: Server, prefix: str) -> None:
    with pytest.raises(PromptFailed, match="filename_prefix (holds|must stay inside)"):
        comfyui.client.run(saved(prefix))


@pytest.mark.parametrize("prefix", ["x" * 236, "あ" * 78, "folder/" + "é" * 118, "con1", "a.b", "100%"])
def test_names_that_every_system_allows_are_written(comfyui: Server, prefix: str) -> None:
    (line,) = comfyui.client.run(saved(prefix))["save"]["text"]
    assert line == f"conditions/{prefix}_00001_.safetensors" and (comfyui.folder / "output" / line).is_file()


def test_a_date_in_a_name_is_todays(comfyui: Server) -> None:
    before = datetime.date.today()
    (line,) = comfyui.client.run(saved("a/%date:yyyy-MM-dd%/%year%-%date:yy.M.d%"))["save"]["text"]
    assert any(
        line == f"conditions/a/{day:%Y-%m-%d}/{day:%Y}-{day:%y}.{day.month}.{day.day}_00001_.safetensors"
        for day in (before, datetime.date.today())
    )


def test_a_folder_that_cannot_be_written_is_an_error_in_a_sentence(comfyui: Server) -> None:
    (comfyui.folder / "output" / "conditions").mkdir(exist_ok=True)
    (comfyui.folder / "output" / "conditions" / "taken").write_bytes(b"a file")
    with pytest.raises(PromptFailed, match="output/conditions cannot be used .*Check the disk"):
        comfyui.client.run(saved("taken/name"))


def test_what_a_killed_server_leaves_is_not_offered(comfyui: Server) -> None:
    """Also what earlier versions left."""
    folder = comfyui.folder / "output" / "conditions"
    folder.mkdir(exist_ok=True)
    (folder / ".0123456789abcdef.partial").write_bytes(b"half")
    (folder / ".kept.0123abcd.safetensors").write_bytes(b"half")
    assert not [name for name in choices(comfyui, "SeeingHearingLoadConditions", "file") if name.startswith(".")]
