"""Whether a run fits on the device, and what to change where it does not."""

import logging
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import TypeVar

from comfy import model_management
from comfy.model_patcher import ModelPatcher

from ...aligner.errors import AlignerError, is_out_of_memory
from ...aligner.guidance.rule import Rule
from ...aligner.guidance.search import Search

_GIBIBYTE = 2**30
#: The advice for nodes that have no settings for memory.
ADVICE = (
    "Load the models with precision fp16 or bf16, give this node less at a time (a shorter sound, a smaller "
    "batch or picture), or close what else uses the device."
)

Result = TypeVar("Result")
#: Bytes of activations that a run with a rule and so many variations takes beside the models.
Estimate = Callable[[Rule, int], int]


def affordable(rule: Rule, estimate: Estimate, batch: int, parts: Sequence[ModelPatcher]) -> Rule:
    """The rule; where the device is too small for it, its frugal form, which gives the same result."""
    frugal = rule.frugal()
    needed = sum(part.model_size() for part in parts) + estimate(rule, batch)
    # The total of the device counts: most of the parts are still on the host.
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
    """work(). Where memory runs out, again() or else work() runs once more after all other models are unloaded.

    Raises AlignerError with advice where memory runs out again.
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
    """The result in a list; an empty list where memory ran out. The error is freed with all that its traceback held."""
    try:
        return [work()]
    except Exception as error:
        if not _is_out_of_memory(error):
            raise
        return []


def _is_out_of_memory(error: Exception) -> bool:
    """Whether we or ComfyUI take the error for lack of memory. Its later versions know more kinds of it."""
    asked = getattr(model_management, "is_oom", lambda error: isinstance(error, model_management.OOM_EXCEPTION))
    return is_out_of_memory(error) or asked(error)


def advice(
    rule: Rule,
    estimate: Estimate,
    batch: int,
    streams: Sequence[str],
    others: Mapping[str, Estimate] = MappingProxyType({}),
) -> str:
    """The changes that save memory, with their savings, the largest first.

    others: by the change in words, the estimate after a change of something else than the rule.
    """
    now = estimate(rule, batch)
    changes = {"a batch of one variation": (rule, 1)} | {words: (each, batch) for words, each in rule.savings().items()}
    if rule.backward(streams):
        changes["a search instead of gradients"] = Search(), batch
    saved = {words: now - estimate(*changed) for words, changed in changes.items()}
    saved |= {words: now - after(rule, batch) for words, after in others.items()}
    worthwhile = sorted((words for words in saved if saved[words] > 0.05 * now), key=lambda words: -saved[words])
    listed = ", ".join(f"{words} saves about {saved[words] / _GIBIBYTE:.1f} GiB" for words in worthwhile)
    return (
        f"Beside the models this run takes about {now / _GIBIBYTE:.1f} GiB"
        + (f": {listed}" if listed else "")
        + ". A smaller or shorter result, windows for a long one, precision fp16 and, for video, decoding half save "
        "memory as well."
    )
