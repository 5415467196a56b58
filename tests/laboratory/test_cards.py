"""Cards state the training and the measured quality of a model."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from aligner.demo import family
from laboratory.training import cards
from laboratory.training.cards import CARDS, write_cards
from laboratory.weights import SECOND_IMAGEBIND
from run import ROOT

#: Folders and files below the root.
DEMO, SECOND = "aligner/demo/weights", "laboratory/models/second-imagebind.md"
GATES = {
    "samples": 64,
    "split": "test",
    "zero-shot": {"sound to text": 0.9844, "video to text": 1.0},
    "real": {"sound": {"all": 0.97}, "video": {"all": 0.96}},
    "mm-diffusion": {"video": 0.9, "sound": 0.9, "agreement": 0.9, "events": 7.5},
    "reconstruction": {"sound": {"all": 0.95}, "video": {"all": 0.94}},
    "generation": {"audio": {"all": 0.93}, "video": {"all": 0.92}},
}


@pytest.fixture
def written(tmp_path, monkeypatch):
    """Cards by their path below the root, of weights of 1 MB and logs of 120 and 150 steps."""

    def moved(path):
        return tmp_path / path.relative_to(ROOT)

    for file in (
        family.IMAGEBIND,
        SECOND_IMAGEBIND,
        family.JUDGE,
        family.AUDIOLDM / "unet" / "a.safetensors",
        family.AUDIOLDM / "vae" / "b.safetensors",
        family.STABLE_DIFFUSION / "unet" / "c.safetensors",
        family.MOTION / "d.safetensors",
        family.MM_DIFFUSION,
    ):
        moved(file).parent.mkdir(parents=True, exist_ok=True)
        moved(file).write_bytes(bytes(1_000_000))
    logs = moved(cards.LOGS)
    logs.mkdir(parents=True)
    monkeypatch.setattr(cards, "LOGS", logs)
    for part in {part for card in CARDS.values() for part in card.parts}:
        lines = [{"step": 120, "seconds": 60.0, "loss": 2.0}, {"step": 150, "seconds": 1230.0, "loss": 1.0}]
        (logs / f"{part}.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    monkeypatch.setattr(
        cards,
        "CARDS",
        {moved(path): replace(card, files=tuple(map(moved, card.files))) for path, card in CARDS.items()},
    )
    write_cards(GATES)
    return {path.relative_to(tmp_path).as_posix(): path.read_bytes().decode("utf-8") for path in cards.CARDS}


def measured(text: str) -> list[str]:
    """The rows of the table of measurements."""
    head = "\nOn 64 clips of the test split, classified by the demo judge:\n\n| | |\n|---|---|\n"
    _, found, rows = text.partition(head)
    return rows.splitlines() if found else []


def test_every_model_has_a_card(written):
    assert {name: text.splitlines()[0] for name, text in written.items()} == {
        f"{DEMO}/audioldm/README.md": "# Demo AudioLDM",
        f"{DEMO}/stable-diffusion/README.md": "# Demo Stable Diffusion",
        f"{DEMO}/motion-adapter/README.md": "# Demo motion adapter",
        f"{DEMO}/mm-diffusion.md": "# Demo MM-Diffusion",
        f"{DEMO}/imagebind.md": "# Demo ImageBind",
        SECOND: "# Second demo ImageBind",
        f"{DEMO}/judge.md": "# Demo judge",
    }
    assert not any("\r" in text or "None" in text for text in written.values())


def test_cards_state_the_sizes_of_the_files(written):
    sizes = {
        name: next(line for line in text.splitlines() if line.startswith("- Size")) for name, text in written.items()
    }
    assert sizes.pop(f"{DEMO}/audioldm/README.md") == "- Size: 2.0 MB, fp16."
    assert set(sizes.values()) == {"- Size: 1.0 MB, fp16."}


def test_cards_state_steps_and_minutes_of_the_last_line_of_each_log(written):
    head = "| part | steps | minutes on one core of a busy machine |\n|---|---|---|\n"
    rows = "".join(f"| {part} | 150 | 20 |\n" for part in ("clap_text", "mel_vae", "vocoder", "audio_unet"))
    assert head + rows + "\n" in written[f"{DEMO}/audioldm/README.md"]
    assert written[SECOND].endswith(head + "| second_binder | 150 | 20 |\n")


def test_cards_state_the_measurements_of_their_model(written):
    assert {name: measured(text) for name, text in written.items()} == {
        f"{DEMO}/audioldm/README.md": [
            "| reconstructed sound, classified correctly | 95.0 % |",
            "| sound generated from right captions, classified correctly | 93.0 % |",
        ],
        f"{DEMO}/stable-diffusion/README.md": (
            video := [
                "| reconstructed video, classified correctly | 94.0 % |",
                "| video generated from right captions, classified correctly | 92.0 % |",
            ]
        ),
        f"{DEMO}/motion-adapter/README.md": video,
        f"{DEMO}/mm-diffusion.md": [
            "| video from noise, recognised | 90.0 % |",
            "| sound from noise, recognised | 90.0 % |",
            "| video and sound of one event | 90.0 % |",
            "| effective number of events | 7.5 |",
        ],
        f"{DEMO}/imagebind.md": ["| zero-shot, sound to text | 98.4 % |", "| zero-shot, video to text | 100.0 % |"],
        SECOND: [],
        f"{DEMO}/judge.md": [
            "| real sound, classified correctly | 97.0 % |",
            "| real video, classified correctly | 96.0 % |",
        ],
    }
