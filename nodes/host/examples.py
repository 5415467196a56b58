"""The clip, the picture and the sound that our workflow templates open with."""

import hashlib
import logging
import shutil
from pathlib import Path

import folder_paths

from ...aligner.demo.examples import EXAMPLE_IMAGE, EXAMPLE_SOUND, EXAMPLE_VIDEO
from ...aligner.errors import MediaError
from ...aligner.files.atomic import written_whole

NAME = "seeing_and_hearing_example"
#: SHA-256 of examples that earlier versions left in input folders. Today's models do not know what they show.
OUTDATED = {
    "c93ce06b53932f8c7aacefb4ea65ad7d7ee8bca6d89444b9fb8b2fab41ebb8c0",
    "6b17c5a069b5ea1541e046e04173305c068b3abe30653753c4cc069113fad6bc",
    "4c959d634daf3ba8af0c9356a732e2606b51793b68693ba642c77a1eb63afc4a",
}


def offer_examples() -> None:
    """Put them into ComfyUI's input folder, so that its loaders find them and the templates run as they open.

    A file of that name that we did not write is left as it is.
    """
    for example in (EXAMPLE_VIDEO, EXAMPLE_IMAGE, EXAMPLE_SOUND):
        target = Path(folder_paths.get_input_directory()) / f"{NAME}{example.suffix}"
        try:
            if target.exists() and hashlib.sha256(target.read_bytes()).hexdigest() not in OUTDATED:
                continue
            with written_whole(target) as temporary:
                shutil.copyfile(example, temporary)
        except (MediaError, OSError) as error:
            # An input folder that cannot be written is no reason to withhold the nodes.
            logging.warning("Seeing & Hearing: an example for the templates could not be copied. %s", error)
