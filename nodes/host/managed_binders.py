"""Several binders on one link: each under management by itself, with a weight."""

from collections.abc import Mapping

from comfy.model_patcher import ModelPatcher

from ...aligner.binders.several import Several
from .managed_model import ManagedModel


class ManagedBinders(ManagedModel):
    """Binders that steer together. ComfyUI moves the parts of each as if it were alone."""

    def __init__(self, weights: Mapping[ManagedModel, float]):
        self.weights = dict(weights)
        self.model = Several({managed.model: weight for managed, weight in weights.items()})

    @property
    def patcher(self) -> ModelPatcher:
        return next(iter(self.weights)).patcher

    def patchers_of(self, *parts: str) -> list[ModelPatcher]:
        return [patcher for managed in self.weights for patcher in managed.patchers_of(*parts)]

    def patchers_for(self, *modalities: str) -> list[ModelPatcher]:
        return [patcher for managed in self.weights for patcher in managed.patchers_for(*modalities)]

    def patchers_without(self, *parts: str) -> list[ModelPatcher]:
        return [patcher for managed in self.weights for patcher in managed.patchers_without(*parts)]


def weighted(binder: ManagedModel, weight: float = 1.0) -> dict[ManagedModel, float]:
    """The binders behind a link, each with its weight times this one."""
    inner = binder.weights if isinstance(binder, ManagedBinders) else {binder: 1.0}
    return {managed: weight * own for managed, own in inner.items()}
