from comfy_api.latest import io

from ...aligner import settings
from ..host.clips import with_sound
from ..inputs import Category, schema, widgets


class AddSound(io.ComfyNode):
    """A clip and a sound to a clip with that sound."""

    @classmethod
    def define_schema(cls):
        return schema(
            node_id="SeeingHearingAddSound",
            display_name="Add Sound to Video",
            category=Category.UTILITIES,
            description="Puts a sound onto a clip without touching its pictures: they are copied, not encoded again, "
            "where the clip is H.264, HEVC or AV1. The sound that the clip has can stay under the new one.",
            search_aliases=[
                "combine audio and video",
                "mux",
                "add audio to video",
                "replace audio",
                "mix audio",
                "duck",
                "soundtrack",
            ],
            inputs=[
                io.Video.Input("video", tooltip="The clip, for example from Load Video."),
                io.Audio.Input(
                    "audio",
                    tooltip="The new sound. It is cut or filled with silence to the length of the clip. The first of a "
                    "batch counts.",
                ),
                *widgets(*settings.MIXING),
            ],
            outputs=[io.Video.Output(display_name="video", tooltip="The clip with the sound, for Save Video.")],
        )

    @classmethod
    def execute(cls, video, audio, original, gain, original_gain) -> io.NodeOutput:
        sounds, sample_rate = audio
        return io.NodeOutput(
            with_sound(video, sounds[0], sample_rate, original, gain=gain, original_gain=original_gain)
        )
