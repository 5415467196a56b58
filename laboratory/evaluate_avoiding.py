"""Measures what a text of weight -1 does: `python -m laboratory.evaluate_avoiding`. Can be stopped.

A caption allows two events, and the text names one of them. Beside it stands a caption that allows the other one alone.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Sequence
from itertools import product
from statistics import fmean

import torch

from aligner.conditions.condition import Condition
from aligner.demo.events import EVENTS, Event
from aligner.files.atomic import written_whole
from aligner.generation import generate
from aligner.guidance.rule import Rule, Unguided
from aligner.guidance.search import Search
from aligner.metrics import bootstrap_interval

from .edition import edition
from .evaluation.options import shared_options
from .evaluation.runs import AUDIO_CFG, STEPS, DemoModels, demo_models, resumed
from .world import scene

#: By name, the caption of an event that is welcome and of one that is not.
CAPTIONS = {
    "two events": lambda welcome, unwelcome: f"{welcome.captions[0]}, or {unwelcome.captions[0]}",
    "the welcome one": lambda welcome, unwelcome: welcome.captions[0],
}
RULES: dict[str, Rule] = {"unguided": Unguided(), "away from it": Search()}


def events_of(split: str, index: int) -> tuple[Event, Event]:
    """The event of a scene, and another one; all pairs come up."""
    welcome = scene(split, index).event
    further = 1 + (index // len(EVENTS)) % (len(EVENTS) - 1)
    return welcome, EVENTS[(EVENTS.index(welcome) + further) % len(EVENTS)]


def rows_of(caption: str, rule: str, models: DemoModels, options: argparse.Namespace) -> list[dict]:
    """What the judge hears in each sound."""
    path = options.work / options.split / f"avoiding-{caption}-{rule}.json".replace(" ", "-")
    made_by = f"{models.fingerprint} {caption} {RULES[rule]} {STEPS} {AUDIO_CFG} edition {edition()}"
    return resumed(
        path, made_by, options.samples, lambda indices: _batch(CAPTIONS[caption], RULES[rule], models, options, indices)
    )


def _batch(
    caption: Callable[[Event, Event], str], rule: Rule, models: DemoModels, options: argparse.Namespace, indices: range
) -> list[dict]:
    pairs = [events_of(options.split, index) for index in indices]
    denoiser, binder = models.denoiser(("audio",)), models.instruments.binder
    away = Condition(binder.embed_text([unwelcome.captions[0] for _, unwelcome in pairs]), weight=-1.0)
    sounds = generate(
        denoiser,
        denoiser.prompts([caption(*pair) for pair in pairs]),
        seed=indices[0],
        batch=len(pairs),
        rule=rule,
        binder=binder,
        conditions=[away] if rule.guides else [],
    ).signals["audio"]
    heard = models.instruments.verdict(sounds).names
    return [
        {"index": index, "welcome": name == welcome.name, "unwelcome": name == unwelcome.name}
        for index, name, (welcome, unwelcome) in zip(indices, heard, pairs)
    ]


def share(rows: Sequence[dict], name: str) -> tuple[float, float, float]:
    """The share of rows in 0..1, and its 95 % interval."""
    values = [float(row[name]) for row in rows]
    return fmean(values), *bootstrap_interval(torch.tensor(values))


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, and write the table."""
    parser = argparse.ArgumentParser(
        prog="python -m laboratory.evaluate_avoiding", description=__doc__, parents=[shared_options({})]
    )
    options = parser.parse_args(arguments)
    models, figures = demo_models(), {}
    for caption, rule in product(CAPTIONS, RULES):
        print(f"{caption}, {rule} ...", flush=True)
        rows = rows_of(caption, rule, models, options)
        figures[f"{caption}, {rule}"] = {name: share(rows, name) for name in ("welcome", "unwelcome")}
    text = _markdown(figures)
    for name, content in (("avoiding.json", json.dumps(figures, indent=1) + "\n"), ("avoiding.md", text)):
        with written_whole(options.output / options.split / name) as partial:
            partial.write_text(content, encoding="utf-8")
    print(text)


def _markdown(figures: dict[str, dict]) -> str:
    lines = ["| caption | steered | judge: the welcome event | judge: the unwelcome event |", "|---|---|---|---|"]
    for name, each in figures.items():
        caption, rule = name.split(", ")
        shares = ["{:.0%} ({:.0%} to {:.0%})".format(*each[key]) for key in ("welcome", "unwelcome")]
        lines.append(f"| {caption} | {rule} | {' | '.join(shares)} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
