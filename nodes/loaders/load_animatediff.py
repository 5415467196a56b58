from comfy_api.latest import io

from ...aligner import settings
from ...aligner.demo.family import load_demo_animatediff
from ...aligner.errors import AlignerError
from ...aligner.generators.animatediff import load_animatediff
from ...aligner.generators.stable_diffusion import Lora
from ..host.managed_model import resolve_dtype, shared, versions
from ..host.model_folders import (
    DEMO,
    NONE,
    lora_names,
    lora_path,
    motion_lora_names,
    motion_lora_path,
    motion_module_names,
    motion_module_path,
    stable_diffusion_names,
    stable_diffusion_path,
    taesd_names,
    taesd_path,
)
from ..inputs import Category, LorasType, VideoGeneratorType, folded, precision_input, schema, widget

NO_MOTION = "none (pictures only)"

#: Where the files of an input are. An input is absent where a wire brings it.
_PATHS = {
    "base": stable_diffusion_path,
    "motion": motion_module_path,
    "lora": lora_path,
    "motion_lora": motion_lora_path,
    "taesd": taesd_path,
}


class LoadAnimateDiff(io.ComfyNode):
    """File names to a generator of videos, or of pictures."""

    @classmethod
    def define_schema(cls):
        return schema(
            node_id="SeeingHearingLoadAnimateDiff",
            display_name="Load AnimateDiff",
            category=Category.LOADERS,
            description="Loads Stable Diffusion 1.5, or a checkpoint trained from it, and a motion module of "
            "AnimateDiff. Together they make video. The built-in demo model is a toy: it draws eight events in 64 x 64 "
            "pixels.",
            search_aliases=["animatediff", "motion module", "stable diffusion 1.5", "video model"],
            inputs=[
                io.Combo.Input(
                    "base",
                    options=stable_diffusion_names(),
                    tooltip="A Stable Diffusion 1.5 checkpoint from models/checkpoints, a folder from "
                    "models/diffusers, or the built-in toy.",
                ),
                io.Combo.Input(
                    "motion",
                    options=[DEMO, NO_MOTION, *motion_module_names()],
                    tooltip="A motion module for Stable Diffusion 1.5, a file or folder from "
                    "models/animatediff_models. Without one the model makes single pictures. The built-in one fits "
                    "only the built-in base.",
                ),
                io.Combo.Input(
                    "lora", options=lora_names(), tooltip="A LoRA for Stable Diffusion 1.5, from models/loras."
                ),
                widget(settings.LORA_STRENGTH),
                io.Combo.Input(
                    "motion_lora",
                    options=motion_lora_names(),
                    tooltip="A motion LoRA, such as a camera movement, from models/animatediff_motion_lora or "
                    "models/loras. It needs a motion module.",
                ),
                widget(settings.MOTION_LORA_STRENGTH),
                *folded(precision_input()),
                io.Combo.Input(
                    "taesd",
                    options=taesd_names(),
                    tooltip="The decoder of TAESD, taesd_decoder from models/vae_approx. Samplers with decoding taesd "
                    "use it.",
                ),
                LorasType.Input("loras", optional=True, tooltip="More LoRAs, from Add LoRA. They are applied first."),
            ],
            outputs=[
                VideoGeneratorType.Output(
                    display_name="video_generator",
                    tooltip="For the Guided Video Sampler and the Guided Joint Sampler.",
                )
            ],
        )

    @classmethod
    def fingerprint_inputs(cls, **chosen) -> tuple[str, ...]:
        """Other files may replace these under the same names."""
        names = {each: chosen.get(each, NONE) for each in _PATHS}
        return versions(*(_PATHS[each](name) for each, name in names.items() if name not in (DEMO, NONE, NO_MOTION)))

    @classmethod
    def require(cls, connected, base, motion, lora, motion_lora, taesd) -> None:
        if DEMO not in (base, motion):
            return
        if base != DEMO or motion not in (DEMO, NO_MOTION):
            raise AlignerError(
                f"The built-in demo model and real weights do not fit together: set both base and motion to '{DEMO}', "
                "or neither of them."
            )
        if {lora, motion_lora} != {NONE} or "loras" in connected:
            raise AlignerError(
                "There is no LoRA for the built-in demo model. Choose a real base, or set lora and motion_lora to "
                f"'{NONE}' and disconnect Add LoRA."
            )
        if taesd != NONE:
            raise AlignerError(
                f"TAESD imitates real weights, not the built-in demo model. Choose a real base, or set taesd to "
                f"'{NONE}'."
            )

    @classmethod
    def execute(
        cls, base, motion, lora, lora_strength, motion_lora, motion_lora_strength, precision, taesd, loras=()
    ) -> io.NodeOutput:
        chosen = list(loras)
        if lora != NONE:
            chosen.append(Lora(lora_path(lora), lora_strength))
        if motion_lora != NONE:
            chosen.append(Lora(motion_lora_path(motion_lora), motion_lora_strength))
        dtype = resolve_dtype(precision)
        if base == DEMO:
            return io.NodeOutput(shared(load_demo_animatediff, motion=motion == DEMO, dtype=dtype))
        module = None if motion == NO_MOTION else motion_module_path(motion)
        tiny = None if taesd == NONE else taesd_path(taesd)
        return io.NodeOutput(
            shared(load_animatediff, stable_diffusion_path(base), module, loras=tuple(chosen), taesd=tiny, dtype=dtype)
        )
