"""What can be said on the command line: the commands, with help that teaches."""

from __future__ import annotations

import argparse

from .argument_groups import (
    add_between,
    add_clips,
    add_frames,
    add_guidance,
    add_joint_prompts,
    add_models,
    add_prompts,
    add_sampling,
    add_seconds_at_once,
    add_size,
    add_sound_sampling,
)

EXAMPLES = """examples:
  python -m aligner demo
      video-to-audio on a built-in clip with built-in models: nothing to download
  python -m aligner v2a clip.mp4 -o out.mp4 --models ComfyUI/models --prompt "a hawk screams over a valley"
      a sound for a silent clip, as long as the clip
  python -m aligner v2a clip.mp4 -o out.wav --models ComfyUI/models --candidates 32 --away-from "music"
      each moment of sound follows its own moment of video, and stays away from music
  python -m aligner i2a picture.jpg -o out.wav --seconds 5 --models ComfyUI/models
      five seconds of sound for a picture
  python -m aligner a2v birds.wav -o out.mp4 --models ComfyUI/models --prompt "birds on a branch"
      two seconds of video for a sound, with that sound
  python -m aligner a2v rain.wav -o out.mp4 --models ComfyUI/models --init clip.mp4 --denoise 0.6
      a clip made anew to fit a sound
  python -m aligner a2i birds.wav -o out.png --models ComfyUI/models
      a picture for a sound
  python -m aligner joint "waves break on a beach" -o out.mp4 --models ComfyUI/models
      video and sound from words, each steered by the other
  python -m aligner score results --reference clips --models ComfyUI/models
      how a folder of results measures up, by itself and against the files of the same name in another

weights: MODELS is a folder such as ComfyUI/models with imagebind/ (imagebind_huge.pth or .safetensors), audioldm/ (an
AudioLDM folder such as audioldm-m-full), checkpoints/ or diffusers/ (Stable Diffusion 1.5 or a model trained from it),
and animatediff_models/ (a motion module such as v3_sd15_mm.ckpt). Sound needs the first two, video the others and
imagebind. ImageBind and AudioLDM are licensed for non-commercial use only. Without models, built-in
toys run, which know eight events of a drawn world.
"""


