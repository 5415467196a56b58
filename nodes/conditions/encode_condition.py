import warnings
from dataclasses import replace

from comfy_api.latest import io

from ...aligner import settings
from ...aligner.errors import AlignerError, AlignerWarning
from ..host.encoding import encode
from ..host.progress import say_on_node
from ..host.rates import rate_hint
from ..inputs import BinderType, Category, conditions_output, folded, kept_conditions_socket, schema, widgets

#: The choice that stands for every generated stream.
ALL = settings.STREAMS.default


class EncodeCondition(io.ComfyNode):
    """Pictures, videos, sounds and texts to conditions."""

    @classmethod
    def define_schema(cls):
        return schema(
            node_id="SeeingHearingEncodeCondition",
            display_name="Encode Condition",
            category=Category.CONDITIONS,
            description="Makes a condition that steers a sampler from a picture, video, sound or text. Connect any of "
            "them. Chain several of these nodes to combine conditions. A weight below 0 pushes away.",
            search_aliases=[
                "imagebind encode",
                "reference image",
                "reference audio",
                "reference video",
                "audio prompt",
                "image to audio",
                "audio reactive",
            ],
            inputs=[
                BinderType.Input("binder", tooltip="From Load ImageBind or Load PE-AV."),
                io.Image.Input(
                    "image", optional=True, tooltip="One picture, or a batch of frames at fps frames per second."
                ),
                io.Video.Input(
                    "video",
                    optional=True,
                    tooltip="A video of any length. Memory holds only the frames that its clips show.",
                ),
                io.Audio.Input(
                    "audio",
                    optional=True,
                    tooltip="A sound of any length and rate. Each sound of a batch is a condition.",
                ),
                kept_conditions_socket(),
                io.Mask.Input(
                    "mask",
                    optional=True,
                    tooltip="Only the painted region of image and video counts. Give one mask, or one for each frame.",
                ),
                io.String.Input(
                    "text",
                    default="",
                    multiline=True,
                    tooltip="Words. ImageBind reads 77 tokens. Empty: no text condition.",
                ),
                *widgets(settings.CONDITION_FPS, settings.WEIGHT),
                *folded(*widgets(settings.CLIPS, settings.STREAMS)),
            ],
            outputs=[conditions_output()],
        )

    @classmethod
    def require(cls, connected, text) -> None:
        if not (connected & {"image", "video", "audio"} or text.strip()):
            raise AlignerError("There is nothing to encode: connect an image, a video or a sound, or write a text.")
        if "mask" in connected and not connected & {"image", "video"}:
            raise AlignerError(
                "A mask belongs to an image or a video, but neither is connected. Connect one of them, or disconnect "
                "the mask."
            )

    @classmethod
    def execute(cls, binder, text, fps, weight, clips, streams, conditions=(), **given) -> io.NodeOutput:
        if "image" in given and len(given["image"]) > 1 and "audio" in given:
            sounds, sample_rate = given["audio"]
            if hint := rate_hint(len(given["image"]), fps, sounds.shape[-1], sample_rate):
                warnings.warn(hint, AlignerWarning, stacklevel=2)
                say_on_node(hint)
        encoded = encode(binder, text=text, fps=fps, weight=weight, clips=clips, **given)
        steered = None if streams == ALL else (streams,)
        return io.NodeOutput([*conditions, *(replace(condition, streams=steered) for condition in encoded)])
