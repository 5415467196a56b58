"""Options that several commands share."""

from __future__ import annotations

from argparse import ArgumentParser, BooleanOptionalAction

#: By name of the option: what it takes, and its help.
MODEL_OPTIONS = {
    "imagebind": ("FILE", "this ImageBind checkpoint"),
    "audioldm": ("DIR", "this AudioLDM folder"),
    "base": ("PATH", "this Stable Diffusion 1.5, a checkpoint file or a folder in the diffusers layout,"),
    "motion": ("PATH", "this AnimateDiff motion module, a file or a folder,"),
    "taesd": ("PATH", "this TAESD, taesd_decoder.safetensors or a folder, for --decoding taesd,"),
}


def add_prompts(command: ArgumentParser, condition: str, result: str, generator: str) -> None:
    group = command.add_argument_group("what to make")
    group.add_argument(
        "--prompt",
        default="",
        metavar="TEXT",
        help=f"describes the {result}; it prompts {generator} and, as far as --text-weight says, is a "
        f"target of guidance beside the {condition}",
    )
    group.add_argument("--negative-prompt", default="", metavar="TEXT", help=f"what {generator} should avoid")
    group.add_argument(
        "--condition-weight",
        type=float,
        default=1.0,
        metavar="W",
        help=f"how much the {condition} counts; below 0 pushes away (default: %(default)s)",
    )
    _add_text_targets(group, result)


def add_joint_prompts(command: ArgumentParser) -> None:
    command.add_argument("prompt", metavar="PROMPT", help='describes video and sound; "" for none')
    group = command.add_argument_group("what to make")
    group.add_argument("--audio-prompt", metavar="TEXT", help="describes the sound (default: PROMPT)")
    group.add_argument("--negative-prompt", default="", metavar="TEXT", help="what AnimateDiff should avoid")
    group.add_argument("--audio-negative-prompt", default="", metavar="TEXT", help="what AudioLDM should avoid")
    _add_text_targets(group, "result")


def _add_text_targets(group, result: str) -> None:
    group.add_argument(
        "--text-weight",
        type=float,
        metavar="W",
        help="how much the prompt counts in guidance; 0 leaves it to the generator (default: 0 with "
        "--rule search, else 1)",
    )
    group.add_argument(
        "--away-from",
        action="append",
        default=[],
        metavar="TEXT",
        help=f"a text that guidance pushes the {result} away from; may be given several times",
    )


def add_models(command: ArgumentParser, *names: str) -> None:
    group = command.add_argument_group("models")
    group.add_argument(
        "--models",
        metavar="DIR",
        help="a folder with models in it, such as ComfyUI/models (see below); without it, built-in toy models",
    )
    for name in names:
        kind, description = MODEL_OPTIONS[name]
        group.add_argument(f"--{name}", metavar=kind, help=f"{description} instead of the one in --models")
    if "base" in names:
        group.add_argument(
            "--lora",
            action="append",
            default=[],
            metavar="FILE[:STRENGTH]",
            help="a LoRA for Stable Diffusion 1.5 or its motion module, merged as strongly as said, "
            "1 if nothing is; may be given several times",
        )
    group.add_argument("--device", default="auto", help="cpu, cuda, cuda:1, mps ... (default: the GPU if there is one)")
    group.add_argument(
        "--dtype",
        default="auto",
        choices=["auto", "fp32", "fp16", "bf16"],
        help="precision of the networks (default: fp16 on a GPU, fp32 on the CPU)",
    )


def add_size(command: ArgumentParser):
    group = command.add_argument_group("pictures")
    group.add_argument(
        "--size",
        type=int,
        nargs=2,
        metavar=("W", "H"),
        help="width and height in pixels, multiples of 8 (default: 512 512, what Stable Diffusion 1.5 "
        "was trained for; 64 64 with the built-in models)",
    )
    group.add_argument(
        "--decoding",
        default="exact",
        choices=["exact", "half", "taesd"],
        help="how guidance decodes the frames it looks at. Two approximations are faster and smaller: "
        "half, from latents of half the size, and taesd, by a tiny decoder. Where a gradient "
        "leads, its cosine with the exact one is printed (default: %(default)s)",
    )
    return group


def add_frames(command: ArgumentParser) -> None:
    group = add_size(command)
    group.add_argument("--frames", type=int, default=16, help="how many frames (default: %(default)s)")
    group.add_argument(
        "--frames-at-once",
        type=int,
        metavar="N",
        help="make a longer video in overlapping windows of N frames (default: 16 where there are more "
        "frames than the 24 or 32 that motion modules know, else all together)",
    )
    group.add_argument(
        "--fps",
        type=float,
        default=8.0,
        help="frames per second: the video lasts FRAMES / FPS seconds (default: %(default)g)",
    )
    group.add_argument(
        "--init",
        metavar="VIDEO",
        help="start from this clip's first frames, shown at --fps and cropped to --size; give --denoise too",
    )
    group.add_argument(
        "--denoise",
        type=float,
        default=1.0,
        metavar="D",
        help="the part of the steps that is taken; the lower, the more is kept of --init "
        "(default: %(default)g, from noise)",
    )


