"""The demo models by name. All nodes that load one share it."""

from typing import Any
from weakref import WeakValueDictionary

import torch
from comfy import model_management

from ....aligner.demo.shape import SECONDS, SIDE
from ...host.managed_model import require_packages

PICTURE, SOUND = "picture", "sound"

#: MODEL, CLIP and VAE.
Parts = tuple[Any, Any, Any]

_shared: WeakValueDictionary[tuple[str, int], Any] = WeakValueDictionary()


@torch.inference_mode(False)  # weights created in inference mode cannot be used in a backward pass
def load_native_demo(kind: str) -> Parts:
    """The parts of a kind, PICTURE or SOUND. They are freed when no graph holds them any more.

    Raises AlignerError where a package is missing that ComfyUI does not bring.
    """
    require_packages()
    keys = [(kind, place) for place in range(3)]
    model, clip, vae = (_shared.get(key) for key in keys)
    if model is None or clip is None or vae is None:
        model, clip, vae = _loaded(kind)
        _shared.update(zip(keys, (model, clip, vae)))
    return model, clip, vae


def empty_latent(vae: Any) -> dict:
    """A LATENT of one picture of 64 x 64 pixels, or of 2 s of sound, as the VAE of a kind decodes it."""
    sound = vae.latent_dim == 1
    size = [round(SECONDS * vae.audio_sample_rate)] if sound else [SIDE, SIDE]
    places = [length // vae.downscale_ratio for length in size]
    samples = torch.zeros(1, vae.latent_channels, *places, device=model_management.intermediate_device())
    return {"samples": samples, "type": "audio"} if sound else {"samples": samples}


def _loaded(kind: str) -> Parts:
    # ComfyUI's own models import heavy libraries.
    from .picture import load_picture
    from .sound import load_sound

    return {PICTURE: load_picture, SOUND: load_sound}[kind]()
