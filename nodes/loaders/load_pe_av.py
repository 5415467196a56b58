from comfy_api.latest import io

from ...aligner.binders.pe_av import load_pe_av
from ...aligner.errors import AlignerError
from ..host.managed_model import resolve_dtype, shared, versions
from ..host.model_folders import pe_av_names, pe_av_path
from ..inputs import BinderType, Category, folded, precision_input, schema


class LoadPEAV(io.ComfyNode):
    """A folder name to a binder."""

    @classmethod
    def define_schema(cls):
        return schema(
            node_id="SeeingHearingLoadPEAV",
            display_name="Load PE-AV",
            category=Category.LOADERS,
            description="Loads PE-AV, which compares videos, pictures, sounds and words. Put a published folder "
            "(pe-av-small, pe-av-base, pe-av-large, or their 16-frame ones) into models/pe_av. Its weights have the "
            "licence Apache 2.0: commercial use is allowed.",
            search_aliases=["binder", "pe-av", "perception encoder", "commercial", "embedding model"],
            inputs=[
                io.Combo.Input("model", options=pe_av_names(), tooltip="A folder from models/pe_av."),
                *folded(precision_input()),
            ],
            outputs=[
                BinderType.Output(
                    display_name="binder", tooltip="For Encode Condition, Alignment Score and the samplers."
                )
            ],
        )

    @classmethod
    def require(cls, connected, model) -> None:
        if not model:
            raise AlignerError(
                "There is no PE-AV. Put a folder such as pe-av-small into models/pe_av, or use Download Model, and "
                "refresh the page."
            )

    @classmethod
    def fingerprint_inputs(cls, model="", **settings) -> tuple[str, ...]:
        """Another file may replace this one under the same name."""
        return versions(pe_av_path(model)) if model else ()

    @classmethod
    def execute(cls, model, precision) -> io.NodeOutput:
        return io.NodeOutput(shared(load_pe_av, pe_av_path(model), dtype=resolve_dtype(precision)))
