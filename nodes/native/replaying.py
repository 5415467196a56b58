"""Whether the calls of a network can be played from a record: nothing around or in it may keep a state over them.

Such a state cannot be played, so that the best candidate is sampled anew from its first step. What keeps a state where
nobody can see it, such as a patch of attention, is found by `aligner.guidance.recording` where it changes later calls.
"""

from collections.abc import Iterable, Iterator
from typing import Any

from comfy.patcher_extension import CallbacksMP, WrappersMP

#: Wrappers around a run, such as EasyCache's, and around the network, such as TeaCache's.
_AROUND = (WrappersMP.OUTER_SAMPLE, WrappersMP.APPLY_MODEL, WrappersMP.DIFFUSION_MODEL)
#: Patches that take the place of the network.
_NETWORK = {"diffusion_model", "diffusion_model.forward"}
#: Where ComfyUI's own ControlNets are defined. Others may follow the steps.
_OWN_CONTROLS = ("comfy.controlnet", "comfy.t2i_adapter")


def replays(guider: Any, own: str) -> bool:
    """Whether records stand for the model of a guider that samples. own: the key of our wrappers."""
    return not any(_states(guider, own))


def _states(guider: Any, own: str) -> Iterator[bool]:
    options, patcher = guider.model_options, guider.model_patcher
    wrappers = options.get("transformer_options", {}).get("wrappers", {})
    yield any(key != own and found for kind in _AROUND for key, found in wrappers.get(kind, {}).items())
    yield "model_function_wrapper" in options
    yield not _NETWORK.isdisjoint(patcher.object_patches)
    yield bool(patcher.get_all_callbacks(CallbacksMP.ON_PREPARE_STATE))
    conditions = [each for kind in guider.conds.values() for each in kind]
    yield any(map(_follows_steps, conditions))


def _follows_steps(condition: dict[str, Any]) -> bool:
    """Whether a condition counts steps: keyframes of hooks do, and so may ControlNets of other packs."""
    hooks = condition.get("hooks")
    if hooks is not None and any(hook.hook_keyframe.keyframes for hook in hooks.hooks):
        return True
    return any(not type(each).__module__.startswith(_OWN_CONTROLS) for each in _controls(condition.get("control")))


def _controls(control: Any) -> Iterable[Any]:
    """A ControlNet and those before it."""
    while control is not None:
        yield control
        control = getattr(control, "previous_controlnet", None)
