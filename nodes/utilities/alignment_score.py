from comfy_api.latest import io, ui

from ...aligner import settings
from ...aligner.errors import AlignerError
from ...aligner.guidance.objective import described
from ...aligner.guidance.scoring import score
from ..host.encoding import encode
from ..inputs import BinderType, Category, ConditionsType, report_output, schema, widgets


class AlignmentScore(io.ComfyNode):
    """How well a recording aligns with conditions."""

    @classmethod
    def define_schema(cls):
        return schema(
            node_id="SeeingHearingAlignmentScore",
            display_name="Alignment Score",
            category=Category.UTILITIES,
            description="Scores a sound, picture or video against conditions: the cosine similarity of their "
            "embeddings, -1 to 1. Guidance optimises this score itself. Compare with unguided runs, and listen.",
            search_aliases=["score", "similarity", "evaluate", "imagebind score", "metric", "sync score"],
            inputs=[
                BinderType.Input("binder", tooltip="From Load ImageBind or Load PE-AV."),
                ConditionsType.Input("conditions", tooltip="From Encode Condition. The score compares with them."),
                io.Audio.Input("audio", optional=True, tooltip="The sound to score. Each sound of a batch is a pair."),
                io.Image.Input("image", optional=True, tooltip="The picture to score, or frames at fps."),
                io.Video.Input("video", optional=True, tooltip="The video to score."),
                *widgets(settings.CONDITION_FPS, settings.COMPARE, settings.CLIPS),
            ],
            outputs=[
                io.Float.Output(
                    display_name="score", tooltip="Mean cosine similarity of all pairs, weighted as the conditions."
                ),
                report_output(),
            ],
            is_output_node=True,
        )

    @classmethod
    def require(cls, connected) -> None:
        if not connected & {"audio", "image", "video"}:
            raise AlignerError("There is nothing to score: connect a sound, an image or a video.")

    @classmethod
    def execute(cls, binder, conditions, fps, compare, clips, **given) -> io.NodeOutput:
        scored = encode(binder, text="", fps=fps, weight=1.0, clips=clips, **given)
        scores = score(scored, conditions, compare, binder.model)
        report = "\n".join(described(scores.cosines, scores.synchrony))
        return io.NodeOutput(scores.overall, report, ui=ui.PreviewText(report))
