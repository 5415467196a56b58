"""A small random model in place of the large one that a workflow loads."""

from __future__ import annotations

from typing import Any

from .client import Prompt
from .native_prompts import AUDIO_VAE, MODEL, POSITIVE, VAE, Link
from .prompts import DEMO, node

#: What stands for outputs of nodes that load LTX-2.3 or need its text encoder.
STAND_INS: dict[tuple[str, int], Link] = {
    ("CheckpointLoaderSimple", 0): MODEL,
    ("CheckpointLoaderSimple", 2): VAE,
    ("LTXVAudioVAELoader", 0): AUDIO_VAE,
    ("CLIPTextEncode", 0): POSITIVE,  # for both prompts: without classifier-free guidance the negative one is not used
}
REPLACED = {name for name, _ in STAND_INS} | {"LTXAVTextEncoderLoader"}
#: Other values of widgets, so that a random model takes little time.
SMALL = {
    "EmptyLTXVLatentVideo": {"width": 64, "height": 64, "length": 17},
    "LTXVEmptyLatentAudio": {"frames_number": 17},
    "SeeingHearingLoadImageBind": {"model": DEMO},
}


def on_random_model(prompt: Prompt) -> Prompt:
    """A prompt that loads LTX-2.3, with a random model: 17 frames of 64 x 64 pixels, and as much sound."""

    def wired(value: Any) -> Any:
        return STAND_INS.get((prompt[value[0]]["class_type"], value[1]), value) if isinstance(value, list) else value

    small = {"native": node("TestNativeModel", kind="ltxav", batch_size=1, weights=0)}
    for key, each in prompt.items():
        name = each["class_type"]
        if name not in REPLACED:
            wires = {own: wired(value) for own, value in each["inputs"].items()}
            small[key] = node(name, **wires | SMALL.get(name, {}))
    return small
