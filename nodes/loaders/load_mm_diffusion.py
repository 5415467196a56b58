from comfy_api.latest import io

from ...aligner.demo.family import load_demo_mm_diffusion
from ...aligner.generators.mm_diffusion import load_mm_diffusion
from ..host.managed_model import resolve_dtype, shared, versions
from ..host.model_folders import DEMO, mm_diffusion_names, mm_diffusion_path
from ..inputs import Category, JointGeneratorType, folded, precision_input, schema


class LoadMMDiffusion(io.ComfyNode):
    """A file name to a generator of video and sound."""

    @classmethod
    def define_schema(cls):
        return schema(
            node_id="SeeingHearingLoadMMDiffusion",
            display_name="Load MM-Diffusion",
            category=Category.LOADERS,
            description="Loads MM-Diffusion, one network that makes video and sound together, without words. Put "
            "Landscape.pt or AIST++.pt into models/mm_diffusion. The code has the licence MIT; the terms of the "
            "datasets apply to the weights. The built-in demo model is a toy: it knows eight events.",
            search_aliases=["mm-diffusion", "mmdiffusion", "landscape", "aist", "joint model", "video with sound"],
            inputs=[
                io.Combo.Input(
                    "model",
                    options=mm_diffusion_names(),
                    tooltip="A file from models/mm_diffusion, or the built-in toy.",
                ),
                *folded(precision_input()),
            ],
            outputs=[
                JointGeneratorType.Output(
                    display_name="joint_generator", tooltip="For the Guided MM-Diffusion Sampler."
                )
            ],
        )

    @classmethod
    def fingerprint_inputs(cls, model=DEMO, **settings) -> tuple[str, ...]:
        """Another file may replace this one under the same name."""
        return () if model == DEMO else versions(mm_diffusion_path(model))

    @classmethod
    def execute(cls, model, precision) -> io.NodeOutput:
        dtype = resolve_dtype(precision)
        if model == DEMO:
            return io.NodeOutput(shared(load_demo_mm_diffusion, dtype=dtype))
        return io.NodeOutput(shared(load_mm_diffusion, mm_diffusion_path(model), dtype=dtype))
