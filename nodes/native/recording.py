"""What a MODEL predicts, recorded call by call and played again."""

from collections.abc import Callable

import torch

#: How many values of an input are compared before a recorded output is used.
_COMPARED = 1024


class Recording:
    """A wrapper around ComfyUI's evaluation of conditions (CALC_COND_BATCH), before classifier-free guidance.

    Functions of classifier-free guidance keep a state of their own, such as the momentum of APG. They run again on what
    is played. Recorded tensors are held on the host. evaluations: how often the model itself was asked.
    """

    def __init__(self):
        self.evaluations = 0
        self._calls: list[tuple[torch.Tensor, list[torch.Tensor], torch.Tensor]] = []
        self._place = 0
        self._records = True

    def rewind(self, record: bool) -> None:
        """Begin again. record: whether calls beyond the recorded ones are recorded as well."""
        self._place, self._records = 0, record

    def __call__(self, executor: Callable, model, conds, x_in, timestep, model_options) -> list[torch.Tensor]:
        place, seen = self._place, _sample(x_in)
        self._place += 1
        if place < len(self._calls):
            recorded, outputs, random = self._calls[place]
            if torch.equal(recorded, seen):
                # A patch of the model may have drawn random numbers, as that of token merging does.
                torch.set_rng_state(random)
                return [output.to(x_in.device, copy=True) for output in outputs]
            # A sampler that draws noise without a seed goes another way. What follows was never recorded.
            del self._calls[place:]
        self.evaluations += 1
        outputs = executor(model, conds, x_in, timestep, model_options)
        if self._records and place == len(self._calls):
            held = [output.to("cpu", copy=True) for output in outputs]
            self._calls.append((seen, held, torch.get_rng_state()))
        return outputs


def _sample(values: torch.Tensor) -> torch.Tensor:
    flat = values.detach().flatten()
    return flat[:: max(1, flat.numel() // _COMPARED)].to("cpu", copy=True)
