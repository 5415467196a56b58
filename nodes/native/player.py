"""A run of a ComfyUI sampler, played as often as a search asks for it."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import comfy.sampler_helpers
import comfy.utils
import torch
from comfy import model_management
from comfy.model_patcher import create_model_options_clone
from comfy.patcher_extension import WrappersMP, add_wrapper_with_key

from ...aligner.errors import AlignerError
from ...aligner.guidance.recording import Recording
from .decoding import Decoder, matched
from .noise import CandidateNoise
from .replaying import replays

KEY = "seeing_hearing"

#: Samplers that choose their own steps, by the names of ComfyUI's functions.
_WITHOUT_STEPS = {"dpm_adaptive_function": "dpm_adaptive", "dpm_fast_function": "dpm_fast"}
#: A last level of noise below this part of the first is none.
_FINISHED = 0.01


class _Stopped(BaseException):
    """Ends a rehearsal. It holds the clean estimate, packed, as a VAE decodes it."""

    def __init__(self, estimate: torch.Tensor):
        super().__init__()
        self.estimate = estimate


class NativePlayer:
    """Plays candidates of one call of a sampler; meets `aligner.guidance.rehearsal.Player`.

    executor: ComfyUI's OUTER_SAMPLE executor; it may be called any number of times. Candidate k has the seed of the
    call plus k, and the noise that ComfyUI draws for it. compared: the streams that are decoded while candidates are
    followed; all of them unless set.
    """

    def __init__(
        self,
        executor: Any,
        noise: torch.Tensor,
        arguments: Sequence[Any],
        more: Mapping[str, Any],
        decoders: Sequence[Decoder],
        load_binder: Callable[[], None],
    ):
        """noise, arguments, more: of the call. load_binder: called when signals are decoded and will be embedded.

        Raises AlignerError for a sampler that has no steps, and for decoders that do not fit the latents.
        """
        self.latent, self.sampler, self.sigmas, self.mask, self.callback, self.disable_pbar, seed = arguments
        self.shapes = more.get("latent_shapes") or [noise.shape]
        self.decoders = matched(decoders, self.shapes)
        self.noise = CandidateNoise(noise, self.shapes, seed)
        self.guider = executor.class_obj
        self._require_steps()
        self.compared = {decoder.stream for decoder in decoders}
        self.on_step: Callable[[int, torch.Tensor], None] = lambda candidate, estimate: None
        self.decodings = 0
        self._executor, self._more, self._load_binder = executor, more, load_binder
        self._conditions = self.guider.conds
        self._records: dict[int, Recording] = {}
        self._counted = 0

    @property
    def steps(self) -> int:
        return len(self.sigmas) - 1

    @property
    def unfinished(self) -> bool:
        """Whether the run ends with noise that matters, as that of the first of two experts does."""
        return bool(self.sigmas[-1] > _FINISHED * self.sigmas[0])

    @property
    def evaluations(self) -> int:
        """How often the model was asked."""
        return self._counted + sum(record.evaluations for record in self._records.values())

    def follow(self, candidate: int, until: int) -> dict[str, Any]:
        """Play a candidate for its first `until` steps. Returns the signals of its clean estimate, by stream.

        on_step is called after every step with the candidate and the estimate of its first stream.
        """

        def callback(step: int, estimate: torch.Tensor, *others) -> None:
            model_management.throw_exception_if_processing_interrupted()
            self.on_step(candidate, self.unpacked(estimate)[0])
            if step + 1 >= until:
                raise _Stopped(self.guider.inner_model.process_latent_out(estimate.to(torch.float32)))

        try:
            self._play(candidate, callback, record=True)
        except _Stopped as stopped:
            estimate = stopped.estimate
        else:
            raise AlignerError(
                "This sampler does not report its steps, so that candidates cannot be compared. Choose another "
                "sampler, or bypass Steer Model."
            )
        streams = self.unpacked(estimate)
        signals = {
            decoder.stream: decoder.signal(streams[number])
            for number, decoder in self.decoders.items()
            if decoder.stream in self.compared
        }
        self.decodings += 1
        self._load_binder()
        return signals

    def forget(self, candidate: int) -> None:
        self._counted += self._records.pop(candidate).evaluations

    def finish(self, candidate: int, guide: Callable | None = None) -> torch.Tensor:
        """Play a candidate to its end with the callback of the call. Returns its latents, as ComfyUI does.

        guide: a function that changes the clean estimate after classifier-free guidance.
        """
        try:
            return self._play(candidate, self.callback, record=False, guide=guide)
        finally:
            self.forget(candidate)

    def unpacked(self, packed: torch.Tensor) -> list[torch.Tensor]:
        """The latents of every stream."""
        return comfy.utils.unpack_latents(packed, self.shapes) if len(self.shapes) > 1 else [packed]

    def _require_steps(self) -> None:
        function = getattr(getattr(self.sampler, "sampler_function", None), "__name__", "")
        if function in _WITHOUT_STEPS:
            raise AlignerError(
                f"{_WITHOUT_STEPS[function]} chooses its own steps, so that nothing can be compared at one of them. "
                "Choose another sampler, such as euler or dpmpp_2m, or bypass Steer Model."
            )

    def _play(
        self, candidate: int, callback: Callable | None, *, record: bool, guide: Callable | None = None
    ) -> torch.Tensor:
        recording = self._records.setdefault(candidate, Recording())
        return recording.play(
            lambda: self._sampled(candidate, recording, callback, record or self.disable_pbar, guide),
            records=record and replays(self.guider, KEY),
        )

    def _sampled(
        self,
        candidate: int,
        recording: Recording,
        callback: Callable | None,
        disable_pbar: bool,
        guide: Callable | None,
    ) -> torch.Tensor:
        """One call of the sampler."""
        guider = self.guider

        def recorded(executor, model, conds, x_in, timestep, model_options):
            # Before classifier-free guidance: its functions have a state, such as APG's momentum, and run again.
            return recording.output(
                lambda values, level: executor(model, conds, values, level, model_options), x_in, timestep
            )

        # ComfyUI's guider prepares conditions and options in place.
        guider.conds = {kind: [each.copy() for each in own] for kind, own in self._conditions.items()}
        options = guider.model_options
        guider.model_options = create_model_options_clone(options)
        add_wrapper_with_key(WrappersMP.CALC_COND_BATCH, KEY, recorded, guider.model_options, is_model_options=True)
        if guide:
            guider.model_options.setdefault("sampler_post_cfg_function", []).append(guide)
        try:
            return self._executor(
                self.noise.of(candidate),
                # Some samplers change what they are given, such as uni_pc the last level of noise.
                self.latent.clone(),
                self.sampler,
                self.sigmas.clone(),
                self.mask,
                callback,
                disable_pbar,
                self.noise.seed(candidate),
                **self._more,
            )
        except BaseException:
            # A run that is ended leaves the models of its conditions, such as ControlNets, for its caller to clean up.
            comfy.sampler_helpers.cleanup_models(guider.conds, getattr(guider, "loaded_models", []))
            raise
        finally:
            guider.model_options = options


def packed(streams: Sequence[torch.Tensor]) -> torch.Tensor:
    """The latents of all streams as samplers hold them."""
    return comfy.utils.pack_latents(streams)[0] if len(streams) > 1 else streams[0]
