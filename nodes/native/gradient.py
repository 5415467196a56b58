"""Gradient guidance of a MODEL: its clean estimate moves after classifier-free guidance, in ComfyUI's own samplers."""

from collections.abc import Callable, Mapping
from typing import Any

import torch
from comfy import model_management
from comfy.model_sampling import CONST

from ...aligner.generators.base import Streams
from ...aligner.guidance.gradient import Released
from ...aligner.guidance.objective import Alignment, Objective
from ..host.managed_model import ManagedModel, load_on_device
from .decoding import Decoder
from .player import NativePlayer, packed


class EstimateGradient:
    """A post-CFG function of ComfyUI that moves the clean estimate down the gradient, through decoder and binder only.

    first: the step from which on it moves; those before belong to the search. on_alignment: called with every guided
    step, counted from 0, and the alignment after it.
    """

    def __init__(
        self,
        rule: Released,
        objective: Objective,
        player: NativePlayer,
        binder: ManagedModel,
        first: int,
        on_alignment: Callable[[int, Alignment], None],
    ):
        self.rule, self.objective, self.player = rule, objective, player
        self.first, self.on_alignment = first, on_alignment
        self.decoders = player.decoders
        embedding = binder.patchers_for(*(decoder.stream for decoder in self.decoders.values()))
        self.parts = [*(decoder.vae.patcher for decoder in self.decoders.values()), *embedding]

    def __call__(self, arguments: Mapping[str, Any]) -> torch.Tensor:
        denoised, model = arguments["denoised"], arguments["model"]
        index = self._index(arguments["sigma"])
        if index < self.first or index not in self.rule.window(self.player.steps):
            return denoised
        # The decoder may push the running model out. Core brings it back in the same way after its ControlNets.
        running = model_management.loaded_models(only_currently_used=True)
        load_on_device(self.parts)
        with torch.inference_mode(False), torch.enable_grad():
            streams = [stream.float().clone() for stream in self.player.unpacked(denoised)]
            clean = {decoder.stream: streams[number] for number, decoder in self.decoders.items()}
            scale, shift = _affine(model, denoised)

            def look(moved: Streams) -> Alignment:
                decoded = self.player.unpacked(packed(self._with(streams, moved)) * scale + shift)
                signals = {each.stream: self._signal(each, decoded[number]) for number, each in self.decoders.items()}
                return self.objective(signals, index / self.player.steps)

            moved, alignment = self.rule.moved_estimate(clean, look, index, self._reach(index, model))
        model_management.load_models_gpu(running)
        self.on_alignment(index, alignment)
        return packed(self._with(streams, moved)).to(denoised)

    def _signal(self, decoder: Decoder, latent: torch.Tensor) -> Any:
        """The signal of a stream, with a gradient where it moves: other decoders need not have one."""
        if self.rule.rates.get(decoder.stream):
            return decoder.differentiable(latent)
        with torch.no_grad():
            return decoder.signal(latent.detach())

    def _with(self, streams: list[torch.Tensor], moved: Streams) -> list[torch.Tensor]:
        """All streams, those that moved in place of their old selves."""
        named = {number: decoder.stream for number, decoder in self.decoders.items()}
        return [moved[named[number]] if number in named else stream for number, stream in enumerate(streams)]

    def _index(self, sigma: torch.Tensor) -> int:
        """The step to which an evaluation belongs: samplers of higher order look between two levels of noise."""
        levels = self.player.sigmas[:-1].to(sigma.device)
        return max(0, int((levels >= sigma.max() * (1 - 1e-6)).sum()) - 1)

    def _reach(self, index: int, model: Any) -> float:
        """How far the estimate must move so that the next latent, of variance 1, moves by 1."""
        level, following = (float(sigma) for sigma in self.player.sigmas[index : index + 2])
        # The latents of other models grow with their noise.
        scale = 1.0 if isinstance(model.model_sampling, CONST) else (1 + following**2) ** 0.5
        return scale / (1 - following / level)


def _affine(model: Any, latent: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Scale and shift from a model's latents to those that its VAE decodes.

    Formats of latents hold inference tensors, through which no gradient passes.
    """
    shift = model.process_latent_out(torch.zeros_like(latent, dtype=torch.float32))
    return (model.process_latent_out(torch.ones_like(latent, dtype=torch.float32)) - shift).clone(), shift.clone()
