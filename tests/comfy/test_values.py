"""Values that no node should give, on sockets of ours in a real ComfyUI: a result where they are clear, or a sentence.

See hostile_pack.py and, for every input of every node, test_fuzz.py.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from aligner.files.weights import open_weights, save_weights

from .client import Prompt, PromptFailed
from .prompts import DEMO, condition, cosine, loaders, node, sampler, scored, text_to_sound
from .server import Server

WIRE = ["hostile", 0]
CAPTIONER = {"captioner": node("SeeingHearingLoadCaptioner", model=DEMO, precision="auto")}
CAPTION = {"captioner": ["captioner", 0], "instruction": "", "before": "", "after": "", "longest": 40}
WORDS = {"condition": condition(text="a dog barks")}
SHORT = {"steps": 2, "seconds": 0.5}

#: A node with a hostile value on one of its inputs, by the names of both.
TARGETS: dict[str, Prompt] = {
    **{f"condition.{name}": {**loaders(), "target": condition(**{name: WIRE})} for name in ("audio", "image", "text")},
    "condition.weight": {**loaders(), "target": condition(text="a dog", weight=WIRE)},
    "condition.binder": {"target": condition(text="a dog", binder=WIRE)},
    "sound.audio": {
        **loaders(),
        "target": node("SeeingHearingEncodeSound", audio_generator=["audio_generator", 0], audio=WIRE),
    },
    "key frame.image": {"target": node("SeeingHearingKeyFrame", image=WIRE, fps=24.0)},
    "caption.image": {**CAPTIONER, "target": node("SeeingHearingCaption", image=WIRE, **CAPTION)},
    "caption.audio": {**CAPTIONER, "target": node("SeeingHearingCaption", audio=WIRE, **CAPTION)},
    **{
        f"sampler.{name}": {**loaders(), **WORDS, "target": sampler(**SHORT | {name: WIRE})}
        for name in ("audio_generator", "prompt", "guidance", "latent", "conditions", "cfg", "guided", "tuned_prompt")
    },
}

RATE = "The sample rate of audio must be a whole number from 1000 to 1000000"
REFUSED: list[tuple[str, str, str]] = [
    *(
        (target, value, message)
        for target in ("condition.audio", "sound.audio", "caption.audio")
        for value, message in {
            "a tone of 1e38": "audio holds values from .* A sound lies in -1..1",
            "a tone with NaN": "audio holds NaN",
            "a tone with infinity": "audio holds values from .* to inf",
            "a complex tone": "audio must be a plain tensor of real numbers",
            "a tone of 64-bit integers": "int64, whose full scale is unknown",
            "a tone on the meta device": "has a shape but no values",
            "a tone of no samples": "not be empty",
            "a tone without a rate": "AUDIO without its sample_rate",
            "a tone at nan": RATE,
            "a tone at inf": RATE,
            "a tone at 0": RATE,
            "a tone at -1": RATE,
            "a tone at 0.5": RATE,
            "a tone at 'fast'": RATE,
            "a text": "audio must be AUDIO",
            "nothing": "The AUDIO input is empty",
        }.items()
    ),
    *(
        (target, value, message)
        for target in ("condition.image", "key frame.image", "caption.image")
        for value, message in {
            "a picture with NaN": "image holds NaN",
            "a picture with infinity": "image holds values from .* to inf",
            "a picture of -5 to 5": "from -5 to 5, .* An IMAGE lies in 0..1",
            "a picture without frames": "IMAGE of 0 frames",
            "a picture without pixels": "frames of 32 x 0 pixels",
            "a picture on the meta device": "has a shape but no values",
            "a number": "image must be a tensor, not 5",
        }.items()
    ),
    ("condition.text", "half of a character", "text holds half of a character at position 7"),
    ("condition.text", "a mapping", "text must be a text, not a value of the type dict"),
    ("condition.text", "nothing", "text must be a text, not nothing"),
    ("condition.weight", "NaN", "weight must be a finite number from -10 to 10, not nan"),
    ("condition.weight", "a text", "weight must be a finite number"),
    ("condition.binder", "a text", "binder takes what Load ImageBind gives, not 'a dog barks'"),
    ("sampler.audio_generator", "a text", "audio_generator takes what Load AudioLDM gives"),
    ("sampler.prompt", "nothing", "prompt must be a text"),
    ("sampler.prompt", "a mapping", "prompt must be a text"),
    ("sampler.prompt", "half of a character", "prompt holds half of a character"),
    (
        "sampler.guidance",
        "a number",
        "guidance must be a rule, such as Search Settings or Gradient Settings gives, not 5",
    ),
    ("sampler.latent", "a text", "latent must be a LATENT"),
    ("sampler.conditions", "a text", "conditions must be conditions, such as Encode Condition gives"),
    ("sampler.cfg", "NaN", "cfg must be a finite number from 0 to 30, not nan"),
    ("sampler.guided", "a text", "guided must be True or False"),
    ("sampler.tuned_prompt", "a number", "tuned_prompt must be a tuned prompt"),
]


def given(target: str, value: str) -> Prompt:
    prompt = TARGETS[target] | {"hostile": node("TestHostileValue", kind=value, seed=0)}
    return prompt | {"faults": node("TestFaults", value=["target", 0])}


@pytest.mark.parametrize("target, value, message", REFUSED)
def test_what_is_unclear_is_an_error_that_names_the_input(
    comfyui: Server, target: str, value: str, message: str
) -> None:
    with pytest.raises(PromptFailed, match=message):
        comfyui.client.run(given(target, value))


TAKEN = [
    ("sound.audio", "a tone of 16-bit integers"),
    ("sound.audio", "a tone as an array"),
    ("caption.audio", "a tone at '16000'"),
    ("condition.image", "a picture of 8-bit floats"),
    ("condition.image", "a picture as an array"),
    ("key frame.image", "a picture that overshoots a little"),
    ("caption.image", "a picture that overshoots a little"),
    ("sampler.tuned_prompt", "nothing"),
    ("sampler.guidance", "nothing"),
]


@pytest.mark.parametrize("target, value", TAKEN)
def test_what_is_clear_is_taken(comfyui: Server, target: str, value: str) -> None:
    assert comfyui.client.run(given(target, value))["faults"]["text"] == []


@pytest.mark.parametrize(
    "other",
    ["8-bit integers", "16-bit integers", "32-bit integers", "an array", "an array of 16-bit integers", "'16000'"],
)
def test_a_sound_of_another_type_is_the_same_sound(comfyui: Server, other: str) -> None:
    value = f"a tone {'at' if other[0] == chr(39) else 'as' if other.startswith('an ') else 'of'} {other}"
    prompt = {
        **loaders(),
        "tone": node("TestHostileValue", kind="a tone", seed=0),
        "hostile": node("TestHostileValue", kind=value, seed=0),
        "condition": condition(audio=["tone", 0], clips="seconds"),
        **scored("hostile"),
    }
    assert cosine(comfyui.client.run(prompt)) == pytest.approx(1, abs=0.05 if other.startswith("8") else 2e-3)


@pytest.fixture(scope="module")
def saved(comfyui: Server) -> Path:
    """A file of Save Conditions."""
    save = node("SeeingHearingSaveConditions", conditions=["condition", 0], filename_prefix="hostile")
    (line,) = comfyui.client.run({**loaders(), **WORDS, "save": save})["save"]["text"]
    return comfyui.folder / "output" / line


def loaded(file: Path) -> Prompt:
    return text_to_sound(**SHORT) | {"condition": node("SeeingHearingLoadConditions", file=file.name)}


def changed(file: Path, clips: Callable[[torch.Tensor], torch.Tensor] = torch.clone, **fields: Any) -> Path:
    """A file whose one condition is changed past all checks. description: the whole of its JSON."""
    with open_weights(file) as weights:
        (description,) = json.loads(weights.metadata["conditions"])
        state = {"0": clips(weights.take("0").clone())}
    text = fields.pop("description", json.dumps([description | fields]))
    other = file.with_name("changed.safetensors")
    save_weights(other, state, {"conditions": text})
    return other


@pytest.mark.parametrize(
    "change, message",
    [
        ({"clips": lambda clips: clips * math.nan}, "has an embedding that is not finite"),
        ({"clips": lambda clips: clips.expand(3, -1, -1)}, "several|3 text embeddings"),
        ({"clips": lambda clips: clips[..., :7]}, "Embeddings of the widths"),
        ({"clips": lambda clips: clips.to(torch.complex64)}, "must be a plain tensor of real numbers"),
        ({"modality": "a b"}, "modality of a condition must be a word"),
        ({"modality": 5}, "modality of a condition must be a word"),
        ({"weight": math.nan}, "weight of a condition must be a finite number"),
        ({"description": "[" * 100_000}, "does not hold conditions"),
        ({"description": '{"a":' * 100_000}, "does not hold conditions"),
        ({"duration": "1e999999999"}, "does not hold conditions"),
    ],
)
@pytest.mark.parametrize("guided", [True, False], ids=["sampled", "scored"])
def test_a_file_of_conditions_that_cannot_be_used_is_an_error(
    comfyui: Server, saved: Path, change: dict[str, Any], message: str, guided: bool
) -> None:
    prompt = loaded(changed(saved, **change))
    if not guided:
        prompt["sampler"] = node("TestHostileValue", kind="a tone", seed=0)
    with pytest.raises(PromptFailed, match=message):
        comfyui.client.run(prompt)


def test_a_file_of_conditions_in_8_bit_floats_is_read(comfyui: Server, saved: Path) -> None:
    before = cosine(comfyui.client.run(loaded(saved)))
    bytewise = changed(saved, clips=lambda clips: clips.to(torch.float8_e4m3fn))
    assert cosine(comfyui.client.run(loaded(bytewise))) == pytest.approx(before, abs=0.05)


def test_a_tuned_prompt_of_nan_is_an_error(comfyui: Server) -> None:
    file = comfyui.folder / "output" / "tuned_prompts" / "hostile.safetensors"
    file.parent.mkdir(exist_ok=True)
    save_weights(file, {"audio": torch.full((1, 512), math.nan)}, {"text:audio": "a dog"})
    load = {"tuned": node("SeeingHearingLoadTunedPrompt", file=file.name)}
    with pytest.raises(
        PromptFailed, match="hostile.safetensors holds a tuned prompt that cannot be used: .* holds NaN"
    ):
        comfyui.client.run(text_to_sound(**SHORT, tuned_prompt=["tuned", 0]) | load)
