"""Hostile values on every input of every node of a real ComfyUI: each answer is a result or a sentence.

Seeds are the numbers of the values. -m slow tries more of them. See hostile_pack.py.
"""

from __future__ import annotations

import math
import random
import re
from dataclasses import dataclass
from typing import Any

import pytest

from .client import Prompt, PromptFailed, PromptRefused, is_raised
from .prompts import (
    DEMO,
    EXAMPLE_SOUND,
    EXAMPLE_VIDEO,
    animatediff,
    condition,
    cosine,
    gradient,
    joint_sampler,
    loaders,
    node,
    sampler,
    search,
    text_to_sound,
    video_sampler,
)
from .server import Server

OURS = re.compile(r"^SeeingHearingError$")
#: How ComfyUI's log begins what it says of an error in a node.
FAILED = "!!! Exception during processing !!!"
#: The hostile values that look like a type, by its name. Others are good objects with a field changed. Rules, steered
#: models and what ComfyUI itself makes hold what their classes have checked: in their place come odd values alone.
SUITED = {"INT": "number", "FLOAT": "number", "BOOLEAN": "odd", "COMBO": "text", "STRING": "text"}
SUITED |= {name: name for name in ("AUDIO", "IMAGE", "MASK", "LATENT", "VIDEO")}
SUITED |= {f"SEEING_HEARING_{name}": "changed" for name in ("CONDITIONS", "TUNED_PROMPT", "LORAS")}

WIDGETS = ("INT", "FLOAT", "BOOLEAN", "COMBO", "STRING")
#: What a prompt by API may say in place of a widget's value. Python's JSON knows NaN and infinity.
LITERALS = [
    None,
    {},
    {"a": 1},
    {"__value__": [1]},
    math.nan,
    math.inf,
    -1,
    0,
    10**30,
    1e-300,
    True,
    "",
    "nan",
    "5",
    "a",
]
LITERALS += ["\0", "../../x", "犬" * 100]
#: ComfyUI 0.3.64 cannot log that a list does not offer it.
HALF = "a dog\ud800"

#: One good node of each kind, with a good wire on every socket.
SHORT = {"steps": 2, "seconds": 0.5}
GOOD: Prompt = {
    **loaders(),
    **animatediff(),
    **search(audio_candidates=2, video_candidates=2),
    "captioner": node("SeeingHearingLoadCaptioner", model=DEMO, precision="auto"),
    "demo": node("SeeingHearingLoadDemoModel", kind="picture"),
    "lora": node("SeeingHearingLora", lora="none", strength=1.0),
    "sound": node("LoadAudio", audio=EXAMPLE_SOUND),
    "video": node("LoadVideo", file=EXAMPLE_VIDEO),
    "image": node("EmptyImage", width=32, height=32, batch_size=2, color=0x4080C0),
    "mask": node("SolidMask", value=1.0, width=32, height=32),
    "picture latent": node("EmptyLatentImage", width=32, height=32, batch_size=4),
    "condition": condition(text="a dog barks"),
    "tuned sampler": sampler(**SHORT, guided=False),
    "gradient": gradient()["guidance"],
}
WIRES: dict[str, list[Any]] = {
    **{name: [name, 0] for name in ("binder", "audio_generator", "video_generator", "captioner", "image", "mask")},
    **{name: [name, 0] for name in ("guidance", "video")},
    "conditions": ["condition", 0],
    "others": ["condition", 0],
    "audio": ["sound", 0],
    "latent": ["picture latent", 0],
    "init_frames": ["image", 0],
    "frames": ["image", 0],
    "then": ["gradient", 0],
    "loras": ["lora", 0],
    "tuned_prompt": ["tuned sampler", 4],
    "model": ["demo", 0],
    "vae": ["demo", 2],
    "audio_vae": ["demo", 2],
    "steering": ["steered", 1],
}
#: Optional sockets that exclude others, or make a run long, and are wired only when they are the target.
ALONE = {"mask", "latent", "init_frames", "tuned_prompt", "then", "loras", "audio_vae", "others"}
#: Other values of widgets than those of a new node, so that a run takes little time.
SMALL: dict[str, dict[str, Any]] = {
    "SeeingHearingAudioSampler": sampler(**SHORT)["inputs"],
    "SeeingHearingVideoSampler": video_sampler(steps=2)["inputs"],
    "SeeingHearingJointSampler": joint_sampler(steps=2, audio_steps=2)["inputs"],
    "SeeingHearingDownloadModel": {"accept": False},
}


@dataclass(frozen=True)
class Target:
    """An input of a node."""

    node: str
    name: str
    kind: str


