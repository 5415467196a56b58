from comfy_api.latest import io

from ...aligner import settings
from ...aligner.generators.stable_diffusion import Lora
from ..host.managed_model import versions
from ..host.model_folders import NONE, motion_lora_names, motion_lora_path
from ..inputs import Category, LorasType, schema, widget


class AddLora(io.ComfyNode):
    """A chain of LoRA: each node adds one."""

    @classmethod
    def define_schema(cls):
        return schema(
            node_id="SeeingHearingLora",
            display_name="Add LoRA",
            category=Category.LOADERS,
            description="Adds a LoRA or motion LoRA to those of Load AnimateDiff, which takes one of each. Chain "
            "several of these nodes to add more.",
            search_aliases=["lora", "motion lora", "camera movement"],
            inputs=[
                io.Combo.Input(
                    "lora",
                    options=motion_lora_names(),
                    tooltip="A LoRA for Stable Diffusion 1.5 or a motion LoRA, from models/loras or "
                    "models/animatediff_motion_lora.",
                ),
                widget(settings.ADDED_LORA_STRENGTH),
                LorasType.Input("loras", optional=True, tooltip="LoRAs of another Add LoRA node. This one joins them."),
            ],
            outputs=[
                LorasType.Output(display_name="loras", tooltip="For Load AnimateDiff, or for one more Add LoRA node.")
            ],
        )

    @classmethod
    def fingerprint_inputs(cls, lora=NONE, **settings) -> tuple[str, ...]:
        """Another file may replace this one under the same name."""
        return () if lora == NONE else versions(motion_lora_path(lora))

    @classmethod
    def execute(cls, lora, strength, loras=()) -> io.NodeOutput:
        added = [] if lora == NONE else [Lora(motion_lora_path(lora), strength)]
        return io.NodeOutput([*loras, *added])
