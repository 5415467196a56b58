import math
from fractions import Fraction

from comfy_api.latest import io

from ...aligner.conditions.condition import Condition
from ...aligner.errors import AlignerError
from ...aligner.generators.audioldm import STREAM, AudioLDM
from ...aligner.guidance.rule import Guidance
from ..host import results
from ..host.convert import audio_output
from ..host.latents import SOUND_SAMPLES, inpainting, sound_latent
from ..host.progress import Progress, sound_picture
from ..host.run import load_text_encoders, sample, text_conditions
from ..long_results import window_input
from ..types import (
    CATEGORY,
    AudioLDMType,
    ConditionsType,
    GuidanceType,
    ImageBindType,
    TunedPromptType,
)

SAME_AS_VIDEO, SECONDS = "same as video", "seconds"


class GuidedAudioLDMSampler(io.ComfyNode):
    """Conditions to sound."""

    @classmethod
    def define_schema(cls):
        return io.Schema(
            node_id="SeeingHearingGuidedAudioLDMSampler",
            display_name="Guided AudioLDM Sampler",
            category=CATEGORY,
            description="Makes sound with AudioLDM while ImageBind pulls it towards the conditions (Seeing and "
            "Hearing, arXiv 2402.17723). Without ImageBind it is plain AudioLDM.",
            inputs=[
                AudioLDMType.Input("audioldm", tooltip="From Load AudioLDM."),
                ImageBindType.Input(
                    "imagebind", optional=True, tooltip="From Load ImageBind. Needed as soon as something steers."
                ),
                ConditionsType.Input("conditions", optional=True, tooltip="What to follow, from Encode Condition."),
                GuidanceType.Input(
                    "guidance",
                    optional=True,
                    tooltip="From Guidance Settings. Without it the rule of the released code "
                    "applies; text_weight 1 belongs to it.",
                ),
                io.Latent.Input(
                    "latent",
                    optional=True,
                    tooltip="A latent from this node or Encode Sound, to be changed: set denoise below 1, "
                    "or let Mask Seconds say what is made anew. The sound gets its length.",
                ),
                io.String.Input(
                    "prompt",
                    default="",
                    multiline=True,
                    tooltip="Describes the sound. It prompts AudioLDM, and steers as well as far as text_weight says.",
                ),
                io.String.Input("negative_prompt", default="", multiline=True, tooltip="What AudioLDM should avoid."),
                io.Int.Input(
                    "seed",
                    default=0,
                    min=0,
                    max=2**63 - 65,
                    control_after_generate=True,
                    tooltip="Same seed, same sound. Variation k uses seed + k.",
                ),
                io.Int.Input(
                    "steps",
                    default=30,
                    min=1,
                    max=999,
                    tooltip="Denoising steps. 30 is the paper's; fewer are faster and rougher.",
                ),
                io.Float.Input(
                    "cfg",
                    default=2.5,
                    min=0.0,
                    max=30.0,
                    step=0.1,
                    tooltip="How closely AudioLDM follows its prompt. 2 to 4 is usual; 1 or less ignores "
                    "the negative prompt and is twice as fast.",
                ),
                io.Combo.Input(
                    "length",
                    options=[SAME_AS_VIDEO, SECONDS],
                    default=SAME_AS_VIDEO,
                    tooltip="As long as the video among the conditions, to the sample, or as many seconds "
                    "as set below.",
                ),
                io.Float.Input(
                    "seconds",
                    default=5.0,
                    min=0.01,
                    max=3600.0,
                    step=0.01,
                    tooltip="Length of the sound where length is set to seconds.",
                ),
                io.Int.Input(
                    "variations",
                    default=1,
                    min=1,
                    max=64,
                    tooltip="How many sounds to make at once, as a batch. Memory grows with it.",
                ),
                io.Float.Input(
                    "denoise",
                    default=1.0,
                    min=0.01,
                    max=1.0,
                    step=0.01,
                    tooltip="1 starts from noise. Below 1 a latent must be connected, of which the more is "
                    "kept the lower this is.",
                ),
                io.Float.Input(
                    "text_weight",
                    default=0.0,
                    min=-10.0,
                    max=10.0,
                    step=0.05,
                    tooltip="How much the prompt counts in guidance, beside the conditions. 0 leaves it to "
                    "AudioLDM alone, which is best for search; 1 is the paper's.",
                ),
                io.Boolean.Input(
                    "guided",
                    default=True,
                    tooltip="Off samples without guidance and only scores the result: to hear what guidance does.",
                ),
                TunedPromptType.Input(
                    "tuned_prompt",
                    optional=True,
                    tooltip="A prompt embedding to start from, from another run or Load Tuned "
                    "Prompt, instead of the prompt's own. The prompt still "
                    "steers as far as text_weight says.",
                ),
                window_input(),
            ],
            outputs=[
                io.Audio.Output(display_name="audio", tooltip="The sound, mono; variations are a batch."),
                io.Image.Output(display_name="curve", tooltip="How the alignment rose while sampling."),
                io.Float.Output(
                    display_name="score",
                    tooltip="Cosine similarity of the sound with the conditions, "
                    "-1 to 1, weighted as in guidance; the variations' "
                    "mean. Not a number where nothing was compared.",
                ),
                io.Latent.Output(display_name="latent", tooltip="To be refined by another run of this node."),
                TunedPromptType.Output(
                    display_name="tuned_prompt",
                    tooltip="The prompt's embedding as guidance left it, the first variation's, for "
                    "another run or Save Tuned Prompt.",
                ),
            ],
        )

    @classmethod
    def execute(
        cls,
        audioldm,
        prompt,
        negative_prompt,
        seed,
        steps,
        cfg,
        length,
        seconds,
        variations,
        denoise,
        text_weight,
        guided,
        imagebind=None,
        conditions=(),
        guidance=None,
        latent=None,
        tuned_prompt=None,
        window=0.0,
    ) -> io.NodeOutput:
        model: AudioLDM = audioldm.model
        load_text_encoders(audioldm)
        denoiser = model.denoiser(
            seconds=_seconds(model, length, seconds, conditions, latent),
            steps=steps,
            cfg=cfg,
            negative_prompt=negative_prompt,
            denoise=denoise,
            window=window or None,
        )
        prompts = denoiser.prompts([prompt])
        if tuned_prompt:
            prompts = tuned_prompt.for_streams(denoiser.streams, prompts)
        conditions = [*conditions, *text_conditions(imagebind, {STREAM: prompt}, text_weight)]
        result = sample(
            inpainting(denoiser, latent),
            prompts,
            audioldm,
            imagebind=imagebind,
            conditions=conditions,
            guidance=guidance or Guidance("released"),
            steer=guided,
            seed=seed,
            batch=variations,
            latents=lambda: {STREAM: latent["samples"]} if latent else None,
            on_step=Progress(denoiser.steps, sound_picture(denoiser)),
        )
        sound = result.signals[STREAM]
        return io.NodeOutput(
            audio_output(sound.waveform, sound.sample_rate),
            results.curve(result, denoiser.steps),
            results.mean_score(result),
            sound_latent(result.latents[STREAM], model, denoiser.samples),
            results.tuned_prompt(result, {STREAM: prompt}),
        )


