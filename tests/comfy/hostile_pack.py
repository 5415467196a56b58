"""A custom node pack whose wires carry what no node should give, of every type. It imports nothing of ours.

The tests copy this file into the custom_nodes of their server. The same kind and seed give the same value.
"""

from __future__ import annotations

import copy
import math
import random
from collections.abc import Callable
from fractions import Fraction
from types import SimpleNamespace
from typing import Any

import numpy
import torch
from comfy_api.latest import ComfyExtension, io

NUMBERS = [math.nan, math.inf, -math.inf, 1e38, -1e38, 0, -1, 10**30, 2**63, 1e-320, 0.5, 24.0, True, "5", "44100"]
TEXTS = [
    "",
    " ",
    "\ud800",
    "a dog\udfff",
    "\0",
    "a" * 50_000,
    "犬" * 2_000,
    "\u202e\u0301",
    "%s%n{0}",
    "../../x",
    "\n\t",
]
ODD = [
    None,
    object(),
    object,
    len,
    {},
    [],
    [None],
    (),
    b"a dog",
    {"samples": 5},
    {"waveform": 5},
    {"a": {"b": [1]}},
    {1},
]
ODD += [Fraction(1, 3), 3 + 4j, SimpleNamespace(), ValueError("no"), numpy.float32("nan"), numpy.array(["a"]), range(3)]
DTYPES = [torch.float32] * 6 + [torch.float16, torch.bfloat16, torch.float64, torch.float8_e4m3fn, torch.float8_e5m2]
DTYPES += [torch.complex64, torch.int8, torch.int16, torch.int32, torch.int64, torch.uint8, torch.bool]


def number(chance: random.Random, value: Any) -> Any:
    return chance.choice([*NUMBERS, chance.uniform(-1e3, 1e3), chance.randint(-100, 100)])


def text(chance: random.Random, value: Any) -> Any:
    return chance.choice(TEXTS)


def odd(chance: random.Random, value: Any) -> Any:
    return chance.choice([*ODD, *NUMBERS, *TEXTS, torch.tensor(math.nan), torch.empty(0), torch.ones(2, 3)])


def tensor(chance: random.Random, shapes: list[tuple[int, ...]]) -> Any:
    """A tensor or an array of one of the shapes, more often with usual than with unusual contents."""
    shape = chance.choice([*shapes, *shapes, (0,), (), (3,), tuple(0 for _ in shapes[0]), (1, *shapes[0])])
    values = torch.rand(shape, generator=torch.Generator().manual_seed(chance.getrandbits(32)))
    fill = chance.choice([None, None, None, math.nan, math.inf, 1e38, -5.0, 5.0, 0.0, 255.0])
    if fill is not None and values.numel():
        values = (
            torch.full_like(values, fill)
            if chance.random() < 0.5
            else values.flatten().index_fill(0, torch.tensor([0]), fill).reshape(shape)
        )
    dtype = chance.choice(DTYPES)
    values = (values.nan_to_num(0, 1, 0).clamp(-1, 1) * 100).to(dtype) if _is_whole(dtype) else values.to(dtype)
    form = chance.choice(["plain"] * 8 + ["meta", "sparse", "array", "backwards", "graph"])
    if form == "meta":
        return values.to("meta")
    if form == "sparse" and values.ndim and not dtype.is_complex and dtype.itemsize > 1:
        return values.to_sparse()
    if form in ("array", "backwards") and dtype in (torch.float32, torch.float64, torch.int16):
        array = values.numpy()
        return array[::-1] if form == "backwards" and array.ndim else array
    return values.requires_grad_() if form == "graph" and dtype.is_floating_point else values


def audio(chance: random.Random, value: Any) -> Any:
    waveform = tensor(chance, [(1, 1, 16000), (2, 2, 8000), (1, 1, 1), (1, 2, 0), (1, 200, 100)])
    rate = chance.choice([16000, 16000, 44100, 8000.0, *NUMBERS])
    given = {"waveform": waveform, "sample_rate": rate}
    for name in [name for name in given if chance.random() < 0.05]:
        del given[name]
    return given


