"""ComfyUI's own MODELs: how they are steered while ComfyUI's samplers sample them, and small ones to try it with."""
