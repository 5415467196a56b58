"""The loop itself."""

import ast
import inspect

import pytest
import torch

from aligner import sampling
from aligner.guidance.rule import Run, Scope, Unguided
from aligner.sampling import sample


def test_whatever_a_callback_raises_ends_the_run_at_that_step(audioldm):
    class Cancelled(BaseException):
        pass

    denoiser, steps = audioldm.denoiser(seconds=0.5, steps=6), []

    def cancel(step):
        steps.append(step.index)
        if step.index == 2:
            raise Cancelled

    start = denoiser.start([torch.Generator().manual_seed(5)])
    run = Run(Scope(denoiser), lambda: start, cancel, denoiser.steps)
    with pytest.raises(Cancelled):
        sample(Unguided(), run, start, denoiser.prompts(["a dog barks"]))
    assert steps == [0, 1, 2]


def test_what_goes_into_the_loop_is_not_changed(audioldm):
    denoiser = audioldm.denoiser(seconds=0.5, steps=2)
    start, prompts = denoiser.start([torch.Generator().manual_seed(5)]), denoiser.prompts(["a dog barks"])
    before = start["audio"].clone()
    state = sample(Unguided(), Run(Scope(denoiser), lambda: start, lambda step: None, 2), start, prompts)
    assert torch.equal(start["audio"], before) and not torch.equal(state.latents["audio"], before)


def test_the_loop_names_no_task_no_stream_no_model_and_no_rule():
    source = inspect.getsource(sampling)
    words = {
        node.value
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and " " not in node.value
    }
    names = {name.id for name in ast.walk(ast.parse(source)) if isinstance(name, ast.Name)}
    forbidden = ("audio", "video", "image", "joint", "ldm", "diff", "motion", "search", "released", "paper")
    assert not [name for name in words | names if any(word in name.lower() for word in forbidden)]
    assert len(inspect.getsource(sampling.sample).splitlines()) < 20
