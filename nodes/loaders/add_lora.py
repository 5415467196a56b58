from comfy_api.latest import io

from ...aligner.generators.stable_diffusion import Lora
from ..host.model_folders import NONE, motion_lora_names, motion_lora_path
from ..inputs import CATEGORY, LorasType

#: The range of a LoRA's strength.
STRENGTH = {"default": 1.0, "min": -10.0, "max": 10.0, "step": 0.05}


class AddLora(io.ComfyNode):
    """A chain of LoRA: each node adds one."""

    @classmethod
    def define_schema(cls):
        return io.Schema(
            node_id="SeeingHearingLora",
            display_name="Add LoRA",
            category=f"{CATEGORY}/loaders",
            description="One more LoRA or motion LoRA for Load AnimateDiff, which has room for one of each. Chain "
            "several of these nodes to combine more.",
            inputs=[
                io.Combo.Input(
                    "lora",
                    options=motion_lora_names(),
                    tooltip="A LoRA for Stable Diffusion 1.5 or a motion LoRA, from models/loras or "
                    "models/animatediff_motion_lora.",
                ),
                io.Float.Input(
                    "strength", tooltip="1 as it was trained, 0 not at all, below 0 the other way round.", **STRENGTH
                ),
                LorasType.Input(
                    "loras", optional=True, tooltip="LoRA from another Add LoRA node, to be kept beside this."
                ),
            ],
            outputs=[
                LorasType.Output(display_name="loras", tooltip="For Load AnimateDiff, or one more Add LoRA node.")
            ],
        )

    @classmethod
    def execute(cls, lora, strength, loras=()) -> io.NodeOutput:
        added = [] if lora == NONE else [Lora(motion_lora_path(lora), strength)]
        return io.NodeOutput([*loras, *added])
