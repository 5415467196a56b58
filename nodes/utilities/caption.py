from comfy import model_management
from comfy_api.latest import io, ui

from ...aligner import settings
from ...aligner.captioning import Captioner
from ...aligner.errors import AlignerError
from ..host.convert import pixels
from ..host.managed_model import load_on_device
from ..host.memory import with_one_more_try
from ..inputs import CaptionerType, Category, schema, widget

#: Room for the activations of a picture's tokens and of the written words.
CAPTION_BYTES = 2**30


class Caption(io.ComfyNode):
    """A picture or a sound to words."""

    @classmethod
    def define_schema(cls):
        return schema(
            node_id="SeeingHearingCaption",
            display_name="Caption",
            category=Category.UTILITIES,
            description="Describes a picture or a sound in a sentence, for the prompt of a sampler. Key Frame and "
            "Caption are the paper's automatic way from a video to its sound.",
            search_aliases=["describe", "image to text", "audio to text", "blip", "auto prompt"],
            inputs=[
                CaptionerType.Input("captioner", tooltip="From Load Captioner."),
                io.Image.Input(
                    "image",
                    optional=True,
                    tooltip="A picture, for example from Key Frame. The first of a batch counts. Connect this or a "
                    "sound.",
                ),
                io.Audio.Input("audio", optional=True, tooltip="A sound. The first of a batch counts."),
                widget(settings.INSTRUCTION),
                io.String.Input("before", default="", tooltip="Words before the caption."),
                io.String.Input("after", default="", tooltip="Words after the caption."),
                widget(settings.LONGEST),
            ],
            outputs=[io.String.Output(display_name="caption", tooltip="For the prompt of a sampler.")],
            is_output_node=True,
        )

    @classmethod
    def require(cls, connected) -> None:
        if len(connected & {"image", "audio"}) != 1:
            raise AlignerError("Connect either an image or a sound to Caption.")

    @classmethod
    def execute(cls, captioner, instruction, before, after, longest, **given) -> io.NodeOutput:
        model: Captioner = captioner.model
        request = {
            "instruction": instruction,
            "longest": longest,
            "on_token": model_management.throw_exception_if_processing_interrupted,
        }

        def written() -> str:
            load_on_device(captioner.patchers_of("model"), memory_required=CAPTION_BYTES)
            if "image" in given:
                return model.of_picture(pixels(given["image"])[0], **request)
            sounds, rate = given["audio"]
            return model.of_sound(sounds[0].mean(dim=0), rate, **request)

        text = " ".join(part for part in (before.strip(), with_one_more_try(written), after.strip()) if part)
        return io.NodeOutput(text, ui=ui.PreviewText(text))
