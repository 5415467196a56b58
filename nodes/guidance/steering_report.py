from comfy_api.latest import io, ui

from ..host.convert import image_output
from ..inputs import Category, SteeringType, report_output, schema, score_output
from ..native.report import described, drawn


class SteeringReport(io.ComfyNode):
    """What Steer Model tried, as a picture and as text."""

    @classmethod
    def define_schema(cls):
        return schema(
            node_id="SeeingHearingSteeringReport",
            display_name="Steering Report",
            category=Category.GUIDANCE,
            description="Shows what Steer Model tried and chose, with the score of every candidate. The chosen seed "
            "gives the same result again without Steer Model.",
            search_aliases=["score", "contact sheet", "candidates"],
            inputs=[
                SteeringType.Input("steering", tooltip="From Steer Model."),
                io.Latent.Input(
                    "latent", tooltip="From the sampler that samples the steered model. The report waits for it."
                ),
            ],
            outputs=[
                io.Image.Output(display_name="picture", tooltip="All candidates at the choice, the chosen one framed."),
                score_output(),
                io.Int.Output(display_name="seed", tooltip="The seed of the chosen candidate."),
                report_output(),
            ],
            is_output_node=True,
        )

    @classmethod
    def execute(cls, steering, latent) -> io.NodeOutput:
        samples = latent["samples"]
        run, known = steering.run_of(samples.unbind() if samples.is_nested else [samples])
        picture = image_output(drawn(run))
        text = described(run, known)
        return io.NodeOutput(picture, run.score, run.seed or 0, text, ui=ui.PreviewImage(picture, cls=cls))
