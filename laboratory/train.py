"""Trains the demo models anew: `python -m laboratory.train`. Hours on two cores; stop it and start it as you like."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path

from aligner.demo import family

from .training import assemble
from .training.audio_unet import trained_audio_unet
from .training.binder import trained_binder, trained_second_binder
from .training.cards import LOGS, keep_logs
from .training.image_vae import trained_image_vae
from .training.judge import trained_judge
from .training.mel_vae import trained_mel_vae
from .training.text_encoders import trained_clap_text, trained_clip_text
from .training.video_unet import trained_video_unet
from .training.vocoder import trained_vocoder


def main(arguments: Sequence[str] | None = None) -> None:
    options = _parser().parse_args(arguments)
    for name in options.only or MODELS:
        MODELS[name](options)
        keep_logs(options.work, options.logs)


def _judge(options: argparse.Namespace) -> None:
    assemble.write_judge(trained_judge(options.work, options.device), options.output)


def _binders(options: argparse.Namespace) -> None:
    where = options.work, options.device
    assemble.write_binders(trained_binder(*where), trained_second_binder(*where), options.output)


def _sound(options: argparse.Namespace) -> None:
    where = options.work, options.device
    text_encoder, tokenizer, texts = trained_clap_text(*where)
    vae = trained_mel_vae(*where, options.bf16)
    vocoder = trained_vocoder(vae, *where, options.bf16)
    unet, factor = trained_audio_unet(vae, texts, *where)
    assemble.write_audioldm(unet, vae, vocoder, text_encoder, tokenizer, factor, options.output)


def _video(options: argparse.Namespace) -> None:
    where = options.work, options.device
    text_encoder, tokenizer, texts = trained_clip_text(*where)
    vae = trained_image_vae(*where, options.bf16)
    model, factor = trained_video_unet(vae, texts, *where)
    assemble.write_animatediff(model.pictures, model.videos, vae, text_encoder, tokenizer, factor, options.output)


#: What can be trained apart, in this order.
MODELS: dict[str, Callable[[argparse.Namespace], None]] = {
    "judge": _judge,
    "binders": _binders,
    "sound": _sound,
    "video": _video,
}


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m laboratory.train", description=__doc__)
    parser.add_argument(
        "--work",
        type=Path,
        default=Path("out/training"),
        metavar="DIR",
        help="where clips, states and logs are kept; a run goes on from what it finds there (default: %(default)s)",
    )
    parser.add_argument(
        "--output",
        type=Path,
        default=family.WEIGHTS,
        metavar="DIR",
        help="where the models are written (default: over the built-in ones)",
    )
    parser.add_argument(
        "--logs",
        type=Path,
        default=LOGS,
        metavar="DIR",
        help="where the logs are kept for the record (default: in laboratory/training/logs)",
    )
    parser.add_argument("--only", nargs="+", choices=MODELS, help="train these alone (default: all of them)")
    parser.add_argument("--device", default="cpu", help="cpu or cuda (default: %(default)s)")
    parser.add_argument(
        "--bf16", action="store_true", help="multiply in bfloat16 where that helps; faster on processors that have it"
    )
    return parser


if __name__ == "__main__":
    main()
