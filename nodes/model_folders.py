"""Where models lie: models/imagebind and models/audioldm, and wherever extra_model_paths.yaml says."""

from pathlib import Path

import folder_paths

from ..aligner.errors import CheckpointError

IMAGEBIND, AUDIOLDM = "imagebind", "audioldm"
IMAGEBIND_SUFFIXES = {".safetensors", ".pth"}

#: The models that come with this extension; first in every list, so that a new graph runs before any download.
DEMO = "demo (built in)"


def register_model_folders() -> None:
    """Add our folders beside those that extra_model_paths.yaml has named already."""
    for name in (IMAGEBIND, AUDIOLDM):
        folder_paths.add_model_folder_path(name, str(Path(folder_paths.models_dir) / name))


def imagebind_names() -> list[str]:
    return [DEMO, *(name for name in folder_paths.get_filename_list(IMAGEBIND)
                    if Path(name).suffix.lower() in IMAGEBIND_SUFFIXES)]


def imagebind_path(name: str) -> Path:
    return Path(folder_paths.get_full_path_or_raise(IMAGEBIND, name))


def audioldm_names() -> list[str]:
    return [DEMO, *sorted(_audioldm_folders())]


def audioldm_path(name: str) -> Path:
    """Raises CheckpointError if the folder has gone since the list was made."""
    folders = _audioldm_folders()
    if name not in folders:
        raise CheckpointError(f"There is no AudioLDM folder {name}. Put one into models/{AUDIOLDM} and refresh the page.")
    return folders[name]


def _audioldm_folders() -> dict[str, Path]:
    """Folders in the diffusers layout, by name; of two with one name the first place wins, as everywhere in ComfyUI."""
    found: dict[str, Path] = {}
    for place in folder_paths.get_folder_paths(AUDIOLDM):
        for index in sorted(Path(place).glob("*/model_index.json")):
            found.setdefault(index.parent.name, index.parent)
    return found
