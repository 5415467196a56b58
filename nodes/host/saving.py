"""Where nodes write files of our own kinds."""

from pathlib import Path, PureWindowsPath

import folder_paths

from ...aligner.errors import AlignerError

#: Windows has trouble with paths of more than 260 characters in all.
LONGEST_NAME = 80


def output_file(kind: str, filename_prefix: str) -> tuple[Path, str]:
    """The next free .safetensors file in output/`kind`, and its name for messages."""
    if not filename_prefix.strip():
        raise AlignerError("filename_prefix is empty. Give the beginning of a file name.")
    # PureWindowsPath knows both kinds of slashes, and drives.
    parts = PureWindowsPath(filename_prefix).parts
    if PureWindowsPath(filename_prefix).anchor or ".." in parts or any(len(part) > LONGEST_NAME for part in parts):
        raise AlignerError(
            f"filename_prefix must stay inside of the output folder, with names of {LONGEST_NAME} "
            "characters at most. Give a shorter name, without drive and without '..'."
        )
    place = Path(folder_paths.get_output_directory()) / kind
    folder, name, counter, _, _ = folder_paths.get_save_image_path(filename_prefix, str(place))
    file = Path(folder) / f"{name}_{counter:05}_.safetensors"
    return file, file.relative_to(place.parent).as_posix()
