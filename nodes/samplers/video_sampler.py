from comfy_api.latest import io

from ...aligner import settings
from ...aligner.generation import SEARCH
from ...aligner.generators.animatediff import STREAM
from ...aligner.generators.base import VideoModel
from ..host import clips, results
from ..host.convert import exact_rate, frames_output, image_output
from ..host.encoding import encode_followed, require_binder
from ..host.latents import stream_mask, video_latent
from ..host.progress import Progress
from ..host.sampling import load_text_encoders, sample, with_prompts
from ..host.starting_video import StartingVideo, require_start
from ..inputs import (
    Category,
    TunedPromptType,
    VideoGeneratorType,
    folded,
    guiding_sockets,
    schema,
    score_output,
    seed_input,
    starting_sockets,
    tuned_prompt_socket,
    video_size_widgets,
    widgets,
)


class VideoSampler(io.ComfyNode):
    """Conditions to video, or to a picture."""

    @classmethod
    def define_schema(cls):
        return schema(
            node_id="SeeingHearingVideoSampler",
            display_name="Guided Video Sampler",
            category=Category.SAMPLERS,
            description="Makes a video or a picture that fits the conditions, for example a sound. Without a binder it "
            "is plain AnimateDiff.",
            search_aliases=[
                "audio to video",
                "sound to video",
                "a2v",
                "audio to image",
                "sound to image",
                "audio reactive",
                "music video",
                "music visualizer",
                "generate video",
            ],
            inputs=[
                VideoGeneratorType.Input("video_generator", tooltip="From Load AnimateDiff. It makes the frames."),
                *guiding_sockets("audio", "image"),
                *starting_sockets(),
                tuned_prompt_socket(),
                *widgets(settings.PROMPT, settings.NEGATIVE_PROMPT),
                seed_input(),
                *widgets(settings.VIDEO_STEPS, settings.VIDEO_CFG),
                *video_size_widgets(),
                *folded(*widgets(settings.DENOISE, settings.WINDOW_FRAMES, settings.DECODING, settings.GUIDED)),
            ],
            outputs=[
                io.Image.Output(
                    display_name="frames",
                    tooltip="The frames, for Create Video, upscalers and interpolation. One frame is a picture.",
                ),
                io.Video.Output(display_name="video", tooltip="The frames with the connected sound, for Save Video."),
                io.Float.Output(display_name="fps", tooltip="Frames per second, for Create Video."),
                io.Image.Output(
                    display_name="overview",
                    tooltip="The candidates of the search at its choice. After a gradient rule alone: the alignment "
                    "over the steps.",
                ),
                score_output(),
                io.Latent.Output(
                    display_name="latent",
                    tooltip="A latent of Stable Diffusion 1.5 with the frames as its batch, for VAE Decode or for "
                    "another run of this node.",
                ),
                TunedPromptType.Output(
                    display_name="tuned_prompt",
                    tooltip="The prompt embedding after guidance, for another run or for Save Tuned Prompt.",
                ),
            ],
        )

    @classmethod
    def require(cls, connected, denoise) -> None:
        require_start(connected, denoise)
        require_binder(connected, "audio", "image")

    @classmethod
    def execute(
        cls,
        video_generator,
        prompt,
        negative_prompt,
        seed,
        steps,
        cfg,
        frames,
        width,
        height,
        fps,
        denoise,
        window_frames,
        decoding,
        guided,
        binder=None,
        conditions=(),
        guidance=SEARCH,
        latent=None,
        init_frames=None,
        tuned_prompt=None,
        **followed,
    ) -> io.NodeOutput:
        model: VideoModel = video_generator.model
        start = StartingVideo(model, latent, init_frames)
        conditions = [*conditions, *encode_followed(binder, guidance, **followed)]
        load_text_encoders(video_generator)
        denoiser = model.denoiser(
            **start.size(frames, height, width),
            fps=exact_rate(fps),
            steps=steps,
            cfg=cfg,
            negative_prompt=negative_prompt,
            denoise=denoise,
            decoding=decoding,
            window_frames=window_frames,
        )
        prompts = denoiser.prompts([prompt])
        if tuned_prompt:
            prompts = tuned_prompt.for_streams(denoiser.streams, prompts)
        mask = stream_mask(latent)
        result = sample(
            denoiser,
            prompts,
            video_generator,
            binder=binder,
            conditions=with_prompts(conditions, binder, {STREAM: prompt}, guidance, guided),
            rule=guidance,
            guided=guided,
            seed=seed,
            latents=start.latents,
            masks=None if mask is None else {STREAM: mask},
            on_step=Progress(denoiser),
        )
        made = frames_output(result.signals[STREAM].pixels[0])
        return io.NodeOutput(
            made,
            clips.of_frames(made, denoiser.fps, followed.get("audio")),
            float(denoiser.fps),
            image_output(result.overview()),
            results.mean_score(result),
            video_latent(result.latents[STREAM], model),
            results.tuned_prompt(result, {STREAM: prompt}),
        )
