"""The clip that our workflow templates open with."""

import logging
import shutil
from pathlib import Path

import folder_paths

from ..aligner.demo import EXAMPLE_VIDEO

NAME = "seeing_and_hearing_example.mp4"


def offer_example_clip() -> None:
    """Put the clip into ComfyUI's input folder, so that Load Video finds it and the templates run as they open."""
    target = Path(folder_paths.get_input_directory()) / NAME
    if target.exists():
        return
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(EXAMPLE_VIDEO, target)
    except OSError as error:
        # An input folder that cannot be written is no reason to withhold the nodes.
        logging.warning("Seeing & Hearing: the example clip could not be copied to %s (%s). Choose another clip in the "
                        "templates.", target, error)
