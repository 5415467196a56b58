from comfy_api.latest import io

from ...aligner.conditions.blending import blended
from ..inputs import CATEGORY, ConditionsType


class BlendConditions(io.ComfyNode):
    """Several conditions to one."""

    @classmethod
    def define_schema(cls):
        return io.Schema(
            node_id="SeeingHearingBlendConditions",
            display_name="Blend Conditions",
            category=f"{CATEGORY}/conditions",
            description="Makes one condition of several: the point between them, as far towards each as its weight in "
            "Encode Condition says, and away from those whose weight is below 0. Unblended, each pulls by "
            "itself, and the result may follow any of them.",
            inputs=[
                ConditionsType.Input("conditions", tooltip="Two or more, from chained Encode Condition nodes."),
                io.Float.Input(
                    "weight",
                    default=1.0,
                    min=-10.0,
                    max=10.0,
                    step=0.05,
                    tooltip="How much the blend counts. Below 0 the result is pushed away from it.",
                ),
                ConditionsType.Input(
                    "others",
                    optional=True,
                    tooltip="Conditions from another node, to be kept beside these as they are.",
                ),
            ],
            outputs=[
                ConditionsType.Output(
                    display_name="conditions",
                    tooltip="The blend, for a guided sampler, or one more Encode Condition node.",
                )
            ],
        )

    @classmethod
    def execute(cls, conditions, weight, others=()) -> io.NodeOutput:
        return io.NodeOutput([*others, blended(conditions, weight)])
