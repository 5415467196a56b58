"""Prompts that sample the random native models of native_pack, and readers of what its nodes show."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from .client import Prompt
from .prompts import node

#: An output of a node: its name in the prompt and its index.
Link = list[Any]
#: Inserts nodes between a model and its sampler: it gets the prompt and the model, and gives the sampler's model.
Between = Callable[[Prompt, Link], Link]

PICTURES, VIDEOS, SOUNDS, JOINT = ("sd15", "flux"), ("wan",), ("ace15", "stable_audio"), ("ltxav",)
KINDS = PICTURES + VIDEOS + SOUNDS + JOINT

MODEL, POSITIVE, NEGATIVE, LATENT, VAE, AUDIO_VAE = (["native", index] for index in range(6))
SAMPLED: Link = ["sampler", 0]
#: A file that the fixture `lora` writes.
NATIVE_LORA = "random_native_lora.safetensors"


def plain(
    kind: str,
    sampler_name: str = "euler",
    scheduler: str = "normal",
    steps: int = 4,
    seed: int = 1,
    cfg: float = 3.0,
    through: str = "KSampler",
    mask: bool = False,
    kept_stream: int | None = None,
    batch_size: int = 1,
    weights: int = 0,
    between: Between | None = None,
) -> Prompt:
    """A latent sampled from noise, and its fingerprint.

    through: the core node that samples, a key of SAMPLERS.
    mask: keeps half of a latent that holds something.
    kept_stream: keeps a stream of a joint latent, which holds something.
    weights: seed of the network's weights.
    """
    prompt = {"native": node("TestNativeModel", kind=kind, batch_size=batch_size, weights=weights)}
    latent = LATENT
    if mask:
        prompt["kept"], latent = node("TestKeepHalf", latent=latent), ["kept", 0]
    if kept_stream is not None:
        prompt["kept"], latent = node("TestKeepStream", latent=latent, stream=str(kept_stream)), ["kept", 0]
    model = between(prompt, MODEL) if between else MODEL
    settings = {"sampler_name": sampler_name, "scheduler": scheduler, "steps": steps, "seed": seed, "cfg": cfg}
    return prompt | SAMPLERS[through](model, latent, **settings) | fingerprinted(samples=SAMPLED)


def ksampler(model: Link, latent: Link, **settings: Any) -> Prompt:
    return {"sampler": node("KSampler", model=model, latent_image=latent, denoise=1.0, **prompts(), **settings)}


def ksampler_advanced(model: Link, latent: Link, *, seed: int, **settings: Any) -> Prompt:
    whole = {"add_noise": "enable", "start_at_step": 0, "end_at_step": 10000, "return_with_leftover_noise": "disable"}
    settings |= {"noise_seed": seed}
    return {"sampler": node("KSamplerAdvanced", model=model, latent_image=latent, **prompts(), **whole, **settings)}


def sampler_custom(
    model: Link, latent: Link, *, sampler_name: str, scheduler: str, steps: int, seed: int, cfg: float
) -> Prompt:
    noise = {"add_noise": True, "noise_seed": seed}
    custom = {"model": model, "latent_image": latent, "cfg": cfg, "sampler": ["method", 0], "sigmas": ["sigmas", 0]}
    return {
        **schedule(model, sampler_name, scheduler, steps),
        "sampler": node("SamplerCustom", **custom, **noise, **prompts()),
    }


def sampler_custom_advanced(
    model: Link, latent: Link, *, sampler_name: str, scheduler: str, steps: int, seed: int, cfg: float
) -> Prompt:
    wires = {name: [name, 0] for name in ("noise", "guider", "sigmas")} | {"sampler": ["method", 0]}
    return {
        **schedule(model, sampler_name, scheduler, steps),
        "noise": node("RandomNoise", noise_seed=seed),
        "guider": node("CFGGuider", model=model, cfg=cfg, **prompts()),
        "sampler": node("SamplerCustomAdvanced", latent_image=latent, **wires),
    }


#: Core's nodes that sample. All of them give the same latent.
SAMPLERS: dict[str, Callable[..., Prompt]] = {
    "KSampler": ksampler,
    "KSamplerAdvanced": ksampler_advanced,
    "SamplerCustom": sampler_custom,
    "SamplerCustomAdvanced": sampler_custom_advanced,
}


def prompts() -> dict[str, Link]:
    return {"positive": POSITIVE, "negative": NEGATIVE}


def schedule(model: Link, sampler_name: str, scheduler: str, steps: int) -> Prompt:
    return {
        "method": node("KSamplerSelect", sampler_name=sampler_name),
        "sigmas": node("BasicScheduler", model=model, scheduler=scheduler, steps=steps, denoise=1.0),
    }


def counted(prompt: Prompt, model: Link) -> Link:
    """A Between that counts the model's evaluations. A prompt with it samples again whenever it runs."""
    prompt["counting"] = node("TestCountingModel", model=model, name="model")
    prompt["count"] = node("TestCount", samples=SAMPLED, name="model")
    return ["counting", 0]


def fingerprinted(name: str = "fingerprint", kept: bool = False, **what: Link) -> Prompt:
    """An output node that shows the fingerprint of `samples`, an `image` or an `audio`.

    kept: only of what the mask of `samples` keeps.
    """
    return {name: node("TestFingerprint", kept=kept, **what)}


def decoded(kind: str) -> Prompt:
    """The fingerprints `picture` and `sound` of what was sampled, where the kind has these."""
    picture = {"decoded": node("VAEDecode", samples=SAMPLED, vae=VAE), **fingerprinted("picture", image=["decoded", 0])}
    audio_vae = AUDIO_VAE if kind in JOINT else VAE
    sound = {
        "heard": node("VAEDecodeAudio", samples=SAMPLED, vae=audio_vae),
        **fingerprinted("sound", audio=["heard", 0]),
    }
    return (picture if kind not in SOUNDS else {}) | (sound if kind in SOUNDS + JOINT else {})


def shown_by(outputs: dict[str, Any], name: str = "fingerprint") -> dict[str, Any]:
    """What the output node `name` shows: a fingerprint, or `count`."""
    (text,) = outputs[name]["text"]
    return json.loads(text)
