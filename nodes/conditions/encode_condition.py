from dataclasses import replace

from comfy_api.latest import io

from ...aligner.errors import AlignerError
from ...aligner.guidance.rule import RULES
from ...aligner.timing.clips import CLIP_SAMPLINGS
from ..host.encoding import encode
from ..types import CATEGORY, ConditionsType, ImageBindType

#: Which generated streams a condition may steer.
STREAMS = {"all": None, "video": ("video",), "audio": ("audio",)}


class EncodeCondition(io.ComfyNode):
    """Whatever is connected, embedded once."""

    @classmethod
    def define_schema(cls):
        return io.Schema(
            node_id="SeeingHearingEncodeCondition",
            display_name="Encode Condition",
            category=CATEGORY,
            description="Turns a picture, video, sound or text into a condition that steers a generation. Connect any "
            "of them; chain several of these nodes to combine conditions. A weight below 0 pushes away.",
            inputs=[
                ImageBindType.Input("imagebind", tooltip="From Load ImageBind."),
                io.Image.Input(
                    "image", optional=True, tooltip="One picture, or a batch of frames played at fps frames per second."
                ),
                io.Video.Input(
                    "video",
                    optional=True,
                    tooltip="A video. Only the frames that are looked at are read, so long clips are fine.",
                ),
                io.Audio.Input(
                    "audio",
                    optional=True,
                    tooltip="A sound of any length and rate; each sound of a batch is a condition.",
                ),
                ConditionsType.Input(
                    "conditions",
                    optional=True,
                    tooltip="Conditions from another Encode Condition node, to be kept beside these.",
                ),
                io.String.Input(
                    "text",
                    default="",
                    multiline=True,
                    tooltip="Words. Longer than 77 tokens they are cut. Leave empty for none.",
                ),
                io.Float.Input(
                    "fps",
                    default=24.0,
                    min=0.01,
                    max=1000.0,
                    step=0.001,
                    round=False,
                    tooltip="Frames per second of a batch of images; Get Video Components has it.",
                ),
                io.Float.Input(
                    "weight",
                    default=1.0,
                    min=-10.0,
                    max=10.0,
                    step=0.05,
                    tooltip="How much these conditions count. 1 is usual, 0 switches them off, below 0 the "
                    "result is pushed away from them.",
                ),
                io.Combo.Input(
                    "clips",
                    options=list(CLIP_SAMPLINGS),
                    default=RULES["search"].clips,
                    tooltip="How a recording is cut into clips: one per second as the method's authors do "
                    "(released), as ImageBind's do (upstream: video 5 of 2 s, three crops; sound 3 "
                    "of 2 s), or short ones of half a second, which tell moments apart.",
                ),
                io.Combo.Input(
                    "streams",
                    options=list(STREAMS),
                    default="all",
                    optional=True,
                    tooltip="What these conditions steer where video and sound are generated together.",
                ),
                io.Mask.Input(
                    "mask",
                    optional=True,
                    tooltip="Of image and video only what is painted counts, so that only this object is "
                    "heard. One mask, or one for each frame.",
                ),
            ],
            outputs=[
                ConditionsType.Output(
                    display_name="conditions", tooltip="For a guided sampler, or one more Encode Condition node."
                )
            ],
        )

    @classmethod
    def execute(cls, imagebind, text, fps, weight, clips, conditions=(), streams="all", **given) -> io.NodeOutput:
        encoded = encode(imagebind, text=text, fps=fps, weight=weight, clips=clips, **given)
        if not encoded:
            raise AlignerError("There is nothing to encode: connect an image, a video or a sound, or write a text.")
        return io.NodeOutput([*conditions, *(replace(condition, streams=STREAMS[streams]) for condition in encoded)])
