"""A player of a diffusers pipeline: it calls the pipeline as often as a search asks for it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from fractions import Fraction
from typing import Any

import torch

from ..errors import AlignerError
from ..guidance.recording import Recording
from .estimates import estimate_of
from .interception import intercepted
from .played_call import PlayedCall
from .signals import signals_of

#: The components that denoise, by the names that pipelines give them: a mixture of experts has two.
_NETWORKS = ("transformer", "transformer_2", "unconditional_transformer", "unet")
#: Those that only advise the network.
_ADVISERS = ("controlnet",)
_SCHEDULERS = ("scheduler", "audio_scheduler")


class PipelinePlayer:
    """Plays candidates of one call of a pipeline; meets `aligner.guidance.rehearsal.Player`.

    Candidate k draws its noise from seed + k. steps: of a whole run, known after the first one.
    """

    def __init__(
        self, pipeline: Any, call: Mapping[str, Any], seed: int, fps: Fraction | None, sample_rate: int | None
    ):
        """call: the arguments of the pipeline. fps, sample_rate: see `signals_of`.

        Raises AlignerError for a pipeline that has no denoising network, or a scheduler that is not understood.
        """
        self.steps = 0
        self._pipeline, self._call, self._seed = pipeline, call, seed
        self._fps, self._sample_rate = fps, sample_rate
        self._networks, self._advisers, self._schedulers = (
            [part for name in names if (part := getattr(pipeline, name, None)) is not None]
            for names in (_NETWORKS, _ADVISERS, _SCHEDULERS)
        )
        self._require_parts()
        self._records: dict[int, Recording] = {}
        self._counted = 0

    @property
    def evaluations(self) -> int:
        """How often a denoising network was called."""
        return self._counted + sum(record.evaluations for record in self._records.values())

    def follow(self, candidate: int, until: int) -> dict[str, Any]:
        """Play a candidate for its first `until` steps. Returns the signals of its clean estimate, by stream."""
        output = self._play(candidate, until, output_type="pt", return_dict=True)
        return signals_of(output, self._pipeline, self._fps, self._sample_rate)

    def forget(self, candidate: int) -> None:
        self._counted += self._records.pop(candidate).evaluations

    def finish(self, candidate: int) -> Any:
        """Play a candidate to its end. Returns what the pipeline returns."""
        output = self._play(candidate, None)
        self.forget(candidate)
        return output

    def _play(self, candidate: int, until: int | None, **changed: Any) -> Any:
        recording = self._records.setdefault(candidate, Recording())
        return recording.play(
            lambda: self._called(recording, self._seed + candidate, until, changed),
            records=until is not None and not self._caches,
        )

    def _called(self, recording: Recording, seed: int, until: int | None, changed: Mapping[str, Any]) -> Any:
        """One call of the pipeline."""
        played = PlayedCall(recording, until)
        with ExitStack() as stack:
            stack.enter_context(_seeded(seed))
            for network in self._networks:
                stack.enter_context(intercepted(network, __call__=played.predict))
            for adviser in self._advisers:
                stack.enter_context(intercepted(adviser, __call__=played.advise))
            for scheduler in self._schedulers:
                stack.enter_context(intercepted(scheduler, step=played.step, set_timesteps=played.begin))
            output = self._pipeline(**{**self._call, "generator": torch.Generator("cpu").manual_seed(seed), **changed})
        self.steps = played.steps
        if not self.steps:
            raise AlignerError(
                f"{type(self._pipeline).__name__} does not step its scheduler, so that candidates cannot be compared."
            )
        return output

    @property
    def _caches(self) -> bool:
        """Whether a network keeps a state from step to step, which cannot be played.

        A forward of its own that accelerate did not set may be that of a third-party cache.
        """
        return any(
            getattr(network, "is_cache_enabled", False)
            or ("forward" in vars(network) and not hasattr(network, "_hf_hook"))
            for network in self._networks
        )

    def _require_parts(self) -> None:
        name = type(self._pipeline).__name__
        if not self._networks:
            raise AlignerError(
                f"{name} has no denoising network: neither a transformer nor a unet. Steer a pipeline that denoises."
            )
        if not self._schedulers or not hasattr(self._schedulers[0], "step"):
            raise AlignerError(
                f"{name} has no scheduler that takes steps. Steer a pipeline that denoises step by step."
            )
        for scheduler in self._schedulers:
            estimate_of(scheduler)


@contextmanager
def _seeded(seed: int) -> Iterator[None]:
    """Within the context torch's global generators start from a seed.

    Some pipelines draw the noise of a stochastic scheduler from them, and not from the generator of the call.
    """
    devices = range(torch.cuda.device_count()) if torch.cuda.is_initialized() else ()
    with torch.random.fork_rng(devices):
        torch.manual_seed(seed)
        yield
