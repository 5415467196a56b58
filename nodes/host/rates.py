"""Frame rates that cannot be right."""

#: Frames and sound of one clip differ in length by less: a part, and seconds.
_PART, _SECONDS = 0.05, 0.3


def rate_hint(frames: int, fps: float, samples: int, sample_rate: int) -> str | None:
    """A sentence where frames at a rate and the sound beside them differ in length; None where they do not."""
    shown, heard = frames / fps, samples / sample_rate
    if abs(shown - heard) <= max(_SECONDS, _PART * heard):
        return None
    return (
        f"{frames} frames at {fps:g} fps last {shown:.1f} s, but the sound lasts {heard:.1f} s. If both are of a clip, "
        "fps is wrong: connect it to Get Video Components, or connect the VIDEO instead."
    )
