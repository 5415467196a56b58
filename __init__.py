"""Seeing & Hearing for ComfyUI: sound for pictures, steered by ImageBind while it is generated. No training."""

# ComfyUI imports this folder as a package; anything else that happens to import it (a test runner) has no use for it.
if __package__:
    from .nodes import comfy_entrypoint

    WEB_DIRECTORY = "./web"
    __all__ = ["WEB_DIRECTORY", "comfy_entrypoint"]
