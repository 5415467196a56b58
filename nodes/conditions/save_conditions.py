from comfy_api.latest import io, ui

from ...aligner.conditions.saved import save_conditions
from ..host.model_folders import CONDITIONS
from ..host.saving import output_file, require_prefix
from ..inputs import Category, ConditionsType, filename_prefix_input, schema


class SaveConditions(io.ComfyNode):
    """Conditions to a file."""

    @classmethod
    def define_schema(cls):
        return schema(
            node_id="SeeingHearingSaveConditions",
            display_name="Save Conditions",
            category=Category.CONDITIONS,
            description="Saves conditions with their weights and timelines, for Load Conditions. The recordings are "
            "not needed again.",
            search_aliases=["store embedding", "export conditions"],
            inputs=[
                ConditionsType.Input("conditions", tooltip="From Encode Condition or any node after it."),
                filename_prefix_input(CONDITIONS),
            ],
            outputs=[ConditionsType.Output(display_name="conditions", tooltip="The same conditions.")],
            is_output_node=True,
        )

    @classmethod
    def require(cls, connected, filename_prefix) -> None:
        require_prefix(filename_prefix)

    @classmethod
    def execute(cls, conditions, filename_prefix) -> io.NodeOutput:
        file, shown = output_file(CONDITIONS, filename_prefix)
        save_conditions(file, conditions)
        return io.NodeOutput(conditions, ui=ui.PreviewText(shown))
