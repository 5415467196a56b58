"""Inputs for results that are longer than what a model makes in one piece. They came later, and so stand last."""

from comfy_api.latest import io

from ..aligner.generators.animatediff import WINDOW


def window_input() -> io.Float.Input:
    """Of a sound."""
    return io.Float.Input(
        "window",
        default=0.0,
        min=0.0,
        max=600.0,
        step=0.1,
        optional=True,
        tooltip="For long sounds: make them in overlapping windows of so many seconds, in memory "
        "that does not grow with the length. 10 for AudioLDM, 2 for the toy that is built "
        "in. 0: in one piece.",
    )


def context_input() -> io.Int.Input:
    """Of a video."""
    return io.Int.Input(
        "context_frames",
        default=0,
        min=0,
        max=64,
        optional=True,
        tooltip="For long videos: make them in overlapping windows of so many frames, which slide over "
        f"the video. 0: {WINDOW}, where there are more frames than the motion module knows, "
        "else in one piece.",
    )
