import torch
from comfy_api.latest import io

from ...aligner.errors import AlignerError
from ...aligner.timing.curves import Curve
from ..host.latents import FRAMES_PER_SECOND, MASK, is_sound, mask_of, samples_of
from ..inputs import CATEGORY


class MaskSeconds(io.ComfyNode):
    """A part of the time of a latent, as the mask that ComfyUI's latents carry."""

    @classmethod
    def define_schema(cls):
        return io.Schema(
            node_id="SeeingHearingMaskSeconds",
            display_name="Mask Seconds",
            category=f"{CATEGORY}/prepare",
            description="Has only some seconds of a sound or video made anew; the rest is kept. Behind Encode Sound, "
            "VAE Encode or a guided sampler, before a guided sampler. Where the latent has a mask already, "
            "such as Set Latent Noise Mask gives it, only what both leave open is made anew.",
            inputs=[
                io.Latent.Input("latent", tooltip="Of a sound or a video."),
                io.Float.Input(
                    "start",
                    default=0.0,
                    min=0.0,
                    max=3600.0,
                    step=0.01,
                    round=False,
                    tooltip="Where the part begins that is made anew, in seconds.",
                ),
                io.Float.Input(
                    "end",
                    default=1.0,
                    min=0.0,
                    max=3600.0,
                    step=0.01,
                    round=False,
                    tooltip="Where it ends, in seconds.",
                ),
                io.Float.Input(
                    "fade",
                    default=0.1,
                    min=0.0,
                    max=60.0,
                    step=0.01,
                    round=False,
                    tooltip="How long old and new are blended on either side, in seconds.",
                ),
                io.Float.Input(
                    "fps",
                    default=8.0,
                    min=0.01,
                    max=1000.0,
                    step=0.001,
                    round=False,
                    tooltip="Frames per second of a video's latent. A sound's knows its own time.",
                ),
            ],
            outputs=[io.Latent.Output(display_name="latent", tooltip="The same with a mask, for a guided sampler.")],
        )

    @classmethod
    def execute(cls, latent, start, end, fade, fps) -> io.NodeOutput:
        samples = samples_of(latent)
        if not end > start:
            raise AlignerError(
                f"The part to be made anew must end after its start, but {start:g} s to {end:g} s does not."
            )
        sound = is_sound(latent)
        rate, time = (latent.get(FRAMES_PER_SECOND, 25.0), 2) if sound else (fps, 0)
        count = samples.shape[time]
        if start * rate >= count:
            raise AlignerError(
                f"This latent lasts {count / rate:g} s, so that nothing from {start:g} s on can be made "
                "anew. Begin earlier."
            )
        curve = Curve(((start - fade, 0.0), (start, 1.0), (end, 1.0), (end + fade, 0.0)))
        strengths = torch.tensor([curve.at((k + 0.5) / rate) for k in range(count)])
        if sound:
            mask = strengths.view(1, 1, -1, 1).expand(1, 1, count, samples.shape[3])
        else:
            mask = strengths.view(-1, 1, 1, 1).expand(count, 1, *samples.shape[2:])
        other = mask_of(latent)
        return io.NodeOutput({**latent, MASK: mask.clone() if other is None else mask * other})