def image(chance: random.Random, value: Any) -> Any:
    return tensor(chance, [(1, 32, 32, 3), (4, 32, 32, 3), (1, 32, 32, 4), (2, 7, 5, 1), (1, 1, 1, 3), (1, 32, 0, 3)])


def mask(chance: random.Random, value: Any) -> Any:
    return tensor(chance, [(1, 32, 32), (4, 32, 32), (32, 32), (1, 1, 1), (1, 0, 32)])


def latent(chance: random.Random, value: Any) -> Any:
    shapes = [(4, 4, 4, 4), (1, 8, 25, 16), (1, 16, 4, 4), (1, 4, 3, 4, 4), (1, 64, 30)]
    given = {**value, "samples": tensor(chance, shapes)} if isinstance(value, dict) else {"samples": 0}
    if chance.random() < 0.4:
        given["noise_mask"] = tensor(chance, [(4, 4), (1, 4, 4), (1, 1, 4, 4), (3, 1, 8, 8)])
    for name in ("frames_per_second", "sound_samples", "type"):
        if chance.random() < 0.3:
            given[name] = odd(chance, value)
    if chance.random() < 0.3 and isinstance(value, dict):
        given["samples"] = value["samples"]
    return given


class Video:
    def __init__(self, components: Any) -> None:
        self.components = components

    def get_components(self) -> Any:
        if isinstance(self.components, Exception):
            raise self.components
        return self.components


def video(chance: random.Random, value: Any) -> Any:
    rate = chance.choice([Fraction(8), Fraction(24000, 1001), Fraction(0), Fraction(-1), *NUMBERS, None])
    parts = SimpleNamespace(images=image(chance, value), audio=None, frame_rate=rate)
    return Video(chance.choice([parts] * 6 + [None, OSError("no such file"), ValueError("no video stream"), 5]))


def changed(chance: random.Random, value: Any) -> Any:
    """A good object with one field changed, past all checks of its class."""
    if isinstance(value, list | tuple):
        return [changed(chance, each) for each in value]
    value = copy.copy(value)
    names = [name for name in getattr(value, "__dict__", {}) if not name.startswith("_")]
    if not names:
        return odd(chance, value)
    name = chance.choice(names)
    field = getattr(value, name)
    if hasattr(field, "__dataclass_fields__") and chance.random() < 0.7:
        new = changed(chance, field)
    elif isinstance(field, torch.Tensor):
        new = tensor(chance, [tuple(field.shape), (3, *field.shape[1:]), (*field.shape[:-1], 7)])
    elif isinstance(field, dict) and field and chance.random() < 0.7:
        new = {key: tensor(chance, [(1, 77, 16), (1, 512), (2, 8)]) for key in field}
    else:
        new = odd(chance, field)
    object.__setattr__(value, name, new)
    return value


TONE = (torch.arange(16000) * 0.3).sin()[None, None] * 0.5
PICTURE = torch.linspace(0, 1, 32 * 32 * 3).reshape(1, 32, 32, 3)


def sounding(waveform: Any, sample_rate: Any = 16000) -> dict[str, Any]:
    return {"waveform": waveform, "sample_rate": sample_rate}


