"""Captions of clips: right, vague and wrong ones."""

from __future__ import annotations

from aligner.demo.events import EVENTS

from .scenes import Scene

#: They describe every clip and name no event.
VAGUE_CAPTIONS = ("a scene", "something happens", "a short clip")


def right_caption(scene: Scene, number: int = 0) -> str:
    """A caption that describes the event. `number` selects one of several."""
    return scene.event.captions[number % len(scene.event.captions)]


def vague_caption(number: int = 0) -> str:
    """A caption that names no event. `number` selects one of several."""
    return VAGUE_CAPTIONS[number % len(VAGUE_CAPTIONS)]


def wrong_caption(scene: Scene, number: int = 0) -> str:
    """A right caption of another event. `number` selects the event."""
    others = [event for event in EVENTS if event is not scene.event]
    return others[number % len(others)].captions[0]