def parser() -> argparse.ArgumentParser:
    """The whole command line."""
    top = argparse.ArgumentParser(
        prog="aligner",
        description="Sound for pictures, pictures for sound, or both from "
        "words: pre-trained generators steered by ImageBind while they sample (Seeing and "
        "Hearing, arXiv 2402.17723). No training.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = top.add_subparsers(required=True, metavar="COMMAND")
    for add in (_add_v2a, _add_i2a, _add_a2v, _add_a2i, _add_joint, _add_score, _add_demo):
        add(commands)
    return top


def _add_v2a(commands) -> None:
    command = _command(commands, "v2a", "video_to_audio", "video to audio: a sound that fits a clip")
    command.add_argument("clip", help="a video that FFmpeg can read; its own sound, if any, is replaced")
    _add_output(command, ".mp4 (the clip with its sound), .wav or .flac (the sound alone)")
    _add_sound_options(command, condition="video")


def _add_i2a(commands) -> None:
    command = _command(commands, "i2a", "image_to_audio", "image to audio: a sound that fits a picture")
    command.add_argument("picture", help="a picture: jpg, png, webp, ...")
    _add_output(command, ".wav or .flac")
    command.add_argument("--seconds", type=float, default=5.0, help="length of the sound (default: %(default)s)")
    _add_sound_options(command, condition="picture")


def _add_a2v(commands) -> None:
    command = _command(commands, "a2v", "audio_to_video", "audio to video: a clip that fits a sound")
    command.add_argument("sound", help="a sound, or a video with one, that FFmpeg can read")
    _add_output(command, "a .mp4, which has the sound under it")
    command.add_argument(
        "--start",
        type=float,
        default=0.0,
        metavar="SECONDS",
        help="where in the sound the video begins (default: %(default)s)",
    )
    add_prompts(command, condition="sound", result="video", generator="AnimateDiff")
    add_models(command, "imagebind", "base", "motion", "taesd")
    add_frames(command)
    _add_video_sampling(command, result="video")


def _add_a2i(commands) -> None:
    command = _command(commands, "a2i", "audio_to_image", "audio to image: a picture that fits a sound")
    command.add_argument("sound", help="a sound, or a video with one, that FFmpeg can read")
    _add_output(command, ".png or .jpg")
    command.add_argument(
        "--start",
        type=float,
        default=0.0,
        metavar="SECONDS",
        help="where the piece of the sound that steers begins (default: %(default)s)",
    )
    command.add_argument("--seconds", type=float, help="how long that piece is (default: up to the sound's end)")
    add_prompts(command, condition="sound", result="picture", generator="Stable Diffusion")
    add_models(command, "imagebind", "base", "taesd")
    add_size(command)
    # A picture is a video of one frame.
    command.set_defaults(frames=1, frames_at_once=None, fps=1.0, init=None, denoise=1.0)
    _add_video_sampling(command, result="picture")


def _add_joint(commands) -> None:
    command = _command(commands, "joint", "joint", "video and audio from a prompt, made together")
    _add_output(command, "a .mp4")
    add_joint_prompts(command)
    add_models(command, "imagebind", "base", "motion", "audioldm", "taesd")
    add_frames(command)
    _add_video_sampling(command, result="video")
    add_between(command)
    add_sound_sampling(command)
    add_seconds_at_once(command)


def _add_score(commands) -> None:
    command = _command(commands, "score", "score", "measure a folder of results, by itself and against references")
    command.add_argument(
        "folder",
        metavar="DIR",
        help="the results: videos, with sound or without, sounds, pictures. A sound beside a video of "
        "the same name is taken for the video's",
    )
    command.add_argument(
        "--reference",
        metavar="DIR",
        help="what the results should be like, or were made for, under the same names (suffixes may differ)",
    )
    command.add_argument(
        "--captions",
        metavar="FILE.csv",
        help="texts to compare the results with: a table with the columns name and caption",
    )
    command.add_argument("--json", metavar="FILE.json", help="also write the figures, those of each file included")
    command.add_argument("--seed", type=int, default=0, help="of the confidence intervals (default: %(default)s)")
    add_clips(command)
    add_models(command, "imagebind")


def _add_demo(commands) -> None:
    command = _command(commands, "demo", "demo", "a first run on built-in defaults: no download, no GPU")
    command.add_argument(
        "-o",
        "--output",
        default="out/demo.mp4",
        metavar="FILE",
        help="what to write, a .mp4; the alignment curve goes beside it as .png (default: %(default)s)",
    )
    command.add_argument("--seed", type=int, default=0, help="another seed, another sound (default: %(default)s)")


def _command(commands, name: str, function: str, description: str) -> argparse.ArgumentParser:
    command = commands.add_parser(
        name,
        help=description,
        description=description[0].upper() + description[1:] + ".",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    command.set_defaults(command=function)
    return command


def _add_output(command: argparse.ArgumentParser, kinds: str) -> None:
    command.add_argument("-o", "--output", required=True, metavar="FILE", help=f"what to write: {kinds}")


def _add_sound_options(command: argparse.ArgumentParser, condition: str) -> None:
    add_prompts(command, condition=condition, result="sound", generator="AudioLDM")
    add_models(command, "imagebind", "audioldm")
    add_sampling(command, result="sound", steps=30, cfg=2.5, cfg_default="2.5")
    add_guidance(command, rate=0.1, prompt_rate=0.0, candidates=16, checkpointing=False)
    add_seconds_at_once(command)


def _add_video_sampling(command: argparse.ArgumentParser, result: str) -> None:
    add_sampling(command, result=result, steps=25, cfg=None, cfg_default="7.5; 3 with the built-in models")
    add_guidance(command, rate=0.01, prompt_rate=0.01, candidates=8, checkpointing=True)
