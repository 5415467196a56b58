from comfy_api.latest import io

from ...aligner import settings
from ...aligner.errors import AlignerError
from ..host.managed_binders import ManagedBinders, weighted
from ..inputs import BinderType, Category, schema, widgets


class CombineBinders(io.ComfyNode):
    """Two binders to one that compares by both."""

    @classmethod
    def define_schema(cls):
        return schema(
            node_id="SeeingHearingCombineBinders",
            display_name="Combine Binders",
            category=Category.LOADERS,
            description="Two binders steer together, each with a weight: PE-AV compares a sound with the clip, and "
            "CLAP with words. A recording or text that is encoded by both gives a condition for each. One more "
            "Combine Binders adds a third.",
            search_aliases=["several binders", "ensemble", "mix binders", "two judges"],
            inputs=[
                BinderType.Input("binder_1", tooltip="From a loader of a binder, or from one more Combine Binders."),
                BinderType.Input("binder_2", tooltip="Another one. Two different ImageBinds are allowed, too."),
                *widgets(settings.BINDER_1_WEIGHT, settings.BINDER_2_WEIGHT),
            ],
            outputs=[BinderType.Output(display_name="binder", tooltip="Both. For all that take a binder.")],
        )

    @classmethod
    def execute(cls, binder_1, binder_2, weight_1, weight_2) -> io.NodeOutput:
        first, second = weighted(binder_1, weight_1), weighted(binder_2, weight_2)
        if first.keys() & second.keys():
            raise AlignerError("The same binder was combined with itself. Choose another one, or leave one out.")
        return io.NodeOutput(ManagedBinders({**first, **second}))
