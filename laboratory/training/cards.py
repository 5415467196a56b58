"""A card for every demo model: what it learnt from, how long, how large it is, and how good."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from pathlib import Path

from aligner.demo import family

from ..weights import SECOND_IMAGEBIND


@dataclass(frozen=True)
class Card:
    """title, text: what it is. parts: names of the logs of its training. files: what belongs to it. gates: which
    measurements are its own."""

    title: str
    text: str
    parts: tuple[str, ...]
    files: tuple[Path, ...]
    gates: tuple[str, ...] = ()


_WORLD = (
    "It knows the eight events of the synthetic world in `aligner/demo/world`, 2 s long, and nothing else: a toy "
    "for trying things out, for tests, and for measuring guidance."
)

CARDS = {
    family.AUDIOLDM / "README.md": Card(
        "Demo AudioLDM",
        "Text to 2 s of 16 kHz sound, in the classes and the folder layout of AudioLDM: latent "
        "diffusion on log-mel spectrograms (8 x 25 x 8 latents, v-prediction), a HiFi-GAN vocoder, CLAP's text half.",
        ("clap_text", "mel_vae", "vocoder", "audio_unet"),
        (family.AUDIOLDM,),
        ("sound",),
    ),
    family.STABLE_DIFFUSION / "README.md": Card(
        "Demo Stable Diffusion",
        "Text to pictures of 64 x 64, in the classes and the folder layout of Stable "
        "Diffusion 1.5 (4 x 8 x 8 latents, v-prediction, CLIP's text half). With the motion adapter beside it, which "
        "was trained together with it, it makes videos.",
        ("clip_text", "image_vae", "image_unet", "video_unet"),
        (family.STABLE_DIFFUSION,),
        ("video",),
    ),
    family.MOTION / "README.md": Card(
        "Demo motion adapter",
        "The motion modules that turn the demo Stable Diffusion into an AnimateDiff: 16 frames at 8 per second.",
        ("video_unet",),
        (family.MOTION,),
        ("video",),
    ),
    family.WEIGHTS / "imagebind.md": Card(
        "Demo ImageBind",
        "Vision, audio and text in one space of 96 dimensions, in the classes of ImageBind. This is "
        "the binder that guides.",
        ("binder",),
        (family.IMAGEBIND,),
        ("zero-shot",),
    ),
    SECOND_IMAGEBIND.with_suffix(".md"): Card(
        "Second demo ImageBind",
        "Another size, another seed, other clips. It only measures: no generation is steered by it.",
        ("second_binder",),
        (SECOND_IMAGEBIND,),
    ),
    family.WEIGHTS / "judge.md": Card(
        "Demo judge",
        "Two small convolutional networks that name the event of a sound or a video, from clips that no "
        "other model has seen. It only measures.",
        ("judge",),
        (family.JUDGE,),
        ("real",),
    ),
}


#: Where the logs of the training are kept.
LOGS = Path(__file__).with_name("logs")


def keep_logs(work: Path, place: Path) -> None:
    """Copy the logs of all parts that have been trained so far."""
    place.mkdir(parents=True, exist_ok=True)
    for log in work.glob("*.jsonl"):
        shutil.copyfile(log, place / log.name)


def write_cards(gates: dict) -> None:
    """gates: what `laboratory.evaluate --gates` measured."""
    for path, card in CARDS.items():
        path.write_bytes(_written(card, LOGS, gates).encode("utf-8"))


def _written(card: Card, logs: Path, gates: dict) -> str:
    size = (
        sum(
            file.stat().st_size
            for place in card.files
            for file in ([place] if place.is_file() else place.rglob("*.safetensors"))
        )
        / 1e6
    )
    training = "\n".join(
        f"| {name} | {last['step']} | {last['seconds'] / 60:.0f} |"
        for part in card.parts
        for name in _trained(part, logs)
        for last in [_last_line(logs / f"{name}.jsonl")]
    )
    return (
        f"# {card.title}\n\n{card.text}\n\n{_WORLD}\n\n"
        f"- Data: clips of `laboratory.world`, drawn and played by formula; no recording of anything.\n"
        f"- Size: {size:.1f} MB, fp16.\n- Licence: that of this project.\n"
        f"- Made by: `python -m laboratory.train`.\n\n"
        f"| part | steps | minutes on one core of a busy machine |\n|---|---|---|\n{training}\n"
        f"{_measured(card, gates)}"
    )


def _trained(part: str, logs: Path) -> list[str]:
    """The logs of a part: its own and, where it was trained on when the world had changed, a second one."""
    return [part] + [name for name in [f"{part}_tuned"] if (logs / f"{name}.jsonl").exists()]


def _measured(card: Card, gates: dict) -> str:
    """Measured quality, as far as the gates measured it."""
    lines = []
    if "zero-shot" in card.gates:
        lines += [f"| zero-shot, {way} | {_percent(share)} |" for way, share in gates["zero-shot"].items()]
    if "real" in card.gates:
        lines += [
            f"| real {kind}, named rightly | {_percent(shares['all'])} |" for kind, shares in gates["real"].items()
        ]
    for kind in ("sound", "video"):
        if kind in card.gates:
            lines.append(f"| reconstructed {kind}, named rightly | {_percent(gates['reconstruction'][kind]['all'])} |")
            stream = {"sound": "audio"}.get(kind, kind)
            lines.append(
                f"| {kind} generated from right captions, named rightly | "
                f"{_percent(gates['generation'][stream]['all'])} |"
            )
    if not lines:
        return ""
    return (
        f"\nOn {gates['samples']} clips of the {gates['split']} split; what is named, the demo judge names:\n\n"
        "| | |\n|---|---|\n" + "\n".join(lines) + "\n"
    )


def _last_line(log: Path) -> dict:
    return json.loads(log.read_text(encoding="utf-8").splitlines()[-1])


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"
