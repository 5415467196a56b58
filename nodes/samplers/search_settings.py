from comfy_api.latest import io

from ...aligner import settings
from ...aligner.guidance.objective import Comparison
from ...aligner.guidance.rule import Unguided
from ...aligner.guidance.search import Search
from ..inputs import CATEGORY, GuidanceType, widgets


class SearchSettings(io.ComfyNode):
    """Widgets to a Search."""

    @classmethod
    def define_schema(cls):
        return io.Schema(
            node_id="SeeingHearingSearchSettings",
            display_name="Search Settings",
            category=f"{CATEGORY}/guidance",
            description="Steers by a search: several noises are followed for a while, and the one whose result fits "
            "the conditions best goes on. Nothing is moved and no gradient is needed. Samplers without settings "
            "search with these defaults.",
            inputs=[
                *widgets(*settings.SEARCH),
                GuidanceType.Input(
                    "then",
                    optional=True,
                    tooltip="From Gradient Settings: moves the chosen result on by gradients. Unconnected: nothing is "
                    "moved.",
                ),
            ],
            outputs=[GuidanceType.Output(display_name="guidance", tooltip="For a guided sampler.")],
        )

    @classmethod
    def execute(cls, audio_candidates, video_candidates, at, compare, clips, text_weight, then=None) -> io.NodeOutput:
        return io.NodeOutput(
            Search(
                candidates={"audio": audio_candidates, "video": video_candidates},
                at=at,
                then=Unguided() if then is None else then,
                comparison=Comparison(compare, clips, text_weight),
            )
        )
