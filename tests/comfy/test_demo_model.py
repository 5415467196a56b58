"""Load Demo Model in a real ComfyUI: its own samplers, encoders and decoders make what the prompts say."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from aligner.demo import judge
from aligner.demo.events import EVENTS
from aligner.demo.family import load_demo_judge
from aligner.demo.shape import SAMPLE_RATE
from aligner.generators.signals import Frames, Sound
from aligner.media import read_audio, read_image
from aligner.tensors.resampling import resampled

from .client import Prompt
from .native_prompts import Link, fingerprinted, shown_by
from .prompts import condition, cosine, gradient, loaders, node, scored, search
from .server import Server

#: How each kind is decoded and saved, and its scale of guidance.
DECODE = {"picture": "VAEDecode", "sound": "VAEDecodeAudio"}
SAVE = {"picture": ("SaveImage", "images"), "sound": ("SaveAudio", "audio")}
SOCKET = {"picture": "image", "sound": "audio"}
CFG = {"picture": 3.0, "sound": 2.5}
MODEL, CLIP, VAE, LATENT = (["demo", index] for index in range(4))
EVENT_NAMES = [event.name for event in EVENTS]


@pytest.fixture(params=CFG)
def kind(request: pytest.FixtureRequest) -> str:
    return request.param


def demo(kind: str) -> Prompt:
    return {"demo": node("SeeingHearingLoadDemoModel", kind=kind), "negative": words("")}


def words(text: str) -> dict[str, Any]:
    return node("CLIPTextEncode", clip=CLIP, text=text)


def ksampler(kind: str, positive: Link, latent: Link = LATENT, **settings: Any) -> dict[str, Any]:
    usual = {"seed": 1, "steps": 20, "cfg": CFG[kind], "sampler_name": "euler", "scheduler": "normal", "denoise": 1.0}
    wires = {"model": MODEL, "positive": positive, "negative": ["negative", 0], "latent_image": latent}
    return node("KSampler", **wires | usual | settings)


def saved(kind: str, name: str, latent: Link) -> Prompt:
    """Decode a latent and save what it holds."""
    save, what = SAVE[kind]
    return {
        f"decoded {name}": node(DECODE[kind], samples=latent, vae=VAE),
        f"saved {name}": node(save, filename_prefix=f"demo/{kind}", **{what: [f"decoded {name}", 0]}),
    }


def file_of(server: Server, outputs: dict[str, Any], name: str) -> Path:
    """The file that `saved` has written."""
    ((entry,),) = (entries for entries in outputs[f"saved {name}"].values() if isinstance(entries[0], dict))
    return server.folder / "output" / entry["subfolder"] / entry["filename"]


def recognised(file: Path) -> str:
    """The event that the judge sees or hears in a file. Sound is heard at the rate that the file states."""
    if file.suffix == ".png":
        return judge.names(load_demo_judge(), Frames(read_image(file)[None, None], Fraction(1)))[0]
    waveform, rate = read_audio(file)
    sound = resampled(waveform.mean(dim=0, keepdim=True), rate, SAMPLE_RATE)
    return judge.names(load_demo_judge(), Sound(sound, SAMPLE_RATE, sound.shape[1]))[0]


def test_the_judge_recognises_what_prompts_name(comfyui: Server, kind: str) -> None:
    """The guided samplers' own toys are recognised as often."""
    prompt = demo(kind)
    for number, event in enumerate(EVENTS):
        prompt[f"words {event.name}"] = words(event.captions[number % 3])
        prompt[event.name] = ksampler(kind, [f"words {event.name}", 0], seed=number)
        prompt |= saved(kind, event.name, [event.name, 0])
    outputs = comfyui.client.run(prompt)
    assert [recognised(file_of(comfyui, outputs, name)) for name in EVENT_NAMES] == EVENT_NAMES


def test_the_latent_decodes_to_the_size_that_the_toy_knows(comfyui: Server, kind: str) -> None:
    outputs = comfyui.client.run(demo(kind) | saved(kind, "empty", LATENT))
    file = file_of(comfyui, outputs, "empty")
    if kind == "picture":
        assert read_image(file).shape == (3, 64, 64)
    else:
        waveform, rate = read_audio(file)
        assert waveform.shape[1] / rate == 2


def test_custom_samplers_give_the_same(comfyui: Server, kind: str) -> None:
    plain = demo(kind) | {"positive": words("a ball"), "sampler": ksampler(kind, ["positive", 0], steps=4)}
    custom = demo(kind) | {
        "positive": words("a ball"),
        "method": node("KSamplerSelect", sampler_name="euler"),
        "sigmas": node("BasicScheduler", model=MODEL, scheduler="normal", steps=4, denoise=1.0),
        "noise": node("RandomNoise", noise_seed=1),
        "guider": node("CFGGuider", model=MODEL, positive=["positive", 0], negative=["negative", 0], cfg=CFG[kind]),
        "sampler": node(
            "SamplerCustomAdvanced",
            noise=["noise", 0],
            guider=["guider", 0],
            sampler=["method", 0],
            sigmas=["sigmas", 0],
            latent_image=LATENT,
        ),
    }
    first, second = (
        shown_by(comfyui.client.run(prompt | fingerprinted(samples=["sampler", 0]))) for prompt in (plain, custom)
    )
    assert first["sha256"] == second["sha256"] and first["deviations"][0] > 0.5


