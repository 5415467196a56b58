from comfy_api.latest import io

from ...aligner import settings
from ...aligner.generation import JOINT_SEARCH
from ...aligner.generators.audioldm import require_window
from ...aligner.generators.base import AudioModel, VideoModel
from ...aligner.generators.joint import JointDenoiser
from ..host import clips, results
from ..host.convert import audio_output, exact_rate, frames_output, image_output
from ..host.encoding import encode_followed, require_binder
from ..host.latents import sound_latent, stream_mask, video_latent
from ..host.progress import Progress
from ..host.sampling import load_text_encoders, sample, with_prompts
from ..host.starting_video import StartingVideo, require_start
from ..inputs import (
    AudioGeneratorType,
    Category,
    TunedPromptType,
    VideoGeneratorType,
    folded,
    guiding_sockets,
    report_output,
    schema,
    score_output,
    seed_input,
    starting_sockets,
    tuned_prompt_socket,
    video_size_widgets,
    widgets,
)


class JointSampler(io.ComfyNode):
    """Words to video and sound that belong together."""

    @classmethod
    def define_schema(cls):
        return schema(
            node_id="SeeingHearingJointSampler",
            display_name="Guided Joint Sampler",
            category=Category.SAMPLERS,
            description="Makes a video and its sound together. Guidance steers each by the other, and both by the "
            "conditions (Seeing and Hearing, arXiv 2402.17723). The sound is as long as the video.",
            search_aliases=[
                "video with sound",
                "video and audio",
                "text to video with sound",
                "joint generation",
                "audio video",
                "generate clip",
            ],
            inputs=[
                VideoGeneratorType.Input("video_generator", tooltip="From Load AnimateDiff. It makes the frames."),
                AudioGeneratorType.Input("audio_generator", tooltip="From Load AudioLDM. It makes the sound."),
                *guiding_sockets("video", "image", "audio"),
                *starting_sockets(),
                tuned_prompt_socket(),
                *widgets(settings.PROMPT, settings.NEGATIVE_PROMPT),
                *folded(*widgets(settings.JOINT_AUDIO_PROMPT, settings.JOINT_AUDIO_NEGATIVE_PROMPT)),
                seed_input(),
                *widgets(settings.VIDEO_STEPS, settings.VIDEO_CFG),
                *folded(*widgets(settings.JOINT_AUDIO_STEPS, settings.JOINT_AUDIO_CFG)),
                *video_size_widgets(),
                *folded(
                    *widgets(
                        settings.DENOISE,
                        settings.PAIR_WEIGHT,
                        settings.WINDOW_FRAMES,
                        settings.WINDOW_SECONDS,
                        settings.DECODING,
                        settings.GUIDED,
                    )
                ),
            ],
            outputs=[
                io.Image.Output(
                    display_name="frames", tooltip="The frames, for Create Video, upscalers and interpolation."
                ),
                io.Audio.Output(display_name="audio", tooltip="The sound, mono, as long as the video."),
                io.Video.Output(display_name="video", tooltip="The frames with the sound, for Save Video."),
                io.Float.Output(display_name="fps", tooltip="Frames per second, for Create Video."),
                io.Image.Output(
                    display_name="overview",
                    tooltip="The candidates of the search at its choice. After a gradient rule alone: the alignment "
                    "over the steps.",
                ),
                score_output(),
                report_output(),
                io.Latent.Output(
                    display_name="latent",
                    tooltip="The video as a latent of Stable Diffusion 1.5 with the frames as its batch.",
                ),
                io.Latent.Output(
                    display_name="audio_latent", tooltip="The sound as a latent, for the Guided Audio Sampler."
                ),
                TunedPromptType.Output(
                    display_name="tuned_prompt",
                    tooltip="The prompt embeddings after guidance, for another run or for Save Tuned Prompt.",
                ),
            ],
        )

    @classmethod
    def require(cls, connected, denoise, window_seconds) -> None:
        require_start(connected, denoise)
        require_binder(connected, "video", "image", "audio")
        require_window(window_seconds)

    @classmethod
    def execute(
        cls,
        video_generator,
        audio_generator,
        prompt,
        negative_prompt,
        audio_prompt,
        audio_negative_prompt,
        seed,
        steps,
        cfg,
        audio_steps,
        audio_cfg,
        frames,
        width,
        height,
        fps,
        denoise,
        pair_weight,
        window_frames,
        window_seconds,
        decoding,
        guided,
        binder=None,
        conditions=(),
        guidance=JOINT_SEARCH,
        latent=None,
        init_frames=None,
        tuned_prompt=None,
        **followed,
    ) -> io.NodeOutput:
        video_model: VideoModel = video_generator.model
        audio_model: AudioModel = audio_generator.model
        start = StartingVideo(video_model, latent, init_frames)
        conditions = [*conditions, *encode_followed(binder, guidance, **followed)]
        texts = {"video": prompt, "audio": audio_prompt if audio_prompt.strip() else prompt}
        load_text_encoders(video_generator, audio_generator)
        video = video_model.denoiser(
            **start.size(frames, height, width),
            fps=exact_rate(fps),
            steps=steps,
            cfg=cfg,
            negative_prompt=negative_prompt,
            denoise=denoise,
            decoding=decoding,
            window_frames=window_frames,
        )
        audio = audio_model.denoiser(
            seconds=video.seconds,
            steps=audio_steps,
            cfg=audio_cfg,
            negative_prompt=audio_negative_prompt,
            denoise=1.0,
            window_seconds=window_seconds,
        )
        both = JointDenoiser([video, audio])
        prompts = both.prompts({stream: [text] for stream, text in texts.items()})
        if tuned_prompt:
            prompts = tuned_prompt.for_streams(both.streams, prompts)
        mask = stream_mask(latent)
        result = sample(
            both,
            prompts,
            video_generator,
            audio_generator,
            binder=binder,
            conditions=with_prompts(conditions, binder, texts, guidance, guided),
            rule=guidance,
            guided=guided,
            seed=seed,
            pair_weight=pair_weight,
            latents=start.latents,
            masks=None if mask is None else {"video": mask},
            on_step=Progress(both),
        )
        frames = frames_output(result.signals["video"].pixels[0])
        sound = result.signals["audio"]
        return io.NodeOutput(
            frames,
            audio_output(sound.waveform, sound.sample_rate),
            clips.of_frames(frames, video.fps, (sound.waveform.unsqueeze(1), sound.sample_rate)),
            float(video.fps),
            image_output(result.overview()),
            results.mean_score(result),
            results.report(result),
            video_latent(result.latents["video"], video_model),
            sound_latent(result.latents["audio"], audio_model, audio.samples),
            results.tuned_prompt(result, texts),
        )
