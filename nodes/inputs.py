"""Inputs that all samplers of video have."""

from comfy_api.latest import io

from ..aligner.generators.animatediff import DECODINGS


def starting_inputs() -> list:
    """The sockets of a latent and of frames."""
    return [
        io.Latent.Input(
            "latent",
            optional=True,
            tooltip="A latent to be refined or changed, from this node or from VAE Encode: set denoise "
            "below 1, or give it a mask of what is made anew. Its frames and size count, not the "
            "widgets.",
        ),
        io.Image.Input(
            "frames",
            optional=True,
            tooltip="Frames to be changed, instead of a latent: set denoise below 1. Their number and size "
            "count, not the widgets.",
        ),
    ]


def size_inputs() -> list:
    """How many frames, how large, how fast, and how much of a given video is made anew."""
    return [
        io.Int.Input(
            "frame_count",
            default=16,
            min=1,
            max=4096,
            tooltip="How many frames. 16 is what motion modules were trained with; more than the 24 or 32 "
            "that they know are made in a context that slides. 1 makes a picture.",
        ),
        io.Int.Input("width", default=512, min=16, max=16384, step=8, tooltip="In pixels. 512 is usual."),
        io.Int.Input("height", default=512, min=16, max=16384, step=8, tooltip="In pixels. 512 is usual."),
        io.Float.Input(
            "fps",
            default=8.0,
            min=0.01,
            max=1000.0,
            step=0.001,
            round=False,
            tooltip="Frames per second, which decides which sound a frame goes with. Motion modules make about 8.",
        ),
        io.Float.Input(
            "denoise",
            default=1.0,
            min=0.01,
            max=1.0,
            step=0.01,
            tooltip="1 starts from noise. Below 1 a latent or frames must be connected, of which the more "
            "is kept the lower this is.",
        ),
    ]


def decoding_input() -> io.Combo.Input:
    """How guidance looks at frames."""
    return io.Combo.Input(
        "decoding",
        options=list(DECODINGS),
        default="exact",
        tooltip="How ImageBind sees the frames while they form. Approximations are faster and "
        "smaller, half at half the size, taesd by the tiny decoder from Load AnimateDiff. "
        "The result is always decoded exactly.",
    )
