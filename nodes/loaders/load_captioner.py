from comfy_api.latest import io

from ...aligner.captioning import load_captioner
from ...aligner.demo.family import load_demo_captioner
from ..host.managed_model import resolve_dtype, shared, versions
from ..host.model_folders import DEMO, captioner_names, captioner_path
from ..inputs import CaptionerType, Category, folded, precision_input, schema


class LoadCaptioner(io.ComfyNode):
    """A folder name to a model that writes captions."""

    @classmethod
    def define_schema(cls):
        return schema(
            node_id="SeeingHearingLoadCaptioner",
            display_name="Load Captioner",
            category=Category.LOADERS,
            description="Loads a model that describes pictures or sounds from models/captioners. It may be any model "
            "of transformers, such as BLIP for pictures or Qwen2-Audio for sounds. Download Model fetches both. The "
            "built-in demo model is a toy: it knows eight events.",
            search_aliases=["blip", "qwen audio", "caption model"],
            inputs=[
                io.Combo.Input(
                    "model",
                    options=captioner_names(),
                    tooltip="A folder from models/captioners, or the built-in toy.",
                ),
                *folded(precision_input()),
            ],
            outputs=[CaptionerType.Output(display_name="captioner", tooltip="For Caption.")],
        )

    @classmethod
    def fingerprint_inputs(cls, model=DEMO, **settings) -> tuple[str, ...]:
        """Another file may replace this one under the same name."""
        return () if model == DEMO else versions(captioner_path(model))

    @classmethod
    def execute(cls, model, precision) -> io.NodeOutput:
        if model == DEMO:
            return io.NodeOutput(shared(load_demo_captioner, dtype=resolve_dtype(precision)))
        return io.NodeOutput(shared(load_captioner, captioner_path(model), dtype=resolve_dtype(precision)))
