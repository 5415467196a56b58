"""Cards: what they say of a training and of its measured result."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from aligner.demo import family
from laboratory.training import cards
from laboratory.training.cards import CARDS, write_cards

GATES = {
    "samples": 64,
    "split": "test",
    "zero-shot": {"sound to text": 0.9844, "video to text": 1.0},
    "real": {"sound": {"all": 0.97}, "video": {"all": 0.96}},
    "reconstruction": {"sound": {"all": 0.95}, "video": {"all": 0.94}},
    "generation": {"audio": {"all": 0.93}, "video": {"all": 0.92}},
}


@pytest.fixture
def written(tmp_path, monkeypatch):
    """Cards by name, of weights of 1 MB and logs of 120 and 150 steps."""
    real = family.WEIGHTS

    def moved(path):
        return tmp_path / "weights" / path.relative_to(real)

    for file in (
        family.IMAGEBIND,
        family.SECOND_IMAGEBIND,
        family.JUDGE,
        family.AUDIOLDM / "unet" / "a.safetensors",
        family.AUDIOLDM / "vae" / "b.safetensors",
        family.STABLE_DIFFUSION / "unet" / "c.safetensors",
        family.MOTION / "d.safetensors",
    ):
        moved(file).parent.mkdir(parents=True, exist_ok=True)
        moved(file).write_bytes(bytes(1_000_000))
    logs = tmp_path / "weights" / cards.LOGS
    logs.mkdir()
    monkeypatch.setattr(family, "WEIGHTS", tmp_path / "weights")
    for part in {part for card in CARDS.values() for part in card.parts}:
        lines = [{"step": 120, "seconds": 60.0, "loss": 2.0}, {"step": 150, "seconds": 1230.0, "loss": 1.0}]
        (logs / f"{part}.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    monkeypatch.setattr(
        cards,
        "CARDS",
        {moved(path): replace(card, files=tuple(map(moved, card.files))) for path, card in CARDS.items()},
    )
    write_cards(GATES)
    return {
        path.relative_to(tmp_path / "weights").as_posix(): path.read_bytes().decode("utf-8") for path in cards.CARDS
    }


def measured(text: str) -> list[str]:
    """The rows below the sentence that says on what they were measured."""
    head = "\nOn 64 clips of the test split; what is named, the demo judge names:\n\n| | |\n|---|---|\n"
    _, found, rows = text.partition(head)
    return rows.splitlines() if found else []


def test_every_model_has_a_card_of_its_own_kind(written):
    assert {name: text.splitlines()[0] for name, text in written.items()} == {
        "audioldm/README.md": "# Demo AudioLDM",
        "stable-diffusion/README.md": "# Demo Stable Diffusion",
        "motion-adapter/README.md": "# Demo motion adapter",
        "imagebind.md": "# Demo ImageBind",
        "second-imagebind.md": "# Second demo ImageBind",
        "judge.md": "# Demo judge",
    }
    assert not any("\r" in text or "None" in text for text in written.values())


def test_sizes_are_those_of_the_files(written):
    sizes = {
        name: next(line for line in text.splitlines() if line.startswith("- Size")) for name, text in written.items()
    }
    assert sizes.pop("audioldm/README.md") == "- Size: 2.0 MB, fp16."
    assert set(sizes.values()) == {"- Size: 1.0 MB, fp16."}


def test_the_last_line_of_each_log_says_how_long_it_took(written):
    head = "| part | steps | minutes on one core of a busy machine |\n|---|---|---|\n"
    rows = "".join(f"| {part} | 150 | 20 |\n" for part in ("clap_text", "mel_vae", "vocoder", "audio_unet"))
    assert head + rows + "\n" in written["audioldm/README.md"]
    assert written["second-imagebind.md"].endswith(head + "| second_binder | 150 | 20 |\n")


def test_each_says_what_was_measured_of_it(written):
    assert {name: measured(text) for name, text in written.items()} == {
        "audioldm/README.md": [
            "| reconstructed sound, named rightly | 95.0 % |",
            "| sound generated from right captions, named rightly | 93.0 % |",
        ],
        "stable-diffusion/README.md": (
            video := [
                "| reconstructed video, named rightly | 94.0 % |",
                "| video generated from right captions, named rightly | 92.0 % |",
            ]
        ),
        "motion-adapter/README.md": video,
        "imagebind.md": ["| zero-shot, sound to text | 98.4 % |", "| zero-shot, video to text | 100.0 % |"],
        "second-imagebind.md": [],
        "judge.md": ["| real sound, named rightly | 97.0 % |", "| real video, named rightly | 96.0 % |"],
    }
