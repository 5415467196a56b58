"""The eight kinds of events that the demo models know."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Event:
    """A kind of event.

    name: of the kind. seconds: how long one event lasts. captions: sentences that describe it. words: names of what is
    seen or heard; each identifies the event by itself.
    """

    name: str
    seconds: float
    captions: tuple[str, ...]
    words: tuple[str, ...]


EVENTS = (
    Event(
        "ball",
        0.30,
        ("a red ball bounces with a thud", "a bouncing red ball", "a ball hits the floor, thud"),
        ("ball", "red ball", "thud"),
    ),
    Event(
        "square",
        0.30,
        ("a blue square flashes with a beep", "a flashing square", "a square lights up, beep"),
        ("square", "blue square", "beep"),
    ),
    Event(
        "triangle",
        0.40,
        ("a yellow triangle slides with a chirp", "a sliding triangle", "a triangle glides aside, chirp"),
        ("triangle", "yellow triangle", "chirp"),
    ),
    Event(
        "rain",
        0.55,
        ("rain falls from a cloud with a hiss", "a cloud and falling rain", "it rains, hiss"),
        ("rain", "cloud", "hiss"),
    ),
    Event(
        "star",
        0.50,
        ("a white star spins with the chime of a bell", "a spinning star", "a star turns, bell"),
        ("star", "white star", "bell"),
    ),
    Event(
        "siren",
        0.75,
        ("a lamp flashes red and blue with a siren", "a flashing siren", "the alarm lamp, siren"),
        ("siren", "lamp", "alarm"),
    ),
    Event(
        "fire",
        0.55,
        ("a fire flares up and crackles", "a crackling fire", "flames over wood, crackle"),
        ("fire", "flames", "crackle"),
    ),
    Event(
        "ring",
        0.40,
        ("a green ring grows with the sound of a horn", "a growing green ring", "a ring widens, horn"),
        ("ring", "green ring", "horn"),
    ),
)
