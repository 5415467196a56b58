"""A card for every demo model: what it is, what it was trained on, how long, its size and its measured quality."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from pathlib import Path

from aligner.demo import family

from ..weights import SECOND_IMAGEBIND


@dataclass(frozen=True)
class Card:
    """What a card says.

    title, text: what the model is. parts: names of the logs of its training. files: its files and folders. gates: the
    measurements that belong to it.
    """

    title: str
    text: str
    parts: tuple[str, ...]
    files: tuple[Path, ...]
    gates: tuple[str, ...] = ()


_WORLD = (
    "It knows the eight events of the synthetic world in `laboratory/world`, 2 s long, and nothing else: a toy "
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
    family.MM_DIFFUSION.with_suffix(".md"): Card(
        "Demo MM-Diffusion",
        "Video and sound from noise by one network, in the classes of MM-Diffusion: 16 frames of 32 x 32 at 8 per "
        "second, and 2 s of sound at 8,192 Hz. It knows no words. Its scenes are plain: all but the event, its times "
        "and the background is always the same.",
        ("coupled_unet",),
        (family.MM_DIFFUSION,),
        ("mm-diffusion",),
    ),
    family.IMAGEBIND.with_suffix(".md"): Card(
        "Demo ImageBind",
        "Vision, audio and text in one space of 96 dimensions, in the classes of ImageBind. This is "
        "the binder that guides.",
        ("binder",),
        (family.IMAGEBIND,),
        ("zero-shot",),
    ),
    SECOND_IMAGEBIND.with_suffix(".md"): Card(
        "Second demo ImageBind",
        "A binder of another size, trained from another seed on other clips. It only measures: guidance never uses it.",
        ("second_binder",),
        (SECOND_IMAGEBIND,),
    ),
    family.JUDGE.with_suffix(".md"): Card(
        "Demo judge",
        "Two small convolutional networks that classify the event of a sound or a video, trained on clips that no "
        "other model was trained on. It only measures: guidance never uses it.",
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
    """Write the card of every model. gates: the figures of `laboratory.evaluate --gates`."""
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
        for name in _logs_of(part, logs)
        for last in [_last_line(logs / f"{name}.jsonl")]
    )
    return (
        f"# {card.title}\n\n{card.text}\n\n{_WORLD}\n\n"
        f"- Data: clips of `laboratory.world`, drawn and played by formula; no recordings.\n"
        f"- Size: {size:.1f} MB, fp16.\n- Licence: that of this project.\n"
        f"- Made by: `python -m laboratory.train`.\n\n"
        f"| part | steps | minutes on one core of a busy machine |\n|---|---|---|\n{training}\n"
        f"{_measured(card, gates)}"
    )


def _logs_of(part: str, logs: Path) -> list[str]:
    """The names of a part's logs: its own and, where its training was continued on a changed world, a second one."""
    return [part] + [name for name in [f"{part}_tuned"] if (logs / f"{name}.jsonl").exists()]


def _measured(card: Card, gates: dict) -> str:
    """The measured quality, where the gates measure the model; otherwise nothing."""
    lines = []
    if "zero-shot" in card.gates:
        lines += [f"| zero-shot, {way} | {_percent(share)} |" for way, share in gates["zero-shot"].items()]
    if "real" in card.gates:
        lines += [
            f"| real {kind}, classified correctly | {_percent(shares['all'])} |"
            for kind, shares in gates["real"].items()
        ]
    if "mm-diffusion" in card.gates:
        figures = gates["mm-diffusion"]
        lines += [f"| {kind} from noise, recognised | {_percent(figures[kind])} |" for kind in ("video", "sound")]
        lines.append(f"| video and sound of one event | {_percent(figures['agreement'])} |")
        lines.append(f"| effective number of events | {figures['events']:.1f} |")
    for kind in ("sound", "video"):
        if kind in card.gates:
            reconstructed = gates["reconstruction"][kind]["all"]
            generated = gates["generation"][{"sound": "audio"}.get(kind, kind)]["all"]
            lines.append(f"| reconstructed {kind}, classified correctly | {_percent(reconstructed)} |")
            lines.append(f"| {kind} generated from right captions, classified correctly | {_percent(generated)} |")
    if not lines:
        return ""
    return (
        f"\nOn {gates['samples']} clips of the {gates['split']} split, classified by the demo judge:\n\n"
        "| | |\n|---|---|\n" + "\n".join(lines) + "\n"
    )


def _last_line(log: Path) -> dict:
    return json.loads(log.read_text(encoding="utf-8").splitlines()[-1])


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"
