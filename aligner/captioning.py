"""Words for pictures and sounds, by models that transformers maintains, from a folder of theirs."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import torch
from torch import nn

from .errors import AlignerError, CheckpointError
from .files.diffusers_folders import load_component, load_part, read_json
from .tensors.precision import dtype_of
from .tensors.resampling import resampled

#: What a model that follows instructions is asked.
INSTRUCTION = "Describe what can be seen and heard here in one short sentence."
#: What decoders begin with that are asked nothing: one token, or Whisper's start, language, task and no timestamps.
_OPENING = 4


class Captioner(nn.Module):
    """A frozen model that writes captions, and the processor that prepares what it is shown or played.

    What it takes follows from its processor: pictures (BLIP, LLaVA, Qwen-VL and others), sounds (Whisper fine-tuned to
    caption, Qwen2-Audio), or both.
    """

    def __init__(self, model: nn.Module, processor):
        super().__init__()
        self.model, self.processor = model, processor
        self.eval().requires_grad_(False)

    @property
    def sees(self) -> bool:
        return getattr(self.processor, "image_processor", None) is not None

    @property
    def hears(self) -> bool:
        return getattr(self.processor, "feature_extractor", None) is not None

    @torch.inference_mode(False)
    @torch.no_grad()
    def of_picture(
        self,
        pixels: torch.Tensor,
        *,
        instruction: str = INSTRUCTION,
        longest: int = 40,
        on_token: Callable[[], None] = lambda: None,
    ) -> str:
        """A caption of at most `longest` tokens for a picture (3, H, W) in 0..1, always the same for the same picture.

        instruction: for models that follow one; others just describe. longest: of more than the model has positions for
        only as many are written. on_token: called after every token; whatever it raises ends the work.

        Raises AlignerError if it cannot see, or the instruction leaves no room.
        """
        if not self.sees:
            raise AlignerError("This model captions sounds, not pictures. Choose one that sees.")
        picture = (pixels.detach().clamp(0, 1) * 255).round().to(torch.uint8).cpu()
        return self._answer("image", picture, instruction, longest, on_token, images=picture)

    @torch.inference_mode(False)
    @torch.no_grad()
    def of_sound(
        self,
        waveform: torch.Tensor,
        sample_rate: int,
        *,
        instruction: str = INSTRUCTION,
        longest: int = 40,
        on_token: Callable[[], None] = lambda: None,
    ) -> str:
        """A caption for a mono sound (n,), nominally in -1..1; see `of_picture`.

        Raises AlignerError if it cannot hear, or the instruction leaves no room.
        """
        if not self.hears:
            raise AlignerError("This model captions pictures, not sounds. Choose one that hears.")
        rate = self.processor.feature_extractor.sampling_rate
        sound = resampled(waveform.detach()[None].cpu(), sample_rate, rate)[0].numpy()
        return self._answer("audio", sound, instruction, longest, on_token, audio=sound, sampling_rate=rate)

    def _answer(self, kind: str, what, instruction: str, longest: int, on_token: Callable[[], None], **given) -> str:
        if getattr(self.processor, "chat_template", None):
            asked = [{"role": "user", "content": [{"type": kind, kind: what}, {"type": "text", "text": instruction}]}]
            given["text"] = self.processor.apply_chat_template(asked, add_generation_prompt=True, tokenize=False)
        inputs = self.processor(return_tensors="pt", **given).to(self.model.device)
        inputs = {
            name: value.to(dtype_of(self.model)) if value.is_floating_point() else value
            for name, value in inputs.items()
        }
        # What decoders alone were asked comes before what they write.
        alone = not self.model.config.is_encoder_decoder and "input_ids" in inputs
        before = inputs["input_ids"].shape[1] if alone else 0
        written = self.model.generate(
            **inputs,
            max_new_tokens=min(longest, self._room(before or _OPENING)),
            do_sample=False,
            stopping_criteria=_after_every_token(on_token),
        )
        return " ".join(self.processor.batch_decode(written[:, before:], skip_special_tokens=True)[0].split())

    def _room(self, taken: int) -> float:
        """How many tokens can be written after those that are there. Raises AlignerError if that is none."""
        positions = _positions(self.model.config)
        if taken >= positions:
            raise AlignerError(
                f"Picture or sound and the instruction are {taken} tokens, but this model holds no more "
                f"than {positions}. Shorten the instruction."
            )
        return positions - taken


def _positions(config) -> float:
    """How many tokens a model's decoder has positions for; infinitely many where it does not say."""
    # Models of several parts say it of their text. Before 4.45 transformers could not tell which part that is.
    text = (
        config.get_text_config(decoder=True)
        if hasattr(config, "get_text_config")
        else getattr(config, "text_config", config)
    )
    found = (getattr(text, name, None) for name in ("max_target_positions", "max_position_embeddings"))
    return next(filter(None, found), math.inf)


def _after_every_token(call: Callable[[], None]):
    """For transformers' `generate`: stops nothing itself."""
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
    """Load a folder as published on the model hub, strictly; code in it is never run.

    Raises CheckpointError if it is incomplete or damaged, or if this version of transformers does not know its model.
    """
    import transformers

    folder = Path(folder)
    names = read_json(folder / "config.json").get("architectures") or ["a model without a name"]
    cls = getattr(transformers, names[0], None)
    if cls is None or not hasattr(cls, "generate"):
        raise CheckpointError(
            f"{folder} holds {names[0]}, which this version of transformers cannot write captions "
            "with. Choose another model, or update transformers."
        )
    captioner = Captioner(
        load_component(cls, folder, "", dtype, device), load_part(transformers.AutoProcessor, folder, "")
    )
    if not (captioner.sees or captioner.hears):
        raise CheckpointError(
            f"{folder} neither sees nor hears: it holds {names[0]}. Choose a model that captions pictures or sounds."
        )
    return captioner
