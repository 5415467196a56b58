"""Where models lie: ComfyUI's own folders, ours beside them, and wherever extra_model_paths.yaml says."""

from pathlib import Path

import folder_paths

from ...aligner.errors import CheckpointError
from ...aligner.files.catalogue import KINDS, Offer, enlarges, files_matching
from ...aligner.files.weights import SUFFIXES

IMAGEBIND, PE_AV, CLAP, AUDIOLDM, CAPTIONERS, CHECKPOINTS, MOTION_MODULES, VAE_APPROX, MM_DIFFUSION = (
    KINDS[kind].folder
    for kind in ("imagebind", "pe_av", "clap", "audioldm", "captioner", "base", "motion", "taesd", "coupled")
)
#: Folders of files that our own nodes write.
TUNED_PROMPTS, CONDITIONS = "tuned_prompts", "conditions"
SAVED = ".safetensors"
#: Other extensions for AnimateDiff use this name as well.
MOTION_LORAS = "animatediff_motion_lora"
#: More of ComfyUI's own folders.
DIFFUSERS, LORAS = "diffusers", "loras"

#: The models of this extension. They are first in every list, so that a new graph runs before any download.
DEMO = "demo (built in)"
NONE = "none"


def register_model_folders() -> None:
    """Add our folders beside those that extra_model_paths.yaml and other extensions have named already."""
    for name in (
        *(IMAGEBIND, PE_AV, CLAP, AUDIOLDM, MOTION_MODULES, MOTION_LORAS, CAPTIONERS, MM_DIFFUSION),
        *(TUNED_PROMPTS, CONDITIONS),
    ):
        folder_paths.add_model_folder_path(name, str(Path(folder_paths.models_dir) / name))
    # Saved files can be loaded again, as ComfyUI's own saved checkpoints can.
    for name in (TUNED_PROMPTS, CONDITIONS):
        folder_paths.add_model_folder_path(name, str(Path(folder_paths.get_output_directory()) / name))


def imagebind_names() -> list[str]:
    return [DEMO, *_files(IMAGEBIND)]


def imagebind_path(name: str) -> Path:
    return _path(IMAGEBIND, name)


def pe_av_names() -> list[str]:
    return list(_folders(PE_AV, "config.json"))


def pe_av_path(name: str) -> Path:
    """Raises CheckpointError if the folder has gone since the list was made."""
    return _folder_path(PE_AV, "config.json", name, "PE-AV")


def clap_names() -> list[str]:
    return list(_folders(CLAP, "config.json"))


def clap_path(name: str) -> Path:
    """Raises CheckpointError if the folder has gone since the list was made."""
    return _folder_path(CLAP, "config.json", name, "CLAP")


def audioldm_names() -> list[str]:
    return [DEMO, *_folders(AUDIOLDM, "model_index.json")]


def audioldm_path(name: str) -> Path:
    """Raises CheckpointError if the folder has gone since the list was made."""
    return _folder_path(AUDIOLDM, "model_index.json", name, "AudioLDM")


def stable_diffusion_names() -> list[str]:
    """Checkpoint files of any model, and folders of Stable Diffusion."""
    return [DEMO, *_files(CHECKPOINTS), *_stable_diffusion_folders()]


def stable_diffusion_path(name: str) -> Path:
    return _stable_diffusion_folders().get(name) or _path(CHECKPOINTS, name)


def motion_module_names() -> list[str]:
    """Files and folders, without the files inside of such a folder."""
    folders = _motion_folders()
    files = [name for name in _files(MOTION_MODULES) if Path(name).parent.as_posix() not in folders]
    return [*files, *folders]


def motion_module_path(name: str) -> Path:
    return _motion_folders().get(name) or _path(MOTION_MODULES, name)


def mm_diffusion_names() -> list[str]:
    return [DEMO, *(name for name in _files(MM_DIFFUSION) if not enlarges(Path(name)))]


def upscaler_names() -> list[str]:
    return [name for name in _files(MM_DIFFUSION) if enlarges(Path(name))]


def mm_diffusion_path(name: str) -> Path:
    """Of a coupled network or of an upscaler: they share a folder."""
    return _path(MM_DIFFUSION, name)


def lora_names() -> list[str]:
    return [NONE, *_files(LORAS)]


