"""What can be said on the command line: the commands, with help that teaches."""

from __future__ import annotations

import argparse
from argparse import ArgumentParser
from functools import cache

from .. import settings
from .argument_groups import (
    add_audio_sampling,
    add_coupled_sampling,
    add_followed,
    add_frames,
    add_joint_audio_sampling,
    add_joint_prompts,
    add_models,
    add_output,
    add_pictures,
    add_prompts,
    add_video_sampling,
)
from .options import add_option
from .published_networks import PUBLISHED_NETWORKS
from .rule_options import add_rule_options

EXAMPLES = """examples:
  python -m aligner demo
      a sound for a built-in clip, with built-in models: nothing to download
  python -m aligner v2a clip.mp4 -o out.mp4 --models ComfyUI/models --prompt "a hawk screams over a valley"
      a sound for a silent clip, as long as the clip
  python -m aligner v2a clip.mp4 -o out.wav --models ComfyUI/models --audio-candidates 32 --away-from "music"
      a search among more noises, which also avoids music
  python -m aligner v2a clip.mp4 -o out.wav --models ComfyUI/models --rule code
      the same with gradients, as in the authors' code
  python -m aligner i2a picture.jpg -o out.wav --seconds 5 --models ComfyUI/models
      five seconds of sound for a picture
  python -m aligner a2v birds.wav -o out.mp4 --models ComfyUI/models --prompt "birds on a branch" --then code
      two seconds of video for a sound, with that sound; gradients move what the search chose
  python -m aligner a2v rain.wav -o out.mp4 --models ComfyUI/models --init clip.mp4 --denoise 0.6
      a clip changed to fit a sound
  python -m aligner a2i birds.wav -o out.png --models ComfyUI/models
      a picture for a sound
  python -m aligner v2a clip.mp4 -o out.mp4 --models ComfyUI/models --binder pe-av=ComfyUI/models/pe_av/pe-av-large
      a sound for a clip, by PE-AV instead of ImageBind
  python -m aligner joint "waves break on a beach" -o out.mp4 --models ComfyUI/models
      video and sound from words, each steered by the other
  python -m aligner mm-diffusion -o out.mp4 --models ComfyUI/models --text "waves on a beach"
      MM-Diffusion, which knows no words, follows some
  python -m aligner mm-diffusion -o out.mp4 --models ComfyUI/models --given-video clip.mp4
      MM-Diffusion makes the sound of a clip
  python -m aligner batch clips -o results --task v2a --models ComfyUI/models --steps 30
      a sound for every clip in a folder; run again, it goes on where it was stopped
  python -m aligner batch shots.csv -o results --models ComfyUI/models --shard 1/4
      the first quarter of the results that a table asks for
  python -m aligner score results --reference clips --models ComfyUI/models
      measures of a folder of results, by themselves and against the files of the same name in another folder

weights: MODELS is a folder such as ComfyUI/models with imagebind/ (imagebind_huge.pth or .safetensors), audioldm/ (an
AudioLDM folder such as audioldm-m-full), checkpoints/ or diffusers/ (Stable Diffusion 1.5 or a model trained from it),
animatediff_models/ (a motion module such as v3_sd15_mm.ckpt) and mm_diffusion/ (Landscape.pt or AIST++.pt). All need
imagebind. Sound needs audioldm, video checkpoints and animatediff_models, mm-diffusion only mm_diffusion. ImageBind and
AudioLDM are licensed for non-commercial use only. --binder pe-av=FOLDER takes the place of ImageBind: PE-AV may be used
commercially. Without models, built-in toys run, which know eight events of a drawn world.

other packages: rules, binders and generators that other packages install are chosen by --rule, --binder and
--generator. A package offers them by entry points of the groups aligner.rules, aligner.binders and aligner.generators.
"""


def parser(kind: type[ArgumentParser] = ArgumentParser) -> ArgumentParser:
    """The whole command line. It raises AlignerError for values outside their range. kind: of parser."""
    return _built(kind)[0]