def test_what_is_decoded_is_encoded_again(comfyui: Server, kind: str) -> None:
    """A little noise on the encoded latent leaves the event what it was."""
    encode, what = {"picture": ("VAEEncode", "pixels"), "sound": ("VAEEncodeAudio", "audio")}[kind]
    prompt = demo(kind) | {
        "positive": words("a bouncing red ball"),
        "first": ksampler(kind, ["positive", 0]),
        "empty words": words(""),
        "encoded": node(encode, vae=VAE, **{what: ["decoded first", 0]}),
        "again": ksampler(kind, ["empty words", 0], ["encoded", 0], denoise=0.3),
    }
    outputs = comfyui.client.run(prompt | saved(kind, "first", ["first", 0]) | saved(kind, "again", ["again", 0]))
    assert recognised(file_of(comfyui, outputs, "again")) == "ball"


def test_empty_latents_of_comfyui_fit(comfyui: Server, kind: str) -> None:
    empty = {
        "picture": node("EmptyLatentImage", width=64, height=64, batch_size=2),
        "sound": node("EmptyLatentAudio", seconds=2.0, batch_size=2),
    }[kind]
    prompt = demo(kind) | {"empty": empty, "positive": words("a ball")}
    prompt["sampler"] = ksampler(kind, ["positive", 0], ["empty", 0], steps=2)
    (shape,) = shown_by(comfyui.client.run(prompt | fingerprinted(samples=["sampler", 0])))["shapes"]
    # Later versions of ComfyUI fit the length of a sound to the model: 26 frames are 2.1 s.
    assert shape in {"picture": [[2, 4, 8, 8]], "sound": [[2, 64, 26], [2, 64, 44]]}[kind]


@pytest.mark.parametrize("name", ["ConditioningCombine", "ConditioningConcat", "ConditioningAverage"])
def test_conditionings_of_comfyui_work(comfyui: Server, kind: str, name: str) -> None:
    """A mixture of two prompts is neither of them."""
    pair = {
        "ConditioningCombine": {"conditioning_1": ["rain", 0], "conditioning_2": ["ball", 0]},
        "ConditioningConcat": {"conditioning_to": ["rain", 0], "conditioning_from": ["ball", 0]},
        "ConditioningAverage": {
            "conditioning_to": ["rain", 0],
            "conditioning_from": ["ball", 0],
            "conditioning_to_strength": 0.5,
        },
    }[name]
    prompt = demo(kind) | {"rain": words("rain"), "ball": words("a ball"), "mixture": node(name, **pair)}
    for positive in ("rain", "ball", "mixture"):
        prompt[f"sampled {positive}"] = ksampler(kind, [positive, 0], steps=2)
        prompt |= fingerprinted(f"shown {positive}", samples=[f"sampled {positive}", 0])
    outputs = comfyui.client.run(prompt)
    assert len({shown_by(outputs, f"shown {positive}")["sha256"] for positive in ("rain", "ball", "mixture")}) == 3


def test_gradients_move_the_toys_results(comfyui: Server, kind: str) -> None:
    """The score is of the finished result, against plain sampling with the same seed."""

    def final_score(*, steered: bool) -> float:
        prompt = demo(kind) | loaders() | {"positive": words(""), "condition": condition(text="a bell rings")}
        prompt["sampler"] = ksampler(kind, ["positive", 0], seed=3)
        if steered:
            prompt |= gradient(audio_rate=0.1, video_rate=0.1)
            prompt["steer"] = steer()
            prompt["sampler"]["inputs"]["model"] = ["steer", 0]
        prompt |= saved(kind, "result", ["sampler", 0])
        return cosine(comfyui.client.run(prompt | scored("decoded result", SOCKET[kind])))

    assert final_score(steered=True) > final_score(steered=False) + 0.03


def steer() -> dict[str, Any]:
    return node(
        "SeeingHearingSteerModel",
        model=MODEL,
        binder=["binder", 0],
        conditions=["condition", 0],
        vae=VAE,
        guidance=["guidance", 0],
        fps=8.0,
        pair_weight=1.0,
    )


def test_the_toys_are_steered(comfyui: Server, kind: str) -> None:
    """Steer Model finds out by the VAE whether it hears or sees."""
    event = "a ball hits the floor, thud"
    prompt = demo(kind) | loaders() | search(audio_candidates=4, video_candidates=4, at=0.5)
    prompt |= {"positive": words(""), "condition": condition(text=event)}
    prompt["steer"] = steer()
    prompt["sampler"] = ksampler(kind, ["positive", 0], model=["steer", 0])
    prompt["report"] = node("SeeingHearingSteeringReport", steering=["steer", 1], latent=["sampler", 0])
    prompt["words"] = node("PreviewAny", source=["report", 3])
    prompt["seed"] = node("PreviewAny", source=["report", 2])
    outputs = comfyui.client.run(prompt | fingerprinted(samples=["sampler", 0]))
    assert "4 candidates were compared after 10 of 20 steps" in outputs["words"]["text"][0]
    plain = demo(kind) | {"positive": words("")}
    plain["sampler"] = ksampler(kind, ["positive", 0], seed=int(outputs["seed"]["text"][0]))
    again = comfyui.client.run(plain | fingerprinted(samples=["sampler", 0]))
    assert shown_by(outputs)["sha256"] == shown_by(again)["sha256"]
