"""A test of interrupts for every sampler."""

from __future__ import annotations

from collections.abc import Callable

from .client import Client, Event, Prompt


def interrupted_and_run_again(
    client: Client, prompt: Callable[..., Prompt], steps: int = 100, reached: int = 24
) -> None:
    """Interrupt a run of `steps` steps when its progress is `reached`, then run another.

    prompt: makes a prompt of the number of steps and the seed.
    """
    prompt_id = client.queue(prompt(steps=steps, seed=11))

    def well_under_way(event: Event) -> bool:
        return event.type == "progress" and event.prompt_id == prompt_id and event.data["value"] == reached

    client.wait_for(well_under_way)
    client.interrupt()
    entry = client.wait(prompt_id)
    assert "execution_interrupted" in dict(entry["status"]["messages"])
    # The step under way is still reported, and so is a step whose report and the interrupt crossed.
    assert client.events_of(prompt_id, "progress")[-1].data["value"] <= reached + 2
    assert client.run(prompt(steps=4, seed=12))
