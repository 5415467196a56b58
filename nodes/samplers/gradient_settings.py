from comfy_api.latest import io

from ...aligner import settings
from ...aligner.guidance.gradient import RULES
from ...aligner.guidance.objective import Comparison
from ..inputs import CATEGORY, GuidanceType, widgets


class GradientSettings(io.ComfyNode):
    """Widgets to a rule that moves latents and prompts."""

    @classmethod
    def define_schema(cls):
        return io.Schema(
            node_id="SeeingHearingGradientSettings",
            display_name="Gradient Settings",
            category=f"{CATEGORY}/guidance",
            description="Steers by gradients: latents and prompt embeddings move towards the conditions at every "
            "denoising step. The rules are those of the authors' code and of the paper (Seeing and Hearing, arXiv "
            "2402.17723).",
            inputs=widgets(*settings.GRADIENT),
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
        **same,
    ) -> io.NodeOutput:
        return io.NodeOutput(
            RULES[rule](
                rates={"audio": audio_rate, "video": video_rate},
                prompt_rates={"audio": audio_prompt_rate, "video": video_prompt_rate},
                comparison=Comparison(compare, clips, text_weight),
                **same,
            )
        )
