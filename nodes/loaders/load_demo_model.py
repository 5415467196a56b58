from comfy_api.latest import io

from ..inputs import Category, schema
from ..native.demo.family import PICTURE, SOUND, empty_latent, load_native_demo


class LoadDemoModel(io.ComfyNode):
    """The name of a demo model to what ComfyUI's samplers sample."""

    @classmethod
    def define_schema(cls):
        return schema(
            node_id="SeeingHearingLoadDemoModel",
            display_name="Load Demo Model",
            category=Category.LOADERS,
            description="A toy in place of Load Checkpoint, built in and without a download: it draws pictures of 64 x "
            "64 pixels, or makes sounds of 2 s, of eight events, such as a ball that bounces. ComfyUI's own samplers "
            "sample it, to try Steer Model.",
            search_aliases=["toy model", "try without download", "demo"],
            inputs=[
                io.Combo.Input(
                    "kind",
                    options=[PICTURE, SOUND],
                    tooltip="picture: a small Stable Diffusion, for VAE Decode. sound: a small AudioLDM, for VAE "
                    "Decode Audio.",
                )
            ],
            outputs=[
                io.Model.Output(display_name="model", tooltip="For any sampler, or for Steer Model."),
                io.Clip.Output(display_name="clip", tooltip="For CLIP Text Encode."),
                io.Vae.Output(display_name="vae", tooltip="For VAE Decode or VAE Decode Audio, and for Steer Model."),
                io.Latent.Output(
                    display_name="latent", tooltip="An empty latent: 64 x 64 pixels, or 2 s of sound. For the sampler."
                ),
            ],
        )

    @classmethod
    def execute(cls, kind) -> io.NodeOutput:
        model, clip, vae = load_native_demo(kind)
        return io.NodeOutput(model, clip, vae, empty_latent(vae))
