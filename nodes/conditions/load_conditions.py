from comfy_api.latest import io

from ...aligner.conditions.saved import load_conditions
from ..host.managed_model import versions
from ..host.model_folders import condition_names, condition_path
from ..inputs import Category, conditions_output, kept_conditions_socket, schema


class LoadConditions(io.ComfyNode):
    """A file name to conditions."""

    @classmethod
    def define_schema(cls):
        return schema(
            node_id="SeeingHearingLoadConditions",
            display_name="Load Conditions",
            category=Category.CONDITIONS,
            description="Loads conditions that Save Conditions has written. Connect the sampler to the binder that "
            "encoded them.",
            search_aliases=["load embedding", "import conditions"],
            inputs=[
                io.Combo.Input(
                    "file",
                    options=condition_names(),
                    tooltip="A file from output/conditions or models/conditions. Press R to see new ones.",
                ),
                kept_conditions_socket(),
            ],
            outputs=[conditions_output()],
        )

    @classmethod
    def fingerprint_inputs(cls, file, conditions=()) -> tuple[str, ...]:
        """Another file may replace this one under the same name."""
        return versions(condition_path(file))

    @classmethod
    def execute(cls, file, conditions=()) -> io.NodeOutput:
        return io.NodeOutput([*conditions, *load_conditions(condition_path(file))])