@cache
def options_of(command: str) -> dict[str, argparse.Action]:
    """The options of a command by name, without the hyphens before it."""
    # argparse has no public list of them.
    options = _built(ArgumentParser)[1].choices[command]._option_string_actions
    return {name.removeprefix("--"): action for name, action in options.items() if name.startswith("--")}


def _built(kind: type[ArgumentParser]) -> tuple[ArgumentParser, argparse._SubParsersAction]:
    top = kind(
        prog="aligner",
        description="Sound for pictures, pictures for sound, or both from words: pre-trained generators steered by\n"
        "ImageBind while they sample (Seeing and Hearing, arXiv 2402.17723). No training.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    commands = top.add_subparsers(required=True, metavar="COMMAND")
    for add in (_add_v2a, _add_i2a, _add_a2v, _add_a2i, _add_joint, _add_coupled, _add_batch, _add_score, _add_demo):
        add(commands)
    return top, commands


def _add_v2a(commands) -> None:
    command = _command(commands, "v2a", "video_to_audio", "video to audio: a sound that fits a clip")
    command.add_argument("clip", help="A video that FFmpeg can read. Its own sound, if any, is replaced.")
    add_output(command, ".mp4 (the clip with its sound), .wav or .flac (the sound alone)")
    _add_audio_options(command)


def _add_i2a(commands) -> None:
    command = _command(commands, "i2a", "image_to_audio", "image to audio: a sound that fits a picture")
    command.add_argument("picture", help="A picture: jpg, png, webp, ...")
    add_output(command, ".wav or .flac")
    add_option(command, settings.SECONDS)
    _add_audio_options(command)


def _add_audio_options(command: ArgumentParser) -> None:
    add_prompts(command, result="sound")
    add_models(command, "imagebind", "audioldm", audio_generator="--generator")
    add_audio_sampling(command)
    add_rule_options(command, "audio")


def _add_a2v(commands) -> None:
    command = _command(commands, "a2v", "audio_to_video", "audio to video: a clip that fits a sound")
    command.add_argument("sound", help="A sound, or a video with one, that FFmpeg can read.")
    add_output(command, "a .mp4, which has the sound under it")
    _add_sound_start(command, "Where in the sound the video begins")
    add_prompts(command, result="video")
    add_models(command, "imagebind", "base", "motion", "taesd", video_generator="--generator")
    add_frames(command)
    add_video_sampling(command)
    add_rule_options(command, "video")


def _add_a2i(commands) -> None:
    command = _command(commands, "a2i", "audio_to_image", "audio to image: a picture that fits a sound")
    command.add_argument("sound", help="A sound, or a video with one, that FFmpeg can read.")
    add_output(command, ".png or .jpg")
    _add_sound_start(command, "Where the piece of the sound that steers begins")
    command.add_argument(
        "--sound-seconds", type=float, metavar="X", help="Length of that piece. Default: up to the sound's end."
    )
    add_prompts(command, result="picture")
    add_models(command, "imagebind", "base", "taesd", video_generator="--generator")
    add_pictures(command)
    # A picture is a video of one frame.
    command.set_defaults(frames=1, fps=1.0, init=None)
    command.set_defaults(**{setting.name: setting.default for setting in (settings.WINDOW_FRAMES, settings.DENOISE)})
    add_video_sampling(command)
    add_rule_options(command, "video")


def _add_sound_start(command: ArgumentParser, what: str) -> None:
    command.add_argument(
        "--sound-start",
        type=float,
        default=0.0,
        metavar="X",
        help=f"{what}, in seconds from the sound's beginning. Default %(default)g.",
    )


def _add_joint(commands) -> None:
    command = _command(commands, "joint", "joint", "video and audio from a prompt, made together")
    add_output(command, "a .mp4")
    add_joint_prompts(command)
    # As for settings: without a prefix the video's, with audio- the sound's.
    kinds = ("imagebind", "base", "motion", "audioldm", "taesd")
    add_models(command, *kinds, video_generator="--generator", audio_generator="--audio-generator")
    add_frames(command)
    add_video_sampling(command)
    add_joint_audio_sampling(command)
    add_rule_options(command, "video", "audio")


def _add_coupled(commands) -> None:
    command = _command(commands, "mm-diffusion", "mm_diffusion", "video and audio by one network, without a prompt")
    add_output(command, "a .mp4")
    add_followed(command)
    add_models(command, "imagebind", "coupled")
    add_coupled_sampling(command)
    add_rule_options(command, "video", "audio", coupled=True)


def _add_batch(commands) -> None:
    command = _command(
        commands,
        "batch",
        "batch",
        "many results, from a manifest or a folder. All options that are not listed here are those of the task",
    )
    command.add_argument(
        "source",
        metavar="SOURCE",
        help="Before all options. A manifest, .csv or .jsonl, with a row for each result: the columns task, input and "
        "output, and any option of the task, such as prompt, seed or weight. Or a folder: each recording or picture in "
        "it becomes one.",
    )
    command.add_argument(
        "-o", "--output", required=True, metavar="DIR", help="The folder of the results. Rerun: what is there stays."
    )
    command.add_argument(
        "--task", metavar="TASK", help="v2a, i2a, a2v, a2i, joint or mm-diffusion, for rows that name none."
    )
    command.add_argument(
        "--shard", metavar="I/N", help="Make only every Nth result, from the Ith on: on N machines, one shard each."
    )
    command.add_argument(
        "--ray",
        metavar="ADDRESS",
        help="Make them on a Ray cluster, all of whose machines share the folder of results: its address, auto, or "
        "local for several workers on this machine.",
    )
    command.add_argument(
        "--workers",
        type=int,
        metavar="N",
        help="Of the cluster. Default: one for each GPU, or for every 4 CPUs where there is none.",
    )
    command.add_argument("--again", action="store_true", help="Make all results anew, also those that are there.")
    command.add_argument("--overviews", action="store_true", help="Also draw what steered each result.")


def _add_score(commands) -> None:
    command = _command(commands, "score", "score", "measures of a folder of results, and against references")
    command.add_argument(
        "folder",
        metavar="DIR",
        help="The results: videos, with sound or without, sounds, pictures. A sound beside a video of the same name "
        "counts as the video's.",
    )
    command.add_argument(
        "--reference",
        metavar="DIR",
        help="What the results should be like, or were made for, under the same names (suffixes may differ).",
    )
    command.add_argument(
        "--captions",
        metavar="FILE.csv",
        help="Texts to compare the results with: a table with the columns name and caption.",
    )
    command.add_argument(
        "--json", metavar="FILE.json", help="Also write the figures, with those of each file, as JSON."
    )
    for network in PUBLISHED_NETWORKS:
        command.add_argument(
            f"--{network.option}",
            metavar="FILE",
            help=f"{network.file}, for {' and '.join(network.columns)} of published tables.",
        )
    command.add_argument(
        "--av-benchmark",
        metavar="DIR",
        help="Also write sounds, videos and captions as hkchengrex/av-benchmark reads them, and print its commands.",
    )
    add_option(command, settings.BOOTSTRAP_SEED)
    add_option(command, settings.PUBLISHED_CLIPS)
    add_models(command, "imagebind")


def _add_demo(commands) -> None:
    command = _command(commands, "demo", "demo", "a first run on built-in defaults: no download, no GPU")
    command.add_argument(
        "-o",
        "--output",
        default="out/demo.mp4",
        metavar="FILE",
        help="What to write, a .mp4. An overview of the search goes beside it as .png. Default %(default)s.",
    )
    add_option(command, settings.DEMO_SEED)


def _command(commands, name: str, function: str, description: str) -> ArgumentParser:
    """Add a command. function: the name of what runs it in `aligner.cli.commands`."""
    command = commands.add_parser(
        name,
        help=description,
        description=description[0].upper() + description[1:] + ".",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    command.set_defaults(command=function)
    return command
