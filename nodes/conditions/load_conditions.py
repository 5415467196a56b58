from comfy_api.latest import io

from ...aligner.conditions.saved import load_conditions
from ..host.model_folders import condition_names, condition_path
from ..inputs import CATEGORY, ConditionsType


class LoadConditions(io.ComfyNode):
    """A file name to conditions."""

    @classmethod
    def define_schema(cls):
        return io.Schema(
            node_id="SeeingHearingLoadConditions",
            display_name="Load Conditions",
            category=f"{CATEGORY}/conditions",
            description="Loads what Save Conditions wrote. Conditions belong to the ImageBind that encoded them: the "
            "sampler has to be given the same.",
            inputs=[
                io.Combo.Input(
                    "file",
                    options=condition_names(),
                    tooltip="A file from output/conditions or models/conditions; press R to see new ones.",
                ),
                ConditionsType.Input(
                    "conditions", optional=True, tooltip="Conditions from another node, to be kept beside these."
                ),
            ],
            outputs=[
                ConditionsType.Output(
                    display_name="conditions", tooltip="For a guided sampler, or one more Encode Condition node."
                )
            ],
        )

    @classmethod
    def fingerprint_inputs(cls, file, conditions=()) -> int:
        """A file may be replaced by another of the same name."""
        return condition_path(file).stat().st_mtime_ns

    @classmethod
    def execute(cls, file, conditions=()) -> io.NodeOutput:
        return io.NodeOutput([*conditions, *load_conditions(condition_path(file))])
