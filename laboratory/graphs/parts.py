"""Nodes, models and words that several graphs share."""

from __future__ import annotations

from typing import Any

from .graph import Model, Node

HUB = "https://huggingface.co"
IMAGEBIND = Model(
    "imagebind_huge.pth", "imagebind", f"{HUB}/DAMO-NLP-SG/Video-LLaMA-2-7B-Finetuned/resolve/main/imagebind_huge.pth"
)
BASE = Model(
    "v1-5-pruned-emaonly.safetensors",
    "checkpoints",
    f"{HUB}/stable-diffusion-v1-5/stable-diffusion-v1-5/resolve/main/v1-5-pruned-emaonly.safetensors",
)
MOTION = Model("mm_sd_v15_v2.ckpt", "animatediff_models", f"{HUB}/guoyww/animatediff/resolve/main/mm_sd_v15_v2.ckpt")
AUDIOLDM = "audioldm-m-full"
DEMO, NO_MOTION = "demo (built in)", "none (pictures only)"

EXAMPLE_CLIP, EXAMPLE_SOUND, EXAMPLE_PICTURE = (f"seeing_and_hearing_example.{end}" for end in ("mp4", "wav", "png"))

TOYS = (
    "Press **Run**. Small built-in models are chosen. They are toys: they know eight events, such as a bouncing ball "
    "with its thud, and nothing else."
)
FOR_REAL = (
    "**For real results** open *{}*, or choose your models in the loaders. *Download Models* gets them. The licences of "
    "ImageBind and AudioLDM allow non-commercial use only. For commercial work take *Load PE-AV* in place of *Load "
    "ImageBind*, and *Steer Model* with a generator that allows it."
)
FILES = {
    "imagebind": "`imagebind_huge.pth` in `models/imagebind`",
    "audioldm": "the folder `audioldm-m-full` in `models/audioldm`",
    "base": "`v1-5-pruned-emaonly.safetensors` in `models/checkpoints`",
    "motion": "`mm_sd_v15_v2.ckpt` in `models/animatediff_models`",
}
COMPARED = "To see what guidance does, switch *guided* off and run again with the same seed."


def imagebind(real: bool = False) -> Node:
    kind = "SeeingHearingLoadImageBind"
    return Node("binder", kind, model=IMAGEBIND.name, models=(IMAGEBIND,)) if real else Node("binder", kind, model=DEMO)


def audioldm(real: bool = False) -> Node:
    return Node("audioldm", "SeeingHearingLoadAudioLDM", model=AUDIOLDM if real else DEMO)


def mm_diffusion() -> Node:
    return Node("mm_diffusion", "SeeingHearingLoadMMDiffusion", model=DEMO)


def animatediff(real: bool = False, motion: str | None = None) -> Node:
    kind = "SeeingHearingLoadAnimateDiff"
    if real:
        return Node("animatediff", kind, base=BASE.name, motion=MOTION.name, models=(BASE, MOTION))
    return Node("animatediff", kind, base=DEMO, motion=motion or DEMO)


def load_video() -> Node:
    return Node("clip", "LoadVideo", file=EXAMPLE_CLIP)


def load_audio() -> Node:
    return Node("sound", "LoadAudio", audio=EXAMPLE_SOUND)


def load_image() -> Node:
    return Node("picture", "LoadImage", image=EXAMPLE_PICTURE)


def encode(name: str = "condition", **inputs: Any) -> Node:
    return Node(name, "SeeingHearingEncodeCondition", **inputs)


def audio_sampler(generator: Node, binder: Node, **inputs: Any) -> Node:
    return Node(
        "sampler",
        "SeeingHearingAudioSampler",
        audio_generator=generator.of("audio_generator"),
        binder=binder.of("binder"),
        **inputs,
    )


def save_video(of: Any, name: str = "seeing_and_hearing") -> Node:
    return Node("save", "SaveVideo", video=of, filename_prefix=f"video/{name}", format="auto", codec="auto")


def tried(of: Any) -> Node:
    return Node("tried", "PreviewImage", images=of, title="What was tried")


def files(*kinds: str) -> str:
    """A list of the files that a graph needs."""
    return "\n".join(f"- {FILES[kind]}" for kind in kinds)
