"""The steps that all samplers share: encode texts, then bring all models of the run onto the device and sample."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial

from ...aligner.conditions.condition import Condition
from ...aligner.conditions.encoding import prompt_conditions
from ...aligner.generation import Generation, generate
from ...aligner.generators.base import NO_GRADIENT, BackwardPass, Generator, Streams
from ...aligner.guidance.rule import Rule, Unguided
from ...aligner.parts import listening
from ...aligner.plan import activation_bytes, phases
from .attention import CancellableAttention
from .managed_model import ManagedModel, load_on_device
from .memory import advice, affordable, with_one_more_try
from .progress import Progress

TEXT_ENCODER = "text_encoder"
#: Room for the activations of a text encoder over 77 tokens or a few more.
PROMPT_BYTES = 2**28


def load_text_encoders(*models: ManagedModel) -> None:
    """Bring the text encoders onto the device alone: the networks that sample are not needed yet."""
    encoders = [patcher for model in models for patcher in model.patchers_of(TEXT_ENCODER)]
    with_one_more_try(lambda: load_on_device(encoders, PROMPT_BYTES))


def with_prompts(
    conditions: Sequence[Condition], binder: ManagedModel | None, texts: Mapping[str, str], rule: Rule, guided: bool
) -> list[Condition]:
    """The conditions, and the prompts by stream as targets where what is compared gives them a weight."""
    compared = [phase for phase in phases(rule) if phase.guides] if guided else [rule]
    wanted = any(phase.comparison.text_weight for phase in compared)
    if binder is None or not wanted or not any(text.strip() for text in texts.values()):
        return list(conditions)

    def encoded() -> list[Condition]:
        load_on_device(binder.patchers_for("text"))
        return prompt_conditions(binder.model, texts)

    return [*conditions, *with_one_more_try(encoded)]


def sample(
    denoiser: Generator,
    prompts: Streams,
    *models: ManagedModel,
    binder: ManagedModel | None,
    conditions: Sequence[Condition],
    rule: Rule,
    guided: bool,
    seed: int,
    on_step: Progress,
    batch: int = 1,
    pair_weight: float = 1.0,
    latents: Callable[[], Streams | None] = lambda: None,
    masks: Streams | None = None,
    generating: Callable[..., Generation] = generate,
    besides: Mapping[str, BackwardPass] = NO_GRADIENT,
) -> Generation:
    """Bring the models of this run onto the device, and sample. Without anything to compare it is plain sampling.

    guided: whether the rule steers, or only its comparison scores the result. latents: called when the models are on
    the device. generating: `generate`, or what takes its arguments. besides: see `activation_bytes`. The rest: see
    `aligner.generation.generate`.
    """
    compared = bool(conditions) or (len(denoiser.streams) > 1 and (guided or binder is not None))
    if not (guided and compared):
        rule = Unguided(rule.comparison)
    rule = rule if prompts else rule.without_prompts()
    embedding = binder.patchers_for(*denoiser.streams) if binder and compared else []
    parts = [patcher for model in models for patcher in model.patchers_without(TEXT_ENCODER)] + embedding
    embedder = binder.model if binder else None

    def estimate(rule: Rule, batch: int, besides: Mapping[str, BackwardPass] = besides) -> int:
        return activation_bytes(rule, denoiser, embedder, batch, besides)

    def run(rule: Rule) -> Generation:
        load_on_device(parts, estimate(rule, batch))
        kept = {"latents": latents(), "masks": masks}
        return generating(
            denoiser,
            prompts,
            seed=seed,
            batch=batch,
            rule=rule,
            binder=embedder,
            conditions=conditions,
            pair_weight=pair_weight,
            **{name: value for name, value in kept.items() if value is not None},
            on_step=on_step,
        )

    others = {"reconstruction of 0": partial(estimate, besides=NO_GRADIENT)} if besides else {}
    rule = affordable(rule, estimate, batch, parts)
    with on_step, listening(on_step.part), CancellableAttention():
        return with_one_more_try(
            lambda: run(rule),
            lambda: advice(rule, estimate, batch, denoiser.streams, others),
            again=lambda: run(rule.frugal()),
        )
