from dataclasses import replace

from comfy_api.latest import io

from ...aligner import settings
from ...aligner.conditions.timeline import Timeline
from ...aligner.timing.curves import parse_curve
from ...aligner.timing.intervals import Interval
from ..inputs import CATEGORY, ConditionsType, conditions_output, kept_conditions_socket, widgets


class ConditionTimeline(io.ComfyNode):
    """When conditions count."""

    @classmethod
    def define_schema(cls):
        return io.Schema(
            node_id="SeeingHearingConditionTimeline",
            display_name="Condition Timeline",
            category=f"{CATEGORY}/conditions",
            description="Sets which seconds of the conditions steer which seconds of the result, and how strongly. It "
            "needs compare per_clip, the default of Search Settings.",
            inputs=[
                ConditionsType.Input("conditions", tooltip="From Encode Condition. All of them get this timeline."),
                *widgets(*settings.TIMELINE),
                kept_conditions_socket("others"),
            ],
            outputs=[conditions_output()],
        )

    @classmethod
    def execute(cls, conditions, source_start, source_end, start, end, strength, schedule, others=()) -> io.NodeOutput:
        # As an end 0 is the end of the whole.
        timeline = Timeline(
            Interval(source_start, source_end or None),
            Interval(start, end or None),
            parse_curve(strength),
            parse_curve(schedule),
        )
        return io.NodeOutput([*others, *(replace(condition, timeline=timeline) for condition in conditions)])
