from dataclasses import replace

from comfy_api.latest import io

from ...aligner import settings
from ...aligner.errors import AlignerError
from ..host.encoding import encode
from ..host.managed_model import ManagedModel
from ..inputs import CATEGORY, BinderType, ConditionsType, widgets

#: Which generated streams a condition may steer.
STREAMS = {"all": None, "video": ("video",), "audio": ("audio",)}


class EncodeCondition(io.ComfyNode):
    """Whatever is connected, embedded once."""

    @classmethod
    def define_schema(cls):
        return io.Schema(
            node_id="SeeingHearingEncodeCondition",
            display_name="Encode Condition",
            category=f"{CATEGORY}/conditions",
            description="Turns a picture, video, sound or text into a condition that steers a generation. Connect any "
            "of them; chain several of these nodes to combine conditions. A weight below 0 pushes away.",
            inputs=[
                BinderType.Input("binder", tooltip="From Load ImageBind."),
                io.Image.Input(
                    "image", optional=True, tooltip="One picture, or a batch of frames played at fps frames per second."
                ),
                io.Video.Input(
                    "video",
                    optional=True,
                    tooltip="A video of any length. Only the frames that its clips show are held in memory.",
                ),
                io.Audio.Input(
                    "audio",
                    optional=True,
                    tooltip="A sound of any length and rate; each sound of a batch is a condition.",
                ),
                ConditionsType.Input(
                    "conditions",
                    optional=True,
                    tooltip="Conditions from another Encode Condition node, to keep beside these.",
                ),
                io.Mask.Input(
                    "mask",
                    optional=True,
                    tooltip="The painted region of image and video counts, the rest is hidden. One mask, or one for "
                    "each frame.",
                ),
                io.String.Input(
                    "text", default="", multiline=True, tooltip="Words, cut after 77 tokens. Empty: no text condition."
                ),
                *widgets(settings.CONDITION_FPS, settings.WEIGHT, settings.CLIPS),
                io.Combo.Input(
                    "streams",
                    options=list(STREAMS),
                    default="all",
                    tooltip="The generated streams that these conditions steer where video and sound are made "
                    "together.",
                ),
            ],
            outputs=[
                ConditionsType.Output(
                    display_name="conditions", tooltip="For a guided sampler, or one more Encode Condition node."
                )
            ],
        )

    @classmethod
    def execute(cls, binder, text, fps, weight, clips, streams, conditions=(), **given) -> io.NodeOutput:
        encoded = encode(ManagedModel.of(binder), text=text, fps=fps, weight=weight, clips=clips, **given)
        if not encoded:
            raise AlignerError("There is nothing to encode: connect an image, a video or a sound, or write a text.")
        return io.NodeOutput([*conditions, *(replace(condition, streams=STREAMS[streams]) for condition in encoded)])
