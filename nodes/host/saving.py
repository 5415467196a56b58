"""Where nodes write files of our own kinds."""

import os
import re
import time
from pathlib import Path, PureWindowsPath

import folder_paths

from ...aligner.errors import AlignerError

SUFFIX = ".safetensors"
#: What ComfyUI appends to a prefix: a number of five digits or more.
NUMBER = "_00001_"
#: The most bytes that file systems allow in a name.
LONGEST_NAME = 255
#: What Windows allows in no name, and what no file system can encode: control characters, wildcards, lone surrogates.
FORBIDDEN = re.compile(r'[\x00-\x1f\x7f<>:"|?*\ud800-\udfff]')
#: Names that Windows keeps for devices, whatever follows after a dot.
RESERVED = re.compile(r"(con|prn|aux|nul|conin\$|conout\$|(com|lpt)[0-9¹²³])\s*(\..*)?", re.IGNORECASE)

#: The date of %date:...%, as ComfyUI's page writes it for the save nodes of ComfyUI itself.
DATE = re.compile(r"%date:([^%]+)%")
DATE_PARTS = re.compile(r"dd?|MM?|hh?|mm?|ss?|yyyy|(?<!y)yy(?!y)")


def output_file(kind: str, filename_prefix: str) -> tuple[Path, str]:
    """The next free .safetensors file in output/`kind`, and its name for messages.

    filename_prefix: may hold folders, %date:...% and the variables of ComfyUI's own save nodes, such as %year%.
    Raises AlignerError for names that some file system does not allow, and for a folder that cannot be used.
    """
    prefix = require_prefix(filename_prefix)
    place = Path(folder_paths.get_output_directory()) / kind
    try:
        folder, name, counter, _, _ = folder_paths.get_save_image_path(prefix, str(place))
    except OSError as error:
        raise AlignerError(
            f"output/{kind} cannot be used ({error.strerror or error}). Check the disk and the permissions, or give "
            "another filename_prefix."
        ) from error
    file = Path(folder) / f"{name}_{counter:05}_{SUFFIX}"
    return file, file.relative_to(place.parent).as_posix()


def dated(prefix: str, now: time.struct_time) -> str:
    """The prefix with its dates: %date:yyyy-MM-dd% is 2026-01-31. Doubled letters are padded to two digits."""
    values = {"d": now.tm_mday, "M": now.tm_mon, "h": now.tm_hour, "m": now.tm_min, "s": now.tm_sec}

    def part(found: re.Match) -> str:
        letters = found[0]
        if letters[0] == "y":
            return str(now.tm_year)[-len(letters) :]
        return str(values[letters[0]]).zfill(len(letters))

    return DATE.sub(lambda found: DATE_PARTS.sub(part, found[1]), prefix)


def require_prefix(filename_prefix: str) -> str:
    """The prefix with its dates. Raises AlignerError unless it stays in its folder, with names that are allowed."""
    prefix = dated(filename_prefix, time.localtime())
    # PureWindowsPath knows both kinds of slashes, and drives.
    parts = PureWindowsPath(prefix).parts
    if not prefix.strip() or not parts:
        raise AlignerError("filename_prefix is empty. Give the beginning of a file name.")
    if PureWindowsPath(prefix).anchor or ".." in parts:
        raise AlignerError(
            f"filename_prefix must stay inside of the output folder, but is {prefix!r}. Give a name without drive and "
            "without '..'."
        )
    for part in parts:
        if FORBIDDEN.search(part) or RESERVED.fullmatch(part) or part[-1] in ". ":
            raise AlignerError(
                f"filename_prefix holds {part!r}, which some systems do not allow as a name. Leave out control "
                'characters, <>:"|?*, a dot or a space at the end, and names of devices such as CON.'
            )
    for part, appended in zip(parts, ["" for _ in parts[1:]] + [NUMBER + SUFFIX]):
        room = LONGEST_NAME - len(appended)
        if len(os.fsencode(part)) > room:
            raise AlignerError(
                f"filename_prefix holds a name of {len(os.fsencode(part))} bytes, but {room} is the most here. Give a "
                "shorter one."
            )
    return prefix
