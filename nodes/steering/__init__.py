"""Nodes that steer ComfyUI's own MODELs."""