def motion_lora_names() -> list[str]:
    """The LoRAs in the folder of motion LoRAs, and all others: people keep motion LoRAs in both places."""
    return [NONE, *dict.fromkeys([*_files(MOTION_LORAS), *_files(LORAS)])]


def lora_path(name: str) -> Path:
    return _path(LORAS, name)


def motion_lora_path(name: str) -> Path:
    return _path(MOTION_LORAS if folder_paths.get_full_path(MOTION_LORAS, name) else LORAS, name)


def taesd_names() -> list[str]:
    """Decoders for latents of Stable Diffusion 1. The same folder holds encoders, and decoders for other models."""
    return [NONE, *(name for name in _files(VAE_APPROX) if Path(name).stem == "taesd_decoder")]


def taesd_path(name: str) -> Path:
    return _path(VAE_APPROX, name)


def captioner_names() -> list[str]:
    return [DEMO, *_folders(CAPTIONERS, "config.json")]


def captioner_path(name: str) -> Path:
    """Raises CheckpointError if the folder has gone since the list was made."""
    return _folder_path(CAPTIONERS, "config.json", name, "captioner's")


def tuned_prompt_names() -> list[str]:
    return _files(TUNED_PROMPTS, (SAVED,))


def tuned_prompt_path(name: str) -> Path:
    return _path(TUNED_PROMPTS, name)


def condition_names() -> list[str]:
    return _files(CONDITIONS, (SAVED,))


def condition_path(name: str) -> Path:
    return _path(CONDITIONS, name)


#: The names that the loaders list, by the kind of model.
_LISTED = {
    "imagebind": imagebind_names,
    "pe_av": pe_av_names,
    "clap": clap_names,
    "audioldm": audioldm_names,
    "captioner": captioner_names,
    "base": stable_diffusion_names,
    "motion": motion_module_names,
    "taesd": taesd_names,
    "coupled": mm_diffusion_names,
}


def listed_name(offer: Offer) -> str | None:
    """The name under which a loader lists the model, in any place, subfolder and format; None if it does not."""
    same = [name for name in _LISTED[offer.kind]() if Path(name).stem == Path(offer.name).stem]
    return offer.name if offer.name in same else next(iter(same), None)


def first_place(offer: Offer) -> Path:
    """The folder where a new model goes: the first of its kind, as everywhere in ComfyUI."""
    return Path(folder_paths.get_folder_paths(offer.folder)[0])


def _files(kind: str, suffixes: tuple[str, ...] = SUFFIXES) -> list[str]:
    """The files of a kind, without hidden ones, which are no models: some systems and programs leave such."""
    found = [Path(name) for name in folder_paths.get_filename_list(kind)]
    return [
        str(name)
        for name in found
        if name.suffix.lower() in suffixes and not any(part.startswith(".") for part in name.parts)
    ]


def _path(kind: str, name: str) -> Path:
    """The file behind a name of a list. Raises CheckpointError where it is no regular file, or has gone since."""
    found = folder_paths.get_full_path(kind, name)
    if found is None:
        raise CheckpointError(
            f"{name!r} in models/{kind} is no file that can be read. It may be a link to a file that has gone. Put the "
            "file there again and refresh the page."
        )
    return Path(found)


def _folder_path(kind: str, description: str, name: str, what: str) -> Path:
    folders = _folders(kind, description)
    if name not in folders:
        raise CheckpointError(f"There is no {what} folder {name!r}. Put one into models/{kind} and refresh the page.")
    return folders[name]


def _stable_diffusion_folders() -> dict[str, Path]:
    return _folders(DIFFUSERS, "model_index.json", holding='"StableDiffusionPipeline"')


def _motion_folders() -> dict[str, Path]:
    return _folders(MOTION_MODULES, "config.json", holding='"MotionAdapter"')


def _folders(kind: str, description: str, holding: str = "") -> dict[str, Path]:
    """Folders in the diffusers layout, by name.

    description: the file that every such folder has. holding: a text that it must contain.
    Where two folders have one name, the first place counts, as everywhere in ComfyUI.
    """
    found: dict[str, Path] = {}
    for place in folder_paths.get_folder_paths(kind):
        for file in files_matching(Path(place), f"*/{description}", holding):
            found.setdefault(file.parent.name, file.parent)
    return dict(sorted(found.items()))
