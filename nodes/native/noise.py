"""The noise of candidates: what ComfyUI's own nodes would draw for each seed."""

from collections.abc import Sequence
from functools import cached_property
from typing import cast

import comfy.sample
import comfy.utils
import torch

from ...aligner.tensors.random_state import random_state, set_random_state

#: How many entries of a longer batch are searched for the noise of a latent that was cut out of it.
_LONGEST_BATCH = 64
_SEEDS = 2**64


class CandidateNoise:
    """Noise as the sampler was given it, and the same for other seeds.

    noise: one tensor; the streams of a joint model are packed. shapes: of its streams. seed: the given one; None: only
    candidate 0 exists.
    """

    def __init__(self, noise: torch.Tensor, shapes: Sequence[Sequence[int]], seed: int | None):
        self._given, self._shapes, self._seed = noise.clone(), [list(shape) for shape in shapes], seed
        self._random = random_state()

    @property
    def repeatable(self) -> bool:
        """Whether the given noise is what ComfyUI draws for the seed."""
        return self._entries is not None

    def seed(self, candidate: int) -> int | None:
        """The seed of a candidate; candidate 0 has the given one."""
        return self._seed if self._seed is None else (self._seed + candidate) % _SEEDS

    def of(self, candidate: int) -> torch.Tensor:
        """The noise of a candidate. The global generator is left as ComfyUI's nodes leave it."""
        if candidate:
            return self._drawn(candidate, self._entries or None)
        set_random_state(self._random)
        # Some samplers change their noise in place.
        return self._given.clone()

    @cached_property
    def _entries(self) -> list[int] | None:
        """Which entries of a longer batch the noise has, [] for a whole batch; None for noise of another kind."""
        if torch.equal(self._drawn(0), self._given):
            return []
        if len(self._shapes) > 1:
            return None
        entries = self._places_in_a_longer_batch()
        return entries if entries and torch.equal(self._drawn(0, entries), self._given) else None

    def _places_in_a_longer_batch(self) -> list[int]:
        """The place of every latent's noise among those that are drawn one after the other; [] where one is missing."""
        wanted = [row.cpu() for row in self._given]
        # ComfyUI 0.3.64 draws in the latent's own precision, later versions in single precision.
        for drawn in dict.fromkeys((torch.float32, wanted[0].dtype)):
            found: dict[int, int] = {}
            generator = torch.manual_seed(cast(int, self._seed))
            for place in range(_LONGEST_BATCH):
                row = torch.randn(wanted[0].shape, generator=generator, dtype=drawn).to(wanted[0].dtype)
                found |= {number: place for number, own in enumerate(wanted) if torch.equal(row, own)}
                if len(found) == len(wanted):
                    return [found[number] for number in range(len(wanted))]
        return []

    def _drawn(self, candidate: int, entries: list[int] | None = None) -> torch.Tensor:
        like, seed = self._given, self.seed(candidate)
        empty = [torch.empty(shape, dtype=like.dtype, device="cpu") for shape in self._shapes]
        if len(empty) == 1:
            return comfy.sample.prepare_noise(empty[0], seed, entries).to(like.device)
        from comfy.nested_tensor import NestedTensor  # ComfyUI 0.3.64 has no joint models

        nested = comfy.sample.prepare_noise(NestedTensor(empty), seed)
        return comfy.utils.pack_latents(nested.unbind())[0].to(like.device)
