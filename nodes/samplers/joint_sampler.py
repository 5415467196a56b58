from comfy_api.latest import io

from ...aligner.generators.animatediff import AnimateDiff
from ...aligner.generators.audioldm import AudioLDM
from ...aligner.generators.joint import JointDenoiser
from ...aligner.guidance.pairs import JOINT
from ...aligner.guidance.rule import PROMPT_RATES, Guidance
from ..host import results
from ..host.convert import audio_output, exact_rate, frames_output
from ..host.latents import inpainting, sound_latent, video_latent
from ..host.progress import Progress, middle_frame, sound_picture
from ..host.run import load_text_encoders, sample, text_conditions
from ..host.starting_video import StartingVideo
from ..inputs import decoding_input, size_inputs, starting_inputs
from ..long_results import context_input, window_input
from ..types import (
    CATEGORY,
    AnimateDiffType,
    AudioLDMType,
    ConditionsType,
    GuidanceType,
    ImageBindType,
    TunedPromptType,
)


class JointSampler(io.ComfyNode):
    """Words to video and sound that belong together."""

    @classmethod
    def define_schema(cls):
        return io.Schema(
            node_id="SeeingHearingJointSampler",
            display_name="Joint Video-Audio Sampler",
            category=CATEGORY,
            description="Makes video with AnimateDiff and its sound with AudioLDM at the same time, while ImageBind "
            "draws them to each other and both to the prompt (Seeing and Hearing, arXiv 2402.17723). The "
            "sound is as long as the video.",
            inputs=[
                AnimateDiffType.Input("animatediff", tooltip="From Load AnimateDiff."),
                AudioLDMType.Input("audioldm", tooltip="From Load AudioLDM."),
                ImageBindType.Input(
                    "imagebind", optional=True, tooltip="From Load ImageBind. Needed unless guided is off."
                ),
                ConditionsType.Input(
                    "conditions",
                    optional=True,
                    tooltip="More to follow, from Encode Condition, whose streams says whether video, "
                    "sound or both follow it.",
                ),
                GuidanceType.Input(
                    "guidance",
                    optional=True,
                    tooltip="From Guidance Settings. Without it the rule of the released code applies "
                    "with the paper's rates, prompt tuning for video and checkpointing; "
                    "text_weight 1 belongs to it.",
                ),
                *starting_inputs(),
                TunedPromptType.Input(
                    "tuned_prompt",
                    optional=True,
                    tooltip="Prompt embeddings to start from, from another run or Load Tuned Prompt, "
                    "instead of the prompts' own: for video, sound or both. The prompts "
                    "still steer as far as text_weight says.",
                ),
                io.String.Input(
                    "prompt",
                    default="",
                    multiline=True,
                    tooltip="Describes video and sound. It prompts both generators, and steers as well "
                    "as far as text_weight says.",
                ),
                io.String.Input(
                    "audio_prompt",
                    default="",
                    multiline=True,
                    tooltip="Describes the sound, where it should have a prompt of its own. Empty: the same prompt.",
                ),
                io.String.Input(
                    "negative_prompt", default="", multiline=True, tooltip="What AnimateDiff should avoid."
                ),
                io.String.Input(
                    "audio_negative_prompt", default="", multiline=True, tooltip="What AudioLDM should avoid."
                ),
                io.Int.Input(
                    "seed",
                    default=0,
                    min=0,
                    max=2**63 - 65,
                    control_after_generate=True,
                    tooltip="Same seed, same video and sound.",
                ),
                io.Int.Input(
                    "steps",
                    default=JOINT.steps,
                    min=1,
                    max=999,
                    tooltip="The video's denoising steps. 25 is the paper's.",
                ),
                io.Int.Input(
                    "audio_steps",
                    default=JOINT.steps,
                    min=1,
                    max=999,
                    tooltip="The sound's denoising steps. They may be more or fewer than the video's and are "
                    "spread evenly over the same time.",
                ),
                io.Float.Input(
                    "cfg",
                    default=7.5,
                    min=0.0,
                    max=30.0,
                    step=0.1,
                    tooltip="How closely AnimateDiff follows its prompt. 7.5 is usual; 1 or less ignores "
                    "the negative prompt and is twice as fast.",
                ),
                io.Float.Input(
                    "audio_cfg",
                    default=2.5,
                    min=0.0,
                    max=30.0,
                    step=0.1,
                    tooltip="How closely AudioLDM follows its prompt. 2 to 4 is usual.",
                ),
                *size_inputs(),
                io.Float.Input(
                    "text_weight",
                    default=0.0,
                    min=-10.0,
                    max=10.0,
                    step=0.05,
                    tooltip="How much the prompts count in guidance. 0 leaves them to the generators "
                    "alone, which is best for search; 1 is the paper's.",
                ),
                io.Float.Input(
                    "pair_weight",
                    default=1.0,
                    min=-10.0,
                    max=10.0,
                    step=0.05,
                    tooltip="How much video and sound are drawn to each other. 0 leaves each to its prompt.",
                ),
                decoding_input(),
                io.Boolean.Input(
                    "guided",
                    default=True,
                    tooltip="Off samples both without guidance and only scores the result: to see and "
                    "hear what guidance does.",
                ),
                context_input(),
                window_input(),
            ],
            outputs=[
                io.Image.Output(
                    display_name="frames", tooltip="The video's frames, for Create Video, upscalers and interpolation."
                ),
                io.Audio.Output(display_name="audio", tooltip="The sound, mono, as long as the video."),
                io.Float.Output(display_name="fps", tooltip="Frames per second, for Create Video."),
                io.Image.Output(
                    display_name="curves",
                    tooltip="How the alignment of every pair rose while sampling: "
                    "video with sound, and each with the prompt.",
                ),
                io.Float.Output(
                    display_name="score",
                    tooltip="The mean of all pairs' cosine similarities, -1 to 1, "
                    "weighted as in guidance. Not a number where nothing was "
                    "compared.",
                ),
                io.String.Output(
                    display_name="scores", tooltip="Every pair with its cosine similarity; Preview Any shows it."
                ),
                io.Latent.Output(
                    display_name="latent",
                    tooltip="The video's: a latent of Stable Diffusion 1.5 with the frames as its batch.",
                ),
                io.Latent.Output(display_name="audio_latent", tooltip="The sound's, for the Guided AudioLDM Sampler."),
                TunedPromptType.Output(
                    display_name="tuned_prompt",
                    tooltip="The prompts' embeddings as guidance left them, for another run or Save Tuned Prompt.",
                ),
            ],
        )

    @classmethod
    def execute(
        cls,
        animatediff,
        audioldm,
        prompt,
        audio_prompt,
        negative_prompt,
        audio_negative_prompt,
        seed,
        steps,
        audio_steps,
        cfg,
        audio_cfg,
        frame_count,
        width,
        height,
        fps,
        denoise,
        text_weight,
        pair_weight,
        decoding,
        guided,
        imagebind=None,
        conditions=(),
        guidance=None,
        latent=None,
        frames=None,
        tuned_prompt=None,
        context_frames=0,
        window=0.0,
    ) -> io.NodeOutput:
        seeing: AnimateDiff = animatediff.model
        hearing: AudioLDM = audioldm.model
        start = StartingVideo(seeing, latent, frames, denoise)
        guidance = guidance or Guidance("released", prompt_rates=PROMPT_RATES, checkpointing=True)
        texts = {"video": prompt, "audio": audio_prompt if audio_prompt.strip() else prompt}
        load_text_encoders(animatediff, audioldm)
        video = seeing.denoiser(
            **start.size(frame_count, height, width),
            fps=exact_rate(fps),
            steps=steps,
            cfg=cfg,
            negative_prompt=negative_prompt,
            denoise=denoise,
            decoding=decoding,
            window=context_frames or None,
        )
        audio = hearing.denoiser(
            seconds=video.seconds,
            steps=audio_steps,
            cfg=audio_cfg,
            negative_prompt=audio_negative_prompt,
            window=window or None,
        )
        both = JointDenoiser([inpainting(video, latent), audio])
        prompts = both.prompts({stream: [text] for stream, text in texts.items()})
        if tuned_prompt:
            prompts = tuned_prompt.for_streams(both.streams, prompts)
        conditions = [*conditions, *text_conditions(imagebind, texts, text_weight)]
        result = sample(
            both,
            prompts,
            animatediff,
            audioldm,
            imagebind=imagebind,
            conditions=conditions,
            guidance=guidance,
            steer=guided,
            seed=seed,
            between=pair_weight,
            latents=start.latents,
            on_step=Progress(both.steps, middle_frame(video), sound_picture(audio)),
        )
        pixels, sound = result.signals["video"].pixels, result.signals["audio"]
        return io.NodeOutput(
            frames_output(pixels[0]),
            audio_output(sound.waveform, sound.sample_rate),
            float(video.fps),
            results.curve(result, both.steps),
            results.mean_score(result),
            results.report(result),
            video_latent(result.latents["video"], seeing),
            sound_latent(result.latents["audio"], hearing, audio.samples),
            results.tuned_prompt(result, texts),
        )
