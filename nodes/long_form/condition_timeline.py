from dataclasses import replace

from comfy_api.latest import io

from ...aligner import settings
from ...aligner.conditions.timeline import Timeline
from ...aligner.timing.curves import parse_curve
from ...aligner.timing.intervals import Interval
from ..inputs import Category, ConditionsType, conditions_output, kept_conditions_socket, schema, widgets


class ConditionTimeline(io.ComfyNode):
    """When conditions count."""

    @classmethod
    def define_schema(cls):
        return schema(
            node_id="SeeingHearingConditionTimeline",
            display_name="Condition Timeline",
            category=Category.LONG_FORM,
            description="Sets which seconds of the conditions steer which seconds of the result, and how strongly. It "
            "needs compare per_clip, the default of Search Settings.",
            search_aliases=["timeline", "keyframes", "schedule", "long sound", "long video", "storyboard"],
            inputs=[
                ConditionsType.Input("conditions", tooltip="From Encode Condition. All of them get this timeline."),
                *widgets(*settings.TIMELINE),
                kept_conditions_socket("others"),
            ],
            outputs=[conditions_output()],
        )

    @classmethod
    def require(cls, connected, source_start, source_end, start, end, strength, schedule) -> None:
        _timeline(source_start, source_end, start, end, strength, schedule)

    @classmethod
    def execute(cls, conditions, others=(), **chosen) -> io.NodeOutput:
        timeline = _timeline(**chosen)
        return io.NodeOutput([*others, *(replace(condition, timeline=timeline) for condition in conditions)])


def _timeline(
    source_start: float, source_end: float, start: float, end: float, strength: str, schedule: str
) -> Timeline:
    """Raises AlignerError for an end before its start, and for a curve that cannot be read."""
    # As an end 0 is the end of the whole.
    return Timeline(
        Interval(source_start, source_end or None),
        Interval(start, end or None),
        parse_curve(strength),
        parse_curve(schedule),
    )
