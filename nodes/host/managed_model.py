"""Our models under ComfyUI's model management: on the device while they work, on the host when others need room."""

import sys
from collections.abc import Callable, Hashable, Iterable
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from weakref import WeakValueDictionary

import torch
from comfy import model_management
from comfy.model_patcher import ModelPatcher
from torch import nn

from ...aligner.errors import AlignerError
from ...aligner.tensors.precision import DTYPES
from .memory import with_one_more_try
from .progress import end_if_cancelled


def resolve_dtype(choice: str) -> torch.dtype:
    """The chosen precision; for "auto" the one that ComfyUI chooses for its device."""
    if choice in DTYPES:
        return DTYPES[choice]
    device = model_management.get_torch_device()
    if model_management.should_use_fp16(device=device):
        return torch.float16
    return torch.bfloat16 if model_management.should_use_bf16(device=device) else torch.float32


#: The attribute by which a bare module of another pack keeps its ManagedModel.
_MANAGED = "_seeing_hearing_managed"


class ManagedModel:
    """A model whose parts ComfyUI moves one by one, so that a part that is not needed stays on the host.

    Every block of the model looks whether the user has cancelled the prompt, before it runs.
    """

    def __init__(self, model: nn.Module):
        self.model: Any = model
        for module in model.modules():
            module.register_forward_pre_hook(end_if_cancelled)
        self._patchers = {name: _patcher(part) for name, part in model.named_children()}

    @classmethod
    def of(cls, model: "ManagedModel | nn.Module") -> "ManagedModel":
        """A managed model as it is; a bare module, such as another pack's node returns, under management.

        The module keeps its managed model, so that ComfyUI knows its parts again in the next run.
        """
        if isinstance(model, ManagedModel):
            return model
        if _MANAGED not in model.__dict__:
            model.__dict__[_MANAGED] = cls(model)
        return model.__dict__[_MANAGED]

    @property
    def patcher(self) -> ModelPatcher:
        """The attribute by which ComfyUI's cache recognises a model. The cache drops models first."""
        return next(iter(self._patchers.values()))

    def patchers_of(self, *parts: str) -> list[ModelPatcher]:
        """The patchers of the named parts, as far as the model has them."""
        return [self._patchers[part] for part in parts if part in self._patchers]

    def patchers_for(self, *modalities: str) -> list[ModelPatcher]:
        """The patchers of the parts of a binder that embed these modalities, each once, as far as it embeds them."""
        parts = self.model.parts
        return self.patchers_of(*dict.fromkeys(parts[modality] for modality in modalities if modality in parts))

    def patchers_without(self, *parts: str) -> list[ModelPatcher]:
        """The patchers of all parts but the named ones."""
        return [patcher for part, patcher in self._patchers.items() if part not in parts]


@torch.inference_mode(False)
def load_on_device(patchers: list[ModelPatcher], memory_required: int = 0) -> None:
    """Bring parts to the device together, with room for `memory_required` bytes of activations beside them.

    One call must name all parts of a run: a second call may unload what the first one loaded.
    """
    model_management.load_models_gpu(patchers, memory_required=memory_required, force_full_load=True)
    for patcher in patchers:
        _load_what_was_left(patcher)
        _leave_inference_mode(patcher.model)


def _load_what_was_left(patcher: ModelPatcher) -> None:
    """Load the weights that ComfyUI leaves on the host with --novram: only its own kinds of layers fetch them.

    The layers of a model whose memory ComfyUI manages page by page, such as a VAE of its own, always fetch theirs.
    """
    if getattr(patcher, "is_dynamic", lambda: False)():
        return
    if any(weight.device.type != patcher.load_device.type for weight in patcher.model.parameters()):
        patcher.load(patcher.load_device, full_load=True)


#: The packages of requirements.txt, by the names under which they are imported.
PACKAGES = ("diffusers", "open_clip")
REQUIREMENTS = Path(__file__).parents[2] / "requirements.txt"


def require_packages() -> None:
    """Raise AlignerError with the command that completes an incomplete installation."""
    missing = [name for name in PACKAGES if find_spec(name) is None]
    if missing:
        raise AlignerError(
            f"{' and '.join(missing)} {'is' if len(missing) == 1 else 'are'} not installed. Run this command, then "
            f'restart ComfyUI:  "{sys.executable}" -m pip install -r "{REQUIREMENTS}"'
        )


_shared: WeakValueDictionary[Hashable, ManagedModel] = WeakValueDictionary()


@torch.inference_mode(False)
def shared(load: Callable[..., nn.Module], *files: Hashable, **settings: Hashable) -> ManagedModel:
    """load(*files, **settings) under ComfyUI's management. All loaders and graphs with the same arguments share it.

    A file that was written since is loaded anew. The model is freed when no graph holds it any more.
    Raises AlignerError where a package is missing that ComfyUI does not bring.
    """
    require_packages()
    key = load, files, tuple(settings.items()), _written([*files, *settings.values()])
    managed = _shared.get(key)
    if managed is None:
        managed = _shared[key] = ManagedModel(with_one_more_try(lambda: load(*files, **settings)))
    return managed


def _written(parts: Iterable[object]) -> tuple[str, ...]:
    """The versions of all paths among these, and of LoRAs."""
    paths = [
        path
        for part in parts
        for path in ([lora.path for lora in part] if isinstance(part, tuple) else [part])
        if isinstance(path, Path)
    ]
    return versions(*paths)


def versions(*paths: Path) -> tuple[str, ...]:
    """A text for each file or folder, another one when it was replaced or written.

    Loaders return it as their fingerprint: without one ComfyUI keeps what they loaded once.
    """
    return tuple(
        " ".join(
            f"{found.name} {stat.st_size} {stat.st_mtime_ns} {stat.st_ctime_ns}"
            for found in sorted([path] if path.is_file() else path.rglob("*"))
            if found.is_file() and (stat := found.stat())
        )
        for path in paths
    )


class ManagedPart(nn.Module):
    """A wrapper on which ComfyUI can set attributes such as `device`: some libraries define them read-only."""

    def __init__(self, part: nn.Module):
        super().__init__()
        self.part = part


def _patcher(part: nn.Module) -> ModelPatcher:
    return ModelPatcher(
        ManagedPart(part),
        load_device=model_management.get_torch_device(),
        offload_device=model_management.unet_offload_device(),
    )


def _leave_inference_mode(module: nn.Module) -> None:
    """Replace inference tensors by ordinary ones on the same storage.

    ComfyUI runs nodes in inference mode. A part that another node's run moved to or from the device then holds
    inference tensors. They fail in a backward pass even though they are frozen.
    """
    for child in module.modules():
        for name, parameter in child.named_parameters(recurse=False):
            if parameter.is_inference():
                setattr(child, name, nn.Parameter(_alias(parameter), requires_grad=False))
        for name, buffer in child.named_buffers(recurse=False):
            if buffer.is_inference():
                child._buffers[name] = _alias(buffer)


def _alias(tensor: torch.Tensor) -> torch.Tensor:
    alias = torch.empty(0, dtype=tensor.dtype, device=tensor.device)
    return alias.set_(tensor.untyped_storage(), tensor.storage_offset(), tensor.size(), tensor.stride())
