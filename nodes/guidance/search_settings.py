from comfy_api.latest import io

from ...aligner import settings
from ...aligner.guidance.objective import Comparison
from ...aligner.guidance.rule import Unguided
from ...aligner.guidance.search import Search, parse_funnel
from ..inputs import Category, GuidanceType, folded, schema, widget, widgets

#: What the Guided Joint Sampler tries, by stream.
_JOINT = settings.by_stream("candidates", settings.JOINT_CANDIDATES)


class SearchSettings(io.ComfyNode):
    """Widgets to a Search."""

    @classmethod
    def define_schema(cls):
        return schema(
            node_id="SeeingHearingSearchSettings",
            display_name="Search Settings",
            category=Category.GUIDANCE,
            description="Steers by a search: it denoises several noises for a while, compares them with the "
            "conditions, and continues the one that fits best. It needs no gradient. Samplers without guidance search "
            "with these defaults; the Guided Joint Sampler tries "
            f"{_JOINT['audio']} sounds and {_JOINT['video']} videos, which keeps pairs varied.",
            search_aliases=["best of n", "candidates", "seed search", "noise search", "try many seeds"],
            inputs=[
                *widgets(settings.AUDIO_CANDIDATES, settings.VIDEO_CANDIDATES, settings.AT),
                # Optional, and last: saved graphs may lack them.
                *folded(
                    *widgets(settings.COMPARE, settings.CLIPS, settings.TEXT_WEIGHT),
                    widget(settings.FUNNEL, optional=True),
                ),
                GuidanceType.Input(
                    "then",
                    optional=True,
                    tooltip="From Gradient Settings. After the choice gradients move the result. Unconnected: no "
                    "gradient changes it.",
                ),
                *(widget(each, optional=True) for each in (*settings.TIMING_WEIGHTS, settings.AUDIO_SHIFT)),
            ],
            outputs=[GuidanceType.Output(display_name="guidance", tooltip="For a guided sampler.")],
        )

    @classmethod
    def require(cls, connected, funnel=settings.FUNNEL.default) -> None:
        parse_funnel(funnel)

    @classmethod
    def execute(
        cls,
        audio_candidates,
        video_candidates,
        at,
        compare,
        clips,
        text_weight,
        funnel=settings.FUNNEL.default,
        then=None,
        audio_timing_weight=settings.AUDIO_TIMING_WEIGHT.default,
        video_timing_weight=settings.VIDEO_TIMING_WEIGHT.default,
        audio_shift=settings.AUDIO_SHIFT.default,
    ) -> io.NodeOutput:
        return io.NodeOutput(
            Search(
                candidates={"audio": audio_candidates, "video": video_candidates},
                at=at,
                audio_shift=audio_shift,
                funnel=parse_funnel(funnel),
                then=Unguided() if then is None else then,
                comparison=Comparison(compare, clips, text_weight, audio_timing_weight, video_timing_weight),
            )
        )
