import math
from fractions import Fraction

from comfy_api.latest import io

from ...aligner import settings
from ...aligner.conditions.condition import Condition
from ...aligner.errors import AlignerError
from ...aligner.generation import SEARCH
from ...aligner.generators.audioldm import STREAM, require_window
from ...aligner.generators.base import AudioModel
from ..host import clips, results
from ..host.convert import audio_output, image_output
from ..host.encoding import encode_followed, require_binder
from ..host.latents import SOUND_SAMPLES, samples_of, sound_latent, stream_mask
from ..host.progress import Progress
from ..host.sampling import load_text_encoders, sample, with_prompts
from ..host.starting_video import require_start
from ..inputs import (
    AudioGeneratorType,
    Category,
    TunedPromptType,
    folded,
    guiding_sockets,
    schema,
    score_output,
    seed_input,
    tuned_prompt_socket,
    widgets,
)

SAME_AS_VIDEO = settings.LENGTH.default


class AudioSampler(io.ComfyNode):
    """Conditions to sound."""

    @classmethod
    def define_schema(cls):
        return schema(
            node_id="SeeingHearingAudioSampler",
            display_name="Guided Audio Sampler",
            category=Category.SAMPLERS,
            description="Makes sound that fits the conditions: a video, a picture, another sound or words. Without a "
            "binder it is plain AudioLDM.",
            search_aliases=[
                "foley",
                "sound for video",
                "video to audio",
                "video to sound",
                "v2a",
                "sound effect",
                "sfx",
                "generate sound",
                "generate audio",
                "image to audio",
                "image to sound",
                "text to audio",
                "soundtrack",
                "ambience",
                "sound design",
            ],
            inputs=[
                AudioGeneratorType.Input("audio_generator", tooltip="From Load AudioLDM. It makes the sound."),
                *guiding_sockets("video", "image"),
                io.Latent.Input(
                    "latent",
                    optional=True,
                    tooltip="A latent to change, from this node or Encode Sound. Set denoise below 1, or mark the part "
                    "that is made anew with Mask Seconds. The sound gets its length.",
                ),
                tuned_prompt_socket(),
                *widgets(settings.PROMPT, settings.NEGATIVE_PROMPT),
                seed_input(),
                *widgets(
                    settings.AUDIO_STEPS,
                    settings.AUDIO_CFG,
                    settings.LENGTH,
                    settings.SECONDS,
                    settings.VARIATIONS,
                ),
                *folded(*widgets(settings.DENOISE, settings.WINDOW_SECONDS, settings.GUIDED)),
            ],
            outputs=[
                io.Audio.Output(display_name="audio", tooltip="The sound, mono. Variations are a batch."),
                io.Video.Output(
                    display_name="video",
                    tooltip="The connected video with the sound of the first variation, for Save Video. The pictures "
                    "stay as they are.",
                ),
                io.Image.Output(
                    display_name="overview",
                    tooltip="The candidates of the search at its choice. After a gradient rule alone: the alignment "
                    "over the steps.",
                ),
                score_output(),
                io.Latent.Output(display_name="latent", tooltip="For another run of this node, or Mask Seconds."),
                TunedPromptType.Output(
                    display_name="tuned_prompt",
                    tooltip="The prompt embedding of the first variation after guidance, for another run or for Save "
                    "Tuned Prompt.",
                ),
            ],
        )

    @classmethod
    def require(cls, connected, denoise, window_seconds) -> None:
        require_start(connected, denoise)
        require_binder(connected, "video", "image")
        require_window(window_seconds)

    @classmethod
    def execute(
        cls,
        audio_generator,
        prompt,
        negative_prompt,
        seed,
        steps,
        cfg,
        length,
        seconds,
        variations,
        denoise,
        window_seconds,
        guided,
        binder=None,
        conditions=(),
        guidance=SEARCH,
        latent=None,
        tuned_prompt=None,
        **followed,
    ) -> io.NodeOutput:
        model: AudioModel = audio_generator.model
        conditions = [*conditions, *encode_followed(binder, guidance, **followed)]
        load_text_encoders(audio_generator)
        denoiser = model.denoiser(
            seconds=_seconds(model, length, seconds, conditions, latent),
            steps=steps,
            cfg=cfg,
            negative_prompt=negative_prompt,
            denoise=denoise,
            window_seconds=window_seconds,
        )
        prompts = denoiser.prompts([prompt])
        if tuned_prompt:
            prompts = tuned_prompt.for_streams(denoiser.streams, prompts)
        mask = stream_mask(latent)
        result = sample(
            denoiser,
            prompts,
            audio_generator,
            binder=binder,
            conditions=with_prompts(conditions, binder, {STREAM: prompt}, guidance, guided),
            rule=guidance,
            guided=guided,
            seed=seed,
            batch=variations,
            latents=lambda: {STREAM: latent["samples"]} if latent else None,
            masks=None if mask is None else {STREAM: mask},
            on_step=Progress(denoiser),
        )
        sound = result.signals[STREAM]
        return io.NodeOutput(
            audio_output(sound.waveform, sound.sample_rate),
            clips.with_sound(followed.get("video"), sound.waveform[:1], sound.sample_rate),
            image_output(result.overview()),
            results.mean_score(result),
            sound_latent(result.latents[STREAM], model, denoiser.samples),
            results.tuned_prompt(result, {STREAM: prompt}),
        )


def _seconds(
    model: AudioModel, length: str, seconds: float, conditions: list[Condition], latent: dict | None
) -> Fraction | float:
    """The length of the sound: the latent's, the video's, or the number."""
    if latent:
        return _latent_seconds(model, latent)
    # A video that the result follows comes before one that it avoids.
    for condition in sorted(conditions, key=lambda condition: condition.weight <= 0):
        if length == SAME_AS_VIDEO and condition.embedding.modality != "audio" and condition.duration:
            return condition.duration
    return Fraction(seconds).limit_denominator(model.sample_rate) if math.isfinite(seconds) else seconds


def _latent_seconds(model: AudioModel, latent: dict) -> Fraction:
    samples, asked = samples_of(latent), latent.get(SOUND_SAMPLES)
    channels, _, bins = model.latent_shape(1)
    if (samples.shape[1], samples.shape[3]) != (channels, bins):
        raise AlignerError(
            f"This latent has shape {tuple(samples.shape)}, but one of this model's sounds has "
            f"(variations, {channels}, time, {bins}). Use a latent from this node."
        )
    # Other nodes cut and join latents and keep the number that stands beside the samples.
    if not (isinstance(asked, int) and asked > 0) or model.latent_shape(asked)[1] != samples.shape[2]:
        asked = model.latent_samples(samples)
    return Fraction(asked, model.sample_rate)
