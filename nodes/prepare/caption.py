from comfy import model_management
from comfy_api.latest import io, ui

from ...aligner.captioning import INSTRUCTION, Captioner
from ...aligner.errors import AlignerError
from ..host.convert import pixels, waveform
from ..host.managed_model import load_on_device
from ..host.memory import with_one_more_try
from ..inputs import CATEGORY, CaptionerType

#: Room for a picture's tokens and the words that are written.
CAPTION_BYTES = 2**30


class Caption(io.ComfyNode):
    """A picture or a sound to words."""

    @classmethod
    def define_schema(cls):
        return io.Schema(
            node_id="SeeingHearingCaption",
            display_name="Caption",
            category=f"{CATEGORY}/prepare",
            description="Describes a picture or a sound in a sentence, to be a sampler's prompt: the paper's automatic "
            "way from a video, by Key Frame and Caption, to its sound.",
            inputs=[
                CaptionerType.Input("captioner", tooltip="From Load Captioner."),
                io.Image.Input(
                    "image",
                    optional=True,
                    tooltip="A picture, such as Key Frame gives; of a batch the first. Connect this or a sound.",
                ),
                io.Audio.Input("audio", optional=True, tooltip="A sound; of a batch the first."),
                io.String.Input(
                    "instruction",
                    default=INSTRUCTION,
                    multiline=True,
                    tooltip="What to ask of models that follow instructions. Others just describe.",
                ),
                io.String.Input("before", default="", tooltip="Words to put before the caption."),
                io.String.Input("after", default="", tooltip="Words to put after the caption."),
                io.Int.Input("longest", default=40, min=1, max=1000, tooltip="The most tokens that are written."),
            ],
            outputs=[io.String.Output(display_name="caption", tooltip="For the prompt of a sampler.")],
            is_output_node=True,
        )

    @classmethod
    def execute(cls, captioner, instruction, before, after, longest, **given) -> io.NodeOutput:
        if len(given) != 1:
            raise AlignerError("Connect an image or a sound to Caption: one of them.")
        model: Captioner = captioner.model
        settings = {
            "instruction": instruction,
            "longest": longest,
            "on_token": model_management.throw_exception_if_processing_interrupted,
        }

        def written() -> str:
            load_on_device(captioner.patchers_of("model"), memory_required=CAPTION_BYTES)
            if "image" in given:
                return model.of_picture(pixels(given["image"])[0], **settings)
            sounds, rate = waveform(given["audio"])
            return model.of_sound(sounds[0].mean(dim=0), rate, **settings)

        text = " ".join(part for part in (before.strip(), with_one_more_try(written), after.strip()) if part)
        return io.NodeOutput(text, ui=ui.PreviewText(text))
