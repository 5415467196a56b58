"""Values of every kind for the gates, drawn by hypothesis: numbers, texts, containers, tensors, arrays, objects."""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction
from types import SimpleNamespace
from typing import Any

import numpy
import torch
from hypothesis import settings
from hypothesis import strategies as st

from aligner.errors import AlignerError

#: The same examples in every run, and no folder beside the tests.
WALK = settings(max_examples=300, derandomize=True, database=None, deadline=None)

DTYPES = [torch.float16, torch.bfloat16, torch.float32, torch.float64, torch.float8_e4m3fn, torch.float8_e5m2]
DTYPES += [torch.int8, torch.int16, torch.int32, torch.int64, torch.uint8, torch.uint16, torch.uint32, torch.bool]
DTYPES += [torch.complex64, torch.complex128]
EDGES = [math.nan, math.inf, -math.inf, 1e38, -1e38, 1e-320, -1.0, 0.0, 0.5, 1.0, 2.0, 100.0, 255.0, 3e4, 2.0**63]

texts = st.text(st.characters(codec=None), max_size=20)
numbers = st.one_of(
    st.sampled_from([*EDGES, True, False, 10**30, 10**5000, Fraction(1, 3), 2 + 1j]),
    st.integers(),
    st.floats(),
    st.sampled_from([numpy.float32("nan"), numpy.int64(5), numpy.float16(0.5), numpy.bool_(True), torch.tensor(3)]),
)


@st.composite
def tensors(draw: Callable[..., Any], dimensions: int = 4) -> Any:
    """Tensors of any type, shape and memory, often those that a gate of so many dimensions takes, and arrays."""
    sides = st.integers(0, 4)
    shape = draw(
        st.one_of(st.lists(st.integers(1, 4), min_size=dimensions, max_size=dimensions), st.lists(sides, max_size=5))
    )
    fill = st.one_of(st.sampled_from([0.0, 0.25, 0.5, 1.0]), st.sampled_from(EDGES))
    values = torch.full(shape, draw(fill), dtype=torch.float64)
    if values.numel() and draw(st.booleans()):
        values.view(-1)[0] = draw(fill)
    dtype = draw(st.sampled_from(DTYPES))
    if not (dtype.is_floating_point or dtype.is_complex):
        values = values.nan_to_num(0, 1, 0).clamp(0, 1)
    tensor = values.to(dtype)
    form = draw(
        st.sampled_from(["plain", "plain", "plain", "meta", "sparse", "array", "backwards", "big-endian", "graph"])
    )
    if form == "meta":
        return tensor.to("meta")
    if form == "sparse" and dtype in (torch.float32, torch.float64):
        return tensor.to_sparse()
    if form == "graph" and dtype.is_floating_point:
        return tensor.requires_grad_()
    if form in ("array", "backwards", "big-endian") and dtype in (torch.float32, torch.float64, torch.int16):
        array = tensor.numpy()
        array = array[::-1] if form == "backwards" and array.ndim else array
        return array.astype(array.dtype.newbyteorder(">")) if form == "big-endian" else array
    return tensor


objects = st.sampled_from(
    [None, object(), len, dict, ValueError("no"), SimpleNamespace(), b"bytes", numpy.array(["a"])]
)
anything = st.one_of(
    numbers,
    texts,
    objects,
    tensors(),
    st.lists(numbers, max_size=3),
    st.dictionaries(st.sampled_from(["samples", "waveform", "sample_rate", "noise_mask"]), numbers, max_size=3),
)


def passed(gate: Callable[..., Any], value: Any, *arguments: Any) -> Any:
    """What a gate makes of a value; None where it refuses it in a sentence that a screen can show."""
    try:
        return gate(value, "the input", *arguments)
    except AlignerError as error:
        message = str(error)
        message.encode()
        assert message.endswith((".", ")")) and "\n" not in message and 10 < len(message) < 400, message
        assert "the input" in message.lower() or message.startswith(("The AUDIO input", "A condition", "The ", "An "))
        return None
