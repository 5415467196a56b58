from comfy_api.latest import io

from ...aligner.binders.clap import load_clap
from ...aligner.errors import AlignerError
from ..host.managed_model import resolve_dtype, shared, versions
from ..host.model_folders import clap_names, clap_path
from ..inputs import BinderType, Category, folded, precision_input, schema


class LoadCLAP(io.ComfyNode):
    """A folder name to a binder."""

    @classmethod
    def define_schema(cls):
        return schema(
            node_id="SeeingHearingLoadCLAP",
            display_name="Load CLAP",
            category=Category.LOADERS,
            description="Loads CLAP, which compares sounds and words, and no pictures. It is small. Put a published "
            "folder (clap-htsat-unfused, clap-htsat-fused) into models/clap. The weights of laion have the licence "
            "Apache 2.0: commercial use is allowed.",
            search_aliases=["binder", "clap", "laion", "text to audio similarity", "embedding model"],
            inputs=[
                io.Combo.Input("model", options=clap_names(), tooltip="A folder from models/clap."),
                *folded(precision_input()),
            ],
            outputs=[
                BinderType.Output(
                    display_name="binder", tooltip="For Encode Condition, Alignment Score and the samplers of sound."
                )
            ],
        )

    @classmethod
    def require(cls, connected, model) -> None:
        if not model:
            raise AlignerError(
                "There is no CLAP. Put a folder such as clap-htsat-unfused into models/clap, or use Download Model, "
                "and refresh the page."
            )

    @classmethod
    def fingerprint_inputs(cls, model="", **settings) -> tuple[str, ...]:
        """Another file may replace this one under the same name."""
        return versions(clap_path(model)) if model else ()

    @classmethod
    def execute(cls, model, precision) -> io.NodeOutput:
        return io.NodeOutput(shared(load_clap, clap_path(model), dtype=resolve_dtype(precision)))
