"""What kinds of models there are, and where they lie in a models folder such as ComfyUI's."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Kind:
    """A kind of model.

    patterns: glob patterns below a models folder that find models of this kind; a model that is a folder is found by
    its index file, one of INDEX_FILES. wanted: the kind in messages, with an example. folder: the folder below a
    models folder where a new one goes.
    """

    patterns: tuple[str, ...]
    wanted: str
    folder: str


#: By the name of the kind, which is its option on the command line.
KINDS = {
    "imagebind": Kind(
        ("imagebind/*.safetensors", "imagebind/*.pth"), "ImageBind checkpoint such as imagebind_huge.pth", "imagebind"
    ),
    "audioldm": Kind(
        ("audioldm/model_index.json", "audioldm/*/model_index.json"),
        "AudioLDM folder such as audioldm-m-full",
        "audioldm",
    ),
    "base": Kind(
        ("checkpoints/*.safetensors", "checkpoints/*.ckpt", "diffusers/*/model_index.json"),
        "Stable Diffusion 1.5",
        "checkpoints",
    ),
    "motion": Kind(
        tuple(f"animatediff_models/{name}" for name in ("*.safetensors", "*.ckpt", "*.pt", "*.pth", "*/config.json")),
        "motion module such as v3_sd15_mm.ckpt",
        "animatediff_models",
    ),
    "taesd": Kind(
        ("vae_approx/taesd_decoder.safetensors", "vae_approx/taesd_decoder.pth"),
        "TAESD decoder such as taesd_decoder.safetensors",
        "vae_approx",
    ),
}

#: The files that mark a folder as a model: of a pipeline, and of a single network.
INDEX_FILES = ("model_index.json", "config.json")
