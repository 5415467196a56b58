"""Where nodes write files of our own kinds."""

from pathlib import Path

import folder_paths

from ..aligner.errors import AlignerError


def output_file(kind: str, filename_prefix: str) -> tuple[Path, str]:
    """The next free .safetensors file in output/`kind`, and its name as the user is told it."""
    if not filename_prefix.strip():
        raise AlignerError("filename_prefix is empty. Give the beginning of a name.")
    place = Path(folder_paths.get_output_directory()) / kind
    folder, name, counter, _, _ = folder_paths.get_save_image_path(filename_prefix, str(place))
    file = Path(folder) / f"{name}_{counter:05}_.safetensors"
    return file, file.relative_to(place.parent).as_posix()
