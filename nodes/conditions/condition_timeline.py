from dataclasses import replace

from comfy_api.latest import io

from ...aligner.conditions.timeline import Timeline
from ...aligner.timing.curves import parse_curve
from ...aligner.timing.intervals import Interval
from ..inputs import CATEGORY, ConditionsType

#: Times in seconds. As an end 0 stands for the end of the whole.
SECONDS = {"default": 0.0, "min": 0.0, "max": 3600.0, "step": 0.01, "round": False}


class ConditionTimeline(io.ComfyNode):
    """When conditions count."""

    @classmethod
    def define_schema(cls):
        return io.Schema(
            node_id="SeeingHearingConditionTimeline",
            display_name="Condition Timeline",
            category=f"{CATEGORY}/conditions",
            description="Says which seconds of the conditions steer which seconds of the result, and how strongly over "
            "time and over denoising. Set compare in Guidance Settings to per_clip, as search has it.",
            inputs=[
                ConditionsType.Input("conditions", tooltip="From Encode Condition. All of them get this timeline."),
                io.Float.Input(
                    "source_start",
                    tooltip="Where in the condition's recording the part begins that steers, in seconds.",
                    **SECONDS,
                ),
                io.Float.Input(
                    "source_end", tooltip="Where that part ends, in seconds. 0: with the recording.", **SECONDS
                ),
                io.Float.Input("start", tooltip="Where in the result it begins to steer, in seconds.", **SECONDS),
                io.Float.Input(
                    "end", tooltip="Where in the result it ceases to steer, in seconds. 0: at the end.", **SECONDS
                ),
                io.String.Input(
                    "strength",
                    default="",
                    multiline=True,
                    tooltip="A curve over the seconds of the result, by which the weight is multiplied: "
                    "points such as 0: 1, 2: 0.5, joined by straight lines. Empty: 1 always.",
                ),
                io.String.Input(
                    "schedule",
                    default="",
                    multiline=True,
                    tooltip="A curve over denoising, from 0 at its beginning to 1 at its end: 0: 1, 1: 0 "
                    "fades out. Empty: 1 always. A search looks at the moment of its choice.",
                ),
                ConditionsType.Input(
                    "others",
                    optional=True,
                    tooltip="Conditions from another node, to be kept beside these as they are.",
                ),
            ],
            outputs=[
                ConditionsType.Output(
                    display_name="conditions", tooltip="For a guided sampler, or one more Encode Condition node."
                )
            ],
        )

    @classmethod
    def execute(cls, conditions, source_start, source_end, start, end, strength, schedule, others=()) -> io.NodeOutput:
        timeline = Timeline(
            Interval(source_start, source_end or None),
            Interval(start, end or None),
            parse_curve(strength),
            parse_curve(schedule),
        )
        return io.NodeOutput([*others, *(replace(condition, timeline=timeline) for condition in conditions)])
