"""Every setting once: its name, default, range and one sentence. Widgets, options, labels and tables are made from it.

Imports nothing heavy, so that the command line's help and ComfyUI's start stay fast.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

#: The largest seed whose 64 variations still have seeds below 2**63, the most that ComfyUI's page can hold.
LARGEST_SEED = 2**63 - 65


@dataclass(frozen=True)
class Setting:
    """A value that people choose.

    name: the same in Python, on widgets and, with dashes, on the command line. default: its type is the setting's.
    description: one sentence, or a few. low, high: the range, both included. step: of a widget's arrows. choices: of a
    setting that is one of several names. unit: "seconds", "pixels", ...; "" where it has none. lines: whether a text
    may be long.
    """

    name: str
    default: Any
    description: str
    low: float | None = None
    high: float | None = None
    step: float | None = None
    choices: tuple[str, ...] = ()
    unit: str = ""
    lines: bool = False

    def having(self, **changes: Any) -> Setting:
        """The same setting with another default, name or description, for another place."""
        return replace(self, **changes)


# Loading

LORA_STRENGTH = Setting(
    "lora_strength",
    1.0,
    "Strength of the LoRA. 1 is the strength that it was trained for. 0 leaves it out. Below 0 its effect is reversed.",
    low=-10.0,
    high=10.0,
    step=0.05,
)
MOTION_LORA_STRENGTH = LORA_STRENGTH.having(name="motion_lora_strength")
ADDED_LORA_STRENGTH = LORA_STRENGTH.having(name="strength")
BINDER_1_WEIGHT = Setting(
    "weight_1",
    1.0,
    "Weight of everything that the first binder compares, beside the weights of conditions.",
    low=0.05,
    high=10.0,
    step=0.05,
)
BINDER_2_WEIGHT = BINDER_1_WEIGHT.having(
    name="weight_2",
    description="Weight of everything that the second binder compares, beside the weights of conditions.",
)

# Sampling

PROMPT = Setting("prompt", "", "The text that the generator follows.", lines=True)
NEGATIVE_PROMPT = Setting("negative_prompt", "", "What the generator should avoid.", lines=True)
SEED = Setting(
    "seed", 0, "The same seed gives the same result. Variation k uses seed + k.", low=0, high=LARGEST_SEED, step=1
)
UPSCALE_SEED = SEED.having(description="The same seed gives the same result.")
BOOTSTRAP_SEED = SEED.having(description="Seed of the bootstrap that gives the confidence intervals.")
DEMO_SEED = SEED.having(
    default=3,
    description="The same seed gives the same result. Of the seeds 0 to 7 this one gives the sound that begins nearest "
    "to both bounces.",
)
AUDIO_STEPS = Setting(
    "steps", 30, "Denoising steps. 30 is the paper's; fewer are faster and rougher.", low=1, high=999, step=1
)
VIDEO_STEPS = AUDIO_STEPS.having(
    default=25, description="Denoising steps. 25 is the paper's; fewer are faster and rougher."
)
COUPLED_STEPS = AUDIO_STEPS.having(
    default=20,
    low=2,
    description="How often the network is evaluated. 20 is as published; DPM-Solver takes up to three in one step.",
)
UPSCALE_STEPS = AUDIO_STEPS.having(
    default=25, low=2, description="Denoising steps of every frame. 25 is as published; fewer are faster and rougher."
)
SAMPLER = Setting(
    "sampler",
    "dpm-solver-clean",
    "dpm-solver: DPM-Solver of order 3, as published; it leaves a faint hiss. dpm-solver-clean: the last evaluation "
    "removes that. ddim: one evaluation in each step; 50 or more are usual.",
    choices=("dpm-solver-clean", "dpm-solver", "ddim"),
)
COUPLED_SECONDS = Setting(
    "seconds",
    0.0,
    "Length of the result. 0: as long as what is connected to given_video or given_audio, otherwise one clip of the "
    "model, 1.6 s as published. Longer results are made clip by clip.",
    low=0.0,
    high=600.0,
    step=0.1,
    unit="seconds",
)
OVERLAP = Setting(
    "overlap",
    0.4,
    "In a result longer than one clip of the model: how much of each clip is the end of the clip before. More holds "
    "them together, and takes more clips.",
    low=0.1,
    high=10.0,
    step=0.1,
    unit="seconds",
)
RECONSTRUCTION = Setting(
    "reconstruction",
    30.0,
    "With given_video or given_audio: how strongly what is made follows it, beside replacing it at every step. It "
    "takes a backward pass in every step; 0 only replaces.",
    low=0.0,
    high=1000.0,
    step=1.0,
)
AUDIO_CFG = Setting(
    "cfg",
    2.5,
    "Scale of classifier-free guidance: how closely the sound follows its prompt. 2 to 4 is usual. At 1 or less the "
    "negative prompt has no effect and a step takes half the time.",
    low=0.0,
    high=30.0,
    step=0.1,
)
VIDEO_CFG = AUDIO_CFG.having(
    default=0.0,
    description="Scale of classifier-free guidance: how closely the frames follow their prompt. 0 is the model's own: "
    "7.5 for Stable Diffusion 1.5. Up to 1 the negative prompt has no effect and a step takes half the time.",
)
LENGTH = Setting(
    "length",
    "same as video",
    "same as video: the sound is exactly as long as the video that it follows. Without one, and with seconds, the "
    "setting seconds counts. A connected latent keeps its own length.",
    choices=("same as video", "seconds"),
)
SECONDS = Setting("seconds", 5.0, "Length of the sound.", low=0.01, high=3600.0, step=0.01, unit="seconds")
VARIATIONS = Setting(
    "variations", 1, "How many results to make as one batch. Memory grows with it.", low=1, high=64, step=1
)
DENOISE = Setting(
    "denoise",
    1.0,
    "The part of the schedule that is sampled. 1 starts from noise. Below 1 sampling starts from the given latent or "
    "frames; the lower the value, the more of them stays.",
    low=0.01,
    high=1.0,
    step=0.01,
)
FRAMES = Setting(
    "frames",
    16,
    "Number of frames. Motion modules were trained with 16. 1 makes a picture.",
    low=1,
    high=4096,
    step=1,
    unit="frames",
)
WIDTH = Setting(
    "width",
    0,
    "Width, a multiple of 8. 0 is the model's own: 512 for Stable Diffusion 1.5.",
    low=0,
    high=16384,
    step=8,
    unit="pixels",
)
HEIGHT = WIDTH.having(
    name="height", description="Height, a multiple of 8. 0 is the model's own: 512 for Stable Diffusion 1.5."
)
FPS = Setting(
    "fps",
    8.0,
    "Frames per second of the result. Motion modules make about 8. Sound and frames are matched by it.",
    low=0.01,
    high=1000.0,
    step=0.001,
    unit="frames per second",
)
DECODING = Setting(
    "decoding",
    "exact",
    "How guidance decodes the frames that it looks at. half decodes at half the size, taesd with a tiny decoder; both "
    "are approximations, faster and smaller. The result is always decoded exactly.",
    choices=("exact", "half", "taesd"),
)
WINDOW_SECONDS = Setting(
    "window_seconds",
    0.0,
    "Length of the overlapping windows in which a long sound is made, so that memory and the time of a step do not "
    "explode. 0 is automatic: windows of 10 where the sound of AudioLDM is longer than 20.",
    low=0.0,
    high=600.0,
    step=0.1,
    unit="seconds",
)
WINDOW_FRAMES = Setting(
    "window_frames",
    0,
    "Length of the overlapping windows in which a long video is made. 0 uses windows of 16 frames where the video is "
    "longer than the motion module allows, and otherwise one piece.",
    low=0,
    high=64,
    step=1,
    unit="frames",
)
JOINT_AUDIO_STEPS = VIDEO_STEPS.having(
    name="audio_steps",
    description="Denoising steps of the sound. The generator with more steps sets the pace; the steps of the other are "
    "spread evenly over the same time.",
)
JOINT_AUDIO_CFG = AUDIO_CFG.having(name="audio_cfg")
JOINT_AUDIO_PROMPT = PROMPT.having(
    name="audio_prompt", description="A prompt for the sound alone. Empty: the sound uses the prompt of the video."
)
JOINT_AUDIO_NEGATIVE_PROMPT = NEGATIVE_PROMPT.having(
    name="audio_negative_prompt", description="What the sound should avoid."
)
PAIR_WEIGHT = Setting(
    "pair_weight",
    1.0,
    "Weight of the distance between generated video and generated sound. 0 leaves each to its prompt and conditions.",
    low=-10.0,
    high=10.0,
    step=0.05,
)
GUIDED = Setting(
    "guided",
    True,
    "On: conditions steer the result. Off: the result is sampled without guidance and only scored, to compare runs of "
    "the same seed.",
)

# Inpainting: which seconds of a latent are made anew

MASK_START = Setting(
    "start", 0.0, "Start of the part that is made anew.", low=0.0, high=3600.0, step=0.01, unit="seconds"
)
MASK_END = MASK_START.having(name="end", default=1.0, description="End of the part that is made anew.")
FADE = MASK_START.having(
    name="fade", default=0.1, description="Length of the blend of old and new on either side.", high=60.0
)
LATENT_FPS = FPS.having(
    description="Frames per second of a video's latent, as in its sampler. The latent of a sound holds its own rate."
)
MASK = (MASK_START, MASK_END, FADE, LATENT_FPS)

# Captions

INSTRUCTION = Setting(
    "instruction",
    "Describe what can be seen and heard here in one short sentence.",
    "The request to models that follow instructions. Other models ignore it.",
    lines=True,
)
LONGEST = Setting("longest", 40, "The most tokens of the caption.", low=1, high=1000, step=1, unit="tokens")

# Conditions

WEIGHT = Setting(
    "weight",
    1.0,
    "Weight of the condition in guidance. 0 switches it off. Below 0 the result is kept from resembling it.",
    low=-10.0,
    high=10.0,
    step=0.05,
)
CONDITION_FPS = FPS.having(
    default=24.0, description="Frames per second of a batch of images. Get Video Components reports it."
)
STREAMS = Setting(
    "streams",
    "all",
    "Which generated streams the condition steers: all, or only the video or the audio of a joint run.",
    choices=("all", "video", "audio"),
)

# Conditions: when they count

SOURCE_START = Setting(
    "source_start",
    0.0,
    "Start of the part of the recording that steers.",
    low=0.0,
    high=3600.0,
    step=0.01,
    unit="seconds",
)
SOURCE_END = SOURCE_START.having(
    name="source_end", description="End of the part of the recording that steers. 0 is the end of the recording."
)
TARGET_START = SOURCE_START.having(name="start", description="Start of the part of the result that is steered.")
TARGET_END = SOURCE_START.having(
    name="end", description="End of the part of the result that is steered. 0 is the end of the result."
)
STRENGTH = Setting(
    "strength",
    "",
    "A curve over the seconds of the result that multiplies the weight. It is written as points such as 0: 1, 2: 0.5. "
    "Straight lines join them. Empty: 1 everywhere.",
    lines=True,
)
SCHEDULE = Setting(
    "schedule",
    "",
    "A curve over denoising that multiplies the weight. 0 is the beginning of denoising and 1 its end: 0: 1, 1: 0 "
    "fades out. The search reads it at the moment of its choice. Empty: 1 throughout.",
    lines=True,
)
TIMELINE = (SOURCE_START, SOURCE_END, TARGET_START, TARGET_END, STRENGTH, SCHEDULE)

# The sound of a clip

ORIGINAL_SOUND = Setting(
    "original",
    "replace",
    "What becomes of the sound that the clip has. replace leaves it out. mix keeps it under the new one. duck also "
    "lowers it while the new sound is heard.",
    choices=("replace", "mix", "duck"),
)
GAIN = Setting(
    "gain",
    0.0,
    "Level of the new sound. 0 leaves it as it is, and 6 lower is half the amplitude.",
    low=-60.0,
    high=24.0,
    step=0.5,
    unit="dB",
)
ORIGINAL_GAIN = GAIN.having(name="original_gain", description="Level of the sound that the clip has, if it is kept.")
MIXING = (ORIGINAL_SOUND, GAIN, ORIGINAL_GAIN)

# Scoring

SCORED_FPS = FPS.having(description="Frames per second of the videos.")

# Steering ComfyUI's own models

STEERED_FPS = FPS.having(
    default=24.0,
    description="Frames per second of the video that the model makes. Clips of frames and of sound are matched by it. "
    "Pictures and sounds do not need it.",
)

# Guidance: what is compared

COMPARE = Setting(
    "compare",
    "per_clip",
    "per_clip compares each clip with the clip at the same time and keeps timing. mean compares the means over all "
    "clips, as in the paper.",
    choices=("per_clip", "mean"),
)
CLIPS = Setting(
    "clips",
    "short",
    "How recordings are cut into clips. short: every half second, which tells moments apart. seconds: every second, "
    "as in the authors' code. spread: 5 clips of video and 3 of sound, 2 s each, as in ImageBind's code.",
    choices=("short", "seconds", "spread"),
)
TEXT_WEIGHT = Setting(
    "text_weight",
    0.0,
    "Weight of the generator's own prompt as a target beside the conditions. 0 leaves the prompt to the generator.",
    low=-10.0,
    high=10.0,
    step=0.05,
)
AUDIO_TIMING_WEIGHT = Setting(
    "audio_timing_weight",
    0.3,
    "Weight of timing where a sound is made: it begins when something in the video, or in a given sound, begins. 0 "
    "leaves timing to chance. Where nothing begins, as in steady rain or a steady pan, it has no effect.",
    low=0.0,
    high=10.0,
    step=0.05,
)
VIDEO_TIMING_WEIGHT = AUDIO_TIMING_WEIGHT.having(
    name="video_timing_weight",
    default=0.0,
    description="Weight of timing where a video is made. Made together, video and sound use the lower one of both "
    "weights. An early estimate of a video shows little of its motion, so that 0 is best for a search.",
)
TIMING_WEIGHTS = (AUDIO_TIMING_WEIGHT, VIDEO_TIMING_WEIGHT)
#: What the paper and the released code compare.
PUBLISHED_COMPARE = COMPARE.having(default="mean")
PUBLISHED_CLIPS = CLIPS.having(default="seconds")
PUBLISHED_TEXT_WEIGHT = TEXT_WEIGHT.having(default=1.0)
PUBLISHED_AUDIO_TIMING_WEIGHT = AUDIO_TIMING_WEIGHT.having(default=0.0)
PUBLISHED_VIDEO_TIMING_WEIGHT = VIDEO_TIMING_WEIGHT.having(
    description="Weight of timing where a video is made. Made together, video and sound use the lower one of both "
    "weights."
)
PUBLISHED_TIMING_WEIGHTS = (PUBLISHED_AUDIO_TIMING_WEIGHT, PUBLISHED_VIDEO_TIMING_WEIGHT)

# Guidance: the search

AUDIO_CANDIDATES = Setting(
    "audio_candidates",
    16,
    "How many noises the search tries for a sound. More fit better and take longer. Silent ones are passed over.",
    low=1,
    high=64,
    step=1,
)
VIDEO_CANDIDATES = AUDIO_CANDIDATES.having(
    name="video_candidates",
    description="How many noises the search tries for a video or picture. More fit better and take longer.",
)
AT = Setting(
    "at",
    0.4,
    "The part of the denoising steps after which the search chooses. A later choice sees more and takes longer.",
    low=0.05,
    high=0.95,
    step=0.05,
)
AUDIO_SHIFT = Setting(
    "audio_shift",
    1.0,
    "How far the sound of a candidate is moved, earlier or later, until it meets what is seen. What leaves at one end "
    "comes in at the other, and the following steps mend the seam. 0 moves nothing. It needs an audio_timing_weight "
    "above 0 and a video or sound that is given: what is made together is not moved. Steer Model moves no sounds.",
    low=0.0,
    high=60.0,
    step=0.05,
    unit="seconds",
)
FUNNEL = Setting(
    "funnel",
    "",
    "Earlier choices, after which only some candidates go on: parts of the steps and numbers, such as 0.1: 8, 0.2: 4. "
    "More noises can be tried in the same time. Empty: all are followed to the choice.",
)

# Guidance: gradients

RULE = Setting(
    "rule",
    "code",
    "code: Adam on the latent after the scheduler's step, as in the authors' code. paper: a plain gradient step "
    "before it, through the denoising network, as in the paper; it takes longer and wants higher rates, 1 to 10.",
    choices=("code", "paper"),
)
AUDIO_RATE = Setting(
    "audio_rate",
    0.1,
    "Learning rate of a sound's latent. 0.1 is the paper's; 0.02 to 0.3 is usual with code. 0 leaves it alone.",
    low=0.0,
    high=1000.0,
    step=0.001,
)
VIDEO_RATE = AUDIO_RATE.having(
    name="video_rate",
    default=0.01,
    description="Learning rate of the latent of a video or picture. 0.01 is the paper's. 0 leaves it alone.",
)
AUDIO_PROMPT_RATE = Setting(
    "audio_prompt_rate",
    0.0,
    "Learning rate of a sound's prompt embedding (guided prompt tuning). 0 is off; 0.01 is a start. Costs a backward "
    "pass through the denoising network.",
    low=0.0,
    high=10.0,
    step=0.001,
)
VIDEO_PROMPT_RATE = AUDIO_PROMPT_RATE.having(
    name="video_prompt_rate",
    default=0.01,
    description="Learning rate of the prompt embedding of a video or picture (guided prompt tuning). The paper gives "
    "no figure. 0 is off, which is faster and needs less memory.",
)
INNER_STEPS = Setting(
    "inner_steps",
    1,
    "Updates per denoising step. More follow the conditions closer and take longer.",
    low=1,
    high=20,
    step=1,
)
START = Setting(
    "start",
    0.2,
    "The part of the denoising steps after which updates begin. The authors' code warms up for 0.2.",
    low=0.0,
    high=1.0,
    step=0.05,
)
END = Setting("end", 1.0, "The part of the denoising steps at which updates end.", low=0.0, high=1.0, step=0.05)
CHECKPOINTING = Setting(
    "checkpointing",
    True,
    "Recompute activations in the backward pass instead of keeping them: less memory, more time, the same result.",
)


#: The settings of each rule, in the order in which people meet them.
COMPARISON = (COMPARE, CLIPS, TEXT_WEIGHT, *TIMING_WEIGHTS)
PUBLISHED_COMPARISON = (PUBLISHED_COMPARE, PUBLISHED_CLIPS, PUBLISHED_TEXT_WEIGHT, *PUBLISHED_TIMING_WEIGHTS)
#: Where a sound and a video are made for each other. Few videos keep their variety, many sounds find one that fits.
JOINT_CANDIDATES = (AUDIO_CANDIDATES.having(default=32), VIDEO_CANDIDATES.having(default=4))
SEARCH = (AUDIO_CANDIDATES, VIDEO_CANDIDATES, AT, COMPARE, CLIPS, TEXT_WEIGHT, FUNNEL, *TIMING_WEIGHTS, AUDIO_SHIFT)
GRADIENT = (
    RULE,
    AUDIO_RATE,
    VIDEO_RATE,
    AUDIO_PROMPT_RATE,
    VIDEO_PROMPT_RATE,
    INNER_STEPS,
    START,
    END,
    PUBLISHED_COMPARE,
    PUBLISHED_CLIPS,
    PUBLISHED_TEXT_WEIGHT,
    CHECKPOINTING,
    *PUBLISHED_TIMING_WEIGHTS,
)


def by_stream(suffix: str, settings: Iterable[Setting]) -> dict[str, Any]:
    """The defaults of the settings <stream>_<suffix>, by stream.

    >>> by_stream("rate", GRADIENT)
    {'audio': 0.1, 'video': 0.01}
    """
    found = (setting for setting in settings if setting.name in (f"audio_{suffix}", f"video_{suffix}"))
    return {setting.name.removesuffix(f"_{suffix}"): setting.default for setting in found}
