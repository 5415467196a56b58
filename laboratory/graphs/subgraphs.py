"""The subgraphs of the node library: a whole task as one node."""

from __future__ import annotations

from typing import Any

from .graph import Node, Subgraph, given
from .parts import DEMO


def _models(*, sound: bool, video: bool) -> list[Node]:
    found = [Node("binder", "SeeingHearingLoadImageBind", model=given("imagebind"))]
    if sound:
        found.append(Node("audioldm", "SeeingHearingLoadAudioLDM", model=given("audioldm")))
    if video:
        found.append(Node("animatediff", "SeeingHearingLoadAnimateDiff", base=given("base"), motion=DEMO))
    return found


COMMON: dict[str, tuple[str, Any]] = {
    "prompt": ("STRING", ""),
    "seed": ("INT", 0),
    "steps": ("INT", 25),
    "imagebind": ("COMBO", DEMO),
}
SOUND, VIDEO = {"audioldm": ("COMBO", DEMO)}, {"base": ("COMBO", DEMO)}


def _sampler(kind: str, models: list[Node], **inputs: Any) -> Node:
    outputs = {"audioldm": "audio_generator", "animatediff": "video_generator", "binder": "binder"}
    wires = {outputs[model.name]: model.of(outputs[model.name]) for model in models}
    widgets = {name: given(name) for name in ("prompt", "seed", "steps")}
    return Node("sampler", f"SeeingHearing{kind}Sampler", **wires, **widgets, **inputs)


def _video_to_sound() -> Subgraph:
    models = _models(sound=True, video=False)
    sampler = _sampler("Audio", models, video=given("video"))
    return Subgraph(
        "Video to Sound",
        "Makes sound that fits a clip, and puts it onto the clip.",
        {"video": ("VIDEO", None)} | COMMON | SOUND,
        (*models, sampler),
        {"video": sampler.of("video"), "audio": sampler.of("audio")},
    )


def _picture_to_sound() -> Subgraph:
    models = _models(sound=True, video=False)
    sampler = _sampler("Audio", models, image=given("image"))
    return Subgraph(
        "Picture to Sound",
        "Makes five seconds of sound that fit a picture.",
        {"image": ("IMAGE", None)} | COMMON | SOUND,
        (*models, sampler),
        {"audio": sampler.of("audio")},
    )


def _sound_to_video() -> Subgraph:
    models = _models(sound=False, video=True)
    sampler = _sampler("Video", models, audio=given("audio"))
    return Subgraph(
        "Sound to Video",
        "Makes a video that fits a sound, with the sound.",
        {"audio": ("AUDIO", None)} | COMMON | VIDEO,
        (*models, sampler),
        {"video": sampler.of("video"), "frames": sampler.of("frames")},
    )


def _video_with_sound() -> Subgraph:
    models = _models(sound=True, video=True)
    sampler = _sampler("Joint", models)
    return Subgraph(
        "Video with Sound",
        "Makes a video and its sound from words.",
        COMMON | VIDEO | SOUND,
        (*models, sampler),
        {"video": sampler.of("video"), "frames": sampler.of("frames"), "audio": sampler.of("audio")},
    )


SUBGRAPHS = (_video_to_sound(), _picture_to_sound(), _sound_to_video(), _video_with_sound())
