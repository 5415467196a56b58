"""Joint sampling: several generators step side by side."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from fractions import Fraction

import torch
from torch import nn

from ..errors import AlignerError
from .base import NO_GRADIENT, BackwardPass, Footprint, Generator, Streams
from .signals import Signal

#: How much lengths may differ, in seconds: a sound is rounded to a whole sample, and a video lasts any fraction of a
#: second. Segments are divided at latent frames, which are far longer.
_ROUNDING = Fraction(1, 1000)


class JointDenoiser:
    """Generators of different streams as one (algorithm 1 of the paper, for any number of them).

    The generator with the most steps sets the pace. The steps of the others are spread evenly over it; between them
    their streams rest. Each generator keeps its own schedule.

    Raises AlignerError if two of them own the same stream, or their results are not equally long.
    """

    def __init__(self, denoisers: Sequence[Generator]):
        self.denoisers = tuple(denoisers)
        self.streams = tuple(stream for denoiser in self.denoisers for stream in denoiser.streams)
        if len(set(self.streams)) < len(self.streams):
            raise AlignerError(f"Two generators of one stream cannot be stepped together: {', '.join(self.streams)}.")
        if self.seconds - min(denoiser.seconds for denoiser in self.denoisers) > _ROUNDING:
            lengths = (f"{' and '.join(denoiser.streams)} {float(denoiser.seconds):g} s" for denoiser in self.denoisers)
            raise AlignerError(
                f"What is stepped together must be equally long, but there are {', '.join(lengths)}. "
                "Ask for as many seconds of each."
            )
        self.coupled_streams = tuple(group for denoiser in self.denoisers for group in denoiser.coupled_streams)
        self.steps = max(denoiser.steps for denoiser in self.denoisers)
        # All streams are chosen segment by segment together, as finely as the coarsest of them.
        self.segments = min((denoiser.segments for denoiser in self.denoisers), key=len)

    @property
    def device(self) -> torch.device:
        return self.denoisers[0].device

    @property
    def seconds(self) -> Fraction:
        return max(denoiser.seconds for denoiser in self.denoisers)

    @property
    def movable_streams(self) -> tuple[str, ...]:
        return tuple(stream for denoiser in self.denoisers for stream in getattr(denoiser, "movable_streams", ()))

    def active_streams(self, index: int) -> tuple[str, ...]:
        return tuple(stream for denoiser, own in self._turns(index) for stream in denoiser.active_streams(own))

    def prompts(self, prompts: Mapping[str, Sequence[str]] | Sequence[str]) -> Streams:
        return _merged(denoiser.prompts(prompts) for denoiser in self.denoisers)

    def start(self, generators: Sequence[torch.Generator], clean: Streams | None = None) -> Streams:
        """Every stream starts from the same state of the generators, and so as it would alone with that seed.

        The generators end where the denoiser that draws the most leaves them, so that no stream is given any of these
        numbers again.
        """
        states = [generator.get_state() for generator in generators]
        latents: Streams = {}
        ends: dict[int, list[torch.Tensor]] = {}
        for denoiser in self.denoisers:
            _restore(generators, states)
            started = denoiser.start(generators, clean)
            latents |= started
            ends[sum(noise[0].numel() for noise in started.values())] = [each.get_state() for each in generators]
        _restore(generators, ends[max(ends)])
        return latents

    def noised(self, clean: Streams, noise: Streams, index: int) -> Streams:
        """Streams that rest when the step begins have the noise of their own next one."""
        return _merged(
            denoiser.noised(
                {name: clean[name] for name in denoiser.streams if name in clean},
                noise,
                (index - 1) * denoiser.steps // self.steps + 1,
            )
            for denoiser in self._owners(clean)
        )

    def unconditional(self, latents: Streams, index: int) -> Streams:
        return _merged(denoiser.unconditional(latents, own) for denoiser, own in self._turns(index, latents))

    def predict(self, latents: Streams, prompts: Streams, index: int, unconditional: Streams | None = None) -> Streams:
        return _merged(
            denoiser.predict(latents, prompts, own, unconditional) for denoiser, own in self._turns(index, latents)
        )

    def x0(self, latents: Streams, output: Streams, index: int) -> Streams:
        return _merged(denoiser.x0(latents, output, own) for denoiser, own in self._turns(index, latents))

    def step(self, latents: Streams, output: Streams, index: int) -> Streams:
        return _merged(denoiser.step(latents, output, own) for denoiser, own in self._turns(index, latents))

    def render(self, clean: Streams) -> dict[str, Signal]:
        return {name: signal for denoiser in self._owners(clean) for name, signal in denoiser.render(clean).items()}

    def modality(self, stream: str) -> str:
        (owner,) = self._owners([stream])
        return owner.modality(stream)

    def checkpointable(self) -> list[nn.Module]:
        return [module for denoiser in self.denoisers for module in denoiser.checkpointable()]

    def footprint(self, batch: int, backward: Mapping[str, BackwardPass] = NO_GRADIENT) -> Footprint:
        """The footprints of all generators, added up."""
        each = [denoiser.footprint(batch, backward) for denoiser in self.denoisers]
        return Footprint(sum(one.kept for one in each), sum(one.passing for one in each))

    def _owners(self, streams: Iterable[str]) -> list[Generator]:
        """The denoisers whose streams are given."""
        given = set(streams)
        return [denoiser for denoiser in self.denoisers if given.intersection(denoiser.streams)]

    def _turns(self, index: int, streams: Iterable[str] | None = None) -> Iterator[tuple[Generator, int]]:
        """The denoisers that take a step at an index, each with its own index: of these streams, or all."""
        for denoiser in self._owners(self.streams if streams is None else streams):
            own = index * denoiser.steps // self.steps
            if index == 0 or own > (index - 1) * denoiser.steps // self.steps:
                yield denoiser, own


def _restore(generators: Sequence[torch.Generator], states: Sequence[torch.Tensor]) -> None:
    for generator, state in zip(generators, states):
        generator.set_state(state)


def _merged(parts: Iterator[Streams]) -> Streams:
    return {name: tensor for part in parts for name, tensor in part.items()}
