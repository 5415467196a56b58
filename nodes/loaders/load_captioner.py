from comfy_api.latest import io

from ...aligner.captioning import load_captioner
from ...aligner.demo.family import load_demo_captioner
from ..host.managed_model import resolve_dtype, shared
from ..host.model_folders import DEMO, captioner_names, captioner_path
from ..inputs import CATEGORY, CaptionerType, precision_input


class LoadCaptioner(io.ComfyNode):
    """A folder name to a model that writes captions."""

    @classmethod
    def define_schema(cls):
        return io.Schema(
            node_id="SeeingHearingLoadCaptioner",
            display_name="Load Captioner",
            category=f"{CATEGORY}/loaders",
            description="Loads a model that describes pictures or sounds, in the layout of the model hub, from "
            "models/captioners: one that transformers maintains, such as BLIP or Qwen-VL for pictures, "
            "Qwen2-Audio for sounds; Download Model fetches one. The built-in one is a toy: it names eight "
            "events of a drawn world.",
            inputs=[
                io.Combo.Input(
                    "model",
                    options=captioner_names(),
                    tooltip="A folder from models/captioners, or the toy that is built in.",
                ),
                precision_input(),
            ],
            outputs=[CaptionerType.Output(display_name="captioner", tooltip="For Caption.")],
        )

    @classmethod
    def execute(cls, model, precision) -> io.NodeOutput:
        if model == DEMO:
            return io.NodeOutput(shared(load_demo_captioner, dtype=resolve_dtype(precision)))
        return io.NodeOutput(shared(load_captioner, captioner_path(model), dtype=resolve_dtype(precision)))
