"""The side of the nodes that faces ComfyUI: conversions, model management, folders, progress."""