def add_sampling(command: ArgumentParser, result: str, steps: int, cfg: float | None, cfg_default: str) -> None:
    group = command.add_argument_group("sampling")
    group.add_argument("--seed", type=int, default=0, help=f"same seed, same {result} (default: %(default)s)")
    group.add_argument("--steps", type=int, default=steps, help="denoising steps (default: %(default)s, the paper's)")
    group.add_argument(
        "--cfg", type=float, default=cfg, help=f"how closely the generator follows its prompt (default: {cfg_default})"
    )
    group.add_argument("--curve", metavar="FILE.png", help="also draw the alignment curve")


def add_guidance(
    command: ArgumentParser, rate: float, prompt_rate: float, candidates: int, *, checkpointing: bool
) -> None:
    """rate, prompt_rate, candidates: what the rules that use them take of themselves, to be told."""
    group = command.add_argument_group("guidance")
    group.add_argument("--unguided", action="store_true", help="sample without guidance, to compare")
    group.add_argument(
        "--rule",
        default="search",
        choices=["search", "released", "paper"],
        help="search: several noises are tried, and the one goes on that fits best; nothing is moved. "
        "released: the latent moves as in the authors' code (Adam after the step). paper: as in "
        "the paper's equations (a gradient step before it, through the network) (default: "
        "%(default)s)",
    )
    group.add_argument(
        "--candidates",
        type=int,
        metavar="N",
        help=f"how many noises are tried; what is silent is passed over (default: {candidates} with "
        "--rule search, else 1)",
    )
    group.add_argument(
        "--chosen-at",
        type=float,
        default=0.4,
        metavar="PART",
        help="the part of the steps after which one of them is chosen (default: %(default)s)",
    )
    group.add_argument(
        "--rate", type=float, help=f"learning rate of the latent (default: none with --rule search, else {rate})"
    )
    group.add_argument(
        "--prompt-rate",
        type=float,
        metavar="RATE",
        help="learning rate of the prompt embedding, guided prompt tuning; 0 is off, 0.01 is usual "
        f"(default: {f'{prompt_rate} with --rule paper, else ' if prompt_rate else ''}off)",
    )
    group.add_argument(
        "--tuned-prompt",
        metavar="FILE",
        help="start from a prompt embedding that --save-prompt wrote, instead of the prompt's own",
    )
    group.add_argument("--save-prompt", metavar="FILE.safetensors", help="also write the tuned prompt embedding")
    group.add_argument(
        "--inner-steps",
        type=int,
        default=1,
        metavar="N",
        help="updates per denoising step, where a rate moves something (default: %(default)s)",
    )
    group.add_argument(
        "--window",
        type=float,
        nargs=2,
        default=(0.2, 1.0),
        metavar=("START", "END"),
        help="the part of the steps in which a rate moves something, as fractions (default: 0.2 1.0)",
    )
    group.add_argument(
        "--compare",
        choices=["mean", "per_clip"],
        help="compare the means over clips, as in the paper, or each clip with its own clip, which "
        "carries timing (default: per_clip with --rule search, else mean)",
    )
    add_clips(group, default=None, default_help="short with --rule search, else released")
    group.add_argument(
        "--checkpointing",
        action=BooleanOptionalAction,
        default=checkpointing,
        help="where a rate moves something, recompute activations instead of keeping them: less memory, "
        "more time, the same result; "
        f"{'on' if checkpointing else 'off'} unless you say otherwise",
    )


def add_clips(group, default: str | None = "released", default_help: str = "released") -> None:
    group.add_argument(
        "--clips",
        default=default,
        choices=["released", "upstream", "short"],
        help="how recordings are cut into clips: of a second, as in the authors' code, of two, as "
        f"ImageBind does, or of half a second, which tells moments apart (default: {default_help})",
    )


def add_seconds_at_once(command: ArgumentParser) -> None:
    group = command.add_argument_group("long sounds")
    group.add_argument(
        "--seconds-at-once",
        type=float,
        metavar="SECONDS",
        help="make a longer sound in overlapping windows of so many seconds, in memory that does not "
        "grow with its length; AudioLDM was trained on 10 (default: all together)",
    )


def add_between(command: ArgumentParser) -> None:
    group = command.add_argument_group("video and sound")
    group.add_argument(
        "--between",
        type=float,
        default=1.0,
        metavar="W",
        help="how much video and sound count for each other (default: %(default)s)",
    )


def add_sound_sampling(command: ArgumentParser) -> None:
    group = command.add_argument_group("the sound's own sampling", "The options named alike above are the video's.")
    group.add_argument("--audio-steps", type=int, metavar="STEPS", help="denoising steps (default: as many as --steps)")
    group.add_argument(
        "--audio-cfg",
        type=float,
        default=2.5,
        metavar="CFG",
        help="how closely AudioLDM follows its prompt (default: %(default)s)",
    )
    group.add_argument(
        "--audio-candidates",
        type=int,
        metavar="N",
        help="how many noises are tried (default: 16 with --rule search, else 1)",
    )
    group.add_argument(
        "--audio-rate",
        type=float,
        metavar="RATE",
        help="learning rate of the latent (default: none with --rule search, else 0.1)",
    )
    group.add_argument(
        "--audio-prompt-rate", type=float, metavar="RATE", help="learning rate of the prompt embedding (default: off)"
    )
