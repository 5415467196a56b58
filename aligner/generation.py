"""Generate, guided by conditions: noise in, signals, latents, alignment curve and scores out."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field, replace

import torch

from .checkpointing import checkpointed
from .conditions import Condition, named
from .determinism import repeatable
from .errors import AlignerError
from .generators.base import Denoiser, Streams
from .guidance import Guidance
from .imagebind import Embedding, ImageBind
from .imagebind.clips import CLIP_SAMPLINGS
from .objective import Objective
from .precision import full_precision
from .sampling import Step, sample
from .signals import Signal
from .tasks import pairs

#: Points of an alignment curve: denoising step, counted from 1, and cosine similarity.
Curve = list[tuple[int, float]]


@dataclass(frozen=True)
class Generation:
    """What one run produced.

    signals: per stream the rendered result, detached. latents, prompts: per stream the clean latents and the (tuned)
    prompt embeddings, float32. curves: per pair the cosine at every guided step, averaged over the batch. scores: per
    pair the cosine of the result itself (B,). score: one figure per sample (B,), weighted as the loss was; None
    where nothing was compared.
    """

    signals: dict[str, Signal]
    latents: Streams
    prompts: Streams
    curves: dict[str, Curve] = field(default_factory=dict)
    scores: dict[str, torch.Tensor] = field(default_factory=dict)
    score: torch.Tensor | None = None


@torch.inference_mode(False)
def generate(denoiser: Denoiser, prompts: Streams, *, seed: int, batch: int = 1, binder: ImageBind | None = None,
             conditions: Sequence[Condition] = (), guidance: Guidance | None = None, steer: bool = True,
             latents: Streams | None = None, denoise: float = 1.0,
             on_step: Callable[[Step], None] = lambda step: None) -> Generation:
    """Sample a batch of variations, steered by the conditions where guidance is given.

    prompts: per stream (1 or batch, D). Variation k draws its noise from seed + k, so that any one of them can be made
    again alone. latents, with denoise below 1: clean latents (1 or batch, ...) to start from; only the last part of
    the schedule is then run. Without guidance, or with steer off, the conditions only score the result, the latter by
    the comparison that guidance names.

    Raises AlignerError before any sampling if the conditions, the window or the latents leave nothing to do.
    """
    prompts, latents = (_repeated(tensors, batch, denoiser.device) for tensors in (prompts, latents))
    first_step = _first_step(denoiser.steps, denoise, latents)
    objective = _objective(denoiser, binder, conditions, guidance)
    steering = guidance if steer else None
    if steering:
        _require_effect(steering, denoiser, first_step)
    start = _start(denoiser, seed, batch, latents, first_step)
    curves: dict[str, Curve] = defaultdict(list)

    def record(step: Step) -> None:
        if step.alignment:
            for label, score in step.alignment.scores.items():
                curves[label].append((step.index + 1, score.mean().item()))
        on_step(step)

    with repeatable(denoiser.device):
        with _memory(denoiser, binder, steering):
            clean, tuned = sample(denoiser, start, prompts, steering, objective, first_step=first_step, on_step=record)
        with torch.no_grad():
            signals = denoiser.render(clean)
            scores = objective(signals).scores if objective else {}
    return Generation(signals, clean, tuned, dict(curves), scores, objective.overall(scores) if objective else None)


def _objective(denoiser, binder, conditions, guidance) -> Objective | None:
    targets = named(conditions)
    if guidance is None and not any(condition.weight for condition in targets.values()):
        return None
    if binder is None:
        raise AlignerError("Conditions need ImageBind to compare with. Load it and connect it.")
    if any(condition.embedding.clips.shape[-1] != binder.config.embed_dim for condition in targets.values()):
        raise AlignerError("A condition was encoded with another ImageBind than the one that samples. Encode it again "
                           "with the same model.")
    settings = guidance or Guidance()
    sampling = CLIP_SAMPLINGS[settings.clips]
    return Objective(lambda signal: signal.embed(binder, sampling),
                     {name: _on(denoiser.device, condition.embedding) for name, condition in targets.items()},
                     pairs(denoiser.streams, targets), settings.compare)


def _on(device: torch.device, embedding: Embedding) -> Embedding:
    return replace(embedding, clips=full_precision(embedding.clips.detach().to(device)).clone())


def _require_effect(guidance, denoiser, first_step) -> None:
    guidance.require_effect(denoiser.streams)
    if guidance.window(denoiser.steps)[-1] < first_step:
        raise AlignerError(f"Guidance ends at step {guidance.window(denoiser.steps)[-1] + 1}, but with this denoise "
                           f"value sampling starts at step {first_step + 1}. Raise the window's end, or denoise.")


def _first_step(steps: int, denoise: float, latents: Streams | None) -> int:
    if not 0 < denoise <= 1:
        raise AlignerError(f"denoise must be above 0 and at most 1, not {denoise}.")
    if denoise < 1 and latents is None:
        raise AlignerError("denoise below 1 keeps a part of a latent, but no latent is connected.")
    return min(round(steps * (1 - denoise)), steps - 1)


def _start(denoiser, seed, batch, latents, first_step) -> Streams:
    # The noise is drawn on the CPU so that a seed means the same on every device.
    noise = denoiser.noise([torch.Generator("cpu").manual_seed(seed + k) for k in range(batch)])
    for name, latent in (latents or {}).items():
        if latent.shape != noise[name].shape:
            raise AlignerError(f"The {name} latent has shape {tuple(latent.shape)}, but this length needs "
                               f"{tuple(noise[name].shape)}. Use a latent from the same model and length.")
    return denoiser.add_noise(latents, noise, first_step) if first_step else noise


def _repeated(tensors: Streams | None, batch: int, device: torch.device) -> Streams | None:
    if batch < 1:
        raise AlignerError(f"At least one variation must be made, not {batch}.")
    if tensors is None:
        return None
    for name, tensor in tensors.items():
        if len(tensor) not in (1, batch):
            raise AlignerError(f"The {name} input holds {len(tensor)} samples; give 1 or as many as variations "
                               f"({batch}).")
    # Cloned: what another ComfyUI node hands over is an inference tensor, which autograd refuses.
    return {name: full_precision(tensor.detach().to(device)).expand(batch, *tensor.shape[1:]).clone()
            for name, tensor in tensors.items()}


def _memory(denoiser, binder, guidance):
    if guidance is None or not guidance.checkpointing:
        return nullcontext()
    return checkpointed([*denoiser.checkpointable(), *binder.blocks()])
