"""What fits onto the device, and what to do when it does not."""

import logging
from collections.abc import Callable, Sequence
from typing import TypeVar

from comfy import model_management
from comfy.model_patcher import ModelPatcher

from ...aligner.errors import AlignerError
from ...aligner.guidance.rule import Rule
from ...aligner.guidance.search import Search

_GIBIBYTE = 2**30
#: For work whose memory no setting of its node changes.
ADVICE = (
    "Load the models with precision fp16 or bf16, give this node less at a time (a shorter sound, a smaller "
    "batch or picture), or close what else uses the device."
)

Result = TypeVar("Result")
#: Bytes of activations that a run with a rule and so many variations takes beside the models.
Estimate = Callable[[Rule, int], int]


def affordable(rule: Rule, estimate: Estimate, batch: int, parts: Sequence[ModelPatcher]) -> Rule:
    """The rule, or where the device is too small for it the frugal one, which gives the same result."""
    frugal = rule.frugal()
    needed = sum(part.model_size() for part in parts) + estimate(rule, batch)
    # Of the device where the parts will be: most of them are still on the host.
    room = model_management.get_total_memory(model_management.get_torch_device())
    if frugal == rule or needed + model_management.extra_reserved_memory() < room:
        return rule
    logging.info(
        "Seeing & Hearing: checkpointing is switched on. Without it this run would need about %.0f GiB.",
        needed / _GIBIBYTE,
    )
    return frugal


def with_one_more_try(
    work: Callable[[], Result], advice: Callable[[], str] = lambda: ADVICE, again: Callable[[], Result] | None = None
) -> Result:
    """work(); where memory runs out, again() or work() once more with all other models unloaded.

    Raises AlignerError with advice where that is not enough either.
    """
    results = _unless_out_of_memory(work)
    if not results:
        logging.warning("Seeing & Hearing: memory ran out. Trying once more, with other models unloaded.")
        model_management.unload_all_models()
        model_management.soft_empty_cache()
        results = _unless_out_of_memory(again or work)
    if not results:
        model_management.soft_empty_cache()
        raise AlignerError(f"The device ran out of memory, twice. {advice()}")
    return results[0]


def _unless_out_of_memory(work: Callable[[], Result]) -> list[Result]:
    """The result, or nothing where memory ran out. The error is gone by then, with all that its traceback held."""
    try:
        return [work()]
    except Exception as error:
        if not _is_out_of_memory(error):
            raise
        return []


def _is_out_of_memory(error: Exception) -> bool:
    """Ask ComfyUI, whose later versions know more kinds of it."""
    asked = getattr(model_management, "is_oom", lambda error: isinstance(error, model_management.OOM_EXCEPTION))
    return asked(error)


def advice(rule: Rule, estimate: Estimate, batch: int, streams: Sequence[str]) -> str:
    """Which changes would save how much memory, the largest saving first."""
    now = estimate(rule, batch)
    changes = {"a batch of one variation": (rule, 1)} | {words: (each, batch) for words, each in rule.savings().items()}
    if rule.backward(streams):
        changes["a search instead of gradients"] = Search(), batch
    saved = {words: now - estimate(*changed) for words, changed in changes.items()}
    worthwhile = sorted((words for words in saved if saved[words] > 0.05 * now), key=lambda words: -saved[words])
    listed = ", ".join(f"{words} saves about {saved[words] / _GIBIBYTE:.1f} GiB" for words in worthwhile)
    return (
        f"Beside the models this run takes about {now / _GIBIBYTE:.1f} GiB"
        + (f": {listed}" if listed else "")
        + ". A smaller or shorter result, windows for a long one, precision fp16 and, for video, decoding half save "
        "memory as well."
    )
