"""The built-in generators on a device: half precision, the same seed twice, and what stays in its memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import torch

from aligner.conditions.encoding import text_condition
from aligner.demo import family
from aligner.generation import generate
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


@dataclass(frozen=True)
class Result:
    """What is compared of a result, on the host. score: its mean. latents: by stream."""

    score: float
    latents: dict[str, torch.Tensor]


def rows(device: torch.device, steps: int) -> Iterator[Row]:
    """Every generator by every rule."""
    full, halves = _models(torch.float32), {name: _models(dtype) for name, dtype in PRECISIONS.items()}
    for name in GENERATORS:
        for rule_name, rule in RULES.items():
            subject, before = f"{name}, {rule_name}", _allocated(device)
            result, again = (_generated(full, name, rule, device, steps) for _ in range(2))
            yield _same(subject, result, again)
            if before is not None:
                left = (_allocated(device) or 0) - before
                yield Row("left on the device", subject, left / 2**20, "MiB", 0, left == 0)
            for precision, models in halves.items():
                yield _close(f"{subject}, {precision}", result, _generated(models, name, rule, device, steps))


def _generated(models: Models, name: str, rule: Rule, device: torch.device, steps: int) -> Result:
    """A result steered by a text. The models wait on the host before and after."""
    make, parts = GENERATORS[name]
    binder = models["binder"]
    with placed([binder, *(models[part] for part in parts)], device):
        denoiser = make(models, steps)
        prompts = denoiser.prompts([TEXT]) if name != "MM-Diffusion" else {}
        condition = text_condition(binder, TEXT)
        made = generate(denoiser, prompts, seed=3, rule=rule, binder=binder, conditions=[condition])
        assert made.score is not None
        return Result(
            made.score.float().mean().item(), {stream: each.cpu().float() for stream, each in made.latents.items()}
        )


def _same(subject: str, one: Result, other: Result) -> Row:
    """Bit for bit: 0 where equal."""
    differ = max((one.latents[stream] - other.latents[stream]).abs().max().item() for stream in one.latents)
    return Row("the same seed twice", subject, differ, "", 0, differ == 0)


def _close(subject: str, full: Result, half: Result) -> Row:
    """The score in half precision beside that in float32."""
    finite = all(each.isfinite().all() for each in half.latents.values())
    passed = finite and abs(full.score - half.score) <= TOLERANCE
    return Row("score in half precision", subject, half.score, "", full.score, passed)


def _allocated(device: torch.device) -> int | None:
    return torch.cuda.memory_allocated(device) if device.type == "cuda" else None
