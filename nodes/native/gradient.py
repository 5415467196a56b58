"""Gradient guidance of a MODEL: its clean estimate moves after classifier-free guidance, in ComfyUI's own samplers."""

from collections.abc import Callable, Mapping
from typing import Any

import torch
from comfy import model_management
from comfy.model_sampling import CONST

from ...aligner.binders.several import members_of
from ...aligner.errors import AlignerError
from ...aligner.generators.base import Streams
from ...aligner.guidance.gradient import Released
from ...aligner.guidance.objective import Alignment, Objective
from ..host.encoding import BINDER_BYTES
from ..host.managed_model import ManagedModel, load_on_device
from .player import NativePlayer, packed


class EstimateGradient:
    """A post-CFG function of ComfyUI that moves the clean estimate down the gradient, through decoder and binder only.

    first: the step from which on it moves; those before belong to the search. on_alignment: called with every guided
    step, counted from 0, and the alignment after it. Raises AlignerError where nothing would move.
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
        self.streams = {number: decoder.stream for number, decoder in player.decoders.items()}
        names = tuple(self.streams.values())
        rule.require_move(objective, names, player.steps, lambda index: names, first)
        _require_falling(player.sigmas)
        self.parts = [*(each.vae.patcher for each in player.decoders.values()), *binder.patchers_for(*names)]
        self.memory = BINDER_BYTES * len(members_of(binder.model)) + sum(
            decoder.gradient_bytes(player.shapes[number])
            for number, decoder in player.decoders.items()
            if rule.rates.get(decoder.stream)
        )

    def __call__(self, arguments: Mapping[str, Any]) -> torch.Tensor:
        denoised, model = arguments["denoised"], arguments["model"]
        index = self._index(arguments["sigma"])
        if index < self.first or index not in self.rule.window(self.player.steps):
            return denoised
        # The decoder may push the running model out. Core brings it back in the same way after its ControlNets.
        running = model_management.loaded_models(only_currently_used=True)
        with torch.inference_mode(False), torch.enable_grad():
            scale, shift = _affine(model, denoised)
            still = self._still_signals(denoised * scale + shift)
            load_on_device(self.parts, self.memory)
            streams = [stream.float().clone() for stream in self.player.unpacked(denoised)]
            clean = {name: streams[number] for number, name in self.streams.items() if name not in still}

            def look(moved: Streams) -> Alignment:
                decoded = self.player.unpacked(packed(self._with(streams, moved)) * scale + shift)
                signals = {
                    decoder.stream: decoder.differentiable(decoded[number])
                    for number, decoder in self.player.decoders.items()
                    if decoder.stream in moved
                }
                self.player.decodings += 1
                return self.objective(signals | still, index / self.player.steps)

            moved, alignment = self.rule.moved_estimate(clean, look, index, self._reach(index, model))
        model_management.load_models_gpu(running)
        self.on_alignment(index, alignment)
        return packed(self._with(streams, moved)).to(denoised)

    @torch.no_grad()
    def _still_signals(self, latents: torch.Tensor) -> dict[str, Any]:
        """The signals of streams that stay as they are: their decoders need no gradient."""
        streams = self.player.unpacked(latents)
        return {
            decoder.stream: decoder.signal(streams[number])
            for number, decoder in self.player.decoders.items()
            if not self.rule.rates.get(decoder.stream)
        }

    def _with(self, streams: list[torch.Tensor], moved: Streams) -> list[torch.Tensor]:
        """All streams, those that moved in place of their old selves."""
        return [moved.get(self.streams.get(number, ""), stream) for number, stream in enumerate(streams)]

    def _index(self, sigma: torch.Tensor) -> int:
        """The step whose level of noise is nearest: some samplers look between two levels, or add noise before."""
        levels = self.player.sigmas[:-1].to(sigma.device)
        return int((levels.log() - sigma.max().log()).abs().argmin())

    def _reach(self, index: int, model: Any) -> float:
        """How far the estimate must move so that the next latent, of variance 1, moves by 1."""
        level, following = (float(sigma) for sigma in self.player.sigmas[index : index + 2])
        # The latents of other models grow with their noise.
        scale = 1.0 if isinstance(model.model_sampling, CONST) else (1 + following**2) ** 0.5
        return scale / (1 - following / level)


def _require_falling(sigmas: torch.Tensor) -> None:
    if not (sigmas.diff() < 0).all():
        raise AlignerError(
            "The noise levels of this schedule do not fall at every step, so that gradients cannot tell how far a step "
            "goes. Choose another scheduler, or steer by Search Settings alone."
        )


def _affine(model: Any, latent: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Scale and shift from a model's latents to those that its VAE decodes.

    Formats of latents hold inference tensors, through which no gradient passes.
    """
    shift = model.process_latent_out(torch.zeros_like(latent, dtype=torch.float32))
    return (model.process_latent_out(torch.ones_like(latent, dtype=torch.float32)) - shift).clone(), shift.clone()
