"""Trains the demo models anew: `python -m laboratory.train`. Takes hours on two cores and resumes where it stopped."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path

from aligner.demo import family

from . import weights
from .training import assemble
from .training.audio_unet import trained_audio_unet
from .training.binder import trained_binder, trained_second_binder
from .training.cards import LOGS, keep_logs
from .training.coupled_unet import trained_coupled_unet
from .training.image_vae import trained_image_vae
from .training.judge import trained_judge
from .training.mel_vae import trained_mel_vae
from .training.text_encoders import trained_clap_text, trained_clip_text
from .training.video_unet import trained_video_unet
from .training.vocoder import trained_vocoder


def main(arguments: Sequence[str] | None = None) -> None:
    """Train what the arguments select, and write it."""
    options = _parser().parse_args(arguments)
    for name in options.only or MODELS:
        MODELS[name](options)
        keep_logs(options.work, options.logs)


def _place(options: argparse.Namespace, built_in: Path) -> Path:
    """Where a model is written: over the built-in one, or under the same name in the folder that --output names."""
    return built_in if options.output is None else options.output / built_in.name


def _judge(options: argparse.Namespace) -> None:
    assemble.write_judge(trained_judge(options.work, options.device), _place(options, family.JUDGE))


def _binders(options: argparse.Namespace) -> None:
    where = options.work, options.device
    assemble.write_binder(trained_binder(*where), _place(options, family.IMAGEBIND))
    assemble.write_binder(trained_second_binder(*where), _place(options, weights.SECOND_IMAGEBIND))


def _sound(options: argparse.Namespace) -> None:
    where = options.work, options.device
    text_encoder, tokenizer, texts = trained_clap_text(*where)
    vae = trained_mel_vae(*where, options.bf16)
    vocoder = trained_vocoder(vae, *where, options.bf16)
    unet, factor = trained_audio_unet(vae, texts, *where)
    assemble.write_audioldm(unet, vae, vocoder, text_encoder, tokenizer, factor, _place(options, family.AUDIOLDM))


def _video(options: argparse.Namespace) -> None:
    where = options.work, options.device
    text_encoder, tokenizer, texts = trained_clip_text(*where)
    vae = trained_image_vae(*where, options.bf16)
    model, factor = trained_video_unet(vae, texts, *where)
    base, motion = _place(options, family.STABLE_DIFFUSION), _place(options, family.MOTION)
    assemble.write_stable_diffusion(model.pictures, vae, text_encoder, tokenizer, factor, base)
    assemble.write_motion_adapter(model.videos, motion)


def _both(options: argparse.Namespace) -> None:
    unet = trained_coupled_unet(options.work, options.device, options.bf16)
    assemble.write_mm_diffusion(unet, _place(options, family.MM_DIFFUSION))


#: What can be trained apart, in the order of training.
MODELS: dict[str, Callable[[argparse.Namespace], None]] = {
    "judge": _judge,
    "binders": _binders,
    "sound": _sound,
    "video": _video,
    "both": _both,
}


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m laboratory.train", description=__doc__)
    parser.add_argument(
        "--work",
        type=Path,
        default=Path("out/training"),
        metavar="DIR",
        help="folder of clips, states and logs; training resumes from what it finds there (default: %(default)s)",
    )
    parser.add_argument(
        "--output",
        type=Path,
        metavar="DIR",
        help="folder to write the models into, the second binder beside the others (default: over the built-in ones, "
        "in aligner/demo/weights and laboratory/models)",
    )
    parser.add_argument(
        "--logs",
        type=Path,
        default=LOGS,
        metavar="DIR",
        help="folder to copy the logs into (default: laboratory/training/logs)",
    )
    parser.add_argument("--only", nargs="+", choices=MODELS, help="train these alone (default: all of them)")
    parser.add_argument("--device", default="cpu", help="cpu or cuda (default: %(default)s)")
    parser.add_argument(
        "--bf16",
        action="store_true",
        help="multiply in bfloat16 where results allow it; faster on processors that support it",
    )
    return parser


if __name__ == "__main__":
    main()
