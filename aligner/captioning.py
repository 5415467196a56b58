"""Captions for pictures and sounds, written by models of transformers."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import nn

from . import settings
from .errors import AlignerError, CheckpointError
from .files.diffusers_folders import load_component, load_processor, read_json
from .files.without_code import names_code, needs_code
from .tensors.precision import dtype_of
from .tensors.resampling import resampled

#: The most tokens at the start of a decoder without a prompt: Whisper has start, language, task and no timestamps.
_OPENING = 4


class Captioner(nn.Module):
    """A frozen model that writes captions, and the processor of its inputs.

    The processor determines the inputs: pictures (BLIP, LLaVA, Qwen-VL and others), sounds (Whisper fine-tuned for
    captioning, Qwen2-Audio), or both.
    """

    model: Any  # a PreTrainedModel of transformers with `generate`

    def __init__(self, model: nn.Module, processor):
        super().__init__()
        self.model, self.processor = model, processor
        self.eval().requires_grad_(False)

    @property
    def sees(self) -> bool:
        """Whether it captions pictures."""
        return getattr(self.processor, "image_processor", None) is not None

    @property
    def hears(self) -> bool:
        """Whether it captions sounds."""
        return getattr(self.processor, "feature_extractor", None) is not None

    @torch.inference_mode(False)
    @torch.no_grad()
    def of_picture(
        self,
        pixels: torch.Tensor,
        *,
        instruction: str = settings.INSTRUCTION.default,
        longest: int = settings.LONGEST.default,
        on_token: Callable[[], None] = lambda: None,
    ) -> str:
        """Caption a picture (3, H, W), floats in 0..1. Decoding is greedy: the same picture gets the same caption.

        instruction: the prompt, for models that follow one; other models ignore it. longest: the most tokens to write;
        the positions of the model limit them as well. on_token: called after every token; an exception that it raises
        ends the generation.

        Raises AlignerError if the model does not caption pictures, or the instruction uses up its positions.
        """
        if not self.sees:
            raise AlignerError("This model captions sounds, not pictures. Choose a model that captions pictures.")
        picture = (pixels.detach().clamp(0, 1) * 255).round().to(torch.uint8).cpu()
        return self._answer("image", picture, instruction, longest, on_token, images=picture)

    @torch.inference_mode(False)
    @torch.no_grad()
    def of_sound(
        self,
        waveform: torch.Tensor,
        sample_rate: int,
        *,
        instruction: str = settings.INSTRUCTION.default,
        longest: int = settings.LONGEST.default,
        on_token: Callable[[], None] = lambda: None,
    ) -> str:
        """Caption a mono sound (n,), floats nominally in -1..1, at `sample_rate` Hz; see `of_picture`.

        Raises AlignerError if the model does not caption sounds, or the instruction uses up its positions.
        """
        if not self.hears:
            raise AlignerError("This model captions pictures, not sounds. Choose a model that captions sounds.")
        rate = self.processor.feature_extractor.sampling_rate
        sound = resampled(waveform.detach()[None].cpu(), sample_rate, rate)[0].numpy()
        return self._answer("audio", sound, instruction, longest, on_token, audio=sound, sampling_rate=rate)

    def _answer(self, kind: str, what, instruction: str, longest: int, on_token: Callable[[], None], **given) -> str:
        """The generated text. kind: "image" or "audio". what: the input. given: arguments of the processor."""
        if getattr(self.processor, "chat_template", None):
            asked = [{"role": "user", "content": [{"type": kind, kind: what}, {"type": "text", "text": instruction}]}]
            given["text"] = self.processor.apply_chat_template(asked, add_generation_prompt=True, tokenize=False)
        inputs = self.processor(return_tensors="pt", **given).to(self.model.device)
        inputs = {
            name: value.to(dtype_of(self.model)) if value.is_floating_point() else value
            for name, value in inputs.items()
        }
        # The output of decoder-only models starts with the prompt.
        decoder_only = not self.model.config.is_encoder_decoder and "input_ids" in inputs
        before = inputs["input_ids"].shape[1] if decoder_only else 0
        written = self.model.generate(
            **inputs,
            max_new_tokens=min(longest, self._room(before or _OPENING)),
            do_sample=False,
            stopping_criteria=_after_every_token(on_token),
        )
        return " ".join(self.processor.batch_decode(written[:, before:], skip_special_tokens=True)[0].split())

    def _room(self, taken: int) -> float:
        """How many tokens fit after `taken` tokens. Raises AlignerError if none fits."""
        positions = _positions(self.model.config)
        if taken >= positions:
            raise AlignerError(
                f"The picture or sound and the instruction are {taken} tokens, but this model holds no more "
                f"than {positions}. Shorten the instruction."
            )
        return positions - taken


def _positions(config) -> float:
    """The number of positions of a model's decoder; infinite if its config does not state it."""
    # Multimodal models state it in their text config. transformers before 4.45 lacks get_text_config.
    text = (
        config.get_text_config(decoder=True)
        if hasattr(config, "get_text_config")
        else getattr(config, "text_config", config)
    )
    found = (getattr(text, name, None) for name in ("max_target_positions", "max_position_embeddings"))
    return next(filter(None, found), math.inf)


def _after_every_token(call: Callable[[], None]):
    """A stopping criterion for `generate` that calls a function after every token and never stops by itself."""
    from transformers import StoppingCriteria, StoppingCriteriaList

    class AfterEveryToken(StoppingCriteria):
        def __call__(self, input_ids: torch.Tensor, scores, **kwargs) -> torch.Tensor:
            call()
            return torch.zeros(len(input_ids), dtype=torch.bool, device=input_ids.device)

    return StoppingCriteriaList([AfterEveryToken()])


@torch.inference_mode(False)
def load_captioner(
    folder: str | Path, *, dtype: torch.dtype = torch.float32, device: torch.device | str = "cpu"
) -> Captioner:
    """Load a captioning model from a folder as published on the model hub, without running code from it.

    Raises CheckpointError if the folder is incomplete or damaged, this version of transformers does not support its
    model, or the model captions neither pictures nor sounds.

    Example:
        caption = load_captioner("models/blip-image-captioning-base").of_picture(read_image("photo.png"))
    """
    import transformers

    folder = Path(folder)
    names = read_json(folder / "config.json").get("architectures") or ["a model without a name"]
    cls = getattr(transformers, names[0], None)
    if cls is None or not hasattr(cls, "generate"):
        raise CheckpointError(
            f"{folder} holds {names[0]}, which this version of transformers does not support for captions. "
            "Choose another model, or update transformers."
        )
    captioner = Captioner(load_component(cls, folder, "", dtype, device), load_processor(folder))
    if not (captioner.sees or captioner.hears):
        if names_code(folder):
            raise needs_code(folder)
        raise CheckpointError(
            f"{folder} holds {names[0]}, which takes neither pictures nor sounds. Choose a model that captions "
            "pictures or sounds."
        )
    return captioner