def _seconds(model: AudioLDM, length: str, seconds: float, conditions: list[Condition], latent) -> Fraction | float:
    """The length asked for: a latent's own, a video's, or the number. Raises AlignerError if there is no video."""
    if latent:
        return _latent_seconds(model, latent)
    if length == SECONDS:
        return Fraction(seconds).limit_denominator(model.sample_rate) if math.isfinite(seconds) else seconds
    # What the result is drawn to sets the length before what it is pushed away from.
    for condition in sorted(conditions, key=lambda condition: condition.weight <= 0):
        if condition.embedding.modality != "audio" and condition.duration:
            return condition.duration
    raise AlignerError(
        f"The length is set to '{SAME_AS_VIDEO}', but there is no video among the conditions. Set "
        f"length to '{SECONDS}', or encode a video."
    )


def _latent_seconds(model: AudioLDM, latent: dict) -> Fraction:
    samples, asked = latent["samples"], latent.get(SOUND_SAMPLES, 0)
    channels, _, bins = model.latent_shape(1)
    if samples.ndim != 4 or (samples.shape[1], samples.shape[3]) != (channels, bins):
        raise AlignerError(
            f"This latent has shape {tuple(samples.shape)}, but one of this model's sounds has "
            f"(variations, {channels}, time, {bins}). Use a latent from this node."
        )
    # Other nodes cut and join latents without knowing what we wrote beside the samples.
    if not asked or model.latent_shape(asked)[1] != samples.shape[2]:
        asked = model.latent_samples(samples)
    return Fraction(asked, model.sample_rate)
