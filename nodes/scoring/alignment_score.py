from comfy_api.latest import io, ui

from ...aligner.guidance.distances import COMPARISONS
from ...aligner.guidance.rule import RULES
from ...aligner.guidance.scoring import score
from ...aligner.timing.clips import CLIP_SAMPLINGS
from ..host.encoding import encode
from ..types import CATEGORY, ConditionsType, ImageBindType


class AlignmentScore(io.ComfyNode):
    """How well anything aligns with conditions, by ImageBind."""

    @classmethod
    def define_schema(cls):
        return io.Schema(
            node_id="SeeingHearingAlignmentScore",
            display_name="Alignment Score",
            category=CATEGORY,
            description="Scores a sound, picture or video against conditions: the cosine similarity of their ImageBind "
            "embeddings, -1 to 1. A guided result was optimised for this very score, so compare it with "
            "unguided runs and with your ears.",
            inputs=[
                ImageBindType.Input("imagebind", tooltip="From Load ImageBind."),
                ConditionsType.Input("conditions", tooltip="What to compare with, from Encode Condition."),
                io.Audio.Input("audio", optional=True, tooltip="A sound to score; a batch is scored one by one."),
                io.Image.Input("image", optional=True, tooltip="A picture, or frames at fps, to score."),
                io.Video.Input("video", optional=True, tooltip="A video to score."),
                io.Float.Input(
                    "fps",
                    default=24.0,
                    min=0.01,
                    max=1000.0,
                    step=0.001,
                    round=False,
                    tooltip="Frames per second of a batch of images.",
                ),
                io.Combo.Input(
                    "compare",
                    options=list(COMPARISONS),
                    default="mean",
                    tooltip="mean: whole with whole. per_clip: each clip with its own clip.",
                ),
                io.Combo.Input(
                    "clips",
                    options=list(CLIP_SAMPLINGS),
                    default=RULES["search"].clips,
                    tooltip="How recordings are cut into clips; best as in Encode Condition.",
                ),
            ],
            outputs=[
                io.Float.Output(display_name="score", tooltip="The mean over all pairs, weighted as the conditions."),
                io.String.Output(
                    display_name="report", tooltip="Every pair with its cosine similarity; Preview Any shows it."
                ),
            ],
            is_output_node=True,
        )

    @classmethod
    def execute(cls, imagebind, conditions, fps, compare, clips, **given) -> io.NodeOutput:
        scored = encode(imagebind, text="", fps=fps, weight=1.0, clips=clips, **given)
        cosines, overall = score(scored, conditions, compare)
        report = "\n".join(f"{pair}: {cosine:+.3f}" for pair, cosine in cosines.items())
        return io.NodeOutput(overall, report, ui=ui.PreviewText(report))
