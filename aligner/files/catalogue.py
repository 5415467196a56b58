"""The models that exist: their kinds, where they lie in a models folder such as ComfyUI's, and where to get them."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from ..errors import AlignerWarning
from .downloads import RemoteFile, hub_files
from .weights import SUFFIXES


@dataclass(frozen=True)
class Kind:
    """A kind of model.

    patterns: glob patterns below a models folder that find models of this kind; a model that is a folder is found by
    its index file, one of INDEX_FILES. wanted: the kind in messages, with an example. folder: the folder below a
    models folder where a new one goes. other: whether a file that the patterns find is of another kind.
    """

    patterns: tuple[str, ...]
    wanted: str
    folder: str
    other: Callable[[Path], bool] = lambda path: False


def _weights(name: str) -> tuple[str, ...]:
    return tuple(name + suffix for suffix in SUFFIXES)


def enlarges(path: Path) -> bool:
    """Whether a file beside MM-Diffusion's is its second stage, such as Landscape_SR.pt."""
    return path.stem.lower().endswith("_sr")


#: By the name of the kind. The command line has an option of this name where a command takes such a model.
KINDS = {
    "imagebind": Kind(_weights("imagebind/*"), "ImageBind checkpoint such as imagebind_huge.pth", "imagebind"),
    "pe_av": Kind(("pe_av/*/config.json",), "PE-AV folder such as pe-av-small", "pe_av"),
    "clap": Kind(("clap/*/config.json",), "CLAP folder such as clap-htsat-unfused", "clap"),
    "audioldm": Kind(
        ("audioldm/model_index.json", "audioldm/*/model_index.json"),
        "AudioLDM folder such as audioldm-m-full",
        "audioldm",
    ),
    "base": Kind(
        (*_weights("checkpoints/*"), "diffusers/*/model_index.json"),
        "Stable Diffusion 1.5",
        "checkpoints",
    ),
    "motion": Kind(
        (*_weights("animatediff_models/*"), "animatediff_models/*/config.json"),
        "motion module such as v3_sd15_mm.ckpt",
        "animatediff_models",
    ),
    "taesd": Kind(
        _weights("vae_approx/taesd_decoder"),
        "TAESD decoder such as taesd_decoder.safetensors",
        "vae_approx",
    ),
    "coupled": Kind(
        _weights("mm_diffusion/*"), "MM-Diffusion checkpoint such as Landscape.pt", "mm_diffusion", enlarges
    ),
    "captioner": Kind(("captioners/*/config.json",), "captioner such as blip-image-captioning-base", "captioners"),
}

#: The files that mark a folder as a model: of a pipeline, and of a single network.
INDEX_FILES = ("model_index.json", "config.json")
_PIPELINE, _NETWORK = INDEX_FILES

#: A description of a model is no longer than that, in characters.
_LONGEST_DESCRIPTION = 2**20

#: What belongs to a model that is a folder: no weights in other formats, no pictures and no notes.
_FOLDER = ("*.json", "*.txt", "*.bin", "*.safetensors")


def files_matching(folder: Path, pattern: str, holding: str = "") -> Iterator[Path]:
    """The files below a folder that match a glob pattern and can be read.

    holding: a text that each of them must contain near its beginning; "": any. A folder, a pipe or a broken link of
    such a name is skipped with a warning, as is what may not be read: one odd entry must not hide the others.
    """
    for path in folder.glob(pattern):
        try:
            if not path.is_file():
                raise OSError("it is no regular file")
            with path.open(encoding="utf-8", errors="replace") as file:
                found = holding in file.read(_LONGEST_DESCRIPTION if holding else 1)
        except OSError as error:
            warnings.warn(f"{path} is left out: {error.strerror or error}.", AlignerWarning, stacklevel=2)
            continue
        if found:
            yield path


