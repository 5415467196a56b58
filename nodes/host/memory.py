"""What fits onto the device, and what to do when it turns out not to."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TypeVar

from comfy import model_management
from comfy.model_patcher import ModelPatcher

from ...aligner.errors import AlignerError
from ...aligner.generators.base import Denoiser
from ...aligner.guidance.rule import Guidance

_GIBIBYTE = 2**30
#: For work whose memory no switch of its node changes.
ADVICE = (
    "Load the models with precision fp16 or bf16, give this node less at a time (a shorter sound, a smaller "
    "batch or picture), or close what else uses the device."
)

Result = TypeVar("Result")


def affordable(denoiser: Denoiser, batch: int, guidance: Guidance, parts: Sequence[ModelPatcher]) -> Guidance:
    """Checkpointing gives the same result in less memory, and is switched on where the device is too small without."""
    needed = sum(part.model_size() for part in parts) + denoiser.activation_bytes(batch, guidance)
    # Of the device where the parts will be: most of them are still on the host.
    room = model_management.get_total_memory(model_management.get_torch_device())
    if guidance.checkpointing or not guidance.moves or needed + model_management.extra_reserved_memory() < room:
        return guidance
    logging.info(
        "Seeing & Hearing: checkpointing is switched on, because without it this run would need about %.0f GiB.",
        needed / _GIBIBYTE,
    )
    return replace(guidance, checkpointing=True)


def with_one_more_try(
    work: Callable[[], Result], advice: Callable[[], str] = lambda: ADVICE, again: Callable[[], Result] | None = None
) -> Result:
    """work(); where memory runs out, once more with all other models gone, or then again().

    Raises AlignerError with advice where that is not enough either.
    """
    done, result = _unless_out_of_memory(work)
    if not done:
        logging.warning("Seeing & Hearing: memory ran out. Trying once more, with other models unloaded.")
        model_management.unload_all_models()
        model_management.soft_empty_cache()
        done, result = _unless_out_of_memory(again or work)
    if not done:
        model_management.soft_empty_cache()
        raise AlignerError(f"The device ran out of memory, twice. {advice()}")
    return result


def _unless_out_of_memory(work: Callable[[], Result]) -> tuple[bool, Result | None]:
    """Whether memory sufficed, and the result. By then the error is gone, and with it all that its traceback held."""
    try:
        return True, work()
    except Exception as error:
        if not _is_out_of_memory(error):
            raise
        return False, None


def _is_out_of_memory(error: Exception) -> bool:
    """As ComfyUI tells, which knows more kinds of it in later versions."""
    told = getattr(model_management, "is_oom", lambda error: isinstance(error, model_management.OOM_EXCEPTION))
    return told(error)


def advice(denoiser: Denoiser, batch: int, guidance: Guidance | None) -> str:
    """Which switches would save how much, the one that saves most first."""
    now = denoiser.activation_bytes(batch, guidance)
    settings = {"a batch of one variation": (1, guidance)}
    if guidance and guidance.moves:
        settings["checkpointing on"] = batch, replace(guidance, checkpointing=True)
        settings["prompt rates of 0"] = batch, replace(guidance, prompt_rates={})
        settings["the rule search"] = batch, Guidance()
    saved = {words: now - denoiser.activation_bytes(*changed) for words, changed in settings.items()}
    worthwhile = sorted((words for words in saved if saved[words] > 0.05 * now), key=saved.get, reverse=True)
    listed = ", ".join(f"{words} saves about {saved[words] / _GIBIBYTE:.1f} GiB" for words in worthwhile)
    return (
        f"Beside the models this run takes about {now / _GIBIBYTE:.1f} GiB"
        + (f": {listed}" if listed else "")
        + ". A smaller or shorter result, windows for a long one, precision "
        "fp16 and, for video, decoding set to half save memory as well."
    )
