import torch
from comfy_api.latest import io

from ...aligner import settings
from ...aligner.errors import AlignerError
from ...aligner.timing.curves import Curve
from ..host.latents import MASK, frames_per_second, is_sound, mask_of, samples_of
from ..inputs import Category, schema, widgets


class MaskSeconds(io.ComfyNode):
    """An interval of seconds to the noise mask of a latent."""

    @classmethod
    def define_schema(cls):
        return schema(
            node_id="SeeingHearingMaskSeconds",
            display_name="Mask Seconds",
            category=Category.LONG_FORM,
            description="Marks the seconds of a sound or video that a guided sampler makes anew. The sampler keeps the "
            "rest. Where the latent has a mask already, for example of Set Latent Noise Mask, both masks apply.",
            search_aliases=["inpaint audio", "audio mask", "replace part", "sound inpainting", "time mask"],
            inputs=[
                io.Latent.Input(
                    "latent",
                    tooltip="The latent of a sound or a video, from Encode Sound, VAE Encode or a guided sampler.",
                ),
                *widgets(*settings.MASK),
            ],
            outputs=[
                io.Latent.Output(display_name="latent", tooltip="The same latent with a mask, for a guided sampler.")
            ],
        )

    @classmethod
    def require(cls, connected, start, end) -> None:
        if not end > start:
            raise AlignerError(
                f"The part that is made anew must end after its start, but {start:g} s to {end:g} s does not. Raise "
                "end."
            )

    @classmethod
    def execute(cls, latent, start, end, fade, fps) -> io.NodeOutput:
        samples = samples_of(latent)
        sound = is_sound(latent)
        rate, time = (frames_per_second(latent), 2) if sound else (fps, 0)
        count = samples.shape[time]
        if start * rate >= count:
            raise AlignerError(
                f"This latent lasts {count / rate:g} s, and the part that is made anew starts at {start:g} s. Lower "
                "start."
            )
        curve = Curve(((start - fade, 0.0), (start, 1.0), (end, 1.0), (end + fade, 0.0)))
        strengths = torch.tensor([curve.at((k + 0.5) / rate) for k in range(count)])
        if sound:
            mask = strengths.view(1, 1, -1, 1).expand(1, 1, count, samples.shape[3])
        else:
            mask = strengths.view(-1, 1, 1, 1).expand(count, 1, *samples.shape[2:])
        other = mask_of(latent)
        return io.NodeOutput({**latent, MASK: mask.clone() if other is None else mask * other})
