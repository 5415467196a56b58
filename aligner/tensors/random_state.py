"""The state of torch's global generators: of the host, and of every graphics card that is in use."""

from __future__ import annotations

import torch


def random_state() -> list[torch.Tensor]:
    return [torch.get_rng_state(), *(torch.cuda.get_rng_state_all() if torch.cuda.is_initialized() else ())]


def set_random_state(state: list[torch.Tensor]) -> None:
    """Continue from a state that `random_state` gave."""
    host, *cards = state
    torch.set_rng_state(host)
    if cards:
        torch.cuda.set_rng_state_all(cards)
