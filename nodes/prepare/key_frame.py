import torch
from comfy_api.latest import io

from ...aligner.errors import AlignerError
from ...aligner.media import probe_video, read_frames
from ...aligner.media.key_frame import key_frame, looked_at, shrunk
from ..host.convert import exact_rate, pixels, video_file
from ..inputs import CATEGORY


class KeyFrame(io.ComfyNode):
    """A video to the picture that stands for it."""

    @classmethod
    def define_schema(cls):
        return io.Schema(
            node_id="SeeingHearingKeyFrame",
            display_name="Key Frame",
            category=f"{CATEGORY}/prepare",
            description="Picks the frame that stands best for a video: sharp, and showing what most of it shows. For "
            "Caption, or as the picture that a sound is made for.",
            inputs=[
                io.Image.Input("image", optional=True, tooltip="A batch of frames. Connect this or a video."),
                io.Video.Input(
                    "video", optional=True, tooltip="A video, of which no more than 64 frames are looked at."
                ),
                io.Float.Input(
                    "fps",
                    default=24.0,
                    min=0.01,
                    max=1000.0,
                    step=0.001,
                    round=False,
                    tooltip="Frames per second of a batch of images, from which the time follows.",
                ),
            ],
            outputs=[
                io.Image.Output(display_name="image", tooltip="The frame, in its full size."),
                io.Int.Output(display_name="number", tooltip="Its number, from 0."),
                io.Float.Output(display_name="seconds", tooltip="When it appears."),
            ],
        )

    @classmethod
    def execute(cls, fps, image=None, video=None) -> io.NodeOutput:
        if (image is None) == (video is None):
            raise AlignerError("Connect an image or a video to Key Frame: one of them.")
        source = None if video is None else video_file(video)
        if source is not None:
            times = probe_video(source).frame_times
            numbers = looked_at(len(times))
            # One after the other in size: many small ones to choose from, then the chosen one.
            number = numbers[key_frame(read_frames(source, numbers, longest_side=256).permute(0, 3, 1, 2))]
            chosen = read_frames(source, [number]).float() / 255
            return io.NodeOutput(chosen, number, float(times[number]))
        if video is not None:
            components = video.get_components()
            image, fps = components.images, components.frame_rate
        numbers = looked_at(len(image))
        number = numbers[key_frame(torch.cat([shrunk(pixels(image[k : k + 1])) for k in numbers]))]
        return io.NodeOutput(image[number : number + 1].clone(), number, number / float(exact_rate(float(fps))))
