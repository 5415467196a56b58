"""What may be said about a clip: something right, something vague, something wrong."""

from __future__ import annotations

from aligner.demo.events import EVENTS

from .scenes import Scene

#: They say that there is something, and not what.
VAGUE_CAPTIONS = ("a scene", "something happens", "a short clip")


def right_caption(scene: Scene, number: int = 0) -> str:
    """One of the ways to say what happens; every `number` names one."""
    return scene.event.captions[number % len(scene.event.captions)]


def vague_caption(number: int = 0) -> str:
    """One of the ways to say nothing."""
    return VAGUE_CAPTIONS[number % len(VAGUE_CAPTIONS)]


def wrong_caption(scene: Scene, number: int = 0) -> str:
    """A right caption of another event; numbers go through the other events."""
    others = [event for event in EVENTS if event is not scene.event]
    return others[number % len(others)].captions[0]
