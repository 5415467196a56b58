"""What goes wrong because of an input, as opposed to a bug: one family of exceptions with a message for the user."""


class AlignerError(ValueError):
    """An input that cannot be used. The message names the input and says what to do about it."""


class MediaError(AlignerError):
    """A picture, sound or video that cannot be read or written."""


class CheckpointError(AlignerError):
    """A weight file that is missing, damaged, unsafe or made for another model."""
