"""The built-in generators on a device: half precision, the same seed twice, and what stays in its memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import nn

from aligner.conditions.encoding import text_condition
from aligner.demo import family
from aligner.generation import Generation, generate
from aligner.generators.base import Generator
from aligner.generators.joint import JointDenoiser
from aligner.guidance.gradient import Released
from aligner.guidance.rule import Rule
from aligner.guidance.search import Search
from aligner.tensors.placement import placed

from .row import Row

TEXT = "a red ball bounces with a thud"
#: By name, a rule that searches and one that takes gradients.
RULES: dict[str, Rule] = {"search": Search(candidates={"audio": 4, "video": 4}), "gradients": Released()}
#: How far the score of a result may differ in half precision.
PRECISIONS = {"fp16": torch.float16, "bf16": torch.bfloat16}
TOLERANCE = 0.1

Models = dict[str, Any]


def _models(dtype: torch.dtype) -> Models:
    return {
        "binder": family.load_demo_imagebind(dtype=dtype),
        "audio": family.load_demo_audioldm(dtype=dtype),
        "video": family.load_demo_animatediff(dtype=dtype),
        "coupled": family.load_demo_mm_diffusion(dtype=dtype),
    }


def _joint(models: Models, steps: int) -> Generator:
    video = models["video"].denoiser(frames=16, fps=8, height=64, width=64, steps=steps)
    return JointDenoiser([video, models["audio"].denoiser(seconds=video.seconds, steps=steps)])


#: By name, what makes a denoiser of so many steps, and the models that it works with.
GENERATORS: dict[str, tuple[Callable[[Models, int], Generator], tuple[str, ...]]] = {
    "AudioLDM": (lambda models, steps: models["audio"].denoiser(seconds=2, steps=steps), ("audio",)),
    "AnimateDiff": (
        lambda models, steps: models["video"].denoiser(frames=16, fps=8, height=64, width=64, steps=steps),
        ("video",),
    ),
    "both": (_joint, ("video", "audio")),
    "MM-Diffusion": (lambda models, steps: models["coupled"].denoiser(steps=steps, sampler="ddim"), ("coupled",)),
}


def rows(device: torch.device, steps: int) -> Iterator[Row]:
    """Every generator by every rule."""
    full, halves = _models(torch.float32), {name: _models(dtype) for name, dtype in PRECISIONS.items()}
    for name in GENERATORS:
        for rule_name, rule in RULES.items():
            subject = f"{name}, {rule_name}"
            before = _allocated(device)
            result = _generated(full, name, rule, device, steps)
            again = _generated(full, name, rule, device, steps)
            yield _same(subject, result, again)
            if before is not None:
                del result.latents, again.latents
                left = _allocated(device) - before
                yield Row("left on the device", subject, left / 2**20, "MiB", 0, left == 0)
            for precision, models in halves.items():
                yield _close(f"{subject}, {precision}", result, _generated(models, name, rule, device, steps))


def _generated(models: Models, name: str, rule: Rule, device: torch.device, steps: int) -> Generation:
    """A result steered by a text. The models wait on the host before and after."""
    make, parts = GENERATORS[name]
    binder = models["binder"]
    with placed([each for each in (binder, *map(models.get, parts)) if isinstance(each, nn.Module)], device):
        denoiser = make(models, steps)
        prompts = denoiser.prompts([TEXT]) if name != "MM-Diffusion" else {}
        condition = text_condition(binder, TEXT)
        return generate(denoiser, prompts, seed=3, rule=rule, binder=binder, conditions=[condition])


def _same(subject: str, one: Generation, other: Generation) -> Row:
    """Bit for bit: 0 where equal."""
    differ = max((one.latents[stream] - other.latents[stream]).abs().max().item() for stream in one.latents)
    return Row("the same seed twice", subject, differ, "", 0, differ == 0)


def _close(subject: str, full: Generation, half: Generation) -> Row:
    """The score in half precision beside that in float32."""
    assert full.score is not None and half.score is not None
    one, other = full.score.float().mean().item(), half.score.float().mean().item()
    finite = all(each.isfinite().all() for each in half.latents.values())
    return Row("score in half precision", subject, other, "", one, finite and abs(one - other) <= TOLERANCE)


def _allocated(device: torch.device) -> int | None:
    return torch.cuda.memory_allocated(device) if device.type == "cuda" else None
