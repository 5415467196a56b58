from comfy_api.latest import io

from ...aligner import settings
from ...aligner.guidance.gradient import RULES
from ...aligner.guidance.objective import Comparison
from ..inputs import Category, GuidanceType, folded, schema, widget, widgets

#: How many of the settings people change often: the rule and the rates.
OFTEN = 5
TIMING = settings.PUBLISHED_TIMING_WEIGHTS


class GradientSettings(io.ComfyNode):
    """Widgets to a rule that moves latents and prompts."""

    @classmethod
    def define_schema(cls):
        return schema(
            node_id="SeeingHearingGradientSettings",
            display_name="Gradient Settings",
            category=Category.GUIDANCE,
            description="Steers by gradients: latents and prompt embeddings move towards the conditions at every "
            "denoising step. The rules are those of the authors' code and of the paper (Seeing and Hearing, arXiv "
            "2402.17723).",
            search_aliases=[
                "guidance strength",
                "latent optimisation",
                "latent aligner",
                "learning rate",
                "universal guidance",
            ],
            inputs=[
                *widgets(*settings.GRADIENT[:OFTEN]),
                *folded(
                    *(widget(each) for each in settings.GRADIENT[OFTEN:] if each not in TIMING),
                    # Optional, and last: saved graphs may lack them.
                    *(widget(each, optional=True) for each in TIMING),
                ),
            ],
            outputs=[
                GuidanceType.Output(
                    display_name="guidance", tooltip="For a guided sampler, or for then of Search Settings."
                )
            ],
        )

    @classmethod
    def execute(
        cls,
        rule,
        audio_rate,
        video_rate,
        audio_prompt_rate,
        video_prompt_rate,
        compare,
        clips,
        text_weight,
        audio_timing_weight=settings.PUBLISHED_AUDIO_TIMING_WEIGHT.default,
        video_timing_weight=settings.PUBLISHED_VIDEO_TIMING_WEIGHT.default,
        **same,
    ) -> io.NodeOutput:
        return io.NodeOutput(
            RULES[rule](
                rates={"audio": audio_rate, "video": video_rate},
                prompt_rates={"audio": audio_prompt_rate, "video": video_prompt_rate},
                comparison=Comparison(compare, clips, text_weight, audio_timing_weight, video_timing_weight),
                **same,
            )
        )
