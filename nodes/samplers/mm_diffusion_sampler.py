from functools import partial

import torch
from comfy_api.latest import io

from ...aligner import settings
from ...aligner.continuation import exact, generate_long, seconds_of
from ...aligner.errors import AlignerError
from ...aligner.generation import SEARCH
from ...aligner.generators.base import NO_GRADIENT, JointModel, Streams
from ...aligner.generators.reconstruction import following
from ..host import clips, results
from ..host.convert import at_common_rate, audio_output, frames_of, frames_output, image_output, pixels, video_file
from ..host.encoding import encode_followed, require_binder
from ..host.progress import Progress
from ..host.sampling import sample
from ..inputs import (
    Category,
    JointGeneratorType,
    folded,
    guiding_sockets,
    report_output,
    schema,
    score_output,
    seed_input,
    widgets,
)


class MMDiffusionSampler(io.ComfyNode):
    """Noise to video and sound that belong together, or to one of them for the other."""

    @classmethod
    def define_schema(cls):
        return schema(
            node_id="SeeingHearingMMDiffusionSampler",
            display_name="Guided MM-Diffusion Sampler",
            category=Category.SAMPLERS,
            description="Makes a video and its sound by one network, without a prompt (MM-Diffusion, arXiv "
            "2212.09478). Guidance holds them together and lets them follow conditions. With given_video it makes the "
            "sound alone, with given_audio the video.",
            search_aliases=[
                "mm-diffusion",
                "video with sound",
                "joint generation",
                "unconditional",
                "video to audio",
                "audio to video",
            ],
            inputs=[
                JointGeneratorType.Input(
                    "joint_generator", tooltip="From Load MM-Diffusion. It makes frames and sound."
                ),
                *guiding_sockets("video", "image", "audio"),
                io.Video.Input(
                    "given_video",
                    optional=True,
                    tooltip="A clip that becomes the video of the result. Only the sound is made. The middle is cut "
                    "out as a square. For frames use Create Video.",
                ),
                io.Audio.Input(
                    "given_audio",
                    optional=True,
                    tooltip="A sound that becomes the sound of the result, as mono. Only the video is made.",
                ),
                seed_input(),
                *widgets(settings.COUPLED_STEPS, settings.SAMPLER, settings.COUPLED_SECONDS, settings.VARIATIONS),
                *folded(*widgets(settings.OVERLAP, settings.RECONSTRUCTION, settings.PAIR_WEIGHT, settings.GUIDED)),
            ],
            outputs=[
                io.Image.Output(
                    display_name="frames",
                    tooltip="The frames, for MM-Diffusion Upscale and Create Video. Variations follow one another.",
                ),
                io.Audio.Output(display_name="audio", tooltip="The sound, mono. Variations are a batch."),
                io.Video.Output(
                    display_name="video",
                    is_output_list=True,
                    tooltip="The frames with their sound, one clip for each variation, for Save Video.",
                ),
                io.Float.Output(display_name="fps", tooltip="Frames per second, for Create Video."),
                io.Image.Output(
                    display_name="overview",
                    tooltip="The candidates of the search at its choice. After a gradient rule alone: the alignment "
                    "over the steps.",
                ),
                score_output(),
                report_output(),
            ],
        )

    @classmethod
    def require(cls, connected) -> None:
        require_binder(connected, "video", "image", "audio")
        if {"given_video", "given_audio"} <= connected:
            raise AlignerError(
                "Both given_video and given_audio are connected, and nothing is left to make. Disconnect one of them."
            )

    @classmethod
    def execute(
        cls,
        joint_generator,
        seed,
        steps,
        sampler,
        seconds,
        variations,
        overlap,
        reconstruction,
        pair_weight,
        guided,
        binder=None,
        conditions=(),
        guidance=SEARCH,
        given_video=None,
        given_audio=None,
        **followed,
    ) -> io.NodeOutput:
        model: JointModel = joint_generator.model
        denoiser = model.denoiser(steps=steps, sampler=sampler)
        given = _given(model, given_video, given_audio, seconds)
        length = seconds_of(denoiser, given, seconds)
        conditions = [*conditions, *encode_followed(binder, guidance, **followed)]
        pulls = bool(given) and reconstruction > 0
        result = sample(
            denoiser,
            denoiser.prompts([""]),
            joint_generator,
            binder=binder,
            conditions=conditions,
            rule=guidance,
            guided=guided and (binder is not None or bool(conditions)),
            seed=seed,
            batch=variations,
            pair_weight=pair_weight,
            generating=partial(
                generate_long,
                seconds=length,
                overlap=exact(overlap),
                given=given,
                reconstruction=reconstruction,
            ),
            besides=following(set(denoiser.streams) - set(given)) if pulls else NO_GRADIENT,
            on_step=Progress(denoiser),
        )
        made, sound = result.signals["video"].pixels, result.signals["audio"]
        frames = [frames_output(each) for each in made]
        waveforms, rate = at_common_rate(sound.waveform, sound.sample_rate)
        videos = [
            clips.of_frames(each, denoiser.fps, (waveform[None, None], rate))
            for each, waveform in zip(frames, waveforms)
        ]
        return io.NodeOutput(
            torch.cat(frames),
            audio_output(waveforms, rate),
            videos,
            float(denoiser.fps),
            image_output(result.overview()),
            results.mean_score(result),
            results.report(result),
        )


def _given(model: JointModel, video, audio, seconds: float) -> Streams:
    """By stream, the latent of the recording that is connected."""
    if video is not None:
        source = video_file(video)
        if source is not None:
            return {"video": model.video_file_latent(source, seconds)}
        frames, fps = frames_of(video)
        return {"video": model.video_latent(pixels(frames), fps)}
    if audio is not None:
        waveforms, rate = audio
        return {"audio": torch.cat([model.audio_latent(each, rate) for each in waveforms])}
    return {}
