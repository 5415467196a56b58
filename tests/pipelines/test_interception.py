"""Functions run in place of methods for a while, and nothing else changes."""

import copy
import inspect

import pytest
import torch
from torch import nn

from aligner.pipelines.interception import intercepted


class Doubling(nn.Module):
    def forward(self, values, *, times=2):
        return values * times


def increased(module, original, *arguments, **named):
    return original(*arguments, **named) + 1


ONE = torch.ones(1)


def test_another_function_runs_until_the_end():
    module = Doubling()
    with intercepted(module, __call__=increased):
        assert module(ONE, times=3) == 4
    assert module(ONE) == 2 and type(module) is Doubling


def test_other_objects_of_the_class_stay_as_they_are():
    module, other = Doubling(), Doubling()
    with intercepted(module, __call__=increased):
        assert other(ONE) == 2


def test_an_error_leaves_the_object_as_it_was():
    module = Doubling()
    with pytest.raises(TypeError), intercepted(module, __call__=increased):
        module(ONE, times=None)
    assert type(module) is Doubling and module(ONE) == 2


def test_a_copy_is_intercepted_and_knows_itself():
    seen = []

    def remember(module, original, *arguments):
        seen.append(module)
        return original(*arguments)

    module = Doubling()
    with intercepted(module, __call__=remember):
        twin = copy.deepcopy(module)
        twin(ONE)
    assert seen == [twin]


def test_the_signature_is_that_of_the_method():
    module = Doubling()
    with intercepted(module, forward=increased):
        assert list(inspect.signature(module.forward).parameters) == ["values", "times"]
        assert isinstance(module, Doubling) and repr(type(module)).split(".")[-1] == repr(Doubling).split(".")[-1]


def test_hooks_on_the_object_that_change_meanwhile_stay():
    """accelerate replaces `forward` on the object, and does so again at the end of a pipeline's call."""
    module = Doubling()
    with intercepted(module, __call__=increased):
        module.forward = lambda values: values * 10
        assert module(ONE) == 11
    assert module(ONE) == 10


@pytest.mark.parametrize("in_place", [True, False])
def test_a_compiled_module_is_not_compiled_again(in_place):
    compiled = []

    def backend(graph, inputs):
        compiled.append(graph)
        return graph.forward

    torch._dynamo.reset()
    module = Doubling()
    if in_place:
        module.compile(backend=backend)
    else:
        module = torch.compile(module, backend=backend)
    assert module(ONE) == 2 and len(compiled) == 1
    for _ in range(3):
        with intercepted(module, __call__=increased):
            assert module(ONE) == 3
    assert len(compiled) == 1
