import torch
from comfy_api.latest import io

from ...aligner import settings
from ...aligner.errors import AlignerError
from ...aligner.media import probe_video, read_frames
from ...aligner.media.key_frame import key_frame, looked_at, shrunk
from ...aligner.parts import listening
from ..host.convert import exact_rate, frames_of, pixels, video_file
from ..host.progress import Parts
from ..inputs import Category, schema, widget


class KeyFrame(io.ComfyNode):
    """A video to its most typical frame."""

    @classmethod
    def define_schema(cls):
        return schema(
            node_id="SeeingHearingKeyFrame",
            display_name="Key Frame",
            category=Category.UTILITIES,
            description="Chooses a typical frame of a video: sharp, and similar to most of the others. Use it for "
            "Caption, or as the picture of Encode Condition.",
            search_aliases=["best frame", "thumbnail", "pick frame", "representative frame"],
            inputs=[
                io.Image.Input("image", optional=True, tooltip="A batch of frames. Connect this or a video."),
                io.Video.Input("video", optional=True, tooltip="A video. The node compares at most 64 of its frames."),
                widget(settings.CONDITION_FPS),
            ],
            outputs=[
                io.Image.Output(display_name="image", tooltip="The frame in its full size."),
                io.Int.Output(display_name="number", tooltip="The number of the frame, counted from 0."),
                io.Float.Output(display_name="seconds", tooltip="The time of the frame."),
            ],
        )

    @classmethod
    def require(cls, connected) -> None:
        if len(connected & {"image", "video"}) != 1:
            raise AlignerError("Connect either an image or a video to Key Frame.")

    @classmethod
    def execute(cls, fps, image=None, video=None) -> io.NodeOutput:
        source = None if video is None else video_file(video)
        if source is not None:
            times = probe_video(source).frame_times
            numbers = looked_at(len(times))
            # Many frames are read small to choose from, and the chosen one in full size.
            with listening(Parts()):
                number = numbers[key_frame(read_frames(source, numbers, longest_side=256).permute(0, 3, 1, 2))]
                chosen = read_frames(source, [number]).float() / 255
            return io.NodeOutput(chosen, number, float(times[number]))
        if video is not None:
            image, fps = frames_of(video)
        numbers = looked_at(len(image))
        number = numbers[key_frame(torch.cat([shrunk(pixels(image[k : k + 1])) for k in numbers]))]
        return io.NodeOutput(image[number : number + 1].clone(), number, number / float(exact_rate(fps)))
