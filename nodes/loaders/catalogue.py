"""Where real models come from, and which folder they go to."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import folder_paths

from ...aligner.files.downloads import RemoteFile, hub_files
from ..host.model_folders import (
    AUDIOLDM,
    CAPTIONERS,
    CHECKPOINTS,
    IMAGEBIND,
    MOTION_MODULES,
    VAE_APPROX,
    audioldm_names,
    captioner_names,
    imagebind_names,
    motion_module_names,
    stable_diffusion_names,
    taesd_names,
)

#: A pipeline or model folder without other formats, pictures and notes.
_FOLDER = ("*.json", "*.txt", "*.bin", "*.safetensors")
#: By which loaders know such folders.
_PIPELINE, _MODEL = "model_index.json", "config.json"
#: What the loaders list of each kind.
_LISTED = {
    IMAGEBIND: imagebind_names,
    AUDIOLDM: audioldm_names,
    CAPTIONERS: captioner_names,
    CHECKPOINTS: stable_diffusion_names,
    MOTION_MODULES: motion_module_names,
    VAE_APPROX: taesd_names,
}


@dataclass(frozen=True)
class Offer:
    """A model to download. size: in words. name: the file's or the folder's, as the loaders list it.

    files: asks the network what belongs to it, with paths relative to the folder of its kind.
    """

    kind: str
    name: str
    size: str
    licence: str
    files: Callable[[], list[RemoteFile]]

    @property
    def folder(self) -> Path:
        return _first_place(self.kind)

    @property
    def found(self) -> str | None:
        """What the loaders list of it already: of that name, in any place, subfolder and format."""
        same = [name for name in _LISTED[self.kind]() if Path(name).stem == Path(self.name).stem]
        return self.name if self.name in same else next(iter(same), None)


def _first_place(kind: str) -> Path:
    """Where new models of a kind go, as in all of ComfyUI."""
    return Path(folder_paths.get_folder_paths(kind)[0])


def _from_hub(kind: str, repository: str, name: str, size: str, licence: str) -> Offer:
    """One file of a repository."""
    return Offer(kind, name, size, licence, lambda: hub_files(repository, _first_place(kind) / name, (name,)))


def _folder_from_hub(kind: str, repository: str, mark: str, size: str, licence: str) -> Offer:
    """A whole repository as a folder.

    mark: the file by which loaders know it. It comes last, so that they never see a folder that is not complete.
    """
    name = repository.partition("/")[2]

    def files() -> list[RemoteFile]:
        found = sorted(hub_files(repository, _first_place(kind) / name, _FOLDER), key=lambda file: file.path == mark)
        return [replace(file, path=f"{name}/{file.path}") for file in found]

    return Offer(kind, name, size, licence, files)


_NON_COMMERCIAL = "CC BY-NC-SA 4.0: for non-commercial use only"
_RAIL = "CreativeML Open RAIL-M"

OFFERS = {
    "ImageBind": Offer(
        IMAGEBIND,
        "imagebind_huge.pth",
        "4.8 GB",
        _NON_COMMERCIAL,
        lambda: [
            RemoteFile(
                "https://dl.fbaipublicfiles.com/imagebind/imagebind_huge.pth",
                "imagebind_huge.pth",
                4803584173,
                "d6f6c22bedcc90708448d5d2fbb7b2db9c73f505dc89bd0b2e09b23af1b62157",
            )
        ],
    ),
    "AudioLDM, medium (the paper's)": _folder_from_hub(
        AUDIOLDM, "cvssp/audioldm-m-full", _PIPELINE, "2.7 GB", _NON_COMMERCIAL
    ),
    "AudioLDM, small": _folder_from_hub(AUDIOLDM, "cvssp/audioldm-s-full-v2", _PIPELINE, "1.7 GB", _NON_COMMERCIAL),
    "AudioLDM, large": _folder_from_hub(AUDIOLDM, "cvssp/audioldm-l-full", _PIPELINE, "3.9 GB", _NON_COMMERCIAL),
    "Stable Diffusion 1.5": _from_hub(
        CHECKPOINTS, "stable-diffusion-v1-5/stable-diffusion-v1-5", "v1-5-pruned-emaonly.safetensors", "4.3 GB", _RAIL
    ),
    "AnimateDiff motion module, version 2": _from_hub(
        MOTION_MODULES, "guoyww/animatediff", "mm_sd_v15_v2.ckpt", "1.8 GB", "Apache 2.0"
    ),
    "AnimateDiff motion module, version 3": _from_hub(
        MOTION_MODULES, "guoyww/animatediff", "v3_sd15_mm.ckpt", "1.7 GB", "Apache 2.0"
    ),
    "TAESD decoder": _from_hub(VAE_APPROX, "madebyollin/taesd", "taesd_decoder.safetensors", "5 MB", "MIT"),
    "BLIP, captions for pictures": _folder_from_hub(
        CAPTIONERS, "Salesforce/blip-image-captioning-base", _MODEL, "1 GB", "BSD 3-Clause"
    ),
    "Qwen2-Audio, captions for sounds": _folder_from_hub(
        CAPTIONERS, "Qwen/Qwen2-Audio-7B-Instruct", _MODEL, "17 GB", "Apache 2.0"
    ),
}
