from comfy.utils import ProgressBar
from comfy_api.latest import io

from ...aligner import settings
from ...aligner.errors import AlignerError
from ...aligner.generators.super_resolution import load_upscaler
from ..host.convert import frames_output, pixels
from ..host.managed_model import load_on_device, resolve_dtype, shared, versions
from ..host.memory import with_one_more_try
from ..host.model_folders import mm_diffusion_path, upscaler_names
from ..host.progress import end_if_cancelled
from ..inputs import Category, folded, precision_input, schema, seed_input, widgets

#: The steps of the progress bar.
PARTS = 1000


class MMDiffusionUpscale(io.ComfyNode):
    """Small frames to large ones, by diffusion."""

    @classmethod
    def define_schema(cls):
        return schema(
            node_id="SeeingHearingMMDiffusionUpscale",
            display_name="MM-Diffusion Upscale",
            category=Category.SAMPLERS,
            description="Makes frames of 64 pixels four times larger by diffusion, as MM-Diffusion's second stage "
            "does. All frames start from the same noise. Put Landscape_SR.pt or AIST++_SR.pt into models/mm_diffusion.",
            search_aliases=["super resolution", "upscale video", "enlarge", "sr", "mm-diffusion"],
            inputs=[
                io.Combo.Input(
                    "model",
                    options=upscaler_names(),
                    tooltip="A file from models/mm_diffusion whose name ends with _SR.",
                ),
                io.Image.Input("image", tooltip="Small frames, such as those of the Guided MM-Diffusion Sampler."),
                seed_input(settings.UPSCALE_SEED),
                *widgets(settings.UPSCALE_STEPS),
                *folded(precision_input()),
            ],
            outputs=[io.Image.Output(display_name="image", tooltip="The frames, four times larger along each side.")],
        )

    @classmethod
    def require(cls, connected, model) -> None:
        if not model:
            raise AlignerError(
                "There is no model that enlarges frames. Put Landscape_SR.pt or AIST++_SR.pt into models/mm_diffusion "
                "and refresh the page."
            )

    @classmethod
    def fingerprint_inputs(cls, model="", **settings) -> tuple[str, ...]:
        """Another file may replace this one under the same name."""
        return versions(mm_diffusion_path(model)) if model else ()

    @classmethod
    def execute(cls, model, image, seed, steps, precision) -> io.NodeOutput:
        managed = shared(load_upscaler, mm_diffusion_path(model), dtype=resolve_dtype(precision))
        bar = ProgressBar(PARTS)

        def on_step(passed: float) -> None:
            end_if_cancelled()
            bar.update_absolute(round(PARTS * passed), PARTS)

        def enlarged():
            load_on_device(managed.patchers_of("unet"), managed.model.activation_bytes(*image.shape[1:3]))
            return managed.model.enlarged(pixels(image), seed=seed, steps=steps, on_step=on_step)

        return io.NodeOutput(frames_output(with_one_more_try(enlarged)))
