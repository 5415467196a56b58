"""What other packages install for the command line, found by their entry points."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from ..errors import AlignerError, listed

#: A callable without arguments that returns a Rule.
RULES = "aligner.rules"
#: A callable (path: str, *, dtype: torch.dtype) that returns a Binder.
BINDERS = "aligner.binders"
#: A callable (path: str, *, dtype: torch.dtype) that returns an AudioModel or a VideoModel of `generators.base`. The
#: command line calls its `denoiser` with the sampling settings of its stream and, for --init, its `encode`.
GENERATORS = "aligner.generators"

#: What this package offers in a group itself: public names of `aligner`.
OWN = {BINDERS: {"pe-av": "load_pe_av", "clap": "load_clap"}}


@dataclass(frozen=True)
class NamedPath:
    """A model of another package: the option that chose it, the name of its entry point, and a path for its loader."""

    option: str
    name: str
    path: str


class StoreNamedPath(argparse.Action):
    """Stores NAME=PATH as a NamedPath; raises AlignerError for anything else."""

    def __call__(self, parser, namespace, values, option_string=None):
        name, _, path = values.partition("=")
        if not name or not path:
            raise AlignerError(f"{option_string} takes NAME=PATH, such as mine=weights.safetensors, not {values}.")
        setattr(namespace, self.dest, NamedPath(option_string, name, path))


def installed(group: str, name: str, option: str, built_in: Iterable[str] = ()) -> Callable[..., Any]:
    """Load what this package or an installed one offers in a group under a name.

    option: for messages, with the names that are `built_in` there. Raises AlignerError, listing what there is, for a
    name that no package offers, and for a package that cannot be imported.
    """
    # Slow to import, and the help does not need it.
    from importlib.metadata import entry_points

    own = OWN.get(group, {})
    if name in own:
        return getattr(import_module("..", __package__), own[name])
    offers = {entry.name: entry for entry in entry_points(group=group)}
    if name not in offers:
        raise AlignerError(
            f"{option} {name}: there is none of this name. Available: {listed([*built_in, *own, *sorted(offers)])}. "
            f"A package adds its own by an entry point of the group {group}."
        )
    try:
        return offers[name].load()
    except (ImportError, AttributeError) as error:
        raise AlignerError(
            f"{option} {name}: {offers[name].value} cannot be loaded ({error}). Install its package again."
        ) from error