#: Values by their names in words.
EXACT: dict[str, Any] = {
    "a tone": sounding(TONE),
    "a tone of 8-bit integers": sounding((TONE * 128 + 128).to(torch.uint8)),
    "a tone of 16-bit integers": sounding((TONE * 2**15).to(torch.int16)),
    "a tone of 32-bit integers": sounding((TONE * 2**31).to(torch.int32)),
    "a tone as an array": sounding(TONE.numpy()),
    "a tone as an array of 16-bit integers": sounding((TONE * 2**15).to(torch.int16).numpy()),
    "a tone of 64-bit integers": sounding((TONE * 2**15).to(torch.int64)),
    "a complex tone": sounding(TONE.to(torch.complex64)),
    "a tone of 1e38": sounding(TONE * 1e38),
    "a tone with NaN": sounding(TONE.index_fill(2, torch.tensor([5]), math.nan)),
    "a tone with infinity": sounding(TONE.index_fill(2, torch.tensor([5]), math.inf)),
    "a tone on the meta device": sounding(TONE.to("meta")),
    "a tone without a rate": {"waveform": TONE},
    "a tone of no samples": sounding(TONE[..., :0]),
    **{
        f"a tone at {rate!r}": sounding(TONE, rate)
        for rate in (math.nan, math.inf, 0, -1, "16000", 16000.0, "fast", 0.5)
    },
    "a picture": PICTURE,
    "a picture with NaN": PICTURE.index_fill(1, torch.tensor([5]), math.nan),
    "a picture with infinity": PICTURE.index_fill(1, torch.tensor([5]), math.inf),
    "a picture of -5 to 5": PICTURE * 10 - 5,
    "a picture that overshoots a little": PICTURE * 1.2 - 0.1,
    "a picture without frames": PICTURE[:0],
    "a picture without pixels": PICTURE[:, :0],
    "a picture on the meta device": PICTURE.to("meta"),
    "a picture of 8-bit floats": PICTURE.to(torch.float8_e4m3fn),
    "a picture as an array": PICTURE.numpy(),
    "half of a character": "a dog \ud83d barks",
    "a text": "a dog barks",
    "a number": 5,
    "nothing": None,
    "a mapping": {"a dog": "barks"},
    "NaN": math.nan,
}
KINDS: dict[str, Callable[[random.Random, Any], Any]] = {
    "odd": odd,
    "changed": changed,
    "number": number,
    "text": text,
    "AUDIO": audio,
    "IMAGE": image,
    "MASK": mask,
    "LATENT": latent,
    "VIDEO": video,
    **{name: lambda chance, value, exact=exact: exact for name, exact in EXACT.items()},
}


def faults(value: Any) -> set[str]:
    """What is wrong with a result: tensors inside of it that are not finite, or empty."""
    if isinstance(value, torch.Tensor):
        return {"empty"} if not value.numel() else set() if value.isfinite().all() else {"not finite"}
    if isinstance(value, dict):
        return set().union(*map(faults, value.values()))
    if isinstance(value, list | tuple):
        return set().union(*map(faults, value))
    if hasattr(value, "__dataclass_fields__"):
        return faults([getattr(value, name) for name in value.__dataclass_fields__])
    return set()


class HostileValue(io.ComfyNode):
    @classmethod
    def define_schema(cls):
        return io.Schema(
            node_id="TestHostileValue",
            inputs=[
                io.Combo.Input("kind", options=list(KINDS)),
                io.Int.Input("seed", min=0),
                io.AnyType.Input("value", optional=True),
            ],
            outputs=[io.AnyType.Output()],
        )

    @classmethod
    def execute(cls, kind, seed, value=None) -> io.NodeOutput:
        return io.NodeOutput(KINDS[kind](random.Random(seed), value))


class Faults(io.ComfyNode):
    @classmethod
    def define_schema(cls):
        return io.Schema(
            node_id="TestFaults",
            inputs=[io.AnyType.Input("value")],
            outputs=[],
            is_output_node=True,
        )

    @classmethod
    def execute(cls, value) -> io.NodeOutput:
        return io.NodeOutput(ui={"text": sorted(faults(value))})


def _is_whole(dtype: torch.dtype) -> bool:
    return not dtype.is_floating_point and not dtype.is_complex


class HostilePack(ComfyExtension):
    async def get_node_list(self):
        return [HostileValue, Faults]


async def comfy_entrypoint() -> ComfyExtension:
    return HostilePack()
