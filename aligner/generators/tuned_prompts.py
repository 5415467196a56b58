"""Tuned prompts: the embeddings that guided prompt tuning found, to and from files."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch

from ..errors import AlignerError, CheckpointError
from ..files.weights import open_weights, save_weights
from ..values.naming import named
from ..values.tensors import floats, require_within
from ..values.texts import text
from .base import Streams

TEXT_METADATA = "text:"
#: Text encoders stay far below it.
_LARGEST = 1e4


@dataclass(frozen=True)
class TunedPrompt:
    """Prompt embeddings by stream, (1, ...) in the space of their generator, and the texts that they started from.

    Raises AlignerError for embeddings that are not finite floats.
    """

    embeddings: Streams
    texts: Mapping[str, str]

    def __post_init__(self):
        if not (isinstance(self.embeddings, Mapping) and self.embeddings and isinstance(self.texts, Mapping)):
            raise AlignerError("A tuned prompt must hold embeddings and texts by stream.")
        for stream, written in self.texts.items():
            text(written, f"The text of the tuned prompt for {named(stream)}")
        for stream, embedding in self.embeddings.items():
            what = f"The tuned prompt for {named(stream)}"
            values = floats(embedding, what)
            if values.ndim < 2 or len(values) != 1:
                raise AlignerError(f"{what} must be one embedding, but has shape {tuple(values.shape)}.")
            require_within(values, -_LARGEST, _LARGEST, what, "Tune it again.")

    def require_streams(self, streams: tuple[str, ...]) -> TunedPrompt:
        """Return it. Raises AlignerError if it was tuned for none of these streams."""
        if not set(self.embeddings) & set(streams):
            raise AlignerError(
                f"This tuned prompt is for {' and '.join(self.embeddings)}, but "
                f"{' and '.join(streams)} is generated here."
            )
        return self

    def for_streams(self, streams: tuple[str, ...], like: Streams) -> Streams:
        """The embeddings of these streams, and those of `like` where none was tuned.

        Raises AlignerError if no stream fits, or where the generator has another prompt space.
        """
        self.require_streams(streams)
        fitting = {name: tensor for name, tensor in self.embeddings.items() if name in streams}
        for name, tensor in fitting.items():
            if tensor.shape[1:] != like[name].shape[1:]:
                raise AlignerError(
                    f"This tuned prompt was made for another {name} model: its shape is "
                    f"{tuple(tensor.shape[1:])}, needed is {tuple(like[name].shape[1:])}."
                )
        return {**like, **fitting}


def tuned_prompt_of(value: object, what: str) -> TunedPrompt:
    """The gate of tuned prompts. what: its name for messages. Raises AlignerError for anything else."""
    if not (hasattr(value, "embeddings") and hasattr(value, "texts")):
        raise AlignerError(f"{what} must be a tuned prompt, such as a guided sampler gives, not {named(value)}.")
    return TunedPrompt(value.embeddings, value.texts)


def save_tuned_prompt(path: str | os.PathLike, prompt: TunedPrompt) -> None:
    """Write a .safetensors file, which appears under its name only when it is complete."""
    if Path(path).suffix.lower() != ".safetensors":
        raise AlignerError(f"{Path(path).name}: tuned prompts are written as .safetensors; change the suffix.")
    state = {name: tensor.detach().to("cpu", torch.float32).contiguous() for name, tensor in prompt.embeddings.items()}
    save_weights(path, state, {TEXT_METADATA + name: text for name, text in prompt.texts.items()})


@torch.inference_mode(False)
def load_tuned_prompt(path: str | os.PathLike) -> TunedPrompt:
    """Read what `save_tuned_prompt` wrote. Raises CheckpointError if the file is something else."""
    with open_weights(Path(path)) as weights:
        texts = {
            key.removeprefix(TEXT_METADATA): text
            for key, text in weights.metadata.items()
            if key.startswith(TEXT_METADATA)
        }
        if not texts or set(texts) != set(weights.shapes):
            raise CheckpointError(f"{path} is not a tuned prompt. Choose a file that Save Tuned Prompt wrote.")
        try:
            return TunedPrompt({name: floats(weights.take(name), name).clone() for name in weights.shapes}, texts)
        except CheckpointError:
            raise
        except AlignerError as error:
            raise CheckpointError(f"{path} holds a tuned prompt that cannot be used: {error}") from error
