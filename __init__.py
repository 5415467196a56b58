"""Seeing & Hearing for ComfyUI: sound for pictures and pictures for sound, steered by ImageBind. No training."""

from importlib.util import find_spec

# This folder is a package inside ComfyUI only; whatever else imports it, such as a test runner, has no use for it.
if __package__ and find_spec("comfy_api"):
    from .nodes import comfy_entrypoint

    WEB_DIRECTORY = "./web"
    __all__ = ["WEB_DIRECTORY", "comfy_entrypoint"]
