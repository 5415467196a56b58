"""The clip, the picture and the sound of our workflow templates."""

import logging
import shutil
from pathlib import Path

import folder_paths

from ...aligner.demo.examples import EXAMPLE_IMAGE, EXAMPLE_SOUND, EXAMPLE_VIDEO
from ...aligner.errors import MediaError
from ...aligner.files.atomic import written_whole

NAME = "seeing_and_hearing_example"


def offer_examples() -> None:
    """Copy the examples into ComfyUI's input folder, where the templates load them.

    An existing file of the same name stays as it is.
    """
    for example in (EXAMPLE_VIDEO, EXAMPLE_IMAGE, EXAMPLE_SOUND):
        target = Path(folder_paths.get_input_directory()) / f"{NAME}{example.suffix}"
        try:
            if target.exists():
                continue
            with written_whole(target) as temporary:
                shutil.copyfile(example, temporary)
        except (MediaError, OSError) as error:
            # The nodes work without the examples.
            logging.warning("Seeing & Hearing: an example of the templates could not be copied. %s", error)
