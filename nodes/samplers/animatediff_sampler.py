from comfy_api.latest import io

from ...aligner.generators.animatediff import STREAM, AnimateDiff
from ...aligner.guidance.pairs import AUDIO_TO_VIDEO
from ...aligner.guidance.rule import PROMPT_RATES, Guidance
from ..host import results
from ..host.convert import exact_rate, frames_output
from ..host.latents import inpainting, video_latent
from ..host.progress import Progress, middle_frame
from ..host.run import load_text_encoders, sample, text_conditions
from ..host.starting_video import StartingVideo
from ..inputs import decoding_input, size_inputs, starting_inputs
from ..long_results import context_input
from ..types import (
    CATEGORY,
    AnimateDiffType,
    ConditionsType,
    GuidanceType,
    ImageBindType,
    TunedPromptType,
)


class GuidedAnimateDiffSampler(io.ComfyNode):
    """Conditions to video, or to a picture."""

    @classmethod
    def define_schema(cls):
        return io.Schema(
            node_id="SeeingHearingGuidedAnimateDiffSampler",
            display_name="Guided AnimateDiff Sampler",
            category=CATEGORY,
            description="Makes video, or a picture, with AnimateDiff while ImageBind pulls it towards the conditions, "
            "for example a sound (Seeing and Hearing, arXiv 2402.17723). Without ImageBind it is plain "
            "AnimateDiff.",
            inputs=[
                AnimateDiffType.Input("animatediff", tooltip="From Load AnimateDiff."),
                ImageBindType.Input(
                    "imagebind", optional=True, tooltip="From Load ImageBind. Needed as soon as something steers."
                ),
                ConditionsType.Input("conditions", optional=True, tooltip="What to follow, from Encode Condition."),
                GuidanceType.Input(
                    "guidance",
                    optional=True,
                    tooltip="From Guidance Settings. Without it the rule of the released code applies "
                    "with the paper's rates, guided prompt tuning and checkpointing; "
                    "text_weight 1 belongs to it.",
                ),
                *starting_inputs(),
                TunedPromptType.Input(
                    "tuned_prompt",
                    optional=True,
                    tooltip="A prompt embedding to start from, from another run or Load Tuned "
                    "Prompt, instead of the prompt's own. The prompt still "
                    "steers as far as text_weight says.",
                ),
                io.String.Input(
                    "prompt",
                    default="",
                    multiline=True,
                    tooltip="Describes the video. It prompts AnimateDiff, and steers as well as far as "
                    "text_weight says.",
                ),
                io.String.Input(
                    "negative_prompt", default="", multiline=True, tooltip="What AnimateDiff should avoid."
                ),
                io.Int.Input(
                    "seed",
                    default=0,
                    min=0,
                    max=2**63 - 65,
                    control_after_generate=True,
                    tooltip="Same seed, same video.",
                ),
                io.Int.Input(
                    "steps",
                    default=AUDIO_TO_VIDEO.steps,
                    min=1,
                    max=999,
                    tooltip="Denoising steps. 25 is the paper's; fewer are faster and rougher.",
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
                *size_inputs(),
                io.Float.Input(
                    "text_weight",
                    default=0.0,
                    min=-10.0,
                    max=10.0,
                    step=0.05,
                    tooltip="How much the prompt counts in guidance, beside the conditions. 0 leaves it to "
                    "AnimateDiff alone, which is best for search; 1 is the paper's.",
                ),
                decoding_input(),
                io.Boolean.Input(
                    "guided",
                    default=True,
                    tooltip="Off samples without guidance and only scores the result: to see what guidance does.",
                ),
                context_input(),
            ],
            outputs=[
                io.Image.Output(
                    display_name="frames",
                    tooltip="The video's frames, for Create Video, upscalers and interpolation; or one picture.",
                ),
                io.Float.Output(display_name="fps", tooltip="Frames per second, for Create Video."),
                io.Latent.Output(
                    display_name="latent",
                    tooltip="A latent of Stable Diffusion 1.5 with the frames as "
                    "its batch, for VAE Decode or another run of this "
                    "node.",
                ),
                io.Image.Output(display_name="curve", tooltip="How the alignment rose while sampling."),
                io.Float.Output(
                    display_name="score",
                    tooltip="Cosine similarity of the video with the conditions, -1 "
                    "to 1, weighted as in guidance. Not a number where "
                    "nothing was compared.",
                ),
                TunedPromptType.Output(
                    display_name="tuned_prompt",
                    tooltip="The prompt's embedding as guidance left it, for another run or Save Tuned Prompt.",
                ),
            ],
        )

    @classmethod
    def execute(
        cls,
        animatediff,
        prompt,
        negative_prompt,
        seed,
        steps,
        cfg,
        frame_count,
        width,
        height,
        fps,
        denoise,
        text_weight,
        decoding,
        guided,
        imagebind=None,
        conditions=(),
        guidance=None,
        latent=None,
        frames=None,
        tuned_prompt=None,
        context_frames=0,
    ) -> io.NodeOutput:
        model: AnimateDiff = animatediff.model
        start = StartingVideo(model, latent, frames, denoise)
        guidance = guidance or Guidance("released", prompt_rates=PROMPT_RATES, checkpointing=True)
        load_text_encoders(animatediff)
        denoiser = model.denoiser(
            **start.size(frame_count, height, width),
            fps=exact_rate(fps),
            steps=steps,
            cfg=cfg,
            negative_prompt=negative_prompt,
            denoise=denoise,
            decoding=decoding,
            window=context_frames or None,
        )
        prompts = denoiser.prompts([prompt])
        if tuned_prompt:
            prompts = tuned_prompt.for_streams(denoiser.streams, prompts)
        conditions = [*conditions, *text_conditions(imagebind, {STREAM: prompt}, text_weight)]
        result = sample(
            inpainting(denoiser, latent),
            prompts,
            animatediff,
            imagebind=imagebind,
            conditions=conditions,
            guidance=guidance,
            steer=guided,
            seed=seed,
            latents=start.latents,
            on_step=Progress(denoiser.steps, middle_frame(denoiser)),
        )
        return io.NodeOutput(
            frames_output(result.signals[STREAM].pixels[0]),
            float(denoiser.fps),
            video_latent(result.latents[STREAM], model),
            results.curve(result, denoiser.steps),
            results.mean_score(result),
            results.tuned_prompt(result, {STREAM: prompt}),
        )
