from comfy_api.latest import io

from ...aligner import settings
from ...aligner.conditions.blending import blended
from ..inputs import Category, ConditionsType, conditions_output, kept_conditions_socket, schema, widget


class BlendConditions(io.ComfyNode):
    """Several conditions to one."""

    @classmethod
    def define_schema(cls):
        return schema(
            node_id="SeeingHearingBlendConditions",
            display_name="Blend Conditions",
            category=Category.CONDITIONS,
            description="Makes one condition of several: their weighted mean. A weight below 0 points away from its "
            "condition. Without a blend each condition pulls by itself, and the result may follow any of them.",
            search_aliases=["mix", "morph", "interpolate", "average", "in between"],
            inputs=[
                ConditionsType.Input("conditions", tooltip="Two or more, from chained Encode Condition nodes."),
                widget(settings.WEIGHT),
                kept_conditions_socket("others"),
            ],
            outputs=[conditions_output()],
        )

    @classmethod
    def execute(cls, conditions, weight, others=()) -> io.NodeOutput:
        return io.NodeOutput([*others, blended(conditions, weight)])
