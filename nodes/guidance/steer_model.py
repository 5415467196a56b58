from comfy_api.latest import io

from ...aligner import settings
from ...aligner.errors import AlignerError
from ...aligner.generation import SEARCH
from ..host.convert import exact_rate
from ..host.encoding import encode_followed
from ..inputs import (
    BinderType,
    Category,
    ConditionsType,
    GuidanceType,
    SteeringType,
    followed_sockets,
    schema,
    widgets,
)
from ..native.decoding import decoder_of
from ..native.steering import Steering


class SteerModel(io.ComfyNode):
    """A MODEL of ComfyUI to one whose results fit the conditions."""

    @classmethod
    def define_schema(cls):
        return schema(
            node_id="SeeingHearingSteerModel",
            display_name="Steer Model",
            category=Category.GUIDANCE,
            description="Steers any model of ComfyUI by pictures, sounds, video and words: Stable Diffusion, Flux, "
            "Wan, LTX, Stable Audio, ACE-Step and others. The graph keeps its own sampler. It tries several seeds for "
            "a while and finishes the one that fits best.",
            search_aliases=[
                "steer",
                "guide any model",
                "audio reactive",
                "sound to image",
                "sound for video",
                "stable audio",
                "ace step",
                "ltx",
                "wan",
                "flux",
                "sdxl",
                "best of n",
            ],
            inputs=[
                io.Model.Input("model", tooltip="The model that a sampler samples. It may have LoRAs and patches."),
                BinderType.Input(
                    "binder",
                    tooltip="From Load ImageBind or Load PE-AV. It compares what the model makes with the conditions.",
                ),
                *followed_sockets("video", "image", "audio"),
                ConditionsType.Input(
                    "conditions",
                    optional=True,
                    tooltip="From Encode Condition: more to follow or to avoid, each with its weight, seconds and "
                    "region.",
                ),
                io.Vae.Input(
                    "vae",
                    optional=True,
                    tooltip="The VAE that decodes the result: pictures, video, or the sound of a sound model.",
                ),
                io.Vae.Input(
                    "audio_vae",
                    optional=True,
                    tooltip="The VAE of the sound of a model that makes video and sound together, such as LTX-2.",
                ),
                GuidanceType.Input(
                    "guidance",
                    optional=True,
                    tooltip="From Search Settings or Gradient Settings. Unconnected: the search with its defaults.",
                ),
                *widgets(settings.STEERED_FPS, settings.PAIR_WEIGHT),
            ],
            outputs=[
                io.Model.Output(display_name="model", tooltip="For any sampler or guider."),
                SteeringType.Output(display_name="steering", tooltip="For Steering Report."),
            ],
        )

    @classmethod
    def require(cls, connected) -> None:
        if not connected & {"vae", "audio_vae"}:
            raise AlignerError(
                "Steer Model needs a VAE to see or hear what the model makes. Connect the one that decodes its result."
            )
        if not connected & {"video", "image", "audio", "conditions"} and not {"vae", "audio_vae"} <= connected:
            raise AlignerError("Steer Model has nothing to follow. Connect a video, an image, an audio or conditions.")

    @classmethod
    def execute(
        cls, model, binder, fps, pair_weight, conditions=(), vae=None, audio_vae=None, guidance=SEARCH, **followed
    ) -> io.NodeOutput:
        decoders = [decoder_of(each, exact_rate(fps)) for each in (vae, audio_vae) if each is not None]
        if len({decoder.stream for decoder in decoders}) < len(decoders):
            raise AlignerError(
                f"Both VAEs of Steer Model decode {decoders[0].stream}. Connect the one for pictures or video to vae "
                "and the one for sound to audio_vae, or disconnect one."
            )
        conditions = [*conditions, *encode_followed(binder, guidance, **followed)]
        steering = Steering(binder, conditions, guidance, decoders, pair_weight)
        return io.NodeOutput(steering.attached(model), steering)