@dataclass(frozen=True)
class Offer:
    """A model that can be downloaded.

    kind: a key of KINDS. name: the name of its file or folder. size, licence: in words. source: a repository of the
    model hub, "owner/name", or one file. index: the index file of a model that is a whole folder; "" for a file.
    """

    kind: str
    name: str
    size: str
    licence: str
    source: str | RemoteFile
    index: str = ""

    @property
    def folder(self) -> str:
        """The folder below a models folder where it goes."""
        return KINDS[self.kind].folder

    def files(self, place: Path, on_wait: Callable[[], None] = lambda: None) -> list[RemoteFile]:
        """The files of the model, with paths below `folder`. Asks the model hub where the source is a repository.

        place: where users can put the model themselves, for messages. on_wait: see `hub_files`. The index file of a
        folder comes last, so that a model is found only when it is complete. Raises AlignerError where the hub does
        not answer or lacks the files.
        """
        if isinstance(self.source, RemoteFile):
            return [self.source]
        if not self.index:
            return hub_files(self.source, place, (self.name,), on_wait)
        found = sorted(hub_files(self.source, place, _FOLDER, on_wait), key=lambda file: file.path == self.index)
        return [replace(file, path=f"{self.name}/{file.path}") for file in found]


_NON_COMMERCIAL = "CC BY-NC-SA 4.0: for non-commercial use only"
_RAIL = "CreativeML Open RAIL-M"

#: By what people call the model.
OFFERS = {
    **{
        f"PE-AV, {size} (for commercial use, too)": Offer(
            "pe_av", f"pe-av-{size}", room, "Apache 2.0", f"facebook/pe-av-{size}", _NETWORK
        )
        for size, room in (("large", "6 GB"), ("base", "less"), ("small", "less"))
    },
    "CLAP, sounds and words": Offer(
        "clap", "clap-htsat-unfused", "0.6 GB", "Apache 2.0", "laion/clap-htsat-unfused", _NETWORK
    ),
    "ImageBind": Offer(
        "imagebind",
        "imagebind_huge.pth",
        "4.8 GB",
        _NON_COMMERCIAL,
        RemoteFile(
            "https://dl.fbaipublicfiles.com/imagebind/imagebind_huge.pth",
            "imagebind_huge.pth",
            4803584173,
            "d6f6c22bedcc90708448d5d2fbb7b2db9c73f505dc89bd0b2e09b23af1b62157",
        ),
    ),
    "AudioLDM, medium (the paper's)": Offer(
        "audioldm", "audioldm-m-full", "2.7 GB", _NON_COMMERCIAL, "cvssp/audioldm-m-full", _PIPELINE
    ),
    "AudioLDM, small": Offer(
        "audioldm", "audioldm-s-full-v2", "1.7 GB", _NON_COMMERCIAL, "cvssp/audioldm-s-full-v2", _PIPELINE
    ),
    "AudioLDM, large": Offer(
        "audioldm", "audioldm-l-full", "3.9 GB", _NON_COMMERCIAL, "cvssp/audioldm-l-full", _PIPELINE
    ),
    "Stable Diffusion 1.5": Offer(
        "base",
        "v1-5-pruned-emaonly.safetensors",
        "4.3 GB",
        _RAIL,
        "stable-diffusion-v1-5/stable-diffusion-v1-5",
    ),
    "AnimateDiff motion module, version 2": Offer(
        "motion", "mm_sd_v15_v2.ckpt", "1.8 GB", "Apache 2.0", "guoyww/animatediff"
    ),
    "AnimateDiff motion module, version 3": Offer(
        "motion", "v3_sd15_mm.ckpt", "1.7 GB", "Apache 2.0", "guoyww/animatediff"
    ),
    "TAESD decoder": Offer("taesd", "taesd_decoder.safetensors", "5 MB", "MIT", "madebyollin/taesd"),
    "BLIP, captions for pictures": Offer(
        "captioner",
        "blip-image-captioning-base",
        "1 GB",
        "BSD 3-Clause",
        "Salesforce/blip-image-captioning-base",
        _NETWORK,
    ),
    "Qwen2-Audio, captions for sounds": Offer(
        "captioner", "Qwen2-Audio-7B-Instruct", "17 GB", "Apache 2.0", "Qwen/Qwen2-Audio-7B-Instruct", _NETWORK
    ),
}