@pytest.fixture(scope="module")
def nodes(comfyui: Server) -> dict[str, Any]:
    return {name: info for name, info in comfyui.client.object_info().items() if name.startswith("SeeingHearing")}


def targets(nodes: dict[str, Any]) -> list[Target]:
    return [
        Target(name, each, "COMBO" if isinstance(kind, list) else kind)
        for name, info in sorted(nodes.items())
        for group in ("required", "optional")
        for each, (kind, *_) in info["input"].get(group, {}).items()
    ]


def hostile(nodes: dict[str, Any], target: Target, seed: int) -> Prompt:
    """A prompt in which one input gets a hostile value, and what comes out of the node is looked at."""
    chance = random.Random(seed)
    kind = SUITED.get(target.kind, "odd") if chance.random() < 0.7 else "odd"
    inputs = good_inputs(nodes[target.node]) | SMALL.get(target.node, {})
    value = {"value": WIRES[target.name]} if kind in ("changed", "LATENT") else {}
    literal = target.kind in WIDGETS and chance.random() < 0.4
    literals = [*LITERALS, HALF] if target.kind == "STRING" else LITERALS
    given = chance.choice(literals) if literal else ["hostile", 0]
    prompt = GOOD | {
        "hostile": node("TestHostileValue", kind=kind, seed=seed, **value),
        "target": node(target.node, **inputs | {target.name: given}),
    }
    if "steering" in inputs:
        prompt["steered"] = node("SeeingHearingSteerModel", **good_inputs(nodes["SeeingHearingSteerModel"]))
    outputs = nodes[target.node]["output"]
    return prompt | {
        f"faults {index}": node("TestFaults", value=["target", index])
        for index, kind in enumerate(outputs)
        if kind not in ("STRING", "FLOAT", "INT")
    }


def good_inputs(info: dict[str, Any]) -> dict[str, Any]:
    """The values of a new node's widgets, and wires for its sockets."""
    inputs = {}
    for group in ("required", "optional"):
        for name, (kind, options, *_) in info["input"].get(group, {}).items():
            choices = kind if isinstance(kind, list) else options.get("options")
            if choices or "default" in options:
                inputs[name] = options["default"] if "default" in options else choices[0]
            elif name in WIRES and not (group == "optional" and name in ALONE):
                inputs[name] = WIRES[name]
    return inputs


def answer(server: Server, prompt: Prompt) -> str:
    """What is wrong with the server's answer; "" for a result, a refusal by ComfyUI, and a sentence of ours."""
    try:
        outputs = server.client.run(prompt, timeout=120)
    except PromptRefused as refusal:
        raised = [each for node in refusal.node_errors.values() for each in node["errors"] if is_raised(each)]
        return "; ".join(f"{each}" for each in raised if not OURS.search(each["extra_info"]["exception_type"]))
    except PromptFailed as failure:
        error = failure.messages.get("execution_error")
        if error is None:
            return f"it ended without an error: {failure}"
        ours = error["node_type"].startswith("SeeingHearing") and OURS.search(error["exception_type"])
        return "" if ours else f"{error['node_type']}: {error['exception_type']}: {error['exception_message']}"
    found = {fault for name, output in outputs.items() if name.startswith("faults") for fault in output["text"]}
    return f"a result that is {' and '.join(sorted(found))}" if found else ""


def raw_errors(log: str) -> list[str]:
    """The errors in a log that are no sentences of ours: those that ComfyUI met in a node, and those of a thread."""
    before, *failed = log.split(FAILED)
    last = [re.findall(r"^(\S+(?:Error|Exception)): ", part, re.MULTILINE)[-1:] for part in failed]
    stray = ["Traceback"] if "Traceback" in before else []
    return stray + [name for names in last for name in names or ["nothing"] if not OURS.search(name)]


@pytest.mark.parametrize("values", [100, pytest.param(600, marks=pytest.mark.slow)])
def test_every_hostile_value_gives_a_result_or_a_sentence(comfyui: Server, nodes: dict[str, Any], values: int) -> None:
    good = cosine(comfyui.client.run(text_to_sound()))
    begin, all_targets = len(comfyui.log()), targets(nodes)
    order = random.Random(values).sample(range(len(all_targets)), len(all_targets))
    wrong = {}
    for seed in range(values):
        target = all_targets[order[seed % len(order)]]
        if fault := answer(comfyui, hostile(nodes, target, seed)):
            wrong[f"{target.node}.{target.name} with seed {seed}"] = fault
    assert not wrong
    assert not raw_errors(comfyui.log()[begin:])
    assert cosine(comfyui.client.run(text_to_sound(seed=3))) == good
