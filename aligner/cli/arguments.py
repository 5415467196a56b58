"""What can be said on the command line, with help that teaches."""

from __future__ import annotations

import argparse

EXAMPLES = """examples:
  python -m aligner demo
      video-to-audio on a built-in clip with built-in models: nothing to download
  python -m aligner v2a clip.mp4 -o out.mp4 --models ComfyUI/models --prompt "a hawk screams over a valley"
      a sound for a silent clip, as long as the clip
  python -m aligner v2a clip.mp4 -o out.wav --models ComfyUI/models --compare per_clip --away-from "music"
      each second of sound follows its own second of video, and stays away from music
  python -m aligner i2a picture.jpg -o out.wav --seconds 5 --models ComfyUI/models
      five seconds of sound for a picture

weights: put imagebind_huge.pth (or .safetensors) into MODELS/imagebind and an AudioLDM folder, such as
audioldm-m-full, into MODELS/audioldm. Both are licensed for non-commercial use only. Without --models, small
built-in models with random weights run: they show that everything works, and make noise.
"""


def parser() -> argparse.ArgumentParser:
    """The whole command line."""
    top = argparse.ArgumentParser(prog="aligner", description="Sound for pictures: pre-trained generators steered by "
                                  "ImageBind while they sample (Seeing and Hearing, arXiv 2402.17723). No training.",
                                  epilog=EXAMPLES, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = top.add_subparsers(required=True, metavar="COMMAND")
    _add_v2a(commands)
    _add_i2a(commands)
    _add_demo(commands)
    return top


def _add_v2a(commands) -> None:
    command = _command(commands, "v2a", "video_to_audio", "video to audio: a sound that fits a clip")
    command.add_argument("clip", help="a video that FFmpeg can read; its own sound, if any, is replaced")
    command.add_argument("-o", "--output", required=True, metavar="FILE",
                         help="what to write: .mp4 (the clip with its sound), .wav or .flac (the sound alone)")
    _add_shared(command, condition="video")


def _add_i2a(commands) -> None:
    command = _command(commands, "i2a", "image_to_audio", "image to audio: a sound that fits a picture")
    command.add_argument("picture", help="a picture: jpg, png, webp, ...")
    command.add_argument("-o", "--output", required=True, metavar="FILE", help="what to write: .wav or .flac")
    command.add_argument("--seconds", type=float, default=5.0, help="length of the sound (default: %(default)s)")
    _add_shared(command, condition="picture")


def _add_demo(commands) -> None:
    command = _command(commands, "demo", "demo", "a first run on built-in defaults: no download, no GPU")
    command.add_argument("-o", "--output", default="out/demo.mp4", metavar="FILE",
                         help="what to write, a .mp4; the alignment curve goes beside it as .png "
                              "(default: %(default)s)")
    command.add_argument("--seed", type=int, default=0, help="another seed, another sound (default: %(default)s)")


def _command(commands, name: str, function: str, description: str) -> argparse.ArgumentParser:
    command = commands.add_parser(name, help=description, description=description[0].upper() + description[1:] + ".",
                                  epilog=EXAMPLES, formatter_class=argparse.RawDescriptionHelpFormatter)
    command.set_defaults(command=function)
    return command


def _add_shared(command: argparse.ArgumentParser, condition: str) -> None:
    _add_prompts(command, condition)
    _add_models(command)
    _add_sampling(command)
    _add_guidance(command)


def _add_prompts(command: argparse.ArgumentParser, condition: str) -> None:
    group = command.add_argument_group("what to hear")
    group.add_argument("--prompt", default="", metavar="TEXT",
                       help="describes the sound; it prompts AudioLDM and is a target of guidance beside the "
                            f"{condition}, as in the paper")
    group.add_argument("--negative-prompt", default="", metavar="TEXT", help="what AudioLDM should avoid")
    group.add_argument("--away-from", action="append", default=[], metavar="TEXT",
                       help="a text that guidance pushes the sound away from; may be given several times")
    group.add_argument("--condition-weight", type=float, default=1.0, metavar="W",
                       help=f"how much the {condition} counts; below 0 pushes away (default: %(default)s)")
    group.add_argument("--text-weight", type=float, default=1.0, metavar="W",
                       help="how much the prompt counts in guidance; 0 leaves it to AudioLDM (default: %(default)s)")


def _add_models(command: argparse.ArgumentParser) -> None:
    group = command.add_argument_group("models")
    group.add_argument("--models", metavar="DIR",
                       help="a folder with imagebind/ and audioldm/ in it, such as ComfyUI/models; without it, "
                            "built-in random models")
    group.add_argument("--imagebind", metavar="FILE", help="this ImageBind checkpoint instead of the one in --models")
    group.add_argument("--audioldm", metavar="DIR", help="this AudioLDM folder instead of the one in --models")
    group.add_argument("--device", default="auto", help="cpu, cuda, cuda:1, mps ... (default: the GPU if there is one)")
    group.add_argument("--dtype", default="auto", choices=["auto", "fp32", "fp16", "bf16"],
                       help="precision of the networks (default: fp16 on a GPU, fp32 on the CPU)")


def _add_sampling(command: argparse.ArgumentParser) -> None:
    group = command.add_argument_group("sampling")
    group.add_argument("--seed", type=int, default=0, help="same seed, same sound (default: %(default)s)")
    group.add_argument("--steps", type=int, default=30, help="denoising steps (default: %(default)s, the paper's)")
    group.add_argument("--cfg", type=float, default=2.5,
                       help="how closely AudioLDM follows its prompt (default: %(default)s)")
    group.add_argument("--curve", metavar="FILE.png", help="also draw the alignment curve")


def _add_guidance(command: argparse.ArgumentParser) -> None:
    group = command.add_argument_group("guidance")
    group.add_argument("--unguided", action="store_true", help="sample without guidance, to compare")
    group.add_argument("--rule", default="released", choices=["released", "paper"],
                       help="the update of the authors' code (Adam after the step) or of the paper's equations (a "
                            "gradient step before it, through the network) (default: %(default)s)")
    group.add_argument("--rate", type=float, default=0.1, help="learning rate of the latent (default: %(default)s)")
    group.add_argument("--prompt-rate", type=float, default=0.0, metavar="RATE",
                       help="learning rate of the prompt embedding, guided prompt tuning; try 0.01 "
                            "(default: %(default)s, off)")
    group.add_argument("--inner-steps", type=int, default=1, metavar="N",
                       help="updates per denoising step (default: %(default)s)")
    group.add_argument("--window", type=float, nargs=2, default=(0.2, 1.0), metavar=("START", "END"),
                       help="the part of the steps that is guided, as fractions (default: 0.2 1.0)")
    group.add_argument("--compare", default="mean", choices=["mean", "per_clip"],
                       help="compare the means over clips, as in the paper, or each second with its own second, "
                            "which carries timing (default: %(default)s)")
    group.add_argument("--clips", default="released", choices=["released", "upstream"],
                       help="how recordings are cut into clips: as the authors' code or as ImageBind does "
                            "(default: %(default)s)")
    group.add_argument("--checkpointing", action="store_true", help="recompute activations instead of keeping them: less memory, more time, the same result")
