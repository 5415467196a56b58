from comfy_api.latest import io

from ...aligner.binders.imagebind import load_imagebind
from ...aligner.demo.family import load_demo_imagebind
from ..host.managed_model import resolve_dtype, shared, versions
from ..host.model_folders import DEMO, imagebind_names, imagebind_path
from ..inputs import BinderType, Category, folded, precision_input, schema


class LoadImageBind(io.ComfyNode):
    """A file name to a binder."""

    @classmethod
    def define_schema(cls):
        return schema(
            node_id="SeeingHearingLoadImageBind",
            display_name="Load ImageBind",
            category=Category.LOADERS,
            description="Loads ImageBind, which compares pictures, sounds and words. Put imagebind_huge.pth or "
            ".safetensors into models/imagebind. Its weights have the licence CC BY-NC-SA 4.0: non-commercial use "
            "only. The built-in demo model is a toy: it knows eight events.",
            search_aliases=["binder", "imagebind", "clip for sound", "embedding model"],
            inputs=[
                io.Combo.Input(
                    "model",
                    options=imagebind_names(),
                    tooltip="A file from models/imagebind, or the built-in toy.",
                ),
                *folded(precision_input()),
            ],
            outputs=[
                BinderType.Output(
                    display_name="binder", tooltip="For Encode Condition, Alignment Score and the samplers."
                )
            ],
        )

    @classmethod
    def fingerprint_inputs(cls, model=DEMO, **settings) -> tuple[str, ...]:
        """Another file may replace this one under the same name."""
        return () if model == DEMO else versions(imagebind_path(model))

    @classmethod
    def execute(cls, model, precision) -> io.NodeOutput:
        dtype = resolve_dtype(precision)
        if model == DEMO:
            return io.NodeOutput(shared(load_demo_imagebind, dtype=dtype))
        return io.NodeOutput(shared(load_imagebind, imagebind_path(model), dtype=dtype))
