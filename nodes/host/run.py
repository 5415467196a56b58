"""What all samplers do: texts are read, then everything that samples shares the device."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from ...aligner.conditions.condition import Condition
from ...aligner.conditions.encoding import prompt_conditions
from ...aligner.generation import Generation, generate
from ...aligner.generators.base import Denoiser, Streams
from ...aligner.guidance.rule import Guidance
from ...aligner.sampling import Step
from .hosting import Hosted, load_on_device
from .memory import advice, affordable, with_one_more_try

#: The tower of ImageBind that looks at a stream.
TOWERS = {"audio": "audio", "video": "vision"}
TEXT_ENCODER = "text_encoder"
#: Room for the activations of a text encoder, which reads 77 tokens or few more.
PROMPT_BYTES = 2**28


def load_text_encoders(*models: Hosted) -> None:
    """Prompts come first and by themselves: their encoders need not share the device with the sampling."""
    encoders = [patcher for model in models for patcher in model.patchers(TEXT_ENCODER)]
    with_one_more_try(lambda: load_on_device(encoders, PROMPT_BYTES))


def text_conditions(imagebind: Hosted | None, texts: Mapping[str, str], weight: float) -> list[Condition]:
    """The prompts, by stream, as targets; none without ImageBind or weight."""
    if imagebind is None or weight == 0 or not any(text.strip() for text in texts.values()):
        return []

    def encoded() -> list[Condition]:
        load_on_device(imagebind.patchers("text"))
        return prompt_conditions(imagebind.model, texts, weight)

    return with_one_more_try(encoded)


def sample(
    denoiser: Denoiser,
    prompts: Streams,
    *models: Hosted,
    imagebind: Hosted | None,
    conditions: Sequence[Condition],
    guidance: Guidance,
    steer: bool,
    seed: int,
    on_step: Callable[[Step], None],
    batch: int = 1,
    between: float = 1.0,
    latents: Callable[[], Streams | None] = lambda: None,
) -> Generation:
    """Bring onto the device what this run needs, and sample. Without anything to compare it is plain sampling.

    latents: made when the models are on the device. The rest: see `aligner.generation.generate`.
    """
    compared = bool(conditions) or len(denoiser.streams) > 1
    towers = imagebind.patchers(*map(TOWERS.get, denoiser.streams)) if imagebind and compared else []
    parts = [patcher for model in models for patcher in model.patchers_without(TEXT_ENCODER)] + towers
    moving = bool(towers) and steer

    def run(guidance: Guidance) -> Generation:
        load_on_device(parts, denoiser.activation_bytes(batch, guidance if moving else None))
        return generate(
            denoiser,
            prompts,
            seed=seed,
            batch=batch,
            binder=imagebind and imagebind.model,
            conditions=conditions,
            between=between,
            guidance=guidance if compared else None,
            steer=steer,
            latents=latents(),
            on_step=on_step,
        )

    if moving:
        guidance = affordable(denoiser, batch, guidance, parts)
    # The same seed gives the same result, whatever is recomputed.
    return with_one_more_try(
        lambda: run(guidance),
        lambda: advice(denoiser, batch, guidance if moving else None),
        again=lambda: run(replace(guidance, checkpointing=True)),
    )
