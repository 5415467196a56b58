"""Options that several commands share."""

from __future__ import annotations

import argparse
from argparse import ArgumentParser

from .. import settings
from .installed import BINDERS, OWN, StoreNamedPath
from .options import add_option, add_options

#: By the name of the option: what it takes, and its help.
MODEL_OPTIONS = {
    "imagebind": ("FILE", "This ImageBind checkpoint"),
    "audioldm": ("DIR", "This AudioLDM folder"),
    "base": ("PATH", "This Stable Diffusion 1.5, a checkpoint file or a folder in the diffusers layout,"),
    "motion": ("PATH", "This AnimateDiff motion module, a file or a folder,"),
    "coupled": ("FILE", "This MM-Diffusion checkpoint"),
    "taesd": ("PATH", "This TAESD, taesd_decoder.safetensors or a folder, for --decoding taesd,"),
}


def add_output(command: ArgumentParser, kinds: str) -> None:
    command.add_argument("-o", "--output", required=True, metavar="FILE", help=f"What to write: {kinds}.")


def add_prompts(command: ArgumentParser, result: str) -> None:
    group = command.add_argument_group("what to make")
    add_options(group, (settings.PROMPT, settings.NEGATIVE_PROMPT, settings.WEIGHT))
    _add_away_from(group, result)


def add_joint_prompts(command: ArgumentParser) -> None:
    command.add_argument("prompt", metavar="PROMPT", help=f'{settings.PROMPT.description} "" for none.')
    group = command.add_argument_group("what to make")
    add_options(
        group,
        (
            settings.NEGATIVE_PROMPT,
            settings.JOINT_AUDIO_PROMPT,
            settings.JOINT_AUDIO_NEGATIVE_PROMPT,
            settings.PAIR_WEIGHT,
        ),
    )
    _add_away_from(group, "result")


def _add_away_from(group: argparse._ActionsContainer, result: str) -> None:
    group.add_argument(
        "--away-from",
        action="append",
        default=[],
        metavar="TEXT",
        help=f"A text that guidance pushes the {result} away from. May be given several times.",
    )


def add_models(command: ArgumentParser, *names: str, audio_generator: str = "", video_generator: str = "") -> None:
    """Add the options of models.

    names: the kinds of models that the command uses. audio_generator, video_generator: the option that chooses a
    generator of sound or of frames from another package; "" where the command makes none.
    """
    group = command.add_argument_group("models")
    group.add_argument(
        "--models",
        metavar="DIR",
        help="A folder with models in it, such as ComfyUI/models (see below). Without it, built-in toy models run.",
    )
    for name in names:
        kind, description = MODEL_OPTIONS[name]
        group.add_argument(f"--{name}", metavar=kind, help=f"{description} instead of the one in --models.")
    if "base" in names:
        group.add_argument(
            "--lora",
            action="append",
            default=[],
            metavar="FILE[:STRENGTH]",
            help="A LoRA for Stable Diffusion 1.5 or its motion module, merged with this strength, by default 1. May "
            "be given several times.",
        )
    group.add_argument(
        "--binder",
        action=StoreNamedPath,
        metavar="NAME=PATH",
        help=f"Another binder instead of --imagebind: {' or '.join(OWN[BINDERS])} and its folder, or the binder NAME "
        "of another installed package, loaded from PATH.",
    )
    if video_generator:
        replaced = "--base and --motion" if "motion" in names else "--base"
        _add_installed(group, video_generator, "video_generator", "generator of frames", replaced)
    if audio_generator:
        _add_installed(group, audio_generator, "audio_generator", "generator of sound", "--audioldm")
    group.add_argument("--device", default="auto", help="cpu, cuda, cuda:1, mps ... Default: the GPU if there is one.")
    group.add_argument(
        "--dtype",
        default="auto",
        choices=["auto", "fp32", "fp16", "bf16"],
        help="Precision of the networks. Default: fp16 on a GPU, fp32 on the CPU.",
    )


def _add_installed(group: argparse._ActionsContainer, option: str, role: str, what: str, instead_of: str) -> None:
    """Add the option that chooses a model of another package. role: where the parsed options hold it."""
    group.add_argument(
        option,
        action=StoreNamedPath,
        dest=role,
        metavar="NAME=PATH",
        help=f"The {what} NAME of another installed package, loaded from PATH, instead of {instead_of}.",
    )


def add_frames(command: ArgumentParser) -> None:
    group = add_pictures(command)
    add_options(group, (settings.FRAMES, settings.FPS, settings.WINDOW_FRAMES))
    group.add_argument(
        "--init",
        metavar="VIDEO",
        help="Start from this clip's first frames, shown at --fps and cropped to --width and --height. Give --denoise "
        "too.",
    )
    add_option(group, settings.DENOISE)


def add_pictures(command: ArgumentParser) -> argparse._ActionsContainer:
    group = command.add_argument_group("pictures")
    add_options(group, (settings.WIDTH, settings.HEIGHT, settings.DECODING))
    return group


def add_followed(command: ArgumentParser) -> None:
    """Add what a generator without a prompt may follow."""
    group = command.add_argument_group("what to follow")
    for option, metavar, what in (
        ("--text", "TEXT", "A text"),
        ("--picture", "FILE", "A picture"),
        ("--sound", "FILE", "A sound"),
    ):
        help_text = f"{what} that video and sound follow. May be given several times."
        group.add_argument(option, action="append", default=[], metavar=metavar, help=help_text)
    add_options(group, (settings.WEIGHT, settings.PAIR_WEIGHT))
    _add_away_from(group, "result")


def add_coupled_sampling(command: ArgumentParser) -> None:
    given = command.add_argument_group("one stream for the other")
    given.add_argument("--given-video", metavar="FILE", help="A clip: its video stays, and only the sound is made.")
    given.add_argument("--given-audio", metavar="FILE", help="A sound: it stays, and only the video is made.")
    add_option(given, settings.RECONSTRUCTION)
    group = command.add_argument_group("sampling")
    add_options(
        group,
        (settings.SEED, settings.COUPLED_STEPS, settings.SAMPLER, settings.COUPLED_SECONDS, settings.OVERLAP),
    )
    _add_overview(group)


def add_audio_sampling(command: ArgumentParser) -> None:
    group = command.add_argument_group("sampling")
    add_options(group, (settings.SEED, settings.AUDIO_STEPS, settings.AUDIO_CFG, settings.WINDOW_SECONDS))
    _add_overview(group)


def add_video_sampling(command: ArgumentParser) -> None:
    group = command.add_argument_group("sampling")
    add_options(group, (settings.SEED, settings.VIDEO_STEPS, settings.VIDEO_CFG))
    _add_overview(group)


def add_joint_audio_sampling(command: ArgumentParser) -> None:
    group = command.add_argument_group("sampling of the sound", "--steps and --cfg are the video's.")
    add_options(group, (settings.JOINT_AUDIO_STEPS, settings.JOINT_AUDIO_CFG, settings.WINDOW_SECONDS))


def _add_overview(group: argparse._ActionsContainer) -> None:
    group.add_argument("--overview", metavar="FILE.png", help="Also draw what was tried, or how the alignment rose.")
